"""Make a corpus of groups with random histories: members added and removed by name and by URI, replaced, named and not,
groups in groups, metadata of every datatype, each looked at at several times.

usage: python group_random.py CORPUS N SEED
"""
import json
import os
import sys

import generate
from capi import DATATYPES, np_dtype


def build(c):
    rng = c.rng
    generate.group_new(c)
    pool = [f"m{i}" for i in range(6)]
    for i, name in enumerate(pool):
        if i % 3 == 0:
            generate.leaf(c, name)
        else:
            generate.group_new(c, name)
    live, at = {}, 10
    for _ in range(int(rng.integers(2, 7))):
        at += int(rng.integers(1, 20))
        remove, add, touched = [], [], set()
        for key in sorted(live):
            if rng.random() < 0.3:
                touched.add(key)
                uri, name = live.pop(key)
                by_uri = rng.random() < 0.3 and sum(u == uri for u, _ in [*live.values(), (uri, name)]) == 1
                remove.append(uri if by_uri else key)
        for uri in rng.permutation(pool)[: int(rng.integers(0, 4))].tolist():
            name = [None, f"name {uri}", "shared", "ü" + uri][int(rng.integers(0, 4))]
            key = name or uri
            if key in touched or any(u == uri for u, _ in live.values()):
                continue
            touched.add(key)
            live[key] = (uri, name)
            add.append((uri, 1, name))
        if add or remove:
            generate.group_edit(c, at, add, remove)
        if rng.random() < 0.6:
            items = {}
            for t in rng.choice([t for t in DATATYPES if t != "ANY"], 3).tolist():
                n = int(rng.integers(1, 4))
                items[f"k{rng.integers(0, 5)}"] = (t, rng.integers(0, 100, n).astype(np_dtype(t)).tobytes(), n)
            gone = [k for k in (f"k{rng.integers(0, 5)}",) if k not in items]
            c.metadata(items, at, delete=gone)
    for when in [None] + [(0, int(t)) for t in rng.integers(8, at + 4, 4)] + [(int(rng.integers(8, 20)), at)]:
        generate.members(c, when)


def main():
    root, count, seed = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    entries = []
    for i in range(count):
        entry, why = generate.isolated(root, f"group/random-{i:03d}", "group", ["group"], build, seed)
        if entry is None:
            print("LEFT OUT", i, why.strip().splitlines()[-1])
        else:
            entries.append(entry)
    with open(os.path.join(root, "manifest.json"), "w") as f:
        json.dump({"format": 1, "cases": entries, "root_at_generation": root}, f)
    print(len(entries), "cases")


if __name__ == "__main__":
    main()
