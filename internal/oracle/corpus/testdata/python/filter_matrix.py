"""Make a corpus of random pipelines: every filter on every datatype in every place that a field has.

usage: python filter_matrix.py OUTDIR N SEED

OUTDIR becomes a corpus for compare.py and rerun.py of the cases that libtiledb could write and read. OUTDIR/schemas.json
is a list of {"schema": as in the steps of a corpus, "accepted": bool, "error": text} of all cases, taken or refused.
"""
import json
import os
import shutil
import sys

import numpy as np

import generate
from capi import DATATYPES, FILTERS, TileDBError, VAR, Column, np_dtype
from generate import Attr, Dim, Schema, columns, coords, length, pick, plain

NAMES = [f for f in FILTERS if f != "webp"]
STYLES = ("wild", "smooth", "sorted", "runs", "small")
KEYS = [t for t in DATATYPES if not t.startswith(("STRING", "GEOM", "B", "ANY", "CHAR"))]


# Filters behind which the data is no longer a row of whole values.
PACKING = ("gzip", "zstd", "lz4", "bzip2", "rle", "dictionary", "delta", "double_delta", "bit_width_reduction", "positive_delta")


def options(rng, f, width):
    """Random options of a filter for values of width bytes."""
    if f in ("gzip", "zstd", "bzip2", "lz4", "rle"):
        low, high = {"gzip": (-1, 9), "zstd": (-7, 22), "bzip2": (-1, 9), "lz4": (-1, 12), "rle": (-1, 3)}[f]
        return {"level": int(rng.integers(low, high + 1))} if rng.random() < 0.8 else {}
    if f == "bit_width_reduction":
        return {"bit_width_max_window": int(pick(rng, 8, 9, 32, 100, 256, 1000, 70000))}
    if f == "positive_delta":
        return {"positive_delta_max_window": int(pick(rng, 8, 9, 32, 100, 1024, 70000))}
    if f == "float_scale":
        return {"factor": pick(rng, 0.25, 0.5, 0.1, 2.0), "offset": pick(rng, 0.0, 10.0, -3.5), "byte_width": pick(rng, 1, 2, 4, 8)}
    if f in ("delta", "double_delta") and (width == 1 or rng.random() < 0.4):
        return {"reinterpret": pick(rng, *[t for t in DATATYPES if t != "ANY" and width % np_dtype(t).itemsize == 0])}
    return {}


def pipeline(rng, t, first=None):
    """A random pipeline for values of type t, with the filter first in it. libtiledb's delta filters and XOR drop the rest
    of a value at the end of what they are given, so they only get whole values or single bytes."""
    n = int(pick(rng, 1, 1, 2, 2, 3, 4))
    names = [pick(rng, *[f for f in NAMES if f != "dictionary"]) for _ in range(n)]
    if first:
        names[0 if rng.random() < 0.7 else int(rng.integers(0, n))] = first
    out, width = [], np_dtype(t).itemsize
    for f in names:
        if width == 1 and f in ("xor", "float_scale") and out:
            f = "bitshuffle"
        if f == "float_scale" and any(x in ("bitshuffle", "byteshuffle", "xor") for x, _ in out):
            f = "none"  # of shuffled bits it makes numbers that no integer holds, and what C++ makes of those differs by loop
        out.append((f, options(rng, f, width)))
        if f == "float_scale":
            width = out[-1][1]["byte_width"]
        if f in PACKING:
            width = 1
    return out


def shape(rng, i):
    """-> a random schema of one attribute with the i-th pairing of a filter and a datatype, and the number of cells."""
    f, t = NAMES[i % len(NAMES)], DATATYPES[i // len(NAMES) % len(DATATYPES)]
    where = pick(rng, "values", "values", "values", "dimension", "offsets", "validity")
    nval = int(pick(rng, 1, 1, 1, 2, 3, VAR, VAR)) if t != "ANY" else VAR
    if where == "offsets":
        nval = VAR
        f = f if f != "float_scale" else "none"  # it would round the offsets
    attr = Attr("a", t, nval, bool(where == "validity" or rng.random() < 0.3))
    sparse = bool(where == "dimension" or rng.random() < 0.4)
    s = Schema(sparse, [], [attr])
    if where == "values":
        attr.filters = pipeline(rng, t, f)
    if where == "offsets" or rng.random() < 0.2:
        s.offsets_filters = [x for x in pipeline(rng, "UINT64", f if where == "offsets" else None) if x[0] != "float_scale"]
    if where == "validity" or rng.random() < 0.2:
        s.validity_filters = pipeline(rng, "UINT8", f if where == "validity" else None)
    many = rng.random() < 0.08
    n = int(rng.integers(5000, 20000)) if many else int(rng.integers(1, 150))
    if not sparse:
        tile = n if many else int(rng.integers(1, n + 1))
        n = n // tile * tile if rng.random() < 0.5 else n
        s.dims = [Dim("d0", "INT32", (0, n - 1), tile)]
        return s, n
    s.capacity = n if many else int(rng.integers(1, 60))
    for d in range(int(pick(rng, 1, 2))):
        k = t if where == "dimension" and t in KEYS + ["STRING_ASCII"] and d == 0 else pick(rng, "INT32", "INT32", "UINT64", "FLOAT64", "STRING_ASCII")
        domain = None if k == "STRING_ASCII" else (0.0, 500.0) if np_dtype(k).kind == "f" else (0, 120)
        filters = pipeline(rng, k, f) if where == "dimension" and d == 0 else None if rng.random() < 0.7 else pipeline(rng, k)
        s.dims.append(Dim(f"d{d}", k, domain, None, filters))
    if rng.random() < 0.3:
        s.coords_filters = pipeline(rng, "UINT8")
    s.dups = n > 60
    return s, n


def attempt(c, i, notes):
    """Make one random case of the pairing. What libtiledb says of the schema is appended to notes."""
    s, n = shape(c.rng, i)
    c.steps, c.reads, c.states = [], [], 0
    shutil.rmtree(c.uri, ignore_errors=True)
    note = {"schema": plain(s), "accepted": True, "error": ""}
    notes.append(note)
    try:
        c.create(s)
    except TileDBError as e:
        note["accepted"], note["error"] = False, str(e)
        raise
    used = [f for p in [s.attrs[0].filters] + [d.filters for d in s.dims] for f, _ in p or []]
    style = "small" if "float_scale" in used else "sorted" if "positive_delta" in used else pick(c.rng, *STYLES)
    cols = {}
    if s.sparse:
        cols = coords(c.rng, s.dims, n, unique=not s.dups)
        for d in s.dims:
            if np_dtype(d.type).kind == "f":  # some scales are exact for these
                cols[d.name] = Column(np.round(cols[d.name].data))
        n = length(cols)
    cols.update(columns(c.rng, s.attrs, n, style))
    c.write(cols, ranges=None if s.sparse else {"d0": [[0, n - 1]]}, at=10)
    c.read()
    if not s.sparse:
        c.read(ranges=generate.dense_region(c.rng, s.dims))
    c.about()


def build(c, i, folder):
    notes = []
    try:
        for left in range(7, -1, -1):
            try:
                return attempt(c, i, notes)
            except TileDBError:
                if left == 0:
                    raise
    finally:
        with open(os.path.join(folder, f"{i}.json"), "w") as f:
            json.dump(notes, f)


def main():
    out, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    notes = os.path.join(out, "notes")
    os.makedirs(notes)
    # All pairs of filters and datatypes come in turn, from another place for every seed.
    pairs = len(NAMES) * len(DATATYPES)
    order = np.random.default_rng(seed).permutation(pairs)
    for k in range(count):
        i = int(order[k % pairs]) + k // pairs * pairs
        generate.CASES.append((f"matrix/{i}", "matrix", ["filter"], lambda c, i=i: build(c, i, notes)))
    generate.CASES[:-count] = []
    sys.argv = ["generate.py", out, "--seed", str(seed)]
    generate.main()
    found = []
    for name in sorted(os.listdir(notes)):
        with open(os.path.join(notes, name)) as f:
            found += json.load(f)
    shutil.rmtree(notes)
    with open(os.path.join(out, "schemas.json"), "w") as f:
        json.dump(found, f)
    print(len(found), "schemas,", sum(x["accepted"] for x in found), "accepted")


if __name__ == "__main__":
    main()
