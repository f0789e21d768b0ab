"""Answers about arrays, and maintenance of them, by libtiledb.

    metamorphic.py DIR    reads DIR/questions.json, [{uri, key, ends, widths, modes}], and writes DIR/answers.json

An answer is {cells: per end the cells as texts, sorted, or null where libtiledb refuses, refused: why, maintained: what was done}.
A cell's text has its dimensions and then its attributes, as the bytes stored in hexadecimal, "null" for null.
"""
import json, sys
import numpy as np, tiledb
from tiledb.main import PyQuery


# Faults of libtiledb 2.30: it takes the last of several fragments for the latest, and looks for the file of a delete that is in
# a consolidated commits file.
KNOWN = ("start timestamp cannot be after", "Cannot get file size of")


def texts(width, item):
    """The cells of one field."""
    data, offsets = item[0], item[1]
    valid = item[2] if len(item) > 2 else []
    raw = np.asarray(data).tobytes()
    if not width:
        at = [int(o) for o in np.asarray(offsets).view(np.uint64)] + [len(raw)]
        out = [raw[a:b].hex() for a, b in zip(at, at[1:])]
    else:
        out = [raw[i : i + width].hex() for i in range(0, len(raw), width)]
    if len(valid):
        out = [t if v else "null" for t, v in zip(out, valid)]
    return out


def cells(uri, end, ctx, widths):
    with tiledb.open(uri, timestamp=(0, end), ctx=ctx) as A:
        s = A.schema
        dims = [s.domain.dim(i).name for i in range(s.domain.ndim)]
        names = dims + [s.attr(i).name for i in range(s.nattr)]
        q = PyQuery(ctx, A, tuple(names[len(dims):]), tuple(dims), 0, False)
        sub = tiledb.Subarray(A, ctx)
        if not s.sparse:
            for i in range(s.domain.ndim):
                sub.add_dim_range(i, s.domain.dim(i).domain)
        q.set_subarray(sub)
        q.submit()
        results = q.results()
        columns = [texts(widths[n], results[n]) for n in names]
        return sorted(" ".join(row) for row in zip(*columns))


def answer(q):
    config = {"sm.var_offsets.extra_element": "false"}
    if q["key"]:
        config |= {"sm.encryption_key": q["key"], "sm.encryption_type": "AES_256_GCM"}
    ctx = tiledb.Ctx(config)
    out = {"cells": [], "refused": "", "maintained": ""}
    for end in q["ends"]:
        try:
            out["cells"].append(cells(q["uri"], end, ctx, q["widths"]))
        except tiledb.TileDBError as e:
            out["cells"].append(None)
            out["refused"] += f"{end}: {e}; "
    for mode in q["modes"]:
        try:
            c = tiledb.Config(config | {"sm.consolidation.mode": mode, "sm.vacuum.mode": mode, "sm.consolidation.amplification": "5"})
            tiledb.consolidate(q["uri"], config=c)
            tiledb.vacuum(q["uri"], config=c)
        except tiledb.TileDBError as e:
            out["refused"] += f"{mode}: {e}; "
            if not any(k in str(e) for k in KNOWN):
                raise
    return out


def main(folder):
    with open(f"{folder}/questions.json") as f:
        questions = json.load(f)
    with open(f"{folder}/answers.json", "w") as f:
        json.dump([answer(q) for q in questions], f)


main(sys.argv[1])
