"""Makes the vectors that write_golden_test.go compares our fragments with: what libtiledb wrote for the same cells.

usage: PYTHONPATH=<folder of the compatibility corpus: generate.py, capi.py> python vectors.py [outdir]

A vector is a folder: write.json.gz (the write), schema and fragment (the files that libtiledb 2.30 made). Values are made
up here; nothing is copied from elsewhere.
"""
import gzip
import json
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
from capi import Column, Ctx, np_dtype, pack
from generate import Attr, Dim, Schema

VAR = 0xFFFFFFFF
RNG = np.random.default_rng(20)
FIXED = ["INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64", "FLOAT32", "FLOAT64",
         "BOOL", "CHAR", "STRING_ASCII", "DATETIME_NS", "TIME_MS", "BLOB"]


def values(kind, n):
    dtype = np_dtype(kind)
    if kind == "BOOL":
        return RNG.integers(0, 2, n).astype("u1")
    if dtype.kind == "f":
        return RNG.normal(0, 1000, n).astype(dtype)
    if kind in ("CHAR", "STRING_ASCII"):
        return RNG.integers(97, 123, n).astype("u1")
    low = -100 if dtype.kind == "i" else 0
    return RNG.integers(low, 100, n).astype(dtype)


def column(attr, n):
    validity = (RNG.random(n) < 0.7).astype("u1") if attr.nullable else None
    if attr.nval == VAR:
        dtype = np_dtype(attr.type)
        return Column.var([values(attr.type, int(k)).astype(dtype) for k in RNG.integers(0, 6, n)], dtype, validity)
    return Column(values(attr.type, n * attr.nval), None, validity, attr.nval)


def all_kinds():
    attrs = [Attr(f"f_{k}", k) for k in FIXED] + [Attr(f"n_{k}", k, 1, True) for k in ("INT16", "FLOAT64", "UINT64")]
    attrs += [Attr("three", "INT32", 3), Attr("chars", "CHAR", 4), Attr("ascii", "STRING_ASCII", VAR),
              Attr("ascii_null", "STRING_ASCII", VAR, True), Attr("utf8", "STRING_UTF8", VAR), Attr("i16s", "INT16", VAR)]
    return attrs


def few_kinds(number="FLOAT64"):
    return [Attr("f", number), Attr("n", "INT16", 1, True), Attr("s", "STRING_ASCII", VAR)]


def case_dense(name, attrs, cell_order, tile_order, layout, ranges):
    schema = Schema(False, [Dim("y", "INT32", (-5, 94), 4), Dim("x", "INT32", (0, 99), 3)], attrs,
                    cell_order=cell_order, tile_order=tile_order)
    n = int(np.prod([r[0][1] - r[0][0] + 1 for r in ranges.values()]))
    return name, schema, {a.name: column(a, n) for a in schema.attrs}, layout, ranges


def cases():
    partial = {"y": [[-3, 9]], "x": [[2, 18]]}
    aligned = {"y": [[-5, 6]], "x": [[3, 17]]}
    # libtiledb miscounts nulls of var-sized fields where the cells of a tile lie apart in the given columns, and adds
    # floats there in another order.
    given = [a for a in all_kinds() if not (a.nullable and a.nval == VAR)]
    yield case_dense("dense-partial", given, "row-major", "row-major", "row-major", partial)
    yield case_dense("dense-col-tiles", few_kinds(), "row-major", "col-major", "row-major", aligned)
    yield case_dense("dense-col-cells", few_kinds(), "col-major", "row-major", "col-major", partial)
    yield case_dense("dense-crossed", few_kinds("INT64"), "col-major", "row-major", "row-major", aligned)
    yield case_dense("dense-global", all_kinds(), "row-major", "row-major", "global", aligned)

    n = 430
    dims = [Dim("x", "INT32", (0, 9999), 100), Dim("y", "FLOAT64", (-1000.0, 1000.0), 50.0)]
    schema = Schema(True, dims, few_kinds(), capacity=4)
    cols = {a.name: column(a, n) for a in schema.attrs}
    cols["x"] = Column(RNG.integers(0, 10000, n).astype("<i4"))
    cols["y"] = Column(RNG.uniform(-1000, 1000, n))
    yield "sparse-tree", schema, cols, "unordered", None

    dims = [Dim("s", "STRING_ASCII", None), Dim("t", "DATETIME_DAY", (0, 20000), 1000)]
    schema = Schema(True, dims, [Attr("a", "FLOAT32"), Attr("u", "STRING_UTF8", VAR)], capacity=7,
                    cell_order="col-major", tile_order="col-major")
    n = 100
    cols = {a.name: column(a, n) for a in schema.attrs}
    cols["s"] = Column.var([values("CHAR", int(k)) for k in RNG.integers(0, 4, n)])
    cols["t"] = Column(RNG.permutation(20000)[:n].astype("<i8"))
    yield "sparse-text", schema, cols, "unordered", None

    yield edge_values()
    yield all_null(False)
    yield all_null(True)

    dims = [Dim("x", "INT16", (-300, 300), 50), Dim("s", "STRING_ASCII", None), Dim("f", "FLOAT64", (-2.5, 7.0), None)]
    schema = Schema(True, dims, [Attr("n", "INT16", 1, True), Attr("v", "STRING_ASCII", VAR)], capacity=5, cell_order="hilbert")
    n = 120
    cols = {a.name: column(a, n) for a in schema.attrs}
    cols["x"] = Column(RNG.integers(-300, 301, n).astype("<i2"))
    cols["s"] = Column.var([values("CHAR", int(k)) for k in RNG.integers(0, 6, n)])
    cols["f"] = Column(RNG.uniform(-2.5, 7, n))
    yield "sparse-hilbert", schema, cols, "unordered", None


def edge_values():
    """NaNs, infinities, sums past the limits, NUL bytes, per tile of four cells."""
    big = np.iinfo("i8").max
    nan, inf = float("nan"), float("inf")
    f = [1, nan, 5, 3] + [4, 3, nan, nan] + [inf, 1, -5, 2] + [-inf, -inf, 3, 1] + [1e308, 1e308, -1e308, 5] + [-0.0, 0.0, 0.0, -0.0]
    i = [big, 1, -5, 2] + [-big, -big, 7, 7] + [1, 2, 3, 4] + [big, -big, big, 0] + [-1, -1, -1, -1] + [0, 0, 0, 0]
    u = [2**64 - 1, 1, 0, 0] + [1, 2, 3, 4] * 5
    texts = [b"b", b"", b"a", b"ab", b"b\0z", b"b\0a", b"b", b"b\0", b"\xff", b"a", b"\x80", b"~"] + [b"x", b"xy", b"", b"x"] * 3
    schema = Schema(True, [Dim("d", "INT64", (0, 99), 100)],
                    [Attr("f64", "FLOAT64"), Attr("f32", "FLOAT32"), Attr("i64", "INT64"), Attr("u64", "UINT64"),
                     Attr("text", "STRING_ASCII", VAR), Attr("two", "CHAR", 2)], capacity=4)
    n = len(f)
    with np.errstate(over="ignore"):
        f32 = np.array(f).astype("<f4")
    cols = {"d": Column(np.arange(n, dtype="<i8")), "f64": Column(np.array(f, "<f8")), "f32": Column(f32),
            "i64": Column(np.array(i, "<i8")), "u64": Column(np.array(u, "<u8")), "text": Column.var(texts),
            "two": Column(np.frombuffer(b"".join((t + b"\0\0")[:2] for t in texts), "u1"), nval=2)}
    return "edge-values", schema, cols, "unordered", None


def all_null(sparse):
    """Tiles without a valid cell, full ones and, when dense, one that is written in part only."""
    attrs = [Attr("i", "INT32", 1, True), Attr("f", "FLOAT64", 1, True), Attr("c", "CHAR", 1, True),
             Attr("two", "CHAR", 2, True), Attr("s", "STRING_ASCII", VAR, True), Attr("u", "UINT8", 1, True)]
    schema = Schema(sparse, [Dim("d", "INT32", (0, 99), 4)], attrs, capacity=4)
    n = 30
    validity = np.array([1, 0, 1, 1] + [0] * 4 + [1] * 4 + [0] * 18, dtype="u1")
    cols = {a.name: column(a, n) for a in attrs}
    for c in cols.values():
        c.validity = validity
    if sparse:
        cols["d"] = Column(np.arange(n, dtype="<i4"))
        return "all-null-sparse", schema, cols, "unordered", None
    return "all-null-dense", schema, cols, "row-major", {"d": [[0, n - 1]]}


def describe(schema, cols, layout, ranges):
    out = {"layout": layout, "columns": []}
    if ranges:
        types = {d.name: d.type for d in schema.dims}
        out["ranges"] = [[pack(types[k], v).hex() for v in r[0]] for k, r in ranges.items()]
    for name, c in cols.items():
        col = {"name": name, "data": c.data.tobytes().hex()}
        if c.offsets is not None:
            col["offsets"] = c.offsets[:-1].tobytes().hex()
        if c.validity is not None:
            col["validity"] = c.validity.tobytes().hex()
        out["columns"].append(col)
    return out


def main():
    outdir = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    ctx = Ctx()
    for name, schema, cols, layout, ranges in cases():
        with tempfile.TemporaryDirectory() as tmp:
            uri = os.path.join(tmp, "a")
            ctx.create(uri, schema)
            ctx.write(uri, cols, layout, ranges, at=7)
            to = outdir / name
            shutil.rmtree(to, ignore_errors=True)
            to.mkdir(parents=True)
            schema_file = [p for p in pathlib.Path(uri, "__schema").iterdir() if p.is_file()][0]
            shutil.copy(schema_file, to / "schema")
            fragment = next(pathlib.Path(uri, "__fragments").iterdir())
            shutil.copy(fragment / "__fragment_metadata.tdb", to / "fragment")
            write = {"schema_name": schema_file.name, **describe(schema, cols, layout, ranges)}
            (to / "write.json.gz").write_bytes(gzip.compress(json.dumps(write).encode(), 9, mtime=0))
            print(name, sum(p.stat().st_size for p in to.iterdir()))


if __name__ == "__main__":
    main()
