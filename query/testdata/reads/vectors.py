"""Makes the vectors that read_golden_test.go reads: arrays that libtiledb wrote, and what it answers about them.

usage: PYTHONPATH=<folder of the compatibility corpus: generate.py, capi.py> python vectors.py [outdir [name...]]

A vector is one NAME.json.gz: the files of the array and a list of reads with their answers. Values are made up here;
nothing is copied from elsewhere. Running it again makes other fragment names and the same answers.
"""
import gzip
import json
import os
import pathlib
import struct
import sys
import tempfile
import zlib

import numpy as np
from capi import Column, Ctx, np_dtype, pack
from generate import Attr, Dim, Enum, Schema

VAR = 0xFFFFFFFF
WORDS = [b"", b"a", b"bb", b"tile", b"zz", b"a longer text of a cell"]


def values(rng, attr, n):
    validity = (rng.random(n) < 0.7).astype("u1") if attr.nullable else None
    if attr.nval == VAR:
        return Column.var([WORDS[i] for i in rng.integers(0, len(WORDS), n)], np_dtype(attr.type), validity)
    dtype = np_dtype(attr.type)
    data = (rng.integers(-200, 200, n * attr.nval) / 4).astype(dtype) if dtype.kind == "f" else \
        rng.integers(0, 100, n * attr.nval).astype(dtype)
    return Column(data, None, validity, attr.nval)


ATTRS = [Attr("i", "INT32", fill=-7), Attr("f", "FLOAT64", filters=[("zstd", {"level": 3})]), Attr("n", "INT16", 1, True),
         Attr("s", "STRING_ASCII", VAR, fill=b"none"), Attr("sn", "STRING_UTF8", VAR, True, filters=["rle"]), Attr("m", "UINT8", 3)]


class Vector:
    def __init__(self, name, schema, seed=5):
        self.name, self.schema, self.rng, self.ctx, self.reads = name, schema, np.random.default_rng(seed), Ctx(), []
        self.tmp = tempfile.TemporaryDirectory()
        self.uri = os.path.join(self.tmp.name, "a")
        self.ctx.create(self.uri, schema)

    def dense(self, at, box, attrs=None):
        n = int(np.prod([hi - lo + 1 for lo, hi in box.values()]))
        cols = {a.name: values(self.rng, a, n) for a in attrs or self.schema.attrs}
        self.ctx.write(self.uri, cols, "row-major", {k: [list(v)] for k, v in box.items()}, at)

    def sparse(self, at, coords, attrs=None):
        n = len(next(iter(coords.values())))
        cols = dict(coords)
        cols.update({a.name: values(self.rng, a, n) for a in attrs or self.schema.attrs})
        self.ctx.write(self.uri, cols, "unordered", None, at)

    def points(self, n, *spans):
        """n different points: {dimension: Column}"""
        seen = sorted({tuple(int(self.rng.integers(lo, hi + 1)) for lo, hi in spans) for _ in range(2 * n)})
        pick = self.rng.permutation(len(seen))[:n]
        return {d.name: Column(np.array([seen[k][i] for k in pick], np_dtype(d.type))) for i, d in enumerate(self.schema.dims)}

    def read(self, layout="row-major", fields=None, ranges=None, condition=None, at=None):
        got = self.ctx.read(self.uri, layout, fields, ranges, condition, at)
        entry = self.question(layout, ranges, condition, at)
        entry["columns"] = []
        for name, c in got.items():
            col = {"name": name, "data": c.data.tobytes().hex()}
            if c.offsets is not None:
                col["offsets"] = c.offsets[:-1].tobytes().hex()
            if c.validity is not None:
                col["validity"] = c.validity.tobytes().hex()
            entry["columns"].append(col)
        self.reads.append(entry)

    def aggregate(self, aggregates, layout="row-major", ranges=None, condition=None):
        got = self.ctx.aggregate(self.uri, aggregates, layout, ranges, condition)
        entry = self.question(layout, ranges, condition, None)
        entry["aggregates"] = [{"op": g["op"], "field": g["field"] or "", "data": g["hex"] or "", "null": g["hex"] is None} for g in got]
        self.reads.append(entry)

    def question(self, layout, ranges, condition, at):
        types = {d.name: d.type for d in self.schema.dims}
        out = {"layout": layout, "at": at or [0, 2**62]}
        if ranges:
            out["ranges"] = [[[pack(d.type, v).hex() for v in r] for r in ranges.get(d.name, [])] for d in self.schema.dims]
        if condition:
            types.update({a.name: a.type for a in self.schema.attrs})
            out["condition"] = self.tree(condition, types)
        return out

    def tree(self, t, types):
        for comb in ("and", "or"):
            if comb in t:
                return {"op": comb, "children": [self.tree(c, types) for c in t[comb]]}
        if "not" in t:
            return {"op": "not", "children": [self.tree(t["not"], types)]}
        kind, value = t.get("value_type") or types[t["field"]], t["value"]
        out = {"op": t["op"], "field": t["field"], "enumeration": "value_type" in t, "null": value is None}
        if isinstance(value, list):
            cells = [pack(kind, v) for v in value]
            out["value"] = b"".join(cells).hex()
            out["offsets"] = [sum(map(len, cells[:i])) for i in range(len(cells))]
        elif value is not None:
            out["value"] = pack(kind, value).hex()
        return out

    def save(self, outdir):
        files = {os.path.relpath(os.path.join(d, f), self.uri): pathlib.Path(d, f).read_bytes().hex()
                 for d, _, names in os.walk(self.uri) for f in names}
        text = json.dumps({"files": files, "reads": self.reads}).encode()
        out = pathlib.Path(outdir, self.name + ".json.gz")
        out.write_bytes(gzip.compress(text, 9, mtime=0))
        print(self.name, len(self.reads), "reads", out.stat().st_size, "bytes")


CONDITIONS = [{"field": "i", "op": "lt", "value": 30}, {"not": {"field": "n", "op": "ge", "value": 50}}, {"field": "n", "op": "eq", "value": None},
              {"or": [{"field": "s", "op": "in", "value": ["tile", ""]}, {"and": [{"field": "f", "op": "gt", "value": 1.5}, {"field": "y", "op": "le", "value": 6}]}]},
              {"field": "sn", "op": "ne", "value": "bb"}, {"field": "i", "op": "not_in", "value": list(range(0, 90, 2))}]
AGGREGATES = ["count", ["sum", "i"], ["mean", "f"], ["min", "n"], ["max", "s"], ["null_count", "n"], ["sum", "n"], ["max", "f"]]


def grid(sparse, **kw):
    # libtiledb 2.30 damages its memory when dense writes of several tiles have var STRING_ASCII cells
    attrs = [Attr("s", "STRING_UTF8", VAR, fill=b"none") if a.name == "s" and not sparse else a for a in ATTRS]
    return Schema(sparse, [Dim("x", "INT32", (-4, 19), 5), Dim("y", "INT32", (1, 12), 4)], attrs, capacity=9, **kw)


def dense(name, **kw):
    v = Vector(name, grid(False, **kw))
    v.dense(10, {"x": (-4, 19), "y": (1, 9)})
    v.dense(20, {"x": (0, 7), "y": (3, 12)})
    v.dense(30, {"x": (5, 5), "y": (2, 4)})
    for layout in ("row-major", "col-major", "global"):
        v.read(layout)
        v.read(layout, ranges={"x": [[-1, 11]], "y": [[4, 11]]})
    v.read(ranges={"x": [[-4, 0], [3, 9]], "y": [[2, 2], [5, 12]]}, fields=["s", "x", "n", "y"])  # ranges out of order crash it
    v.read(at=[0, 15])
    v.read(at=[15, 25], ranges={"x": [[0, 3]], "y": [[1, 12]]})
    for c in CONDITIONS:  # across the cell order libtiledb 2.30 looks up nulls and coordinates at wrong cells
        v.read(kw.get("cell_order", "row-major"), condition=c)
    numbers = [a for a in AGGREGATES if a != ["max", "s"]]
    v.aggregate([a for a in numbers if a != ["mean", "f"]])  # libtiledb 2.30 counts cells of full tiles that nobody wrote
    v.aggregate(numbers, ranges={"x": [[1, 9]], "y": [[1, 5]]}, condition=CONDITIONS[1])
    return v


def sparse(name, **kw):
    v = Vector(name, grid(True, **kw))
    for at in (10, 20, 30):
        v.sparse(at, v.points(40, (-4, 19), (1, 12)))
    for layout in ("row-major", "col-major", "global"):
        v.read(layout)
        v.read(layout, ranges={"x": [[-1, 11]], "y": [[4, 11]]})
    v.read(ranges={"x": [[-4, 0], [3, 9]], "y": [[2, 2], [5, 12]]}, fields=["s", "x", "n", "y"])
    v.read(ranges={"x": [[3, 9], [-4, 5]], "y": [[5, 12], [2, 6]]}, fields=["x", "y", "i"])
    v.read(at=[0, 15])
    v.read(at=[15, 30])
    v.aggregate(AGGREGATES, "unordered")
    v.aggregate(AGGREGATES, "unordered", ranges={"x": [[1, 9]], "y": [[1, 5]]}, condition=CONDITIONS[1])
    for c in CONDITIONS[:4]:
        v.read("global", condition=c)
    return v


def texts():
    v = Vector("texts", Schema(True, [Dim("s", "STRING_ASCII", None), Dim("f", "FLOAT32", (-10.0, 10.0), 3.0)], [Attr("i", "INT32")], capacity=5))
    words = [b"", b"a", b"a\x00", b"abcdefgh", b"abcdefghi", b"abcdefghj", b"b", b"zz"]
    for at in (10, 20):
        pairs = sorted({(int(k), float(np.float32(x))) for k, x in zip(v.rng.integers(0, len(words), 30), v.rng.uniform(-10, 10, 30))})
        v.sparse(at, {"s": Column.var([words[k] for k, _ in pairs]), "f": Column(np.array([x for _, x in pairs], "<f4"))})
    for layout in ("row-major", "col-major", "global"):
        v.read(layout)
    v.read(ranges={"s": [["a", "abcdefgh"]]})
    v.read(ranges={"s": [["abcdefghi", "b"]], "f": [[-1.5, 4.0]]})
    return v


def evolved():
    old = [Attr("i", "INT32"), Attr("s", "STRING_ASCII", VAR)]
    v = Vector("evolved", Schema(True, [Dim("x", "INT32", (0, 50), 10)], old, capacity=4))
    new = [Attr("g", "FLOAT64", fill=2.5), Attr("t", "STRING_UTF8", VAR, True, fill=b"new", fill_valid=1), Attr("m", "INT16", 3, fill=np.array([1, 2, 3]))]
    v.sparse(10, v.points(12, (0, 50)))
    v.ctx.evolve(v.uri, 20, add=new)
    v.sparse(30, v.points(12, (0, 50)), old + new)
    v.schema.attrs = old + new
    v.read()
    v.read(at=[0, 15])
    v.read("global", condition={"field": "g", "op": "gt", "value": -100.0})
    return v


def enumerated():
    enums = [Enum("color", "STRING_UTF8", ["red", "green", "", "blue"], nval=VAR), Enum("size", "INT64", [100, -5, 7], ordered=True)]
    attrs = [Attr("c", "UINT8", enum="color"), Attr("z", "INT16", 1, True, enum="size")]
    v = Vector("enumerated", Schema(True, [Dim("x", "INT32", (0, 50), 10)], attrs, capacity=4, enums=enums))
    x = v.points(25, (0, 50))
    x.update({"c": Column(v.rng.integers(0, 4, 25).astype("u1")), "z": Column(v.rng.integers(0, 3, 25).astype("<i2"), None, (v.rng.random(25) < 0.7).astype("u1"))})
    v.ctx.write(v.uri, x, "unordered", None, 10)
    utf8, i64 = "STRING_UTF8", "INT64"
    for c in ({"field": "c", "op": "eq", "value": "green", "value_type": utf8}, {"field": "c", "op": "ne", "value": "nope", "value_type": utf8},
              {"field": "c", "op": "eq", "value": "nope", "value_type": utf8}, {"field": "c", "op": "not_in", "value": ["red", "nope"], "value_type": utf8},
              {"field": "z", "op": "le", "value": -5, "value_type": i64}, {"field": "z", "op": "gt", "value": 8, "value_type": i64},
              {"field": "z", "op": "ne", "value": 8, "value_type": i64}, {"not": {"field": "z", "op": "in", "value": [7, 100], "value_type": i64}}):
        v.read("global", condition=c)
    return v


DELETES = [({"and": [{"field": "i", "op": "lt", "value": 60}, {"field": "n", "op": "ge", "value": 20}]}, 15), ({"field": "s", "op": "in", "value": ["bb", "a"]}, 25),
           ({"or": [{"field": "x", "op": "eq", "value": 3}, {"field": "f", "op": "gt", "value": 40.0}]}, 35)]


def deleted(name, consolidate=None, dups=False, **kw):
    """Deletes between writes; consolidate is the configuration of a consolidation after the second of three."""
    v = Vector(name, grid(True, dups=dups, **kw))
    for k, (condition, at) in enumerate(DELETES):
        v.sparse(10 * (k + 1), v.points(30, (-4, 19), (1, 12)))
        v.ctx.delete_cells(v.uri, condition, at)
        if k == 1 and consolidate is not None:
            v.ctx.consolidate(v.uri, config=consolidate)
    if not dups:
        for layout in ("row-major", "col-major", "global"):
            for at in (None, [0, 14], [0, 15], [0, 24], [0, 27], [0, 34], [18, 40]):
                v.read(layout, at=at)
        v.read("global", ranges={"x": [[-1, 11]], "y": [[4, 11]]}, condition=CONDITIONS[0])
    v.aggregate(AGGREGATES, "unordered")
    v.aggregate(AGGREGATES, "unordered", ranges={"x": [[1, 9]], "y": [[1, 5]]}, condition=CONDITIONS[1])
    return v


def updated():
    """An update commit: that of a delete with values behind the condition."""
    v = deleted("updated")
    for path in pathlib.Path(v.uri, "__commits").glob("__25_*.del"):
        tile = path.read_bytes()
        start = 34 + struct.unpack_from("<I", tile, 30)[0]
        original, filtered, meta = struct.unpack_from("<III", tile, start + 8)
        payload = zlib.decompress(tile[start + 20 + meta:][:filtered])
        payload += struct.pack("<QQ1sQi", 1, 1, b"i", 4, 77)
        packed = zlib.compress(payload, 1)
        meta = struct.pack("<IIII", 0, 1, len(payload), len(packed))
        body = struct.pack("<QIII", 1, len(payload), len(packed), len(meta)) + meta + packed
        path.with_suffix(".upd").write_bytes(tile[:4] + struct.pack("<QQ", len(body), len(payload)) + tile[20:start] + body)
        path.unlink()
    v.reads = []
    v.read("global")
    v.read("global", at=[0, 24])
    v.aggregate(AGGREGATES, "unordered")
    return v


VECTORS = {
    "dense": lambda: dense("dense"), "dense-col": lambda: dense("dense-col", cell_order="col-major", tile_order="col-major"),
    "sparse": lambda: sparse("sparse"), "sparse-col": lambda: sparse("sparse-col", cell_order="col-major"), "texts": texts, "evolved": evolved,
    "enumerated": enumerated, "deleted": lambda: deleted("deleted"), "deleted-hilbert": lambda: deleted("deleted-hilbert", {}, cell_order="hilbert"),
    "deleted-kept": lambda: deleted("deleted-kept", {}), "deleted-purged": lambda: deleted("deleted-purged", {"sm.consolidation.purge_deleted_cells": "true"}),
    "deleted-dups": lambda: deleted("deleted-dups", {}, True), "updated": updated,
}


def main():
    outdir = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    for name in sys.argv[2:] or VECTORS:
        VECTORS[name]().save(outdir)


if __name__ == "__main__":
    main()
