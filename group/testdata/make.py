"""Writes the groups of this folder with libtiledb and, in expected.json, what libtiledb says about them.

Run with tiledb 0.36.1 (libtiledb 2.30): python make.py
The folder group_v1 is test input of TileDB itself (test/inputs/groups/group_v1), written in group version 1.
"""
import json, os, shutil
import numpy as np, tiledb

here = os.path.dirname(os.path.abspath(__file__))
os.chdir(here)


def config(start, end):
    return tiledb.Config({"sm.group.timestamp_start": str(start), "sm.group.timestamp_end": str(end)})


def raw(meta, key):
    v, t = meta._array_or_group._get_metadata(key, False)
    v = v.encode() if isinstance(v, str) else v
    if not isinstance(v, bytes):
        v = np.array(v, dtype=tiledb.datatypes.DataType.from_tiledb(t).np_dtype).tobytes()
    return str(t).split(".")[-1] + " " + v.hex()


def look(uri, at):
    with tiledb.Group(uri, config=config(at[0], 2**64 - 1 if at[1] is None else at[1])) as G:
        base = "file://" + os.path.join(here, uri) + "/"
        members = sorted((m.name or "", m.uri.replace(base, "{group}/"), m.type.__name__) for m in G)
        return {"at": at, "members": members, "metadata": {k: raw(G.meta, k) for k in sorted(G.meta.keys())}}


def change(uri, t, add=(), remove=(), put={}, drop=()):
    with tiledb.Group(uri, "w", config=config(0, t)) as G:
        for a in add:
            G.add(*a[:-1], relative=a[-1])
        for r in remove:
            G.remove(r)
        for k, v in put.items():
            G.meta[k] = v
        for k in drop:
            del G.meta[k]


def make(uri):
    shutil.rmtree(uri, ignore_errors=True)
    tiledb.Group.create(uri)
    for name in ("first", "second", "third"):
        dom = tiledb.Domain(tiledb.Dim("x", domain=(1, 4), tile=2, dtype=np.int32))
        tiledb.Array.create(os.path.join(uri, name), tiledb.ArraySchema(dom, attrs=[tiledb.Attr("a", dtype=np.int32)]))
    tiledb.Group.create(os.path.join(uri, "sub"))
    change(uri, 1, add=[("first", "one", True), ("sub", True)], put={"k": 1, "s": "text"})
    change(uri, 2, add=[("second", "two", True)], put={"k": 2.5})
    change(uri, 3, remove=["one"], drop=["s"])
    change(uri, 5, add=[("third", "one", True)], remove=["sub"])
    return [look(uri, at) for at in ((0, None), (0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (2, 3), (3, 9), (6, 9))]


expected = {"members": make("members"), "group_v1": [look("group_v1", (0, None)), look("group_v1", (0, 5))]}
shutil.rmtree("empty", ignore_errors=True)
tiledb.Group.create("empty")
expected["empty"] = [look("empty", (0, None))]
with open("expected.json", "w") as out:
    json.dump(expected, out, indent=1, sort_keys=True)
    out.write("\n")
