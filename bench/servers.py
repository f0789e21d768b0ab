"""Whole reads over REST beside local ones, and the server's own time for opens and listings.

    python bench/servers.py AZULEJO [--quick] [--rounds 7] [--json FILE]

AZULEJO is the program. The unmodified client writes a dense and a sparse array through the server, then reads all of each
by turns from the server, from the array's own directory, and from a program that sends the bytes which the server once
sent (small_read.py). An array of many fragments is opened and a group of many members is built and listed; for these the
server's time comes from its log (the field "took"). Every answer is checked.

Bars: dense 1.8 times and sparse 2 times the local read; opening 1,000 fragments 3 ms and listing 1,000 members 2 ms at the
median; building the group 5 s.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from small_read import Server, context, spread


def dense(tiledb, ctx, side):
    dims = [tiledb.Dim(n, domain=(0, side - 1), tile=512, dtype=np.int32, ctx=ctx) for n in ("y", "x")]
    attr = tiledb.Attr("a", dtype=np.float64, filters=[tiledb.ZstdFilter(level=3, ctx=ctx)], ctx=ctx)
    tiledb.Array.create("tiledb://admin/dense", tiledb.ArraySchema(tiledb.Domain(*dims, ctx=ctx), [attr], ctx=ctx), ctx=ctx)
    values = np.cumsum(np.random.default_rng(7).integers(-3, 4, (side, side)), axis=1) * 0.25
    with tiledb.open("tiledb://admin/dense", "w", ctx=ctx) as array:
        array[:] = values
    return {"a": values}


def sparse(tiledb, ctx, cells):
    span, rng = 1_000_000, np.random.default_rng(11)
    zstd = [tiledb.ZstdFilter(level=3, ctx=ctx)]
    dims = [tiledb.Dim(n, domain=(0, span - 1), tile=10_000, dtype=np.int64, filters=zstd, ctx=ctx) for n in ("x", "y")]
    attrs = [tiledb.Attr("a", dtype=np.int32, filters=zstd, ctx=ctx), tiledb.Attr("b", dtype=np.float64, filters=zstd, ctx=ctx)]
    schema = tiledb.ArraySchema(tiledb.Domain(*dims, ctx=ctx), attrs, sparse=True, capacity=10_000, ctx=ctx)
    tiledb.Array.create("tiledb://admin/sparse", schema, ctx=ctx)
    flat = np.unique(rng.integers(0, span * span, cells))
    x, y = flat // span, flat % span
    values = {"x": x, "y": y, "a": (x % 1000).astype(np.int32), "b": np.round(np.sin(x / 1000.0) * 100, 2)}
    with tiledb.open("tiledb://admin/sparse", "w", ctx=ctx) as array:
        array[x, y] = {"a": values["a"], "b": values["b"]}
    return values


def fragments(tiledb, ctx, count):
    dim = tiledb.Dim("d", domain=(0, 999_999), tile=100, dtype=np.int64, ctx=ctx)
    schema = tiledb.ArraySchema(tiledb.Domain(dim, ctx=ctx), [tiledb.Attr("a", dtype=np.int64, ctx=ctx)], sparse=True, ctx=ctx)
    tiledb.Array.create("tiledb://admin/fragments", schema, ctx=ctx)
    for k in range(count):
        with tiledb.open("tiledb://admin/fragments", "w", ctx=ctx) as array:
            at = np.arange(k * 10, k * 10 + 10)
            array[at] = at * 3


def build_group(tiledb, ctx, count):
    """Makes the members, then the group of them; returns the seconds that making all and that adding took."""
    began = time.perf_counter()
    tiledb.Group.create("tiledb://admin/group", ctx=ctx)
    schema = tiledb.ArraySchema(tiledb.Domain(tiledb.Dim("d", domain=(0, 3), tile=4, dtype=np.int64, ctx=ctx), ctx=ctx), [tiledb.Attr("", dtype=np.float64, ctx=ctx)], ctx=ctx)
    for k in range(count):
        tiledb.Array.create(f"tiledb://admin/m{k:05d}", schema, ctx=ctx)
    made = time.perf_counter()
    with tiledb.Group("tiledb://admin/group", "w", ctx=ctx) as group:
        for k in range(count):
            group.add(f"tiledb://admin/m{k:05d}", name=f"m{k:05d}")
    return {"make_members_s": round(made - began, 2), "add_members_s": round(time.perf_counter() - made, 2)}


def read(tiledb, uri, ctx, want):
    """Reads all and returns the milliseconds; ends the program at a wrong cell."""
    began = time.perf_counter()
    with tiledb.open(uri, "r", ctx=ctx) as array:
        got = array[:]
    took = (time.perf_counter() - began) * 1e3
    if not isinstance(got, dict):
        got = {"a": got}
    order = np.lexsort((got["y"], got["x"])) if "x" in got else slice(None)
    for field, values in want.items():
        if not np.array_equal(np.asarray(got[field])[order], values):
            raise SystemExit(f"{uri}: wrong cells in {field}")
    return took


def whole_reads(tiledb, server, canned, want, rounds, answer):
    # Buffers for all cells at once: canned replies know no parts.
    room = {"py.init_buffer_bytes": str(64 << 20)}
    real, fake = ({**room, "rest.server_address": url, "rest.token": server.token} for url in (server.url, canned.stdout.readline().strip()))
    real, fake, plain = tiledb.Ctx(real), tiledb.Ctx(fake), tiledb.Ctx(room)
    for name in want:
        read(tiledb, f"tiledb://admin/{name}", fake, want[name])
    canned.stdin.write("freeze\n")
    canned.stdin.flush()
    canned.stdout.readline()
    for name in want:
        uri, seen = f"tiledb://admin/{name}", {"local": [], "server": [], "canned": []}
        ways = {"local": (directory(server, want[name]["a"].ndim), plain), "server": (uri, real), "canned": (uri, fake)}
        for _ in range(rounds):
            for way, (where, ctx) in ways.items():
                seen[way].append(read(tiledb, where, ctx, want[name]))
        row = {way: spread(times) for way, times in seen.items()}
        for what in ("min", "p50"):
            for way in ("server", "canned"):
                row[f"{way}_to_local_{what}"] = round(row[way][what] / row["local"][what], 2)
        answer[name] = row


def directory(server, ndim):
    """The directory of the dense array, which has two dimensions of cells, or of the sparse one."""
    data = os.path.join(os.path.dirname(server.log_path), "data", "storage")
    found = [os.path.dirname(d) for d in glob.glob(os.path.join(data, "**", "__fragments"), recursive=True)]
    return next(d for d in found if (len(glob.glob(os.path.join(d, "__fragments", "*", "d1.tdb"))) > 0) == (ndim == 1))


def server_times(tiledb, server, turns, sizes, answer):
    ctx = context(tiledb, server.url, server.token)
    fragments(tiledb, ctx, sizes["fragments"])
    answer["group"] = build_group(tiledb, ctx, sizes["members"])
    before = {op: len(times) for op, times in server.took().items()}
    for _ in range(turns):
        with tiledb.open("tiledb://admin/fragments", "r", ctx=ctx) as array:
            if array.schema.nattr != 1:
                raise SystemExit("wrong schema")
        with tiledb.Group("tiledb://admin/group", "r", ctx=ctx) as group:
            if len([m.name for m in group]) != sizes["members"]:
                raise SystemExit("wrong number of members")
    answer["operations_ms"] = {op: spread(times[before.get(op, 0):]) for op, times in server.took().items() if len(times) - before.get(op, 0) >= turns}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("azulejo")
    parser.add_argument("--quick", action="store_true", help="a sixteenth of the cells, a tenth of the fragments and members")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json")
    args = parser.parse_args()
    import tiledb
    sizes = {"side": 2048 if args.quick else 4096, "cells": 250_000 if args.quick else 2_000_000,
             "fragments": 100 if args.quick else 1000, "members": 100 if args.quick else 1000}
    answer = {"sizes": sizes}
    with tempfile.TemporaryDirectory() as work:
        server = Server(args.azulejo, work)
        host, port = server.url.removeprefix("http://").split(":")
        canned = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "small_read.py"), "canned", host, port],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            ctx = context(tiledb, server.url, server.token)
            want = {"dense": dense(tiledb, ctx, sizes["side"]), "sparse": sparse(tiledb, ctx, sizes["cells"])}
            whole_reads(tiledb, server, canned, want, args.rounds, answer)
            server_times(tiledb, server, 30, sizes, answer)
        finally:
            canned.stdin.close()
            canned.wait(10)
            server.stop()
    text = json.dumps(answer, indent=1)
    print(text)
    if args.json:
        with open(args.json, "w", encoding="utf8") as out:
            out.write(text + "\n")


if __name__ == "__main__":
    main()
