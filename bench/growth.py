"""How costs grow: opening, reading one tile and listing with 10 to 10,000 fragments, and with 10^3 to 10^6 (or 10^7) tiles.

    python bench/growth.py AZULEJO [--most-fragments 10000] [--most-tiles 1000000] [--keep FOLDER] [--png FILE] [--json FILE]

Both engines run in turns, each in a process of its own; the curves are minima. Fragments are of one cell each; tiles are
those of one fragment of a dense array of bytes, four cells a tile. Making 10^7 tiles takes minutes: with --keep the
arrays stay in a folder and serve the next run.
"""
import argparse
import json
import os
import shutil
import tempfile
from types import SimpleNamespace

import numpy as np

from engines import Bench, many_fragments


def many_tiles(uri, count):
    import tiledb
    shutil.rmtree(uri, ignore_errors=True)
    dim = tiledb.Dim("x", domain=(0, 4 * count - 1), tile=4, dtype=np.int64)
    tiledb.Array.create(uri, tiledb.ArraySchema(tiledb.Domain(dim), [tiledb.Attr("a", dtype=np.uint8)]))
    with tiledb.open(uri, "w") as array:
        array[:] = (np.arange(4 * count) % 251).astype(np.uint8)


def made(uri, make, n):
    if not os.path.exists(uri):
        make(uri, n)
    return uri


def measure(b, n, kind, specs):
    for op, spec in specs.items():
        before = len(b.rows)
        b.case(f"{op} with {n} {kind}", dict(spec, repeat=3), threads=(0,))
        b.rows[before] |= {"op": op, "n": n, "kind": kind}


def draw(rows, png):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), constrained_layout=True)
    colours = {"open": "tab:blue", "read one tile": "tab:orange", "list fragments": "tab:green"}
    for axis, kind in zip(axes, ("fragments", "tiles")):
        for op, colour in colours.items():
            points = [r for r in rows if r["kind"] == kind and r["op"] == op]
            if not points:
                continue
            x = [r["n"] for r in points]
            axis.plot(x, [r["azulejo_ms"] for r in points], "o-", color=colour, label=f"azulejo, {op}")
            axis.plot(x, [r["libtiledb_ms"] for r in points], "s--", color=colour, alpha=0.5, label=f"libtiledb, {op}")
        axis.set(xscale="log", yscale="log", xlabel=kind, ylabel="milliseconds, least of several", title=f"Costs by number of {kind}")
        axis.grid(True, which="both", alpha=0.2)
        axis.legend(fontsize=8)
    figure.savefig(png, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("azulejo")
    parser.add_argument("--most-fragments", type=int, default=10_000)
    parser.add_argument("--most-tiles", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--keep", help="folder in which arrays stay and are found again")
    parser.add_argument("--png")
    parser.add_argument("--json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = args.keep or temporary
        os.makedirs(directory, exist_ok=True)
        b = Bench(SimpleNamespace(azulejo=os.path.abspath(args.azulejo), rounds=args.rounds), directory)
        n = 10
        while n <= args.most_fragments:
            uri = made(b.path(f"fragments-{n}"), many_fragments, n)
            box = [(0, 9_999), (0, 9_999)]
            measure(b, n, "fragments", {"open": {"op": "open", "uri": uri}, "list fragments": {"op": "fragments", "uri": uri},
                                        "read one tile": {"op": "read", "uri": uri, "box": box, "sparse": True}})
            n *= 10
        n = 1000
        while n <= args.most_tiles:
            uri = made(b.path(f"tiles-{n}"), many_tiles, n)
            measure(b, n, "tiles", {"open": {"op": "open", "uri": uri}, "read one tile": {"op": "read", "uri": uri, "box": [(4 * (n // 2), 4 * (n // 2) + 3)]}})
            n *= 10
    if args.json:
        with open(args.json, "w", encoding="utf8") as out:
            json.dump(b.rows, out, indent=1)
    if args.png:
        draw(b.rows, args.png)


if __name__ == "__main__":
    main()
