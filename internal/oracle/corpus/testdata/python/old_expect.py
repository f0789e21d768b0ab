"""Make a corpus of what old_write.py wrote: what the libtiledb of the installed wheel reads from every array and group.

usage: python old_expect.py OLD CORPUS

Every folder OLD/<release>/<case>/data becomes the case old/<release>/<case>, with the reads of the other corpora and no
steps.  What libtiledb refuses is expected to be refused.
"""
import ctypes
import json
import os
import shutil
import sys

import generate


def member(c, sub):
    c.json_read("group_members", lambda: [dict(m, uri=m["uri"].replace("file://", "").replace(c.uri, "{data}"))
                                          for m in c.ctx.group_members(c.at_uri(sub))], may_fail=True, sub=sub)
    c.json_read("group_metadata", lambda: c.ctx.get_metadata(c.at_uri(sub), kind="group"), may_fail=True, sub=sub)


def build(old):
    def reads(c):
        shutil.copytree(old, c.uri)
        if c.kind == "group":
            member(c, None)
            member(c, "inner")
            return
        arr = c.ctx.open(c.uri, 0)
        about = c.ctx.describe_schema(c.ctx.out(ctypes.c_void_p, "array_get_schema", arr))
        c.ctx.close(arr)
        dims = [generate.Dim(d["name"], d["type"], d["domain"], d["tile_extent"]) for d in about["dimensions"]]
        c.schema = generate.Schema(about["array_type"] == "sparse", dims, [], dups=about["allows_dups"],
                                   cell_order=about["cell_order"])
        large = os.path.basename(c.name) in ("filters", "types", "sparse_big")
        # Hilbert values were computed otherwise before 2.9; what a merge of cells so ordered gives is no order at all.
        release = tuple(int(n) for n in old.split(os.sep)[-3].split("."))
        layouts = ["unordered", "row-major", "col-major"] if about["cell_order"] == "hilbert" and release < (2, 9) else None
        c.read_all(["row-major"] if large else layouts)
        if c.name.endswith("/sparse_big"):
            c.read(ranges={"i": [[2180, 2190]], "j": [[2, 5]]})
        if large:
            return
        for k in (1, 2):
            c.read(ranges=c.some_ranges(k), may_fail=True)
        fields = [a["name"] for a in about["attributes"]][-1:]
        c.read(fields=fields, may_fail=True)
        times = [f["timestamps"][1] for f in c.ctx.fragments(c.uri)["fragments"]]
        for t in sorted(set(times))[:3]:
            c.read(open_at=(0, t), may_fail=True)
        number = [a["name"] for a in about["attributes"] if a["type"] in ("INT32", "INT64", "INT16") and a["cell_val_num"] == 1]
        if number:
            c.aggregate(["count", ["sum", number[0]], ["min", number[0]], ["max", number[0]]])
            # With a condition, libtiledb loses all written cells of dense arrays that have sparse fragments.
            if about["array_type"] == "sparse" or (all(f["dense"] for f in c.ctx.fragments(c.uri)["fragments"])):
                c.read(condition={"field": number[0], "op": "gt", "value": 20}, may_fail=True)
    return reads


def main():
    old, root = map(os.path.abspath, sys.argv[1:])
    entries, bad = [], 0
    for release in sorted(os.listdir(old)):
        folder = os.path.join(old, release)
        for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
            data = os.path.join(folder, name, "data")
            kind = "group" if name == "group" else "sparse"
            entry, why = generate.isolated(root, f"old/{release}/{name}", kind, ["old-format"], build(data), 1)
            if entry is None:
                bad += 1
                shutil.rmtree(os.path.join(root, "cases", "old", release, name), ignore_errors=True)
                print("LEFT OUT", release, name, why.strip().splitlines()[-1])
            else:
                entries.append(entry)
    with open(os.path.join(root, "manifest.json"), "w") as f:
        json.dump({"format": 1, "cases": entries}, f)
    print(len(entries), "cases,", sum(len(e["reads"]) for e in entries), "reads,", bad, "left out")


if __name__ == "__main__":
    main()
