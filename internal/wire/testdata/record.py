"""Records the request bodies in this folder: the unmodified tiledb client talks to the reference server.

usage: record.py SERVER_URL RECORD_DIR   (refserver.py PORT ROOT --schema rest.capnp --record RECORD_DIR must be running)

Each step first asks for /__mark/NAME, which the server refuses but records, so that the bodies can be told apart. Only
bodies of requests that have one are kept, named NAME-OPERATION.bin; where a step sends several, the last one wins, and
those that look like another are left out. (create-v3 and global-order-submit come from other recordings.)"""
import glob, json, os, re, sys, urllib.request
import numpy as np, tiledb

url, record = sys.argv[1:3]
here = os.path.dirname(os.path.abspath(__file__))
ctx = tiledb.Ctx({"rest.server_address": url, "rest.token": "very-secret-token", "rest.retry_count": "0"})

def mark(name):
    try: urllib.request.urlopen(url + "/__mark/" + name)
    except urllib.error.HTTPError: pass

def uri(name): return "tiledb://ns/" + name
F = tiledb.FilterList

def dim(name, domain, tile, dtype): return tiledb.Dim(name=name, domain=domain, tile=tile, dtype=dtype, ctx=ctx)

def schema_dense():
    return [dim("row", (1, 8), 4, np.int32), dim("col", (1, 12), 3, np.int32)]

def create(name, schema):
    mark(name); tiledb.Array.create(uri(name), schema, ctx=ctx)

# Every filter with options away from their defaults.
filters = F([tiledb.BitWidthReductionFilter(512), tiledb.ByteShuffleFilter(), tiledb.BitShuffleFilter(), tiledb.PositiveDeltaFilter(2048),
             tiledb.GzipFilter(5), tiledb.Bzip2Filter(7), tiledb.LZ4Filter(3), tiledb.ZstdFilter(11), tiledb.RleFilter(), tiledb.ChecksumMD5Filter(),
             tiledb.ChecksumSHA256Filter(), tiledb.NoOpFilter()])
attrs = [
    tiledb.Attr("a", np.int32, filters=filters, ctx=ctx),
    tiledb.Attr("f", np.float64, filters=F([tiledb.FloatScaleFilter(0.25, 7.5, 4)]), fill=2.5, ctx=ctx),
    tiledb.Attr("dd", np.int64, filters=F([tiledb.DoubleDeltaFilter(-1, np.int32)]), nullable=True, ctx=ctx),
    tiledb.Attr("de", np.uint64, filters=F([tiledb.DeltaFilter(-1, np.int16), tiledb.XORFilter()]), ctx=ctx),
    tiledb.Attr("s", "ascii", filters=F([tiledb.DictionaryFilter()]), var=True, nullable=True, ctx=ctx),
    tiledb.Attr("t", np.dtype("datetime64[ns]"), ctx=ctx),
    tiledb.Attr("two", np.dtype([("", np.int16), ("", np.int16)]), fill=(3, 4), ctx=ctx),
    tiledb.Attr("b", "blob", var=True, ctx=ctx),
]
create("dense", tiledb.ArraySchema(tiledb.Domain(*schema_dense(), ctx=ctx), attrs, cell_order="row-major", tile_order="col-major", ctx=ctx))

image = tiledb.Domain(dim("y", (1, 16), 8, np.uint32), dim("x", (1, 48), 12, np.uint32), ctx=ctx)
try:
    create("image", tiledb.ArraySchema(image, [tiledb.Attr("rgb", np.uint8, filters=F([tiledb.WebpFilter(tiledb.WebpFilter.WebpInputFormat.WEBP_RGB, 80.5, True)]), ctx=ctx)], ctx=ctx))
except Exception as e: print("webp", e)

kinds = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64]
dims = [dim("d%s" % np.dtype(k).name, (1, 100), 10, k) for k in kinds]
dims.append(dim("day", (np.datetime64("2000-01-01", "D"), np.datetime64("2030-01-01", "D")), np.timedelta64(30, "D"), np.dtype("datetime64[D]")))
dims.append(dim("name", (None, None), None, "ascii"))
create("kinds", tiledb.ArraySchema(tiledb.Domain(*dims, ctx=ctx), [tiledb.Attr("", np.int8, ctx=ctx)], sparse=True, cell_order="hilbert", tile_order=None, capacity=77, allows_duplicates=True, ctx=ctx))

colors = tiledb.Enumeration("colors", True, values=["red", "green", "blue"], ctx=ctx)
sizes = tiledb.Enumeration("sizes", False, values=[10, 20, 30], ctx=ctx)
dom = tiledb.Domain(dim("x", (0, 999), 10, np.int64), dim("k", (None, None), None, "ascii"), ctx=ctx)
schema = tiledb.ArraySchema(dom, [tiledb.Attr("v", np.float32, nullable=True, ctx=ctx), tiledb.Attr("text", "U1", var=True, nullable=True, ctx=ctx),
    tiledb.Attr("color", np.int8, enum_label="colors", ctx=ctx), tiledb.Attr("size", np.int32, enum_label="sizes", nullable=True, ctx=ctx),
    tiledb.Attr("plain", "ascii", var=True, ctx=ctx)], sparse=True, enums=[colors, sizes], ctx=ctx)
cd = tiledb.CurrentDomain(ctx); nd = tiledb.NDRectangle(ctx, dom); nd.set_range("x", 5, 500); nd.set_range("k", "aa", "mmm"); cd.set_ndrectangle(nd)
schema.set_current_domain(cd)
create("table", schema)

mark("table-open-write")
with tiledb.open(uri("table"), "w", ctx=ctx, timestamp=50) as A:
    mark("table-write")
    A[np.array([7, 8, 300]), np.array(["aa", "b", "ccc"])] = {
        "v": np.array([1.5, 0, 2.5], np.float32), "text": np.array(["x", "", "zażółć"], dtype="O"),
        "color": np.array([2, 0, 1], np.int8), "size": np.array([0, 1, 2], np.int32), "plain": np.array(["p", "qq", ""], dtype="O")}
    A.meta["int"] = 42; A.meta["text"] = "grüße"; A.meta["list"] = (1.5, 2.5); A.meta["empty"] = ""; A.meta["bytes"] = b"\x00\x01"
    mark("table-metadata")
with tiledb.open(uri("table"), "w", ctx=ctx) as A:
    del A.meta["int"]
    mark("table-metadata-delete")

mark("dense-write")
with tiledb.open(uri("dense"), "w", ctx=ctx) as A: pass
small = tiledb.ArraySchema(tiledb.Domain(dim("i", (1, 6), 3, np.int32), ctx=ctx), [tiledb.Attr("n", np.int64, nullable=True, ctx=ctx), tiledb.Attr("w", np.int16, ctx=ctx)], ctx=ctx)
create("small", small)
mark("small-write")
with tiledb.open(uri("small"), "w", ctx=ctx) as A:
    import pyarrow as pa, pandas as pd
    A[2:5] = {"n": pd.arrays.IntegerArray(np.array([7, 8, 9]), np.array([False, True, False])).astype("Int64"), "w": np.array([1, 2, 3], np.int16)}

mark("table-enumerations")
with tiledb.open(uri("table"), ctx=ctx) as A:
    A.enum("colors")
with tiledb.open(uri("table"), ctx=ctx) as A:
    mark("table-read-ranges"); A.query(attrs=["v", "plain"], dims=["k"]).multi_index[[slice(5, 9), slice(200, 400)], ["aa", slice("b", "cc")]]
    def q(c):
        try: A.query(cond=c)[:]
        except tiledb.TileDBError: pass  # libtiledb's own server half cannot tell a null test from an empty text
    mark("table-cond-and"); q("v > 1.25 and x <= 300")
    mark("table-cond-nested"); q("(v > 1.25 or not (x <= 300)) and color in ['red', 'blue']")
    mark("table-cond-null"); q("v == None and text != None")
    mark("table-cond-text"); q("plain == ''")
    mark("table-cond-set"); q("x not in [1, 2, 7]")
    mark("table-cond-enum"); q("size == 20 and color != 'green'")
    mark("table-aggregate"); A.query().agg({"v": ["sum", "mean", "min", "null_count"], "size": ["max", "count"]})[:]
    mark("table-order"); A.query(order="C", attrs=["v"], dims=False)[:]
    mark("table-estimate"); A.query(attrs=["text"]).multi_index[:]
mark("table-incomplete")
ctx2 = tiledb.Ctx({**ctx.config().dict(), "py.init_buffer_bytes": 40, "sm.var_offsets.bitsize": "64"})
with tiledb.open(uri("table"), ctx=ctx2) as A:
    for part in A.query(attrs=["plain"], return_incomplete=True, dims=False, order="U").multi_index[5:400]: pass
with tiledb.open(uri("small"), ctx=ctx) as A:
    mark("small-read"); A[3:5]
    mark("small-estimate"); A.query(attrs=["n"])[2:4]
mark("table-delete")
with tiledb.open(uri("table"), "d", ctx=ctx) as A: A.query(cond="x > 10").submit()
se = tiledb.ArraySchemaEvolution(ctx); se.add_attribute(tiledb.Attr("extra", np.int16, nullable=True, ctx=ctx)); se.drop_attribute("v")
se.extend_enumeration(colors.extend(["black"])); se.timestamp(60)
cd = tiledb.CurrentDomain(ctx); nd = tiledb.NDRectangle(ctx, dom); nd.set_range("x", 0, 900); nd.set_range("k", "a", "zzz"); cd.set_ndrectangle(nd); se.expand_current_domain(cd)
se.add_enumeration(tiledb.Enumeration("more", False, values=[b"u", b"vv"], ctx=ctx));
mark("table-evolve"); se.array_evolve(uri("table"))
mark("table-fragments"); tiledb.FragmentInfoList(uri("table"), ctx=ctx)

mark("group-create"); tiledb.group_create(uri("g"), ctx=ctx)
mark("group-open"); g = tiledb.Group(uri("g"), "w", ctx=ctx)
g.add(uri("table"), "first"); g.add(uri("small")); g.meta["k"] = 1.5
mark("group-add"); g.close()
g = tiledb.Group(uri("g"), "w", ctx=ctx); mark("group-remove"); g.remove("first"); g.close()

operation = lambda m, p: ("create" if m == "POST" and re.fullmatch(r"/v1/arrays/[^/]+/[^/]+", p) else "open" if re.fullmatch(r"/v2/arrays/[^/]+/[^/]+/", p)
    else p.rsplit("/", 1)[-1] if "/arrays/" in p else "group" if m == "POST" and not p.endswith("metadata") else "groupmeta" if p.endswith("metadata") else "update")
kept, name = {}, None
for f in sorted(glob.glob(os.path.join(record, "*.json"))):
    r = json.load(open(f)); path = r["path"].split("?")[0]
    if path.startswith("/__mark/"): name = path[8:]; continue
    if r["req"] and name: kept["%s-%s.bin" % (name, operation(r["method"], path))] = bytes.fromhex(r["req"])
same = re.compile(r"(?<!write)-open\.bin|cond-.*-enumerations|small-read-est|estimate-submit|group-(open|remove-groupmeta)|dense-write")
for n, b in sorted(kept.items()):
    if not same.search(n): open(os.path.join(here, n), "wb").write(b)
