"""Azulejo's engine against libtiledb, side by side in one run, for what ../shared/bench has no row for.

    python bench/engines.py AZULEJO [--quick] [--only NAME,...] [--rounds 3] [--json FILE] [--markdown FILE]

AZULEJO is the program; libtiledb is the `tiledb` package of this Python. For every case the two run in turns, each in a
process of its own, with all cores and with one thread. The figures are ratios of minima, below 1 is faster; "bar" is what
issue 4 asks for. Answers are compared before any time counts. Reads open the array, read and close it; nothing is kept
from one to the next. Peak memory is that of the process above one that only opens the array.
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np


# ------------------------------------------------------------------ the libtiledb side, in a process of its own
def libtiledb(spec):
    import tiledb
    config = {}
    if spec["threads"]:
        config = {"sm.compute_concurrency_level": spec["threads"], "sm.io_concurrency_level": spec["threads"]}
    if spec.get("budget"):
        config |= {"sm.mem.total_budget": spec["budget"]}
    if spec["op"] == "consolidate":
        config |= {"sm.consolidation.amplification": 1000}
    ctx, uri, op = tiledb.Ctx(config), spec["uri"], spec["op"]
    columns = {}
    if op == "write":
        columns = {f: np.fromfile(os.path.join(spec["input"], f), t) for f, t in spec["columns"].items()}
    answer, seconds = None, []
    for turn in range(spec["repeat"] + 1):
        if op == "consolidate":
            shutil.rmtree(uri, ignore_errors=True)
            shutil.copytree(spec["input"], uri)
        start = time.perf_counter()
        if op == "consolidate":
            tiledb.consolidate(uri, ctx=ctx)
        elif op == "write":
            write(tiledb, ctx, uri, spec, columns)
        elif op == "fragments":
            answer = len(tiledb.array_fragments(uri, ctx=ctx))
        else:
            with tiledb.open(uri, ctx=ctx) as array:
                answer = LIBTILEDB[op](array, spec)
        if turn:
            seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "answer": answer, "rss": high_water("self")}


def high_water(pid):
    """The greatest resident size of a process since it began its program, in bytes. (getrusage also counts the parent's.)"""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def write(tiledb, ctx, uri, spec, columns):
    with tiledb.open(uri, "w", ctx=ctx) as array:
        dims = [columns[d] for d in spec["dims"]]
        values = {a: columns[a] for a in columns if a not in spec["dims"]}
        if dims:
            array[tuple(dims) if len(dims) > 1 else dims[0]] = values
        else:
            array[:] = values[next(iter(values))].reshape(array.shape)


def aggregates(array, spec):
    got = array.query().agg({a: ["count", "sum", "min", "max"] for a in spec["attrs"]})[:]
    if len(spec["attrs"]) == 1:
        got = {spec["attrs"][0]: got}
    return {f"{a}.{f}": repr(v.item() if hasattr(v, "item") else v) for a, fs in got.items() for f, v in fs.items()}


def total(array, _):
    got = array[:]
    if isinstance(got, np.ndarray):
        return got.size
    return int(next(iter(got.values())).size)


def one_tile(array, spec):
    box = tuple(slice(lo, hi + 1) for lo, hi in spec["box"])
    got = array[box] if not array.schema.sparse else array.multi_index[tuple(slice(lo, hi) for lo, hi in spec["box"])]
    return int((got if isinstance(got, np.ndarray) else next(iter(got.values()))).size)


LIBTILEDB = {
    "open": lambda array, _: array.schema.nattr,
    "domain": lambda array, _: len(array.nonempty_domain()),
    "aggregate": aggregates,
    "read": one_tile,
    "read-all": total,
}


# ------------------------------------------------------------------ both sides
class Side:
    """Runs operations of one engine."""

    def __init__(self, program=None):
        self.program = program

    def run(self, spec):
        if self.program is None:
            done = subprocess.run([sys.executable, os.path.abspath(__file__), "libtiledb", json.dumps(spec)], capture_output=True, text=True)
        else:
            done = subprocess.Popen(self.command(spec), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            peak, over = 0, False
            while not over:  # a process has no high water any more once it ended
                try:
                    out, err = done.communicate(timeout=0.005 if spec.get("budget") or spec["op"] == "open" else None)
                    over = True
                except subprocess.TimeoutExpired:
                    peak = max(peak, high_water(done.pid))
            done.stdout, done.stderr = out, err
        if done.returncode:
            raise SystemExit(f"{spec['op']} of {spec['uri']}: {done.stderr[-500:]}")
        answer = json.loads(done.stdout.strip().splitlines()[-1])
        if self.program is not None:
            answer = {"seconds": answer["seconds"], "answer": answer["checks"] if spec["op"] == "aggregate" else answer["cells"],
                      "rss": peak}
        return answer

    def command(self, spec):
        op = spec["op"]
        args = [self.program, "bench", {"read-all": "sparse" if spec.get("sparse") else "read"}.get(op, op), "--uri", spec["uri"],
                "--repeat", str(spec["repeat"]), "--warmup", "1", "--threads", str(spec["threads"])]
        if op == "aggregate":
            args += ["--attrs", ",".join(spec["attrs"])]
        if op == "write":
            args += ["--input", spec["input"] if spec["dims"] else os.path.join(spec["input"], next(iter(spec["columns"])))]
        if op == "consolidate":
            args += ["--input", spec["input"]]
        if spec.get("box"):
            args += ["--subarray", ",".join(f"{lo}:{hi}" for lo, hi in spec["box"])]
            if spec.get("sparse"):
                args[2] = "sparse"
        if spec.get("budget"):
            args += ["--budget", str(spec["budget"])]
        return args


class Bench:
    """One run: cases in turns, rows of results."""

    def __init__(self, args, directory):
        self.args, self.directory, self.rows = args, directory, []
        self.sides = {"libtiledb": Side(), "azulejo": Side(args.azulejo)}

    def path(self, name):
        return os.path.join(self.directory, name)

    def case(self, name, spec, bar=None, fresh=None, threads=(0, 1), same=True, after=None, want=None):
        """Runs a case; after() must say want of what an engine made."""
        for n in threads:
            times, answers = {side: [] for side in self.sides}, {}
            for turn in range(self.args.rounds):
                for side in list(self.sides) if turn % 2 == 0 else list(self.sides)[::-1]:
                    if fresh:
                        fresh()
                    got = self.sides[side].run(dict(spec, threads=n, repeat=spec.get("repeat", 3)))
                    times[side] += got["seconds"]
                    answers[side] = got["answer"]
                    if after and turn == 0 and (made := after()) != want:
                        raise SystemExit(f"{name}: {side} made {made} of {want}")
            if same and answers["azulejo"] != answers["libtiledb"]:
                raise SystemExit(f"{name}: {answers}")
            best = {side: min(t) * 1e3 for side, t in times.items()}
            row = {"case": name, "threads": n or "all", "libtiledb_ms": round(best["libtiledb"], 3), "azulejo_ms": round(best["azulejo"], 3),
                   "ratio": round(best["azulejo"] / best["libtiledb"], 3), "bar": bar}
            self.rows.append(row)
            print(json.dumps(row), flush=True)

    def memory(self, name, spec, budget):
        """Peak memory of a read with a budget, above that of an open."""
        for side in self.sides:
            base = self.sides[side].run(dict(spec, op="open", threads=0, repeat=1000))["rss"]
            peak = self.sides[side].run(dict(spec, threads=0, repeat=2, budget=budget))["rss"]
            row = {"case": name, "engine": side, "budget_mib": budget >> 20, "above_open_mib": round((peak - base) / 2**20, 1),
                   "bar": (budget >> 20) + 64 if side == "azulejo" else None}
            self.rows.append(row)
            print(json.dumps(row), flush=True)


# ------------------------------------------------------------------ arrays
def zstd():
    import tiledb
    return tiledb.FilterList([tiledb.ZstdFilter(level=3)])


def plane(n, seed=5):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.integers(-3, 4, (n, n)), axis=1) * 0.25


def dense(uri, n, tile, dtype=np.float64):
    import tiledb
    shutil.rmtree(uri, ignore_errors=True)
    dims = [tiledb.Dim(k, domain=(0, n - 1), tile=tile, dtype=np.int64) for k in ("y", "x")]
    tiledb.Array.create(uri, tiledb.ArraySchema(tiledb.Domain(*dims), [tiledb.Attr("a", dtype=dtype, filters=zstd())]))


def points(uri, capacity=10_000):
    import tiledb
    shutil.rmtree(uri, ignore_errors=True)
    filters = tiledb.FilterList([tiledb.DoubleDeltaFilter(), tiledb.ZstdFilter(level=3)])
    dims = [tiledb.Dim(k, domain=(0, 999_999), tile=10_000, dtype=np.int64, filters=filters) for k in ("x", "y")]
    attrs = [tiledb.Attr("a", dtype=np.int32, filters=zstd()), tiledb.Attr("b", dtype=np.float64, filters=zstd())]
    tiledb.Array.create(uri, tiledb.ArraySchema(tiledb.Domain(*dims), attrs, sparse=True, capacity=capacity))


def point_columns(n):
    rng = np.random.default_rng(3)
    place = rng.choice(10**12, n, replace=False) if n < 10**5 else np.unique(rng.integers(0, 10**12, n + n // 50))
    place = rng.permutation(place)[:n]
    return {"x": place // 10**6, "y": place % 10**6, "a": rng.integers(0, 10_000, n).astype(np.int32), "b": rng.normal(size=n).round(2)}


def many_fragments(uri, count):
    """A sparse array of one-cell fragments: 50 that libtiledb wrote, and copies of them under other names."""
    import tiledb
    points(uri)
    base = min(count, 50)
    for k in range(base):
        with tiledb.open(uri, "w", timestamp=k + 1) as array:
            array[[k * 1000], [k * 777]] = {"a": np.array([k], np.int32), "b": np.array([k * 0.5])}
    names = sorted(os.listdir(os.path.join(uri, "__fragments")))
    for k in range(base, count):
        _, _, t, _, uuid, version = names[k % base].split("_")
        new = f"__{k + 1}_{k + 1}_{uuid[:16]}{k:016x}_{version}"
        shutil.copytree(os.path.join(uri, "__fragments", names[k % base]), os.path.join(uri, "__fragments", new))
        open(os.path.join(uri, "__commits", new + ".wrt"), "wb").close()


# ------------------------------------------------------------------ cases
def patched(uri, n):
    """A dense array of n x n cells that 50 overlapping patches were written to."""
    import tiledb
    rng = np.random.default_rng(9)
    dense(uri, n, n // 10)
    values = plane(n)
    for _ in range(50):
        side = n // 3
        y, x = rng.integers(0, n - side, 2)
        with tiledb.open(uri, "w") as array:
            array[y:y + side, x:x + side] = values[y:y + side, x:x + side]


def patches(b):
    """50 overlapping patches of an array, read as a whole."""
    uri = b.path("patches")
    patched(uri, 1500 if b.args.quick else 3000)
    b.case("read across 50 patches", {"op": "read-all", "uri": uri}, 0.25)


def fragments(b):
    """Opening, the non-empty domain and the list of many fragments."""
    count = 200 if b.args.quick else 1000
    uri = b.path("fragments")
    many_fragments(uri, count)
    b.case(f"open {count} fragments", {"op": "open", "uri": uri}, 0.25)
    b.case(f"non-empty domain of {count} fragments", {"op": "domain", "uri": uri}, 0.25)
    b.case(f"list {count} fragments", {"op": "fragments", "uri": uri})
    b.case(f"read {count} fragments", {"op": "read-all", "uri": uri, "sparse": True})


def sparse_write(b):
    """Unordered sparse cells written as one fragment."""
    n = 500_000 if b.args.quick else 5_000_000
    columns, folder, uri = point_columns(n), b.path("cells"), b.path("written")
    os.makedirs(folder)
    for name, values in columns.items():
        values.tofile(os.path.join(folder, name))
    spec = {"op": "write", "uri": uri, "input": folder, "dims": ["x", "y"], "columns": {k: v.dtype.str for k, v in columns.items()}, "repeat": 2}
    b.case(f"write {n} sparse cells", spec, 0.5, fresh=lambda: points(uri), same=False)


def merged(uri):
    """The cells of an array as one fragment has them after a vacuum, in a sum."""
    import tiledb
    tiledb.vacuum(uri)
    if (n := len(tiledb.array_fragments(uri))) != 1:
        raise SystemExit(f"{uri}: {n} fragments after a consolidation")
    return cells_of(uri)


def cells_of(uri):
    """All cells of an array in row-major order, in a sum."""
    import tiledb
    with tiledb.open(uri) as array:
        got = array.query(order="C")[:]
    got = got if isinstance(got, dict) else {"": got}
    return {name: hashlib.sha256(np.ascontiguousarray(v)).hexdigest() for name, v in got.items()}


def consolidation(b):
    """Merging all fragments of an array into one."""
    import tiledb
    n = 200_000 if b.args.quick else 5_000_000
    sparse, columns = b.path("merge-sparse"), point_columns(n)
    points(sparse)
    for part in range(20):
        at = slice(part * n // 20, (part + 1) * n // 20)
        with tiledb.open(sparse, "w") as array:
            array[columns["x"][at], columns["y"][at]] = {"a": columns["a"][at], "b": columns["b"][at]}
    side = 1000 if b.args.quick else 8000
    rows, values = b.path("merge-rows"), plane(side)
    dense(rows, side, side // 20)
    for part in range(20):
        at = slice(part * side // 20, (part + 1) * side // 20)
        with tiledb.open(rows, "w") as array:
            array[at, :] = values[at]
    few = b.path("merge-patches")
    patched(few, 1500 if b.args.quick else 3000)
    small = b.path("merge-small")
    many_fragments(small, 50 if b.args.quick else 1000)
    for name, source in (("20 sparse fragments", sparse), ("20 dense fragments of rows", rows), ("50 dense patches", few), ("many small fragments", small)):
        uri = b.path("merged")
        spec = {"op": "consolidate", "uri": uri, "input": source, "repeat": 2}
        b.case(f"consolidation of {name}", spec, 0.6, same=False, after=lambda: merged(uri), want=cells_of(source))


def dense_write(b):
    """A whole dense array written as one fragment."""
    n = 2048 if b.args.quick else 8192
    folder, uri = b.path("plane"), b.path("plane-written")
    os.makedirs(folder)
    plane(n).tofile(os.path.join(folder, "a"))
    spec = {"op": "write", "uri": uri, "input": folder, "dims": [], "columns": {"a": "<f8"}, "repeat": 2}
    b.case(f"write {n}x{n} doubles", spec, 1.3, fresh=lambda: dense(uri, n, n // 8), same=False)


def aggregate(b):
    """Count, sum, minimum and maximum without fetching cells."""
    import tiledb
    n = 300_000 if b.args.quick else 3_000_000
    uri, columns = b.path("aggregate"), point_columns(n)
    points(uri)
    with tiledb.open(uri, "w") as array:
        array[columns["x"], columns["y"]] = {"a": columns["a"], "b": columns["b"]}
    b.case(f"aggregates of {n} sparse cells", {"op": "aggregate", "uri": uri, "attrs": ["a"]}, 0.4)
    side = 2048 if b.args.quick else 8192
    uri = b.path("aggregate-dense")
    dense(uri, side, side // 8, np.int64)
    with tiledb.open(uri, "w") as array:
        array[:] = (plane(side) * 4).astype(np.int64)
    b.case(f"aggregates of {side}x{side} integers", {"op": "aggregate", "uri": uri, "attrs": ["a"]}, 0.4)


def memory(b):
    """Peak memory of whole reads with a budget."""
    import tiledb
    n = 2_000_000 if b.args.quick else 10_000_000
    uri, columns = b.path("memory"), point_columns(n)
    points(uri)
    with tiledb.open(uri, "w") as array:
        array[columns["x"], columns["y"]] = {"a": columns["a"], "b": columns["b"]}
    side, plain = 4096 if b.args.quick else 8192, b.path("memory-dense")
    dense(plain, side, side // 8)
    with tiledb.open(plain, "w") as array:
        array[:] = plane(side)
    for budget in (32 << 20, 128 << 20):
        b.memory(f"peak of reading {n} sparse cells", {"op": "read-all", "uri": uri, "sparse": True}, budget)
        b.memory(f"peak of reading {side}x{side} doubles", {"op": "read-all", "uri": plain}, budget)


CASES = {"patches": patches, "fragments": fragments, "sparse-write": sparse_write, "consolidation": consolidation, "dense-write": dense_write, "aggregate": aggregate, "memory": memory}


def table(rows):
    lines = ["| case | threads | libtiledb ms | azulejo ms | ratio | bar |", "|---|---|---|---|---|---|"]
    lines += ["| {case} | {threads} | {libtiledb_ms} | {azulejo_ms} | {ratio} | {bar} |".format(**dict(r, bar=r["bar"] or "")) for r in rows if "ratio" in r]
    lines += ["", "| case | engine | budget MiB | peak above an open MiB | bar |", "|---|---|---|---|---|"]
    lines += ["| {case} | {engine} | {budget_mib} | {above_open_mib} | {bar} |".format(**dict(r, bar=r["bar"] or "")) for r in rows if "engine" in r]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "libtiledb":
        return print(json.dumps(libtiledb(json.loads(sys.argv[2]))))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("azulejo")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--only", help="names of cases: " + ", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    args = parser.parse_args()
    args.azulejo = os.path.abspath(args.azulejo)
    with tempfile.TemporaryDirectory() as directory:
        b = Bench(args, directory)
        for name in args.only.split(",") if args.only else CASES:
            CASES[name](b)
    if args.json:
        with open(args.json, "w", encoding="utf8") as out:
            json.dump(b.rows, out, indent=1)
    if args.markdown:
        with open(args.markdown, "w", encoding="utf8") as out:
            out.write(table(b.rows))


if __name__ == "__main__":
    main()
