"""Writes the arrays of this folder with libtiledb and, in expected.json, what libtiledb says about them.

Run with tiledb 0.36.1 (libtiledb 2.30): python make.py
Every fragment of an array called "*-times" fills cells of its own, so that "cells" tells which fragments count.
"""
import json, os, shutil
import numpy as np, tiledb

here = os.path.dirname(os.path.abspath(__file__))
os.chdir(here)
expected = {}


def config(**kw):
    return tiledb.Ctx({k.replace("__", "."): str(v) for k, v in kw.items()})


def fresh(name):
    shutil.rmtree(name, ignore_errors=True)
    return name


def dense_schema(n=100, attrs=("a",), **kw):
    dom = tiledb.Domain(tiledb.Dim("x", domain=(1, n), tile=10, dtype=np.int32))
    return tiledb.ArraySchema(dom, attrs=[tiledb.Attr(a, dtype=np.int32) for a in attrs], **kw)


def sparse_schema(attrs=None, ctx=None, **kw):
    dom = tiledb.Domain(tiledb.Dim("x", domain=(1, 100), tile=10, dtype=np.int32, ctx=ctx), ctx=ctx)
    return tiledb.ArraySchema(dom, attrs=attrs or [tiledb.Attr("a", dtype=np.int32, ctx=ctx)], sparse=True, ctx=ctx, **kw)


def put_dense(uri, t, lo, hi):
    with tiledb.open(uri, "w", timestamp=t) as A:
        A[lo : hi + 1] = np.full(hi - lo + 1, t, dtype=np.int32)


def put_sparse(uri, t, cells):
    with tiledb.open(uri, "w", timestamp=t) as A:
        A[np.array(cells, dtype=np.int32)] = np.full(len(cells), t, dtype=np.int32)


def raw(meta, key):
    """Type and bytes of a metadata value."""
    v, t = meta._array_or_group._get_metadata(key, False)
    v = v.encode() if isinstance(v, str) else v
    if not isinstance(v, bytes):
        v = np.array(v, dtype=tiledb.datatypes.DataType.from_tiledb(t).np_dtype).tobytes()
    return str(t).split(".")[-1] + " " + v.hex()


def look(uri, at, cells=True):
    """What libtiledb says about an array opened at an interval."""
    ts = at if at[1] is not None else None
    with tiledb.open(uri, timestamp=ts) as A:
        names = [A.schema.attr(i).name for i in range(A.schema.nattr)]
        ned = A.nonempty_domain()
        out = {
            "at": at,
            "attributes": names,
            "domain": None if ned is None else [[str(v) for v in d] for d in ned],
            "metadata": {k: raw(A.meta, k) for k in sorted(A.meta.keys())},
        }
        if cells and A.schema.sparse:
            out["cells"] = sorted(int(x) for x in A[:]["x"])
        elif cells:
            got = A[:]
            got = got[names[0]] if isinstance(got, dict) else got
            out["cells"] = [i + 1 for i, v in enumerate(got) if v != np.iinfo(np.int32).min]
        if any(A.schema.attr(i).enum_label for i in range(A.schema.nattr)):
            out["enumerations"] = {
                A.schema.attr(i).enum_label: [str(v) for v in A.enum(A.schema.attr(i).enum_label).values()]
                for i in range(A.schema.nattr)
                if A.schema.attr(i).enum_label
            }
        return out


def note(name, *intervals, **kw):
    expected[name] = [look(name, at, **kw) for at in intervals]


NOW = (0, None)


def dense_times():
    uri = fresh("dense-times")
    tiledb.Array.create(uri, dense_schema())
    for i, t in enumerate((1, 2, 3, 10, 20)):
        put_dense(uri, t, 3 * i + 1, 3 * i + 2)
    for t, put, drop in ((1, {"i": 5, "s": "text", "": "empty key"}, []), (2, {"i": 6.5, "b": b"\x00\xff", "e": ""}, ["s"]),
                         (4, {"t": (1, 2, 3), "s": "again"}, ["i", "none"])):
        with tiledb.open(uri, "w", timestamp=t) as A:
            for k, v in put.items():
                A.meta[k] = v
            for k in drop:
                del A.meta[k]
    note(uri, NOW, (0, 0), (0, 1), (0, 2), (2, 3), (3, 10), (4, 9), (11, 100), (21, 30))


def evolved():
    uri = fresh("evolved")
    enum = tiledb.Enumeration("colours", False, ["red", "green"])
    attrs = [tiledb.Attr("a", dtype=np.int32), tiledb.Attr("c", dtype=np.int8, enum_label="colours")]
    dom = tiledb.Domain(tiledb.Dim("s", domain=(None, None), tile=None, dtype="ascii"))
    tiledb.Array.create(uri, tiledb.ArraySchema(dom, attrs=attrs, sparse=True, enums=[enum]))
    with tiledb.open(uri, "w", timestamp=10) as A:
        A[["ant", "bee"]] = {"a": np.array([1, 2], dtype=np.int32), "c": np.array([0, 1], dtype=np.int8)}
    se = tiledb.ArraySchemaEvolution()
    se.timestamp(2000000000000)
    se.extend_enumeration(enum.extend(["blue"]))
    se.add_enumeration(tiledb.Enumeration("sizes", True, np.array([10, 20, 30], dtype=np.int64)))
    se.add_attribute(tiledb.Attr("z", dtype=np.uint8, enum_label="sizes"))
    se.array_evolve(uri)
    se = tiledb.ArraySchemaEvolution()
    se.timestamp(3000000000000)
    se.drop_attribute("a")
    se.array_evolve(uri)
    note(uri, NOW, (0, 2000000000000), (0, 2999999999999), (0, 3000000000000), (0, 5), cells=False)


def consolidated():
    uri = fresh("consolidated-times")
    tiledb.Array.create(uri, dense_schema())
    for t in (1, 2, 3):
        put_dense(uri, t, 3 * t, 3 * t + 1)
    with tiledb.open(uri, "w", timestamp=1) as A:
        A.meta["k"] = 1
    with tiledb.open(uri, "w", timestamp=2) as A:
        A.meta["l"] = 2
    tiledb.consolidate(uri, config=tiledb.Config({"sm.consolidation.mode": "array_meta"}))
    with tiledb.open(uri, "w", timestamp=5) as A:
        del A.meta["k"]
    tiledb.consolidate(uri)  # fragments: one of 1..3 and a vacuum file
    put_dense(uri, 7, 30, 31)
    tiledb.consolidate(uri, config=tiledb.Config({"sm.consolidation.mode": "commits"}))
    tiledb.vacuum(uri, config=tiledb.Config({"sm.vacuum.mode": "commits"}))
    put_dense(uri, 8, 40, 41)
    note(uri, NOW, (0, 1), (0, 2), (0, 3), (2, 7), (0, 6), (7, 8), (8, 8))


def ignored():
    uri = fresh("ignored-times")
    tiledb.Array.create(uri, dense_schema())
    for t in (1, 2, 3):
        put_dense(uri, t, 3 * t, 3 * t + 1)
    tiledb.consolidate(uri, config=tiledb.Config({"sm.consolidation.mode": "commits"}))
    tiledb.Array.delete_fragments(uri, 2, 2)
    note(uri, NOW, (0, 2), (3, 3))


def deleted():
    for name, commits in (("deleted", False), ("deleted-consolidated", True)):
        uri = fresh(name)
        tiledb.Array.create(uri, sparse_schema())
        put_sparse(uri, 1, [1, 2])
        put_sparse(uri, 2, [3, 4])
        with tiledb.open(uri, "d", timestamp=4) as A:
            A.query(cond="a == 1").submit()
        if commits:
            tiledb.consolidate(uri, config=tiledb.Config({"sm.consolidation.mode": "commits"}))
            tiledb.vacuum(uri, config=tiledb.Config({"sm.vacuum.mode": "commits"}))
        note(uri, NOW, (0, 3), (0, 1), (2, 2))


def refused():
    uri = fresh("cell-times")
    tiledb.Array.create(uri, sparse_schema())
    put_sparse(uri, 1, [1])
    put_sparse(uri, 2, [2])
    tiledb.consolidate(uri)
    tiledb.vacuum(uri)

    uri = fresh("hilbert")
    tiledb.Array.create(uri, sparse_schema(cell_order="hilbert"))

    uri = fresh("encrypted")
    ctx = config(sm__encryption_type="AES_256_GCM", sm__encryption_key="0123456789abcdeF0123456789abcdeF")
    tiledb.Array.create(uri, sparse_schema(ctx=ctx), ctx=ctx)

    uri = fresh("webp")
    d = [tiledb.Dim(n, domain=(1, m), tile=m, dtype=np.uint32) for n, m in (("y", 4), ("x", 12))]
    f = tiledb.FilterList([tiledb.WebpFilter(tiledb.WebpFilter.WebpInputFormat.WEBP_RGB, 100.0, True)])
    tiledb.Array.create(uri, tiledb.ArraySchema(tiledb.Domain(*d), attrs=[tiledb.Attr("a", dtype=np.uint8, filters=f)]))


def hollow():
    """An array with a current domain and nothing in it."""
    uri = fresh("hollow")
    dims = [tiledb.Dim("x", domain=(1, 100), tile=10, dtype=np.int32), tiledb.Dim("s", domain=(None, None), tile=None, dtype="ascii")]
    dom = tiledb.Domain(*dims)
    s = tiledb.ArraySchema(dom, attrs=[tiledb.Attr("a", dtype=np.int32)], sparse=True)
    ctx = tiledb.Ctx()
    cd = tiledb.CurrentDomain(ctx)
    r = tiledb.NDRectangle(ctx, dom)
    r.set_range("x", 2, 50)
    r.set_range("s", "a", "m")
    cd.set_ndrectangle(r)
    s.set_current_domain(cd)
    tiledb.Array.create(uri, s)
    note(uri, NOW, cells=False)


for f in (dense_times, evolved, consolidated, ignored, deleted, refused, hollow):
    f()
with open("expected.json", "w") as out:
    json.dump(expected, out, indent=1, sort_keys=True)
    out.write("\n")
