"""Arrays with deletes: made by libtiledb with their answers, or made by us and answered by libtiledb.

    deletes.py make DIR SEED N    writes arrays DIR/0, DIR/1, ... and DIR/answers.json
    deletes.py look DIR           answers about the arrays of DIR/questions.json, [{name, ends}], into DIR/answers.json

An answer is {name, ends, cells: per end and order the cells as texts, sums: per end [count, sum of a]}.
"""
import json, os, random, sys
import numpy as np, pyarrow as pa, tiledb

ORDERS = "GUCF"
KEY = "0123456789abcdef0123456789abcdef"
LABELS = ["red", "green", "blue", "grey"]


def cell_texts(uri, end, order):
    with tiledb.open(uri, timestamp=(0, end)) as A:
        t = A.query(order=order, return_arrow=True, dims=True).df[:]
    names = [n for n in ("x", "y", "a", "n", "s", "e", "late") if n in t.column_names]
    cols = [t.column(n).to_pylist() for n in names]
    plain = lambda v: v.decode() if isinstance(v, bytes) else v
    cols = [[LABELS.index(plain(v)) if n == "e" else plain(v) for v in c] for n, c in zip(names, cols)]
    rows = [":".join("null" if v is None else str(v) for v in row) for row in zip(*cols)]
    return sorted(rows) if order == "U" else rows


def answer(uri, ends, dups):
    out = {"name": os.path.basename(uri), "ends": ends, "dups": dups, "cells": [], "sums": []}
    for end in ends:
        cells = [cell_texts(uri, end, o) for o in ORDERS]
        # Duplicates of one place come in any order.
        out["cells"].append([sorted(c) for c in cells] if dups else cells)
        with tiledb.open(uri, timestamp=(0, end)) as A:
            got = A.query(attrs=["a"]).agg({"a": ["sum", "count"]})[:]
            out["sums"].append([int(got["count"]), 0 if got["sum"] is None else int(got["sum"])])
    return out


def done(work):
    """Whether the work was done: 2.30 takes the last commit of a list for the latest, and fails when it is not."""
    try:
        work()
    except tiledb.TileDBError as e:
        assert "start timestamp cannot be after" in str(e)
        return False
    return True


def config(key, value):
    """The configuration in use with one more setting."""
    c = tiledb.Config(tiledb.default_ctx().config().dict())
    c[key] = value
    return c


class Maker:
    def __init__(self, uri, rng):
        self.uri, self.rng, self.now, self.since, self.late = uri, rng, 0, 0, False
        self.dups = rng.random() < 0.3
        self.marks, self.dels, self.vacuumed = [], 0, False
        dims = [tiledb.Dim(n, domain=(0, 19), tile=rng.choice([4, 5, 20]), dtype=np.int32) for n in "xy"]
        attrs = [
            tiledb.Attr("a", dtype=np.int32),
            tiledb.Attr("n", dtype=np.int32, nullable=True),
            tiledb.Attr("s", dtype="ascii", var=True, nullable=True),
            tiledb.Attr("e", dtype=np.int8, enum_label="colours"),
        ]
        order = rng.choice(["row-major", "col-major", "hilbert"])
        schema = tiledb.ArraySchema(
            tiledb.Domain(*dims), attrs=attrs, sparse=True, capacity=rng.choice([3, 8, 50]), allows_duplicates=self.dups,
            cell_order=order, tile_order="row-major", enums=[tiledb.Enumeration("colours", True, LABELS)])
        tiledb.Array.create(uri, schema)

    def tick(self):
        self.now += self.rng.randint(1, 3)
        self.marks.append(self.now)
        return self.now

    def write(self):
        r, n = self.rng, self.rng.randint(1, 30)
        places = [(r.randrange(20), r.randrange(20)) for _ in range(n)]
        if not self.dups:
            places = list(dict.fromkeys(places))
        n = len(places)
        data = {
            "a": np.array([r.randrange(10) for _ in range(n)], dtype=np.int32),
            "n": pa.array([r.choice([None, 0, 1, 2, 3]) for _ in range(n)], pa.int32()),
            "s": pa.array([r.choice([None, "", "a", "ab", "b"]) for _ in range(n)], pa.string()),
            "e": np.array([r.randrange(4) for _ in range(n)], dtype=np.int8),
        }
        if self.late:
            data["late"] = np.array([r.randrange(3) for _ in range(n)], dtype=np.int32)
        with tiledb.open(self.uri, "w", timestamp=self.tick()) as A:
            A[[p[0] for p in places], [p[1] for p in places]] = data

    def condition(self, depth=0):
        r = self.rng
        if depth < 2 and r.random() < 0.35:
            return "(%s %s %s)" % (self.condition(depth + 1), r.choice(["and", "or"]), self.condition(depth + 1))
        fields = ["x", "a", "n", "s", "e"] + (["late"] if self.late else [])
        f = r.choice(fields)
        value = {"x": lambda: r.randrange(20), "a": lambda: r.randrange(10), "n": lambda: r.randrange(4),
                 "s": lambda: repr(r.choice(["", "a", "ab", "b"])), "e": lambda: repr(r.choice(LABELS)), "late": lambda: r.randrange(3)}[f]
        if f not in "x" and r.random() < 0.2:
            values = sorted({str(value()) for _ in range(2)} - {"''"}) or ["'a'"]
            return "%s %s [%s]" % (f, r.choice(["in", "not in"]), ", ".join(values))
        return "%s %s %s" % (f, r.choice(["==", "!=", "<", ">", "<=", ">="]), value())

    def delete(self):
        at = self.tick()
        if self.rng.random() < 0.3:
            at = self.rng.choice([m for m in self.marks if m >= self.since])  # back in time, but not before the field was there
        cond = self.condition()
        if self.rng.random() < 0.6:  # few cells
            cond = "(%s and a == %d)" % (cond, self.rng.randrange(10))
        with tiledb.open(self.uri, "d", timestamp=at) as A:
            A.query(cond=cond).submit()
        self.dels += 1

    def consolidate(self):
        purge = self.rng.random() < 0.4
        tiledb.consolidate(self.uri, config=config("sm.consolidation.purge_deleted_cells", str(purge).lower()))
        if self.rng.random() < 0.5:
            done(lambda: tiledb.vacuum(self.uri))

    def commits(self):
        if self.vacuumed:
            return  # 2.30 then looks for the files of deletes that were vacuumed, and fails
        if not done(lambda: tiledb.consolidate(self.uri, config=config("sm.consolidation.mode", "commits"))):
            return
        if self.rng.random() < 0.5:
            tiledb.vacuum(self.uri, config=config("sm.vacuum.mode", "commits"))
            self.vacuumed = self.dels > 0

    def drop(self):
        lo, hi = sorted(self.rng.choice(self.marks) for _ in range(2))
        done(lambda: tiledb.Array.delete_fragments(self.uri, lo, min(hi, lo + 2)))

    def evolve(self):
        if self.late or encrypted(os.path.basename(self.uri)):
            return  # 2.30 writes the new schema of an encrypted array in the open, and cannot read it
        e = tiledb.ArraySchemaEvolution()
        e.add_attribute(tiledb.Attr("late", dtype=np.int32))
        created = next(n for n in os.listdir(os.path.join(self.uri, "__schema")) if n[2].isdigit())
        self.now = self.since = int(created.split("_")[2]) + 1
        e.timestamp(self.now)
        e.array_evolve(self.uri)
        self.late = True

    def run(self):
        self.write()
        for _ in range(self.rng.randint(3, 12)):
            step = self.rng.choices([self.write, self.delete, self.consolidate, self.commits, self.drop, self.evolve], [8, 8, 3, 2, 1, 0.4])[0]
            step()
        ends = sorted(set(self.rng.sample(self.marks, min(3, len(self.marks)))) | {self.now + 1})
        return answer(self.uri, ends, self.dups)


def encrypted(name):
    return int(name) % 5 == 4


def scope(name):
    """Every fifth array is encrypted."""
    return tiledb.scope_ctx({"sm.encryption_type": "AES_256_GCM", "sm.encryption_key": KEY} if encrypted(name) else {})


def make(folder, seed, i):
    with scope(i):
        return Maker(os.path.join(folder, str(i)), random.Random(seed * 1000 + i)).run()


def main(verb, folder, *args):
    if verb == "make":
        answers = [make(folder, int(args[0]), i) for i in range(int(args[1]))]
    else:
        answers = []
        with open(os.path.join(folder, "questions.json")) as f:
            for q in json.load(f):
                with scope(q["name"]):
                    answers.append(answer(os.path.join(folder, q["name"]), q["ends"], q["dups"]))
    with open(os.path.join(folder, "answers.json"), "w") as f:
        json.dump(answers, f)


if __name__ == "__main__":
    main(*sys.argv[1:])
