"""What the client can do with an array or group, once with a local one and once through the server: both must answer alike.

Every operation is a function of a place (URI and context) that returns something comparable.  One JSON line each:
    operation, call, local, rest      "yes", or the reason why not

Clients back to TileDB-Py 0.20 run it, also without pandas: what one of them cannot do with a local array says so in "local".
Beside what Site wants, the argument of the program may have settings, an object of configuration for the client at the server.
"""
import ctypes as C
import json
import os
import sys
import time

import numpy as np
import rawquery
import tiledb
from oracle import Site
from rawwrite import Writer

OPERATIONS = []


def operation(title, call):
    def add(f):
        OPERATIONS.append((title, call, f))
        return f
    return add


class Place:
    """Where an operation works: a name becomes a URI in a folder, or in the server's namespace."""

    def __init__(self, ctx, base):
        self.ctx, self.base = ctx, base

    def uri(self, name):
        return self.base + name

    def sparse(self, name, fragments=1, **more):
        uri = self.uri(name)
        # Filters of its own: for a dimension without, clients before 0.23 are shown those of the array's coordinates.
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32, filters=tiledb.FilterList([tiledb.GzipFilter(3)])))
        attrs = [tiledb.Attr("a", dtype=np.int32), tiledb.Attr("t", dtype="ascii", var=True), tiledb.Attr("n", dtype=np.float64, nullable=True)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=True, capacity=5, **more), ctx=self.ctx)
        for i in range(fragments):
            x = np.arange(20 * i, 20 * i + 20, dtype=np.int32)
            with tiledb.open(uri, "w", timestamp=i + 1, ctx=self.ctx) as a:
                a[x] = {"a": x * 3, "t": np.array([str(v) for v in x], dtype=object), "n": x / 4.0}
        return uri

    def dense(self, name):
        uri = self.uri(name)
        tiledb.from_numpy(uri, np.arange(64, dtype=np.int64).reshape(8, 8), tile=4, ctx=self.ctx)
        return uri


def cells(a, **query):
    got = a.query(**query)[:] if query else a[:]
    return {k: [x.decode() if isinstance(x, bytes) else x for x in np.ma.filled(v, -1).tolist()] for k, v in got.items()}


@operation("create, and load the schema", "Array.create, ArraySchema.load")
def schema(p):
    return str(tiledb.ArraySchema.load(p.sparse("schema", 0), ctx=p.ctx))


@operation("does it exist, and what is it", "array_exists, object_type")
def exists(p):
    uri = p.dense("exists")
    tiledb.Group.create(p.uri("exists-group"), ctx=p.ctx)
    with tiledb.scope_ctx(p.ctx):  # clients before 0.32 take no context here
        found = tiledb.array_exists(uri)
    return [found] + [tiledb.object_type(u, ctx=p.ctx) for u in (uri, p.uri("exists-group"), p.uri("nothing"))]


@operation("dense write and read", "A[...] = , A[...]")
def dense(p):
    with tiledb.open(p.dense("dense"), ctx=p.ctx) as a:
        return a[:].tolist(), a[2:5, 1:7].tolist(), a.multi_index[[1, 6], 2:4][""].tolist(), a.nonempty_domain()


@operation("sparse write and read, all layouts", "query(order=…)")
def sparse(p):
    with tiledb.open(p.sparse("sparse", 3), ctx=p.ctx) as a:
        return [cells(a, order=o) if o != "U" else {k: sorted(map(str, v)) for k, v in cells(a, order=o).items()} for o in "CFGU"], cells(a)


@operation("conditions", "query(cond=…)")
def conditions(p):
    with tiledb.open(p.sparse("conditions", 3), ctx=p.ctx) as a:
        return [cells(a, cond=c) for c in ("a > 100", "t == '7' or t == '9'", "n < 3 and x >= 2", "x in [1, 40, 59]")]


@operation("aggregates", "query().agg(…)")
def aggregates(p):
    with tiledb.open(p.sparse("aggregates", 3), ctx=p.ctx) as a:
        return {k: float(v) for k, v in a.query(attrs=["a"]).agg({"a": ["sum", "min", "max", "mean", "count"]})[:].items()}


@operation("data frames", "from_pandas, open_dataframe")
def frames(p):
    import pandas as pd

    frame = pd.DataFrame({"k": ["x", "y", "z"], "v": [1.5, 2.5, None], "d": pd.to_datetime(["2020-01-01", "2021-02-02", "2022-03-03"])})
    tiledb.from_pandas(p.uri("frames"), frame, ctx=p.ctx)
    with tiledb.open(enumerated(p, "frames-labels"), ctx=p.ctx) as a:
        return tiledb.open_dataframe(p.uri("frames"), ctx=p.ctx).to_json(), a.df[:]["c"].tolist()


@operation("reads with buffers that are too small", "tiledb_query_submit until complete")
def incomplete(p):
    parts = list(rawquery.parts(p.ctx.config().dict(), p.sparse("incomplete", 4), "global", {"x": np.int32, "a": np.int32, "t": bytes}, cells=7))
    return [[v.tolist() if isinstance(v, np.ndarray) else [b.decode() for b in v] for v in (sum((list(q[n]) for q in parts), []),)] if n == "t"
            else np.concatenate([q[n] for q in parts]).tolist() for n in ("x", "a")], sum(len(q["t"]) for q in parts)


@operation("time travel", "open(timestamp=…)")
def travel(p):
    uri = p.sparse("travel", 4)
    out = []
    for at in (0, 1, 2, (2, 3), None):
        with tiledb.open(uri, timestamp=at, ctx=p.ctx) as a:
            out.append(cells(a)["x"])
    return out


@operation("metadata", "A.meta")
def metadata(p):
    uri = p.dense("metadata")
    for i in range(3):
        # Of two metadata files of one millisecond, libtiledb takes either for the newer.
        with tiledb.open(uri, "w", timestamp=i + 1, ctx=p.ctx) as a:
            a.meta[f"k{i}"] = (1, 2.5, "text", i)[i]
            a.meta["again"] = i
            if i == 2:
                del a.meta["k0"]
    with tiledb.open(uri, ctx=p.ctx) as a:
        return sorted(dict(a.meta).items())


def enumerated(p, name):
    uri = p.uri(name)
    domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 9), tile=5, dtype=np.int32))
    tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("c", dtype=np.int8, enum_label="e")], sparse=True,
                                                enums=[tiledb.Enumeration("e", False, ["red", "green"])]), ctx=p.ctx)
    with tiledb.open(uri, "w", ctx=p.ctx) as a:
        a[np.arange(4, dtype=np.int32)] = np.array([0, 1, 1, 0], np.int8)
    return uri


@operation("enumerations", "Attr(enum_label=…), A.enum")
def enumerations(p):
    with tiledb.open(enumerated(p, "enumerations"), ctx=p.ctx) as a:
        return list(a.enum("e").values()), cells(a, cond="c == 'green'")["x"]


@operation("evolution of the schema", "ArraySchemaEvolution.array_evolve")
def evolution(p):
    uri = p.sparse("evolution", 2)
    e = tiledb.ArraySchemaEvolution(p.ctx)
    e.add_attribute(tiledb.Attr("late", dtype=np.int16, fill=7))
    e.drop_attribute("t")
    e.array_evolve(uri)
    with tiledb.open(uri, ctx=p.ctx) as a:
        return str(a.schema), cells(a)


@operation("current domain", "ArraySchemaEvolution.expand_current_domain")
def current_domain(p):
    uri = p.uri("current")
    domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32))
    schema = tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32)], ctx=p.ctx)

    def rectangle(hi):
        r = tiledb.NDRectangle(p.ctx, domain)
        r.set_range(0, 0, hi)
        c = tiledb.CurrentDomain(p.ctx)
        c.set_ndrectangle(r)
        return c

    schema.set_current_domain(rectangle(9))
    tiledb.Array.create(uri, schema, ctx=p.ctx)
    e = tiledb.ArraySchemaEvolution(p.ctx)
    e.expand_current_domain(rectangle(19))
    e.array_evolve(uri)
    with tiledb.open(uri, ctx=p.ctx) as a:
        return a.schema.current_domain.ndrectangle.range(0), a.shape


def labelled(p, name):
    uri = p.uri(name)
    dim = tiledb.Dim("d", domain=(1, 10), dtype=np.uint64)
    tiledb.Array.create(uri, tiledb.ArraySchema(domain=tiledb.Domain(dim), attrs=[tiledb.Attr("a", dtype=np.int64)],
                                                dim_labels={0: {"l": dim.create_label_schema("increasing", np.int64)}}), ctx=p.ctx)
    return uri


@operation("dimension labels", "label_index")
def labels(p):
    uri = labelled(p, "labels")
    with tiledb.open(uri, "w", ctx=p.ctx) as a:
        a[:] = {"a": np.arange(10), "l": np.arange(10) * 10}
    with tiledb.open(uri, ctx=p.ctx) as a:
        got = a.label_index(["l"])[15:62]
        return got["a"].tolist(), got["l"].tolist()


@operation("schemas of dimension labels", "dim_label(…).uri, ArraySchema.load")
def label_schema(p):
    label = tiledb.ArraySchema.load(labelled(p, "label-schema"), ctx=p.ctx).dim_label("l")
    inner = tiledb.ArraySchema.load(label.uri, ctx=p.ctx)
    return str(inner.domain), str(inner.attr(0).dtype)


@operation("deletes by condition", "open('d'), query(cond=…).submit()")
def deletes(p):
    uri = p.sparse("deletes", 3)
    with tiledb.open(uri, "d", timestamp=9, ctx=p.ctx) as a:
        a.query(cond="x > 5 and a < 90").submit()
    with tiledb.open(uri, ctx=p.ctx) as a, tiledb.open(uri, timestamp=8, ctx=p.ctx) as old:
        return cells(a), cells(old)


@operation("deletes of fragments by time", "Array.delete_fragments")
def delete_fragments(p):
    uri = p.sparse("fragments", 4)
    try:
        tiledb.Array.delete_fragments(uri, 2, 3, ctx=p.ctx)
    except TypeError:  # clients before 0.29
        with tiledb.open(uri, "m", ctx=p.ctx) as a:
            a.delete_fragments(2, 3)
    with tiledb.open(uri, ctx=p.ctx) as a:
        return cells(a)["x"]


@operation("deletes of fragments by name", "tiledb_array_delete_fragments_list")
def delete_list(p):
    uri = p.sparse("list", 3)
    name = sorted(tiledb.array_fragments(uri, ctx=p.ctx), key=lambda f: f.timestamp_range)[1].uri.rstrip("/").split("/")[-1]
    raw = rawquery.Context(p.ctx.config().dict())
    raw.call("array_delete_fragments_list", uri.encode(), (C.c_char_p * 1)(f"{uri}/__fragments/{name}".encode()), C.c_size_t(1))
    with tiledb.open(uri, ctx=p.ctx) as a:
        return cells(a)["x"]


@operation("fragment information", "array_fragments")
def fragment_info(p):
    info = tiledb.array_fragments(p.sparse("info", 3), include_mbrs=True, ctx=p.ctx)
    return [(int(f.cell_num), f.nonempty_domain, f.sparse, tuple(map(int, f.timestamp_range)), f.mbrs, f.has_consolidated_metadata) for f in info]


@operation("consolidation and vacuum of fragments", "consolidate, vacuum")
def consolidation(p):
    uri = p.sparse("consolidation", 4)
    tiledb.consolidate(uri, ctx=p.ctx)
    before = len(tiledb.array_fragments(uri, ctx=p.ctx).to_vacuum)
    tiledb.vacuum(uri, ctx=p.ctx)
    with tiledb.open(uri, ctx=p.ctx) as a, tiledb.open(uri, timestamp=2, ctx=p.ctx) as old:
        return before, len(tiledb.array_fragments(uri, ctx=p.ctx)), cells(a), cells(old)


@operation("consolidation of commits, footers and metadata", "sm.consolidation.mode")
def other_modes(p):
    uri = p.sparse("modes", 4)
    for i in range(3):
        with tiledb.open(uri, "w", timestamp=i + 1, ctx=p.ctx) as a:
            a.meta["k"] = i
    for mode in ("commits", "fragment_meta", "array_meta"):
        settings = tiledb.Config({**p.ctx.config().dict(), "sm.consolidation.mode": mode, "sm.vacuum.mode": mode})
        tiledb.consolidate(uri, ctx=p.ctx, config=settings)
        tiledb.vacuum(uri, ctx=p.ctx, config=settings)
    with tiledb.open(uri, ctx=p.ctx) as a:
        return cells(a), dict(a.meta), [f.has_consolidated_metadata for f in tiledb.array_fragments(uri, ctx=p.ctx)]


@operation("plan of consolidation", "ConsolidationPlan")
def plan(p):
    with tiledb.open(p.sparse("plan", 4), ctx=p.ctx) as a:
        plan = tiledb.ConsolidationPlan(p.ctx, a, 1 << 30)
        return plan.num_nodes, [plan.num_fragments(i) for i in range(plan.num_nodes)]


@operation("estimates", "tiledb_query_get_est_result_size")
def estimates(p):
    raw = rawquery.Context(p.ctx.config().dict())
    array = raw.out("array_alloc", p.sparse("estimates", 2).encode())
    raw.call("array_open", array, 0)
    query, size = raw.out("query_alloc", array, 0), C.c_uint64()
    raw.call("query_set_layout", query, 3)
    raw.call("query_get_est_result_size", query, b"a", C.byref(size))
    return size.value


@operation("global order writes in several submits", "tiledb_query_submit_and_finalize")
def global_order(p):
    uri = p.sparse("global", 0)
    w = Writer(p.ctx.config().dict(), uri)
    for i in range(4):
        x = np.arange(7 * i, 7 * i + 7, dtype=np.int32)
        (w.end if i == 3 else w.submit)({"x": x, "a": x, "t": [str(v).encode() for v in x], "n": (x / 2.0, x % 2)})
    with tiledb.open(uri, ctx=p.ctx) as a:
        return cells(a), len(tiledb.array_fragments(uri, ctx=p.ctx))


@operation("writes field by field", "sm.allow_separate_attribute_writes")
def by_field(p):
    uri = p.sparse("field", 0)
    w = Writer({**p.ctx.config().dict(), "sm.allow_separate_attribute_writes": "true"}, uri, layout="unordered")
    x = np.array([5, 1, 3], np.int32)
    w.submit({"x": x, "a": x})
    w.submit({"t": [b"five", b"one", b"three"]})
    w.submit({"n": (x / 2.0, x % 2)})
    w.finish()
    with tiledb.open(uri, ctx=p.ctx) as a:
        return cells(a)


@operation("several queries over one open array", "query.submit twice")
def twice(p):
    with tiledb.open(p.sparse("twice", 2), ctx=p.ctx) as a:
        return [a[i:i + 5]["a"].tolist() for i in range(0, 40, 5)]


@operation("groups, their members and metadata", "Group")
def groups(p):
    root = p.uri("groups")
    tiledb.Group.create(root, ctx=p.ctx)
    members = {"one": p.dense("groups-one"), "two": p.sparse("groups-two", 1)}
    with tiledb.Group(root, "w", ctx=p.ctx) as g:
        for name, uri in members.items():
            g.add(uri, name=name)
        g.meta["k"] = "v"
    written = time.time_ns() // 10**6
    while time.time_ns() // 10**6 == written:
        pass  # of two lists of members of one millisecond, too
    with tiledb.Group(root, "w", ctx=p.ctx) as g:
        g.remove("two")
    with tiledb.Group(root, ctx=p.ctx) as g:
        return sorted((m.name, m.type.__name__) for m in g), dict(g.meta)


@operation("deletion of a group with its members", "Group.delete(recursive=True)")
def recursive(p):
    root, member = p.uri("recursive"), p.dense("recursive-a")
    tiledb.Group.create(root, ctx=p.ctx)
    with tiledb.Group(root, "w", ctx=p.ctx) as g:
        g.add(member, name="a")
    with tiledb.Group(root, "m", ctx=p.ctx) as g:
        g.delete(recursive=True)
    return [tiledb.object_type(u, ctx=p.ctx) for u in (root, member)]


@operation("deletion of an array", "Array.delete_array")
def delete_array(p):
    uri = p.dense("gone")
    tiledb.Array.delete_array(uri, ctx=p.ctx)
    return tiledb.object_type(uri, ctx=p.ctx)


def put(p, name, content):
    with tiledb.VFS(ctx=p.ctx).open(p.uri(name), "wb") as f:
        f.write(content)
    return p.uri(name)


@operation("files: write, read, size, list, copy, move, remove", "tiledb.VFS")
def files(p):
    vfs, content = tiledb.VFS(ctx=p.ctx), bytes(range(256)) * 40
    vfs.create_dir(p.uri("files"))
    uri = put(p, "files/a", content)
    with vfs.open(uri, "rb") as f:
        f.seek(300)
        out = [f.read(9).hex(), vfs.file_size(uri), vfs.is_file(uri), vfs.is_dir(p.uri("files"))]
    vfs.copy_file(uri, p.uri("files/b"))
    vfs.move_file(uri, p.uri("files/c"))
    out += [sorted(os.path.basename(u) for u in vfs.ls(p.uri("files"))), vfs.dir_size(p.uri("files"))]
    vfs.remove_dir(p.uri("files"))
    return out + [vfs.is_dir(p.uri("files"))]


@operation("arrays in folders: walk, move, remove", "tiledb.walk, move, remove")
def moves(p):
    root, out = p.uri("moves"), []
    tiledb.group_create(root, ctx=p.ctx)
    p.dense("moves/a")
    tiledb.walk(root, lambda uri, kind: out.append((os.path.basename(uri), kind)), ctx=p.ctx)
    tiledb.move(p.uri("moves/a"), p.uri("moves/b"), ctx=p.ctx)
    with tiledb.open(p.uri("moves/b"), ctx=p.ctx) as a:
        out.append(int(a[7, 7]))
    out.append(tiledb.object_type(p.uri("moves/a"), ctx=p.ctx))
    tiledb.remove(p.uri("moves/b"), ctx=p.ctx)
    return out + [tiledb.object_type(p.uri("moves/b"), ctx=p.ctx), tiledb.object_type(root, ctx=p.ctx)]


@operation("files in arrays", "Filestore")
def filestore(p):
    source, uri = put(p, "in.bin", b"content" * 99), p.uri("stored")
    with tiledb.scope_ctx(p.ctx):
        tiledb.Array.create(uri, tiledb.ArraySchema.from_file(source))
        tiledb.Filestore.copy_from(uri, source)
        tiledb.Filestore.copy_to(uri, p.uri("out.bin"))
    return tiledb.VFS(ctx=p.ctx).file_size(p.uri("out.bin"))


@operation("errors", "TileDBError")
def errors(p):
    uri, out = p.sparse("errors", 1), []
    with tiledb.open(uri, ctx=p.ctx) as a, tiledb.open(uri, "w", ctx=p.ctx) as w:
        for wrong in (lambda: a.multi_index[0:500], lambda: a.query(cond="nothing > 1")[:], lambda: w.__setitem__(np.array([500], np.int32), {
                "a": np.zeros(1, np.int32), "t": np.array(["x"], dtype=object), "n": np.zeros(1)}), lambda: tiledb.open(p.uri("nothing"), ctx=p.ctx)):
            try:
                wrong()
                out.append("no error")
            except tiledb.TileDBError:
                out.append("TileDBError")
    return out


def attempt(f, place):
    try:
        return json.dumps(f(place), default=str), ""
    except Exception as e:
        return None, f"{type(e).__name__}: {e}"


def main():
    site = Site(json.loads(sys.argv[1]))
    os.makedirs(os.path.join(site.dir, "parity"), exist_ok=True)
    local, remote = Place(site.local(), os.path.join(site.dir, "parity", "")), Place(site.client(**site.conf.get("settings") or {}), f"tiledb://{site.namespace}/parity-")
    for title, call, f in OPERATIONS:
        want, why = attempt(f, local)
        got, wrong = attempt(f, remote)
        if want is not None and got is not None and got != want:
            wrong = f"another answer: {got} instead of {want}"
        print(json.dumps({"operation": title, "call": call, "local": why or "yes", "rest": wrong or "yes"}), flush=True)


main()
