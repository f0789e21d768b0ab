"""Make random schemas, many of them wrong, and say which libtiledb takes.

usage: python schema_matrix.py OUT.json N SEED

OUT.json is a list of {"schema": as in the steps of a corpus, "accepted": bool, "error": text}.
"""
import dataclasses
import json
import os
import sys
import tempfile

import numpy as np

from capi import Ctx, DATATYPES, TileDBError, VAR, np_dtype
from generate import Attr, Dim, Enum, Label, Schema, plain

out, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(seed)


def pick(*choices):
    return choices[rng.integers(0, len(choices))]


def dimension(i, kind):
    kind = kind if rng.random() < 0.95 else pick(*DATATYPES)
    name = f"d{i}" if rng.random() < 0.95 else pick("", "d0", "__d")
    if kind == "STRING_ASCII" and rng.random() < 0.95:
        return Dim(name, kind, None)
    dt = np_dtype(kind)
    if dt.kind == "f":
        lo, hi = sorted(np.round(rng.uniform(-9, 9, 2), 2).tolist())
        tile = pick(None, 1.5, 0.5, 0.1, 100.0 if rng.random() < 0.2 else 1.0, -1.0 if rng.random() < 0.2 else 2.0)
    else:
        info = np.iinfo(dt)
        lo = int(pick(0, 1, max(info.min, -7), info.min))
        hi = int(pick(lo, lo + 9, lo + 50, lo + 40, pick(info.max, info.max - 1, info.max - 7)))
        tile = pick(None, 1, 3, 10, 100 if rng.random() < 0.2 else 5, 0 if rng.random() < 0.2 else 2)
        if rng.random() < 0.02:
            lo, hi = hi, lo
        if tile is not None and tile > info.max:
            tile = None
    return Dim(name, kind, (lo, hi), tile)


def attribute(i):
    kind = pick(*DATATYPES)
    nval = int(pick(1, 1, 1, 2, 3, VAR, VAR))
    fill = None
    if rng.random() < 0.2:
        fill = bytes(int(pick(1, 2, 4, 8, 16)) if rng.random() < 0.3 else np_dtype(kind).itemsize * (2 if nval == VAR else nval))
    enum = None if rng.random() < 0.8 else pick("e", "e", "e", "missing")
    if enum and rng.random() < 0.7:
        kind, nval, fill = pick("INT32", "UINT8", "INT64"), 1, None
    name = f"a{i}" if rng.random() < 0.95 else pick("", "a0", "__a")
    return Attr(name, kind, nval, bool(rng.integers(0, 2)), fill, enum=enum)


def enumeration():
    kind, nval = pick(("INT32", 1), ("STRING_ASCII", VAR), ("STRING_UTF8", VAR), ("FLOAT64", 1), ("UINT8", 2), ("BLOB", VAR))
    if nval == VAR:
        values = [b"x" * k for k in pick((1, 2, 3), (1, 2, 3), (3, 1), (1, 2, 2), (0, 1), ())]
    else:
        values = np.arange(nval * pick(0, 1, 3), dtype=np_dtype(kind)).tolist() if rng.random() < 0.8 else [1] * (2 * nval)
    return Enum("e", kind, values, bool(rng.integers(0, 2)), nval)


def schema():
    sparse = bool(rng.integers(0, 2))
    good = [t for t in DATATYPES if not t.startswith(("STRING", "GEOM", "B", "ANY", "CHAR"))] + (["STRING_ASCII"] * 4 if sparse else [])
    kind = pick(*good)
    while not sparse and kind.startswith("FLOAT") and rng.random() < 0.9:
        kind = pick(*good)
    dims = [dimension(i, kind) for i in range(rng.integers(1, 4))]
    attrs = [attribute(i) for i in range(rng.integers(0 if sparse else 1, 4))]
    s = Schema(sparse, dims, attrs, cell_order=pick("row-major", "col-major", "hilbert" if sparse or rng.random() < 0.2 else "row-major"), tile_order=pick("row-major", "col-major"),
               capacity=pick(None, 1, 7), dups=bool(rng.random() < (0.3 if sparse else 0.05)))
    if rng.random() < 0.9:
        s.enums = [enumeration()]
    if rng.random() < 0.15:
        s.labels = [Label(pick("l", "l", "a0"), int(pick(0, 0, 2)), pick("INT32", "STRING_ASCII", "FLOAT64", "BLOB"), pick("increasing", "decreasing"))]
    if rng.random() < 0.2:
        s.current_domain = [("a", "m") if d.domain is None else d.domain for d in dims]
    return s


def attempt(batch):
    """-> what libtiledb says of every schema, "" for one that it takes; in a process of its own, which may crash before the
    last one."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(r)
        ctx = Ctx()
        with tempfile.TemporaryDirectory() as folder, os.fdopen(w, "w") as f:
            for i, s in enumerate(batch):
                text = ""
                try:
                    ctx.create(os.path.join(folder, str(i)), s)
                except TileDBError as e:
                    text = str(e) or "refused"
                except Exception as e:
                    text = "?" + repr(e)
                f.write(json.dumps(text) + "\n")
                f.flush()
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        said = [json.loads(line) for line in f]
    os.waitpid(pid, 0)
    return said


found, left = [], [schema() for _ in range(count)]
while left:
    said = attempt(left)
    for s, error in zip(left, said):
        if not error.startswith("?"):  # else this program could not ask
            found.append({"schema": plain(s), "accepted": error == "", "error": error})
    left = left[len(said) + 1:]
with open(out, "w") as f:
    json.dump(found, f)
print(len(found), "schemas,", sum(x["accepted"] for x in found), "accepted")
