"""Client processes that load a server and check every cell they are given.

    load.py load DIR CONF

CONF is a JSON object: server, token, namespace; readers, writers; reads and writes per process or seconds for all of them;
faults, true when the server is killed meanwhile. The answers go to DIR/answers.json.

Each writer owns a band of rows of two arrays, one dense and one sparse. Its write number k covers cells that only k and
the writer's number decide, and the value of a cell is a function of k and its coordinates. A writer writes one after the
other, so what a reader may see of a band is the result of the first n writes: n not below what was acknowledged when the
read began, not above what had been begun when it ended, the same n for all cells of the reply. All processes share the two
counters, so a reader knows both.
"""
import collections
import json
import multiprocessing
import os
import sys
import time
import traceback

import numpy as np
import tiledb

SIDE, TILE, WINDOW, POINTS = 768, 96, 200, 300
NAMES = ("dense", "sparse")
FILL = np.uint64(2**64 - 1)


def values(version, y, x):
    """The numbers that write `version` puts at coordinates (arrays of one shape)."""
    v, y, x = (np.asarray(p).astype(np.uint64) for p in (version, y, x))
    mixed = (v + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) ^ (y * np.uint64(SIDE) + x) * np.uint64(0xC2B2AE3D27D4EB4F)
    return (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)


def texts(version, x):
    """The texts that write `version` puts there, of several lengths."""
    return [f"{v}:" + "abcdefg"[:(v + c) % 8] for v, c in zip(version.tolist(), x.tolist())]


class Plan:
    """What each writer's writes cover."""

    def __init__(self, writers):
        self.rows = SIDE // writers
        self.writers = writers

    def band(self, writer):
        return writer * self.rows, (writer + 1) * self.rows

    def cells(self, name, writer, k):
        """Coordinates of one write: of a rectangle, or of points."""
        rng = np.random.default_rng((NAMES.index(name), writer, k))
        low, high = self.band(writer)
        if name == "sparse":
            at = rng.choice(self.rows * SIDE, POINTS, replace=False)
            return low + at // SIDE, at % SIDE
        height, width = rng.integers(1, self.rows), rng.integers(1, SIDE)
        if k % 4:
            height, width = min(height, 120), min(width, 120)
        y, x = rng.integers(low, high - height + 1), rng.integers(0, SIDE - width + 1)
        return np.mgrid[y:y + height, x:x + width]


class Model:
    """The versions of an array's cells after the first writes of every writer, -1 where none wrote."""

    def __init__(self, plan, name):
        self.plan, self.name = plan, name
        self.version = np.full((SIDE, SIDE), -1, np.int32)
        self.done = [0] * plan.writers

    def advance(self, writer, upto):
        for k in range(self.done[writer], upto):
            y, x = self.plan.cells(self.name, writer, k)
            self.version[y, x] = k
        self.done[writer] = max(self.done[writer], upto)

    def check(self, box, got, low, high):
        """Raises unless the reply is what some count of writes of each writer makes. low, high: counts per writer."""
        y0, y1, x0, x1 = box
        for writer in range(self.plan.writers):
            first, last = self.plan.band(writer)
            part = max(y0, first), min(y1, last), x0, x1
            if part[0] >= part[1]:
                continue
            self.advance(writer, low[writer])
            wrong = self.differs(self.version, part, box, got)
            if not wrong:
                continue
            after, tried = self.version.copy(), [wrong]
            for k in range(self.done[writer], high[writer]):
                y, x = self.plan.cells(self.name, writer, k)
                after[y, x] = k
                tried.append(self.differs(after, part, box, got))
                if not tried[-1]:
                    break
            else:
                raise AssertionError(f"{self.name} {part}: no count from {low[writer]} to {high[writer]} of writer {writer} explains the reply: {tried}")

    def differs(self, version, part, box, got):
        y0, y1, x0, x1 = part
        want = version[y0:y1, x0:x1]
        if self.name == "dense":
            y, x = np.mgrid[y0:y1, x0:x1]
            wanted = np.where(want < 0, FILL, values(want, y, x))
            mine = got["a"][y0 - box[0]:y1 - box[0]]
            if mine.shape == wanted.shape and np.array_equal(mine, wanted):
                return None
            bad = np.argwhere(mine != wanted) if mine.shape == wanted.shape else []
            return f"{len(bad)} of {wanted.size} cells differ, the first at {bad[:1].tolist()}: {[int(mine[tuple(b)]) for b in bad[:3]]}, shape {mine.shape}"
        y, x = np.nonzero(want >= 0)
        want = want[y, x]
        mine = slice(*np.searchsorted(got["y"], (y0, y1)))
        y, x = y + y0, x + x0
        if len(y) != mine.stop - mine.start:
            return f"{mine.stop - mine.start} cells instead of {len(y)}"
        for field, wanted in (("y", y), ("x", x), ("a", values(want, y, x))):
            if not np.array_equal(got[field][mine], wanted):
                return f"field {field} differs"
        # multi_index gives texts of ascii as bytes.
        found = [t.decode() if isinstance(t, bytes) else t for t in got["s"][mine].tolist()]
        return None if found == texts(want, x) else f"field s differs: {found[:3]}, want {texts(want, x)[:3]}"


def arranged(name, box, got):
    """A reply as a rectangle, or in the order of coordinates: sparse cells come in any."""
    if name == "dense":
        a = got["a"] if isinstance(got, dict) else got
        return {"a": np.asarray(a).reshape(box[1] - box[0], box[3] - box[2])}
    order = np.lexsort((got["x"], got["y"]))
    return {field: got[field][order] for field in got}


class Shared:
    """What all processes see."""

    def __init__(self, conf):
        self.conf = conf
        self.plan = Plan(conf["writers"])
        self.stop = multiprocessing.Event()
        self.reading = multiprocessing.Value("i", conf["readers"])
        self.begun, self.acked = ({n: multiprocessing.Array("q", conf["writers"], lock=False) for n in NAMES} for _ in range(2))
        self.reports = multiprocessing.Queue()
        self.until = time.time() + conf["seconds"] if conf["seconds"] else None

    def ctx(self, **more):
        settings = {"rest.server_address": self.conf["server"], "rest.token": self.conf["token"],
                    "sm.compute_concurrency_level": "1", "sm.io_concurrency_level": "1"}
        return tiledb.Ctx({**settings, **more})

    def uri(self, name):
        return f"tiledb://{self.conf['namespace']}/{name}"

    def going(self, count, number):
        if self.stop.is_set():
            return False
        return time.time() < self.until if self.until else count < number


class Process:
    """One process's work and what it has to report."""

    def __init__(self, shared, number):
        self.shared, self.number = shared, number
        self.done, self.retried, self.took, self.alive = 0, collections.Counter(), [], set()

    def run(self):
        report = {"role": type(self).__name__, "number": self.number, "error": None}
        try:
            self.work()
        except Exception:
            report["error"] = traceback.format_exc()[-3000:]
            self.shared.stop.set()
        report.update(done=self.done, retried=dict(self.retried), took=self.took, alive=sorted(self.alive))
        self.shared.reports.put(report)

    def step(self, do):
        """Does one operation. Where faults are made it is repeated until it succeeds."""
        while True:
            started = time.perf_counter()
            try:
                answer = do()
                break
            except AssertionError:
                raise
            except Exception as error:
                if not self.shared.conf["faults"] or self.shared.stop.is_set():
                    raise
                self.retried[f"{type(error).__name__}: {error}"[:300]] += 1
                time.sleep(0.1)
        self.took.append(round(time.perf_counter() - started, 5))
        self.alive.add(int(time.time()))
        self.done += 1
        return answer


class Reader(Process):
    def work(self):
        try:
            rng = np.random.default_rng((7, self.number))
            # Every second reader has small buffers, so that its reads go in parts.
            ctx = self.shared.ctx(**({"py.init_buffer_bytes": "65536"} if self.number % 2 else {}))
            models = {n: Model(self.shared.plan, n) for n in NAMES}
            while self.shared.going(self.done, self.shared.conf["reads"]):
                name = NAMES[int(rng.integers(2))]
                height, width = rng.integers(1, WINDOW, 2)
                y, x = int(rng.integers(0, SIDE - height + 1)), int(rng.integers(0, SIDE - width + 1))
                box = y, y + int(height), x, x + int(width)
                self.step(lambda: self.read(ctx, name, box, models[name]))
        finally:
            with self.shared.reading.get_lock():
                self.shared.reading.value -= 1

    def read(self, ctx, name, box, model):
        y0, y1, x0, x1 = box
        low = list(self.shared.acked[name])
        with tiledb.open(self.shared.uri(name), ctx=ctx) as array:
            if self.number % 2:
                got = array.multi_index[y0:y1 - 1, x0:x1 - 1]
            else:
                got = array[y0:y1, x0:x1]
        high = list(self.shared.begun[name])
        model.check(box, arranged(name, box, got), low, high)


class Writer(Process):
    def work(self):
        ctx = self.shared.ctx()
        while self.shared.going(self.done, self.shared.conf["writes"]):
            for name in NAMES:
                k = self.shared.begun[name][self.number]
                self.shared.begun[name][self.number] = k + 1
                y, x = self.shared.plan.cells(name, self.number, k)
                self.step(lambda: self.write(ctx, name, k, y, x))
                self.shared.acked[name][self.number] = k + 1
                self.done -= name != NAMES[-1]

    def write(self, ctx, name, k, y, x):
        version = np.full(y.shape, k)
        with tiledb.open(self.shared.uri(name), "w", ctx=ctx) as array:
            if name == "dense":
                array[y[0, 0]:y[-1, -1] + 1, x[0, 0]:x[-1, -1] + 1] = values(version, y, x)
            else:
                array[y, x] = {"a": values(version, y, x), "s": np.array(texts(version, x), dtype=object)}


class Keeper(Process):
    """Consolidates and vacuums for as long as anybody reads."""

    def work(self):
        ctx = self.shared.ctx()
        while self.shared.reading.value and not self.shared.stop.is_set():
            for name in NAMES:
                for mode in ("fragments", "commits", "fragment_meta"):
                    for do, key in ((tiledb.consolidate, "sm.consolidation.mode"), (tiledb.vacuum, "sm.vacuum.mode")):
                        self.step(lambda: do(self.shared.uri(name), ctx=ctx, config=tiledb.Config({**dict(ctx.config()), key: mode})))


def make(shared):
    ctx = shared.ctx()
    for name in NAMES:
        dims = [tiledb.Dim(d, domain=(0, SIDE - 1), tile=TILE, dtype=np.int64, ctx=ctx) for d in ("y", "x")]
        attrs = [tiledb.Attr("a", dtype=np.uint64, fill=FILL, filters=[tiledb.ZstdFilter(level=1)], ctx=ctx)]
        if name == "sparse":
            attrs.append(tiledb.Attr("s", dtype="ascii", var=True, ctx=ctx))
        schema = tiledb.ArraySchema(tiledb.Domain(*dims, ctx=ctx), attrs, sparse=name == "sparse", capacity=500, ctx=ctx)
        tiledb.Array.create(shared.uri(name), schema, ctx=ctx)


def finish(shared):
    """Every cell of both arrays, as the server shows it when all writers are done."""
    ctx, box = shared.ctx(), (0, SIDE, 0, SIDE)
    for name in NAMES:
        with tiledb.open(shared.uri(name), ctx=ctx) as array:
            got = array[0:SIDE, 0:SIDE]
        Model(shared.plan, name).check(box, arranged(name, box, got), list(shared.acked[name]), list(shared.begun[name]))


def alone(shared, do):
    """Runs a function in a process of its own: this one must not use the client before the others are forked."""
    def work():
        try:
            do(shared)
            shared.reports.put(None)
        except Exception:
            shared.reports.put(traceback.format_exc()[-3000:])
    process = multiprocessing.Process(target=work)
    process.start()
    error = shared.reports.get()
    process.join()
    return error


def spread(took):
    took = sorted(took)
    return {"least": took[0], "p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100], "most": took[-1]} if took else {}


def main(out, conf):
    multiprocessing.set_start_method("fork")
    shared = Shared(conf)
    error = alone(shared, make)
    if error:
        raise SystemExit(error)
    shared.until = time.time() + conf["seconds"] if conf["seconds"] else None
    members = [Reader(shared, n) for n in range(conf["readers"])] + [Writer(shared, n) for n in range(conf["writers"])] + [Keeper(shared, 0)]
    processes = [multiprocessing.Process(target=m.run) for m in members]
    started = time.time()
    for p in processes:
        p.start()
    reports = [shared.reports.get() for _ in members]
    for p in processes:
        p.join()
    answer = {"seconds": time.time() - started, "errors": [r["role"] + ": " + r["error"] for r in reports if r["error"]], "retried": {}, "roles": {},
              "readers": [r["alive"] for r in reports if r["role"] == "Reader"]}
    for role in ("Reader", "Writer", "Keeper"):
        mine = [r for r in reports if r["role"] == role]
        took = [t for r in mine for t in r["took"]]
        answer["roles"][role] = {"operations": len(took), **spread(took)}
        for r in mine:
            for text, n in r["retried"].items():
                key = f"{role}: {text}"
                answer["retried"][key] = answer["retried"].get(key, 0) + n
    answer["acked"] = {n: list(shared.acked[n]) for n in NAMES}
    if not answer["errors"]:
        error = alone(shared, finish)
        answer["errors"] += [error] if error else []
    with open(os.path.join(out, "answers.json"), "w", encoding="utf8") as f:
        json.dump(answer, f)


if __name__ == "__main__":
    main(sys.argv[2], json.loads(sys.argv[3]))
