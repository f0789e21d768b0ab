#!/usr/bin/env python3
"""Makes format/testdata/vectors: metadata files written by libtiledb, and vectors.json with what libtiledb says of them.

Run with a Python that has tiledb 0.36.1 and numpy:  python make_vectors.py
Data files are left out. Names and random parts differ at every run; the tests take them from vectors.json.
"""
import base64, glob, json, os, shutil, struct, tempfile, zlib
import numpy as np
import tiledb

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors")
TMP = tempfile.mkdtemp()
CASES = {}


def keep(case, path, name, **facts):
    """Copies a file to vectors/case/name and records facts about it."""
    os.makedirs(f"{OUT}/{case}", exist_ok=True)
    shutil.copyfile(path, f"{OUT}/{case}/{name}")
    CASES.setdefault(case, {})[name] = {"original": os.path.basename(path), **facts}


def fresh(case):
    path = f"{TMP}/{case}"
    shutil.rmtree(path, ignore_errors=True)
    return path


def keep_schemas(case, path):
    for i, f in enumerate(sorted(glob.glob(f"{path}/__schema/__*_*_*"))):
        keep(case, f, f"schema{i}.tdb")
    for i, f in enumerate(sorted(glob.glob(f"{path}/__schema/__enumerations/__*"))):
        keep(case, f, f"enumeration{i}.tdb")


def plain(v):
    """A JSON form of a coordinate: integers and floats as they are, dates as integers, texts as text."""
    if isinstance(v, (bytes, str)):
        return v if isinstance(v, str) else v.decode()
    if isinstance(v, np.datetime64) or isinstance(v, np.timedelta64):
        return int(v.astype(np.int64))
    return v.item() if hasattr(v, "item") else v


def keep_fragments(case, path):
    info = tiledb.array_fragments(path, include_mbrs=True)
    for i in range(len(info.uri)):
        folder = info.uri[i].removeprefix("file://")
        keep(case, f"{folder}/__fragment_metadata.tdb", f"fragment{i}.tdb",
             fragment=os.path.basename(folder), version=int(info.version[i]), dense=not info.sparse[i],
             cells=int(info.cell_num[i]), domain=[[plain(x) for x in r] for r in info.nonempty_domain[i]],
             mbrs=[[[plain(x) for x in r] for r in m] for m in info.mbrs[i]] if info.sparse[i] else None,
             files={os.path.basename(f): os.path.getsize(f) for f in glob.glob(f"{folder}/*") if "__fragment_metadata" not in f})


def make_dense():
    path = fresh("dense")
    dom = tiledb.Domain(tiledb.Dim("row", domain=(1, 6), tile=2, dtype="int32"),
                        tiledb.Dim("col", domain=(10, 17), tile=4, dtype="int32"))
    attrs = [
        tiledb.Attr("i32", dtype="int32", fill=-7, filters=[tiledb.DoubleDeltaFilter(), tiledb.GzipFilter(5)]),
        tiledb.Attr("f64", dtype="float64", filters=[tiledb.ByteShuffleFilter(), tiledb.LZ4Filter()]),
        tiledb.Attr("text", dtype="ascii", var=True, filters=[tiledb.ZstdFilter(3)]),
        tiledb.Attr("maybe", dtype="int16", nullable=True, filters=[tiledb.BitWidthReductionFilter(128)]),
        tiledb.Attr("pair", dtype=np.dtype("i4, i4")),
        tiledb.Attr("day", dtype="datetime64[D]", filters=[tiledb.DeltaFilter()]),
        tiledb.Attr("letter", dtype="S1", filters=[tiledb.Bzip2Filter(2), tiledb.ChecksumMD5Filter()]),
    ]
    schema = tiledb.ArraySchema(domain=dom, attrs=attrs, cell_order="col-major", tile_order="row-major", capacity=77,
                                coords_filters=[tiledb.ZstdFilter(7)], offsets_filters=[tiledb.BitShuffleFilter(), tiledb.ZstdFilter(1)],
                                validity_filters=[tiledb.RleFilter()])
    tiledb.Array.create(path, schema)
    n = 4 * 6
    values = {
        "i32": np.arange(n, dtype=np.int32).reshape(4, 6), "f64": np.linspace(-1, 1, n).reshape(4, 6),
        "text": np.array(["t" * (i % 5) for i in range(n)], dtype=object).reshape(4, 6),
        "maybe": np.arange(n, dtype=np.int16).reshape(4, 6), "day": np.arange(n).astype("datetime64[D]").reshape(4, 6),
        "letter": np.array([bytes([65 + i]) for i in range(n)], dtype="S1").reshape(4, 6),
        "pair": np.array([(i, -i) for i in range(n)], dtype="i4, i4").reshape(4, 6),
    }
    valid = np.array([i % 3 != 0 for i in range(n)], dtype=np.uint8).reshape(4, 6)
    with tiledb.open(path, "w", timestamp=1000) as a:
        values["maybe"] = np.ma.masked_array(values["maybe"], mask=valid == 0)
        a[2:6, 11:17] = values
    keep_schemas("dense", path)
    keep_fragments("dense", path)


def make_sparse():
    path = fresh("sparse")
    dom = tiledb.Domain(tiledb.Dim("name", domain=(None, None), tile=None, dtype="ascii"),
                        tiledb.Dim("when", domain=(np.datetime64(-100, "ms"), np.datetime64(10000, "ms")), tile=np.timedelta64(50, "ms"), dtype="datetime64[ms]"),
                        tiledb.Dim("x", domain=(-1.0, 1.0), tile=0.5, dtype="float32", filters=[tiledb.BitShuffleFilter(), tiledb.GzipFilter()]))
    attrs = [
        tiledb.Attr("u8", dtype="uint8", filters=[tiledb.RleFilter()]),
        tiledb.Attr("utf8", dtype=np.str_, var=True, nullable=True),
        tiledb.Attr("blob", dtype="blob", var=True),
        tiledb.Attr("flag", dtype="bool"),
        tiledb.Attr("f32", dtype="float32", nullable=True),
    ]
    schema = tiledb.ArraySchema(domain=dom, attrs=attrs, sparse=True, capacity=2, allows_duplicates=True, tile_order="col-major")
    tiledb.Array.create(path, schema)
    n = 47
    with tiledb.open(path, "w", timestamp=2000) as a:
        a[np.array(["n%02d" % (i % 13) for i in range(n)], dtype="O"), (np.arange(n) * 7).astype("datetime64[ms]"),
          np.linspace(-1, 1, n).astype(np.float32)] = {
            "u8": np.arange(n, dtype=np.uint8),
            "utf8": np.array(["é" * (i % 3) for i in range(n)], dtype=object),
            "blob": np.array([bytes([i]) * (i % 4) for i in range(n)], dtype=object),
            "flag": np.arange(n) % 2 == 0, "f32": np.arange(n, dtype=np.float32)}
    keep_schemas("sparse", path)
    keep_fragments("sparse", path)


def make_schemas():
    path = fresh("filters")
    fl = tiledb.FilterList
    attrs = [tiledb.Attr(f"a{i}", dtype=t, var=v, filters=fl(f)) for i, (t, v, f) in enumerate([
        ("int32", False, [tiledb.NoOpFilter(), tiledb.ChecksumSHA256Filter()]), ("float64", False, [tiledb.FloatScaleFilter(2.5, 1.0, 4)]),
        ("ascii", True, [tiledb.DictionaryFilter()]), ("ascii", True, [tiledb.RleFilter(), tiledb.ZstdFilter(22)]),
        ("uint64", False, [tiledb.PositiveDeltaFilter(512), tiledb.BitWidthReductionFilter(64)]), ("float32", False, [tiledb.XORFilter()]),
        ("int64", False, [tiledb.DeltaFilter(reinterp_dtype=np.int32)]), ("uint64", False, [tiledb.DoubleDeltaFilter(reinterp_dtype=np.int64)]),
        ("wkb", True, []), ("wkt", True, []), ("timedelta64[us]", False, [])])]
    dom = tiledb.Domain(*[tiledb.Dim(f"d{i}", domain=(np.dtype(t).type(1), np.dtype(t).type(100)), tile=np.dtype(t).type(10), dtype=t)
                          for i, t in enumerate(["int8", "uint8", "int16", "uint16", "int64", "uint64", "float64"])])
    tiledb.Array.create(path, tiledb.ArraySchema(domain=dom, attrs=attrs, sparse=True, cell_order="hilbert", capacity=9))
    keep_schemas("filters", path)

    path = fresh("enumerations")
    fruit = tiledb.Enumeration("fruit", True, ["apple", "", "pear"])
    size = tiledb.Enumeration("size", False, np.array([10, 20, 40], dtype=np.int16))
    dom = tiledb.Domain(tiledb.Dim("d", domain=(0, 999), tile=10, dtype="uint32"), tiledb.Dim("s", domain=(None, None), dtype="ascii"))
    schema = tiledb.ArraySchema(domain=dom, sparse=True, enums=[fruit, size],
                                attrs=[tiledb.Attr("f", dtype="int8", enum_label="fruit"), tiledb.Attr("z", dtype="uint16", nullable=True, enum_label="size")])
    cur = tiledb.CurrentDomain(tiledb.default_ctx())
    rect = tiledb.NDRectangle(tiledb.default_ctx(), dom)
    rect.set_range("d", 5, 50)
    rect.set_range("s", "a", "mmm")
    cur.set_ndrectangle(rect)
    schema.set_current_domain(cur)
    tiledb.Array.create(path, schema)
    with tiledb.open(path) as a:
        longer = a.enum("fruit").extend(["zucchini"])
    se = tiledb.ArraySchemaEvolution(tiledb.default_ctx())
    se.extend_enumeration(longer)
    se.add_attribute(tiledb.Attr("added", dtype="float32", fill=1.5))
    se.drop_attribute("z")
    se.timestamp(9_000_000_000_000)
    se.array_evolve(path)
    keep_schemas("enumerations", path)


    path = fresh("labels")
    dom = tiledb.Domain(tiledb.Dim("x", domain=(1, 9), tile=3, dtype="int32"))
    d = dom.dim(0)
    tiledb.Array.create(path, tiledb.ArraySchema(domain=dom, attrs=[tiledb.Attr("a", dtype="int32")], dim_labels={0: {
        "position": d.create_label_schema("decreasing", np.float64), "name": d.create_label_schema("increasing", "ascii")}}))
    keep_schemas("labels", path)


def make_metadata():
    path = fresh("meta")
    dom = tiledb.Domain(tiledb.Dim("d", domain=(0, 9), tile=10, dtype="int32"))
    tiledb.Array.create(path, tiledb.ArraySchema(domain=dom, attrs=[tiledb.Attr("a", dtype="int32")]))
    with tiledb.open(path, "w", timestamp=10) as a:
        a.meta["int"] = 7
        a.meta["text"] = "héllo"
        a.meta["empty"] = ""
        a.meta["floats"] = (1.5, -2.5)
        a.meta["bytes"] = b"\x00\x01\xff"
        a.meta["gone"] = 1
    with tiledb.open(path, "w", timestamp=20) as a:
        del a.meta["gone"]
        a.meta["int"] = 8
    for i, f in enumerate(sorted(glob.glob(f"{path}/__meta/__*"))):
        keep("meta", f, f"meta{i}.tdb")

    path = fresh("group")
    tiledb.Group.create(path)
    for name in ["x", "y"]:
        tiledb.Array.create(f"{path}/{name}", tiledb.ArraySchema(domain=dom, attrs=[tiledb.Attr("a", dtype="int32")]))
    tiledb.Group.create(f"{path}/sub")
    with tiledb.Group(path, "w", config=tiledb.Config({"sm.group.timestamp_end": "100"})) as g:
        g.add("x", name="first", relative=True)
        g.add("sub", relative=True)
        g.add(f"file://{path}/y", name="second")
    with tiledb.Group(path, "w", config=tiledb.Config({"sm.group.timestamp_end": "200"})) as g:
        g.remove("first")
    for i, f in enumerate(sorted(glob.glob(f"{path}/__group/__*"))):
        keep("group", f, f"group{i}.tdb", y=f"file://{path}/y")


def make_commits():
    path = fresh("commits")
    dom = tiledb.Domain(tiledb.Dim("d", domain=(0, 99), tile=10, dtype="int32"))
    tiledb.Array.create(path, tiledb.ArraySchema(domain=dom, sparse=True, capacity=4,
                        attrs=[tiledb.Attr("a", dtype="int64"), tiledb.Attr("s", dtype="ascii", var=True)]))
    for t in range(1, 4):
        with tiledb.open(path, "w", timestamp=t) as a:
            a[np.arange(t, t + 10)] = {"a": np.arange(10) * t, "s": np.array([f"s{i}" for i in range(10)], dtype=object)}
    with tiledb.open(path, "d", timestamp=5) as a:
        a.query(cond="a < 5 or (s == 's9' and a != 9)").submit()
    with tiledb.open(path, "d", timestamp=6) as a:
        a.query(cond="a in [12, 18]").submit()
    keep("commits", sorted(glob.glob(f"{path}/__commits/*.del"))[0], "first.del")
    keep("commits", sorted(glob.glob(f"{path}/__commits/*.del"))[1], "second.del")
    tiledb.consolidate(path, config=tiledb.Config({"sm.consolidation.mode": "commits"}))
    keep("commits", glob.glob(f"{path}/__commits/*.con")[0], "all.con", names=sorted(os.path.basename(f) for f in glob.glob(f"{path}/__commits/*.wrt")))
    tiledb.consolidate(path, config=tiledb.Config({"sm.consolidation.mode": "fragments"}))
    keep("commits", glob.glob(f"{path}/__commits/*.vac")[0], "fragments.vac")
    whole = [f for f in glob.glob(f"{path}/__fragments/*") if os.path.exists(f"{f}/t.tdb")][0]
    keep("commits", f"{whole}/__fragment_metadata.tdb", "fragment0.tdb", fragment=os.path.basename(whole), version=22, dense=False,
         files={os.path.basename(f): os.path.getsize(f) for f in glob.glob(f"{whole}/*") if "__fragment_metadata" not in f})
    tiledb.vacuum(path, config=tiledb.Config({"sm.vacuum.mode": "fragments"}))
    for f in glob.glob(f"{path}/__commits/*.ign"):
        keep("commits", f, "fragments.ign")
    keep_schemas("commits", path)


def u32text(s):
    return struct.pack("<I", len(s)) + s.encode()


NO_FILTERS = struct.pack("<II", 65536, 0)


def old_schema(v):
    """The file of a sparse schema of an old version: dims d int32 and s texts, attributes a float64 and b nullable texts."""
    b = struct.pack("<I?BBBQ", v, True, 1, 0, 0, 3) + NO_FILTERS * 3
    b += struct.pack("<I", 2)
    b += u32text("d") + struct.pack("<BI", 0, 1) + NO_FILTERS + struct.pack("<QiiBi", 8, 0, 999, 0, 10)
    b += u32text("s") + struct.pack("<BI", 11, 0xFFFFFFFF) + NO_FILTERS + struct.pack("<QB", 0, 1)
    b += struct.pack("<I", 2)
    for name, t, cvn, fill, nullable in [("a", 3, 1, struct.pack("<d", 0.5), 0), ("b", 11, 0xFFFFFFFF, b"-", 1)]:
        b += u32text(name) + struct.pack("<BI", t, cvn) + NO_FILTERS + struct.pack("<Q", len(fill)) + fill + struct.pack("<BB", nullable, 0)
        b += (b"\0" if v >= 17 else b"") + (struct.pack("<I", 0) if v >= 20 else b"")
    b += (struct.pack("<I", 0) if v >= 18 else b"") + (struct.pack("<I", 0) if v >= 20 else b"")
    pipeline = struct.pack("<IIBIBi", 65536, 1, 1, 5, 1, 1)
    z = zlib.compress(b, 1)
    tile = struct.pack("<QIIIIIII", 1, len(b), len(z), 16, 0, 1, len(b), len(z)) + z
    return struct.pack("<IQQBQBI", v, len(tile), len(b), 4, 1, 0, len(pipeline)) + pipeline + tile


def make_old():
    """Lets libtiledb append to arrays of old versions: it then writes fragments of that version."""
    for v in range(7, 22):
        path = fresh("old")
        os.makedirs(f"{path}/__schema")
        name = f"{path}/__array_schema.tdb" if v < 10 else f"{path}/__schema/__1_1_{'a' * 32}"
        open(name, "wb").write(old_schema(v))
        if v >= 12:
            os.makedirs(f"{path}/__fragments"), os.makedirs(f"{path}/__commits")
        os.makedirs(f"{path}/__meta", exist_ok=True)
        try:
            with tiledb.open(path, "w", timestamp=50) as a:
                a[np.arange(7, dtype=np.int32) * 11, np.array([f"k{i}" for i in range(7)], dtype="O")] = {
                    "a": np.arange(7) / 2, "b": np.array(["x" * i for i in range(7)], dtype=object)}
        except Exception as e:  # recorded, so that a run shows what libtiledb refuses
            print(f"version {v}: {e}")
            continue
        keep(f"v{v:02}", name, "schema0.tdb")
        keep_fragments(f"v{v:02}", path)


shutil.rmtree(OUT, ignore_errors=True)
for make in [make_dense, make_sparse, make_schemas, make_metadata, make_commits, make_old]:
    make()
with open(f"{OUT}/vectors.json", "w") as f:
    json.dump(CASES, f, indent=1, sort_keys=True)
shutil.rmtree(TMP)
print(sum(len(c) for c in CASES.values()), "files")
