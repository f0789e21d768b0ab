"""Random arrays, consolidated by libtiledb and by us.

    maintain.py make DIR SEED N    writes DIR/<i>/ours, DIR/<i>/theirs, which is the same consolidated, and DIR/answers.json
    maintain.py look DIR           answers about DIR/<i>/ours of DIR/questions.json into DIR/answers.json
    maintain.py again DIR          consolidates those with all defaults, vacuums them and answers about them

An answer says how DIR/<i>/theirs was maintained (mode, settings, vacuum), whether libtiledb could not (failed), and the cells
as texts at each end of time.
"""
import json, os, random, shutil, sys
import numpy as np, pyarrow as pa, tiledb
import tiledb.libtiledb as lt

FIELDS = ("x", "y", "d", "a", "f", "n", "s", "late")


def text(name, v):
    if v is None:
        return "null"
    if name == "f":
        return "nan" if v != v else str(int(v * 4))
    return v.decode() if isinstance(v, bytes) else str(v)


def cells(uri, end, dups):
    with tiledb.open(uri, timestamp=(0, end)) as A:
        q = A.query(order="C", return_arrow=True, dims=True)
        t = q.df[:] if A.schema.sparse else q.df[1:20, 1:20]
    names = [n for n in FIELDS if n in t.column_names]
    cols = [[text(n, v) for v in t.column(n).to_pylist()] for n in names]
    rows = [":".join(row) for row in zip(*cols)]
    return sorted(rows) if dups else rows


def done(work):
    """Whether libtiledb did the work: it takes the last of a list of commits for the latest, and fails where nothing is left."""
    try:
        work()
    except tiledb.TileDBError:
        return False
    return True


class Maker:
    def __init__(self, folder, rng):
        self.folder, self.rng, self.now, self.since, self.late = folder, rng, 0, 0, False
        self.uri = os.path.join(folder, "ours")
        self.marks = []
        os.makedirs(folder)
        self.sparse = rng.random() < 0.6
        self.dups = self.sparse and rng.random() < 0.4
        tile = lambda: rng.choice([4, 7, 20])
        dims = [tiledb.Dim(n, domain=(1, 20), tile=tile(), dtype=np.int32) for n in "xy"]
        if self.sparse and rng.random() < 0.4:
            dims[1] = tiledb.Dim("d", dtype="ascii")
        attrs = [tiledb.Attr("a", dtype=np.int32), tiledb.Attr("f", dtype=np.float64), tiledb.Attr("n", dtype=np.int32, nullable=True),
                 tiledb.Attr("s", dtype="ascii", var=True, nullable=True)]
        self.text = dims[1].name == "d"
        kw = dict(sparse=True, capacity=rng.choice([3, 8, 50]), allows_duplicates=self.dups) if self.sparse else {}
        order = rng.choice(["row-major", "col-major"] + (["hilbert"] if self.sparse else []))
        tile_order = "row-major" if order == "hilbert" else rng.choice(["row-major", "col-major"])
        tiledb.Array.create(self.uri, tiledb.ArraySchema(tiledb.Domain(*dims), attrs=attrs, cell_order=order, tile_order=tile_order, **kw))

    def tick(self):
        self.now += self.rng.randint(1, 3)
        self.marks.append(self.now)
        return self.now

    def values(self, n):
        r = self.rng
        data = {
            "a": np.array([r.randrange(-9, 10) for _ in range(n)], dtype=np.int32),
            "f": np.array([r.randrange(-40, 40) / 4 for _ in range(n)], dtype=np.float64),
            "n": pa.array([r.choice([None, 0, 1, 2, 3]) for _ in range(n)], pa.int32()),
            "s": pa.array([r.choice([None, "", "a", "ab", "bcd"]) for _ in range(n)], pa.string()),
        }
        if self.late:
            data["late"] = np.array([r.randrange(3) for _ in range(n)], dtype=np.int32)
        return data

    def write(self):
        r = self.rng
        if not self.sparse:
            return self.write_dense()
        places = [(r.randint(1, 20), r.choice(["", "a", "b", "bb", "c"]) if self.text else r.randint(1, 20)) for _ in range(r.randint(1, 40))]
        if not self.dups:
            places = list(dict.fromkeys(places))
        with tiledb.open(self.uri, "w", timestamp=self.tick()) as A:
            A[[p[0] for p in places], [p[1] for p in places]] = self.values(len(places))

    def write_dense(self):
        """Values of nullable attributes go in by query, in row-major order, as the plain way takes none."""
        r = self.rng
        box = [sorted(r.randint(1, 20) for _ in range(2)) for _ in range(2)]
        shape = [hi - lo + 1 for lo, hi in box]
        data = self.values(shape[0] * shape[1])
        ctx = tiledb.default_ctx()
        now = self.tick()
        A = lt.Array(ctx, self.uri, lt.QueryType.WRITE, (now, now))
        q = lt.Query(ctx, A, lt.QueryType.WRITE)
        q.layout = lt.LayoutType.ROW_MAJOR
        sub = lt.Subarray(ctx, A)
        for k in (0, 1):
            sub._add_dim_range(k, (np.int32(box[k][0]), np.int32(box[k][1])))
        q.set_subarray(sub)
        hold = []
        for name, v in data.items():
            if isinstance(v, np.ndarray):
                hold.append(v)
                q.set_data_buffer(name, v, len(v))
                continue
            valid = np.array([x.is_valid for x in v], np.uint8)
            if name == "s":
                texts = [(x.as_py() or "").encode() for x in v]
                offsets = np.cumsum([0] + [len(x) for x in texts[:-1]]).astype(np.uint64)
                chars = np.frombuffer(b"".join(texts) or b"\0", np.uint8).copy()
                q.set_data_buffer(name, chars, sum(map(len, texts)))
                q.set_offsets_buffer(name, offsets, len(offsets))
                hold += [offsets, chars]
            else:
                plain = np.array([x.as_py() or 0 for x in v], np.int32)
                q.set_data_buffer(name, plain, len(plain))
                hold.append(plain)
            q.set_validity_buffer(name, valid, len(valid))
            hold.append(valid)
        q._submit()
        q.finalize()
        A._close()

    def delete(self):
        if not self.sparse:
            return
        r = self.rng
        conds = ["a == %d" % r.randrange(-9, 10), "f > %d" % r.randrange(5, 10), "n == 1", "s == 'ab'", "x < %d" % r.randint(2, 5), "a > 6 and n != 2"]
        with tiledb.open(self.uri, "d", timestamp=self.tick()) as A:
            A.query(cond=r.choice(conds)).submit()

    def evolve(self):
        if self.late:
            return
        e = tiledb.ArraySchemaEvolution()
        e.add_attribute(tiledb.Attr("late", dtype=np.int32))
        created = next(n for n in os.listdir(os.path.join(self.uri, "__schema")) if n[2].isdigit())
        self.now = self.since = int(created.split("_")[2]) + 1
        e.timestamp(self.now)
        e.array_evolve(self.uri)
        self.late = True

    def settings(self):
        r, s = self.rng, {}
        if r.random() < 0.4:
            lo, hi = sorted((r.randint(2, 4), r.randint(2, 5)))
            s.update({"steps": r.randint(1, 3), "step_min_frags": lo, "step_max_frags": hi})
        if r.random() < 0.2:
            s["step_size_ratio"] = r.choice([0.3, 0.7])
        if not self.sparse:
            s["amplification"] = r.choice([1.0, 1.5, 10.0])
        elif r.random() < 0.3:
            s["purge_deleted_cells"] = "true"
        if r.random() < 0.2:
            s["max_fragment_size"] = r.choice([1500, 4000])
        if r.random() < 0.2 and len(self.marks) > 2:
            lo, hi = sorted(r.sample(self.marks, 2))
            s.update({"timestamp_start": lo, "timestamp_end": hi})
        return {"sm.consolidation." + k: str(v) for k, v in s.items()}

    def run(self):
        r = self.rng
        self.write()
        for _ in range(r.randint(3, 9)):
            r.choices([self.write, self.delete, self.evolve], [8, 3, 0.4])[0]()
        for i in range(4):
            with tiledb.open(self.uri, "w", timestamp=self.tick()) as A:
                A.meta["k%d" % (i % 2)] = i
        ends = sorted(set(r.sample(self.marks, min(4, len(self.marks)))) | {self.now + 1})
        q = {"name": os.path.basename(self.folder), "dups": self.dups, "sparse": self.sparse, "ends": ends, "vacuum": r.random() < 0.5,
             "mode": r.choices(["fragments", "commits", "fragment_meta", "array_meta"], [9, 1, 1, 1])[0]}
        q["settings"] = self.settings() if q["mode"] == "fragments" else {}
        q["before"] = [cells(self.uri, e, self.dups) for e in ends]
        theirs = os.path.join(self.folder, "theirs")
        shutil.copytree(self.uri, theirs)
        work = tiledb.Config({**tiledb.default_ctx().config().dict(), "sm.consolidation.mode": q["mode"], "sm.vacuum.mode": q["mode"], **q["settings"]})
        q["failed"] = not done(lambda: tiledb.consolidate(theirs, config=work))
        if q["vacuum"] and not q["failed"]:
            q["failed"] = not done(lambda: tiledb.vacuum(theirs, config=work))
        if q["failed"]:
            shutil.rmtree(theirs)
        q["cells"] = [] if q["failed"] else [cells(theirs, e, self.dups) for e in ends]
        return q


def look(folder, q):
    uri = os.path.join(folder, q["name"], "ours")
    return {**q, "cells": [cells(uri, e, q["dups"]) for e in q["ends"]]}


def again(folder, q):
    uri = os.path.join(folder, q["name"], "ours")
    q["failed"] = not done(lambda: tiledb.consolidate(uri))
    if not q["failed"]:
        q["failed"] = not done(lambda: tiledb.vacuum(uri))
    return look(folder, {**q, "ends": q["ends"][-1:]})


def main(verb, folder, *args):
    if verb == "make":
        answers = [Maker(os.path.join(folder, str(i)), random.Random(int(args[0]) * 1000 + i)).run() for i in range(int(args[1]))]
    else:
        with open(os.path.join(folder, "questions.json")) as f:
            answers = [{"look": look, "again": again}[verb](folder, q) for q in json.load(f)]
    with open(os.path.join(folder, "answers.json"), "w") as f:
        json.dump(answers, f)


if __name__ == "__main__":
    # Little memory and few threads: with the defaults it is their making that takes the time.
    with tiledb.scope_ctx({"sm.mem.total_budget": str(64 << 20), "sm.compute_concurrency_level": "1", "sm.io_concurrency_level": "1"}):
        main(*sys.argv[1:])
