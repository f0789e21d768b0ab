"""Make a corpus of random values: every datatype of one value, of several and of any number, nullable or not, as an attribute
and, where that may be, as a dimension, through random pipelines.

usage: python value_matrix.py OUTDIR ROUNDS SEED

OUTDIR becomes a corpus for compare.py and rerun.py. A case is an array of one datatype, sparse or dense; each round has all.
Values are random bytes, half of them in runs. Filters that give other values back are left to filter_matrix.py.
"""
import sys

import numpy as np

import generate
from capi import DATATYPES, TileDBError, VAR, Column, np_dtype
from filter_matrix import KEYS, options
from generate import Attr, Dim, Schema, coords, length, pick

def pipeline(rng, t, nval=1):
    """One filter that makes values smaller or groups their bytes, a compressor, a checksum, each or not."""
    d, texts = np_dtype(t), nval == VAR and t in ("STRING_ASCII", "STRING_UTF8")
    if texts and rng.random() < 0.3:
        return [(pick(rng, "rle", "dictionary"), {})]
    first = ["none", "bitshuffle", "byteshuffle"]
    if not texts:
        first += ["rle"] + (["xor"] if nval != VAR else [])  # libtiledb's fails at tiles without a value
        if t in KEYS and d.kind != "f":
            # Of any 8 bytes libtiledb makes windows so wide that it divides by zero.
            first += ["bit_width_reduction"] if d.itemsize < 8 else []
            first += ["delta"] if d.kind == "i" and d.itemsize < 8 else []
            first += ["double_delta"] if d.itemsize < 8 else []
    lists = (first, ("gzip", "zstd", "lz4", "bzip2"), ("checksum_md5", "checksum_sha256"))
    out = [pick(rng, *x) for x in lists if rng.random() < 0.6]
    return [(f, {} if f.endswith("delta") else options(rng, f, d.itemsize)) for f in out] or None


def raw(rng, t, n):
    """n values of any bits; truth values are 0 and 1."""
    d = np_dtype(t)
    v = np.frombuffer(rng.bytes(n * d.itemsize), d).copy()
    if t == "BOOL":
        v &= 1
    if rng.random() < 0.5 and n:
        v = np.repeat(v[: n // 4 + 1], 4)[:n]
    return v


def column(rng, a, n):
    validity = (rng.random(n) < 0.7).astype("u1") if a.nullable else None
    if a.nval == VAR:
        return Column.var([raw(rng, a.type, int(k)) for k in rng.integers(0, 6, n)], np_dtype(a.type), validity)
    return Column(raw(rng, a.type, n * a.nval), None, validity, a.nval)


def edges(t):
    """The least and the greatest coordinate of a datatype's dimension: room is left for a tile of 8 cells."""
    d = np_dtype(t)
    if d.kind == "f":
        return float(np.finfo(d).min) / 4, float(np.finfo(d).max) / 4
    info = np.iinfo(d)
    return info.min + (d.itemsize == 8), info.max - 16


def dimension(rng, t, sparse):
    filters = pipeline(rng, t, VAR if t == "STRING_ASCII" else 1) if sparse else None
    if t == "STRING_ASCII":
        return Dim("d", t, None, None, filters)
    lo, hi = edges(t)
    if sparse:
        return Dim("d", t, (lo, hi), None, filters)
    n = int(rng.integers(5, 60))
    lo = int(rng.integers(lo, hi - n, dtype=np_dtype(t)))
    return Dim("d", t, (lo, lo + n - 1), int(rng.integers(1, n + 1)), filters)


def created(c, make):
    """The first schema of those made that libtiledb takes."""
    for _ in range(200):
        s = make()
        try:
            c.create(s)
        except TileDBError:
            continue
        return s
    raise RuntimeError("libtiledb takes no schema")


def attribute(c, name, t, nval, nullable):
    """An attribute with a pipeline that libtiledb takes."""
    rng = c.rng

    def make():
        a = Attr(name, t, nval, nullable)
        a.filters = pipeline(rng, t, nval)
        s = Schema(True, [Dim("d", "INT32", (0, 9), None)], [a])
        return s

    return created(c, make).attrs[0]


def build(c, t, sparse):
    rng = c.rng
    attrs, real = [], c.uri
    shapes = [(n, nullable) for n in (1, int(rng.integers(2, 5)), VAR) for nullable in (False, True)]
    for i, (nval, nullable) in enumerate(shapes):
        if t == "ANY" and nval != VAR or t.startswith("GEOM") and nval != VAR:
            continue
        c.uri = f"{real}-{i}"
        attrs.append(attribute(c, f"a{i}", t, nval, nullable))
    c.uri, c.steps, c.states = real, [], 0
    key = t if t in (KEYS + ["STRING_ASCII"] if sparse else KEYS) and (sparse or np_dtype(t).kind != "f") else "INT32"

    def make():
        s = Schema(sparse, [dimension(rng, key, sparse)], attrs)
        s.capacity = int(rng.integers(1, 40))
        s.offsets_filters = pipeline(rng, "UINT64") if rng.random() < 0.3 else None
        s.validity_filters = pipeline(rng, "UINT8") if rng.random() < 0.3 else None
        return s

    s = created(c, make)
    if sparse:
        cols = coords(rng, s.dims, int(rng.integers(1, 80)))
        n = length(cols)
    else:
        lo, hi = s.dims[0].domain
        cols, n = {}, hi - lo + 1
    cols.update({a.name: column(rng, a, n) for a in attrs})
    c.write(cols, ranges=None if sparse else {"d": [[lo, hi]]}, at=10)
    c.read()
    c.about()


def main():
    out, rounds, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    generate.CASES[:] = [(f"values/{t}/{kind}/{k}", "matrix", ["values"], lambda c, t=t, kind=kind: build(c, t, kind == "sparse"))
                         for k in range(rounds) for t in DATATYPES for kind in ("sparse", "dense")]
    sys.argv = ["generate.py", out, "--seed", seed]
    return generate.main()


sys.exit(main())
