"""Reads with libtiledb what the engine wrote into an object store, and writes there what the engine is to read.

usage: stores.py CONFIG.json ROOT LOCAL BACK
CONFIG.json has the settings of tiledb.Ctx, ROOT is a URI of the store, LOCAL the directory that the copies came from,
BACK a local directory with copies of copies.
"""
import json
import sys

import numpy as np
import tiledb

config, root, local, back = sys.argv[1:]
ctx = tiledb.Ctx(json.load(open(config)))


def equal(got, want, what):
    if isinstance(want, dict):
        assert list(got) == list(want), (what, list(got), list(want))
        for k in want:
            equal(got[k], want[k], f"{what}/{k}")
        return
    np.testing.assert_array_equal(np.asarray(got), np.asarray(want), err_msg=what)


# Copies made by the engine are the arrays they were copied from.
for name in ["evolved", "hilbert", "dense-times", "deleted"]:
    uri = f"{root}/copies/{name}"
    assert tiledb.object_type(uri, ctx=ctx) == "array", uri
    with tiledb.open(uri, ctx=ctx) as a, tiledb.open(f"{local}/{name}") as b:
        assert a.schema.domain == b.schema.domain
        equal(a[:], b[:], name)
for name in ["evolved", "deleted"]:
    with tiledb.open(f"{back}/{name}") as a, tiledb.open(f"{local}/{name}") as b:
        equal(a[:], b[:], f"{name} back on disk")
listed = []
tiledb.ls(f"{root}/copies", lambda uri, kind: listed.append((uri.rstrip("/").rsplit("/", 1)[1], kind)), ctx=ctx)
assert sorted(listed) == [(n, "array") for n in ["deleted", "dense-times", "evolved", "hilbert"]], listed
assert tiledb.object_type(f"{root}/gone", ctx=ctx) is None, "a removed array is still there"
assert tiledb.object_type(f"{root}/moved", ctx=ctx) == "array"

# An array that the engine wrote into the store, in parts.
with tiledb.open(f"{root}/ours", ctx=ctx) as a:
    want = (np.arange(3_000_000, dtype=np.int64) * 2654435761) % 1000003
    equal(a[:]["v"], want, "ours")
    assert a.meta["from"] == "azulejo"

# A table that the engine imported into the store.
with tiledb.open(f"{root}/imported", ctx=ctx) as a:
    got = a[:30000]
    equal(got["n"], (np.arange(30000, dtype=np.int64) * 2654435761) % 1000003, "imported")
    assert got["s"][29999] in ("row 29999", b"row 29999"), got["s"][29999]

# What the engine is to read: fragments, metadata, a schema change, a group.
uri = f"{root}/theirs"
dom = tiledb.Domain(tiledb.Dim("x", domain=(0, 9999), tile=100, dtype=np.int32))
tiledb.Array.create(uri, tiledb.ArraySchema(dom, [tiledb.Attr("v", dtype=np.float64, filters=[tiledb.ZstdFilter()])]), ctx=ctx)
for part in range(4):
    with tiledb.open(uri, "w", ctx=ctx) as a:
        a[part * 2000 : part * 2000 + 3000] = np.arange(3000, dtype=np.float64) + part
        a.meta[f"part {part}"] = part
tiledb.group_create(f"{root}/group", ctx=ctx)
with tiledb.Group(f"{root}/group", "w", ctx=ctx) as g:
    g.add(uri, name="theirs")
    g.meta["answer"] = 42

# The engine's array gets one more fragment, and is consolidated and vacuumed.
with tiledb.open(f"{root}/ours", "w", ctx=ctx) as a:
    a[1000:2000] = np.full(1000, -7, dtype=np.int64)
tiledb.consolidate(f"{root}/ours", ctx=ctx)
tiledb.vacuum(f"{root}/ours", ctx=ctx)
print("ok")
