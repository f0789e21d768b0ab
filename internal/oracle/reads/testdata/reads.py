"""Reads beyond the plain slice: conditions, aggregates, orders, many ranges, small buffers, time travel."""
import os
import shutil
import tempfile

import numpy as np
import pandas as pd
import pyarrow as pa
import rawquery
import tiledb
from oracle import Scenario, main, refused, same, same_columns


class Cells(Scenario):
    """A base: one sparse table of cells."""

    n = 400

    def cells(self):
        rng, n = np.random.default_rng(8), self.n
        words = np.array(["", "alpha", "beta", "gamma", "delta"], dtype=object)
        return {"id": np.arange(n, dtype=np.int64), "i": rng.integers(-50, 50, n).astype(np.int32), "f": np.round(rng.normal(size=n), 2),
                "u": rng.integers(0, 200, n).astype(np.uint8), "s": words[rng.integers(0, 5, n)], "b": rng.random(n) < 0.4,
                "t": np.datetime64("2021-01-01", "s") + rng.integers(0, 10**6, n).astype("timedelta64[s]")}

    def valid(self):
        return np.random.default_rng(2).random(self.n) < 0.7

    def write(self, uri, ctx):
        c = self.cells()
        domain = tiledb.Domain(tiledb.Dim("id", domain=(0, self.n - 1), tile=64, dtype=np.int64, ctx=ctx), ctx=ctx)
        attrs = [tiledb.Attr(n, dtype="ascii" if n == "s" else v.dtype, var=n == "s" or None, filters=tiledb.FilterList([tiledb.ZstdFilter()]), ctx=ctx)
                 for n, v in c.items() if n != "id"]
        attrs.append(tiledb.Attr("n", dtype=np.int16, nullable=True, ctx=ctx))
        schema = tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=True, capacity=50, ctx=ctx)
        tiledb.Array.create(uri, schema, ctx=ctx)
        columns = {n: v for n, v in c.items() if n != "id"}
        columns["n"] = pa.array(c["i"].astype(np.int16), mask=~self.valid())
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[c["id"]] = columns


class Conditions(Cells):
    def tests(self, c):
        i, f, u, s, b, v = c["i"], c["f"], c["u"], c["s"], c["b"], self.valid()
        return {
            "i > 10": i > 10, "i >= -3 and i < 4": (i >= -3) & (i < 4), "f < -0.5 or u > 150": (f < -0.5) | (u > 150),
            "s == 'beta'": s == "beta", "s != 'beta' and s >= 'b'": (s != "beta") & (s >= "b"), "s == ''": s == "",
            "s in ['alpha', 'delta', 'nope']": np.isin(s, ["alpha", "delta"]), "i in [1, 2, 3, 7]": np.isin(i, [1, 2, 3, 7]),
            "i not in [1, 2, 3]": ~np.isin(i, [1, 2, 3]), "b == True": b, "u == 7": u == 7, "u != 7": u != 7,
            "(i > 0 and (s == 'alpha' or s == 'gamma')) or f > 1.5": ((i > 0) & np.isin(s, ["alpha", "gamma"])) | (f > 1.5),
            "n > 0": (i > 0) & v, "id >= 100 and id < 120": (c["id"] >= 100) & (c["id"] < 120),
        }

    def check(self, uri, ctx):
        c = self.cells()
        with tiledb.open(uri, ctx=ctx) as a:
            for text, keep in self.tests(c).items():
                got = a.query(cond=text, attrs=["i", "f", "s"])[:]
                same_columns({k: self.text(v) for k, v in got.items()}, {k: c[k][keep] for k in ("id", "i", "f", "s")}, by=["id"])
            got = a.query(cond="i > 10", attrs=["f"])[100:300]
            keep = (c["i"] > 10) & (c["id"] >= 100) & (c["id"] < 300)
            same_columns(got, {k: c[k][keep] for k in ("id", "f")}, by=["id"])
            with refused():
                a.query(cond="no_such_field > 3")[:]

    @staticmethod
    def text(v):
        return np.array([x.decode() if isinstance(x, bytes) else x for x in v], dtype=object) if v.dtype == object or v.dtype.kind == "S" else v


class NullConditions(Cells):
    why_not_reference = "libtiledb's server half refuses null tests of fixed-size fields"

    def check(self, uri, ctx):
        c, v = self.cells(), self.valid()
        with tiledb.open(uri, ctx=ctx) as a:
            for text, keep in {"n == None": ~v, "n != None": v, "n <= 3 and i > -20": v & (c["i"] <= 3) & (c["i"] > -20)}.items():
                got = a.query(cond=text, attrs=["i"]).df[:]
                same(np.sort(got["i"].to_numpy()), np.sort(c["i"][keep]), text)


class DenseConditions(Scenario):
    """In a dense array the cells that a condition drops read as fill values."""

    def values(self):
        return np.random.default_rng(12).integers(-50, 50, (30, 20))

    def write(self, uri, ctx):
        dims = [tiledb.Dim(n, domain=(0, size - 1), tile=7, dtype=np.int32, ctx=ctx) for n, size in (("y", 30), ("x", 20))]
        attrs = [tiledb.Attr("a", dtype=np.int64, ctx=ctx), tiledb.Attr("d", dtype=np.float64, fill=-1.0, ctx=ctx)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=tiledb.Domain(*dims, ctx=ctx), attrs=attrs, ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[:] = {"a": self.values(), "d": self.values() * 0.5}

    def check(self, uri, ctx):
        v = self.values()
        with tiledb.open(uri, ctx=ctx) as a:
            got = a.query(cond="a > 3 and d < 20.0")[5:25, 3:18]
            keep = ((v > 3) & (v * 0.5 < 20))[5:25, 3:18]
            same(got["a"], np.where(keep, v[5:25, 3:18], np.iinfo(np.int64).min))
            same(got["d"], np.where(keep, v[5:25, 3:18] * 0.5, -1.0))


class Aggregates(Cells):
    def check(self, uri, ctx):
        c, v = self.cells(), self.valid()
        with tiledb.open(uri, ctx=ctx) as a:
            got = a.query().agg({"i": ["count", "sum", "min", "max", "mean"], "f": ["sum", "min", "max", "mean"], "u": ["sum", "max"],
                                 "n": ["null_count", "sum", "count"]})[:]
            i, f = c["i"], c["f"]
            want = {"i": {"count": self.n, "sum": int(i.sum()), "min": int(i.min()), "max": int(i.max()), "mean": float(i.mean())},
                    "f": {"sum": f.sum(), "min": f.min(), "max": f.max(), "mean": f.mean()}, "u": {"sum": int(c["u"].sum()), "max": int(c["u"].max())},
                    "n": {"null_count": int((~v).sum()), "sum": int(i[v].sum()), "count": self.n}}
            self.equal(got, want)
            keep = (i > 5) & (c["id"] >= 50) & (c["id"] <= 260)
            got = a.query(cond="i > 5").agg({"i": ["count", "sum"], "f": "mean"}).multi_index[50:260]
            self.equal(got, {"i": {"count": int(keep.sum()), "sum": int(i[keep].sum())}, "f": {"mean": f[keep].mean()}})

    @staticmethod
    def equal(got, want):
        for field, values in want.items():
            for op, value in values.items():
                g = got[field][op] if field in got else got[op]  # a query over one attribute answers without its name
                g = g.as_py() if hasattr(g, "as_py") else np.asarray(g).reshape(-1)[0]
                assert np.isclose(float(g), float(value), rtol=1e-12), (field, op, g, value)


class DenseAggregates(DenseConditions):
    def check(self, uri, ctx):
        v = self.values()
        with tiledb.open(uri, ctx=ctx) as a:
            got = a.query().agg({"a": ["sum", "min", "max", "mean", "count"]})[:]
            Aggregates.equal(got, {"a": {"sum": v.sum(), "min": v.min(), "max": v.max(), "mean": v.mean(), "count": v.size}})
            part = v[4:22, 6:15]
            got = a.query().agg({"a": ["sum", "count"], "d": ["max"]})[4:22, 6:15]
            Aggregates.equal(got, {"a": {"sum": part.sum(), "count": part.size}, "d": {"max": part.max() * 0.5}})


class SmallBuffers(Cells):
    """Results larger than the buffers come in parts; the parts together are the whole answer, each cell once."""

    def small(self, ctx, nbytes):
        return tiledb.Ctx(dict(ctx.config().dict(), **{"py.init_buffer_bytes": str(nbytes), "py.exact_init_buffer_bytes": "true"}))

    def check(self, uri, ctx):
        c = self.cells()
        for nbytes in (400, 1000):
            with tiledb.open(uri, ctx=self.small(ctx, nbytes)) as a:
                for order in ("U", "C", "G"):
                    parts = list(a.query(return_incomplete=True, attrs=["i", "s"], order=order).df[:])
                    assert len(parts) > 3, (order, nbytes, len(parts))
                    whole = pd.concat(parts).sort_values("id", ignore_index=True)
                    same(whole["id"].to_numpy(), c["id"])
                    same(whole["i"].to_numpy(), c["i"])
                    assert [x.decode() if isinstance(x, bytes) else x for x in whole["s"]] == list(c["s"])
                    if order != "U":
                        same(np.concatenate([p["id"].to_numpy() for p in parts]), c["id"], "order of the parts")
                parts = list(a.query(return_incomplete=True, attrs=["f"], cond="i > 0").multi_index[10:350])
                keep = (c["i"] > 0) & (c["id"] >= 10) & (c["id"] <= 350)
                same(np.sort(np.concatenate([p["f"] for p in parts])), np.sort(c["f"][keep]))
        with tiledb.open(uri, ctx=self.small(ctx, 100)) as a:  # buffers that grow until the answer fits
            same(np.sort(a.query(attrs=["i"])[:]["i"]), np.sort(c["i"]))


class FixedBuffersDense(DenseConditions):
    """Buffers that never grow, as programs in C hand them over: the parts follow one another without gap or overlap."""

    def check(self, uri, ctx):
        v = self.values()
        settings = ctx.config().dict()
        whole = [[(np.int32(0), np.int32(29))], [(np.int32(0), np.int32(19))]]
        some = [[(np.int32(2), np.int32(9)), (np.int32(20), np.int32(23))], [(np.int32(5), np.int32(17))]]
        rows = np.r_[2:10, 20:24]
        fields = {"a": np.int64, "y": np.int32, "x": np.int32}
        for layout, ranges, want in (("row-major", whole, v.ravel()), ("col-major", whole, v.ravel("F")), ("row-major", some, v[rows][:, 5:18].ravel())):
            got = list(rawquery.parts(settings, uri, layout, fields, ranges, cells=70))
            assert len(got) > 2, (layout, len(got))
            same(np.concatenate([p["a"] for p in got]), want, layout)
            same(v[np.concatenate([p["y"] for p in got]), np.concatenate([p["x"] for p in got])], want, layout)
        got = list(rawquery.parts(settings, uri, "global", fields, whole, cells=70))
        ys, xs = (np.concatenate([p[k] for p in got]) for k in "yx")
        same(v[ys, xs], np.concatenate([p["a"] for p in got]))
        assert len(set(zip(ys.tolist(), xs.tolist()))) == v.size


class FixedBuffersSparse(Cells):
    def check(self, uri, ctx):
        c = self.cells()
        settings = ctx.config().dict()
        for layout in ("row-major", "global", "unordered"):
            for ranges in ((), [[(np.int64(30), np.int64(77)), (np.int64(200), np.int64(380))]]):
                if ranges and layout == "global":
                    continue  # libtiledb takes one range only there
                got = list(rawquery.parts(settings, uri, layout, {"id": np.int64, "i": np.int32, "s": bytes}, ranges, cells=23))
                place = np.r_[30:78, 200:381] if ranges else np.arange(self.n)
                ids = np.concatenate([p["id"] for p in got])
                assert len(got) > 3, (layout, len(got))
                same(ids if layout != "unordered" else np.sort(ids), place, layout)
                same(np.concatenate([p["i"] for p in got]), c["i"][ids], layout)
                assert [x.decode() for p in got for x in p["s"]] == list(c["s"][ids]), layout
            one = list(rawquery.parts(settings, uri, layout, {"id": np.int64}, [[(np.int64(5), np.int64(12))]], cells=1))
            same(np.sort(np.concatenate([p["id"] for p in one])), np.arange(5, 13), layout)


class TextInSmallBuffers(Scenario):
    """Long and short texts, read in parts by name ranges."""

    def rows(self):
        rng = np.random.default_rng(20)
        names = sorted({"".join(chr(97 + k) for k in rng.integers(0, 26, n)) for n in rng.integers(1, 30, 300)})
        return names, [n[::-1] * int(k) for n, k in zip(names, rng.integers(0, 9, len(names)))]

    def write(self, uri, ctx):
        names, texts = self.rows()
        dim = tiledb.Dim("name", domain=(None, None), tile=None, dtype="ascii", ctx=ctx)
        attr = tiledb.Attr("text", dtype="U0", filters=tiledb.FilterList([tiledb.GzipFilter()]), ctx=ctx)
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=tiledb.Domain(dim, ctx=ctx), attrs=[attr], sparse=True, capacity=17, ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[names] = np.array(texts, dtype=object)

    def check(self, uri, ctx):
        names, texts = self.rows()
        want = {n: t for n, t in zip(names, texts) if "c" <= n <= "q"}
        small = tiledb.Ctx(dict(ctx.config().dict(), **{"py.init_buffer_bytes": "2000", "py.exact_init_buffer_bytes": "true"}))
        with tiledb.open(uri, ctx=small) as a:
            for order in ("U", "C", "G"):
                got = {}
                for part in a.query(return_incomplete=True, order=order).multi_index["c":"q"]:
                    for n, t in zip(part["name"], part["text"]):
                        n = n.decode() if isinstance(n, bytes) else n
                        assert n not in got, n
                        got[n] = t
                assert got == want, order


class Orders(Scenario):
    """Sparse cells in row-major, column-major and global order, across tiles, from several fragments."""

    def cells(self):
        rng = np.random.default_rng(33)
        at = rng.permutation(40 * 25)[:500]
        return (at // 25).astype(np.int32), (at % 25).astype(np.int32), np.arange(500)

    def write(self, uri, ctx):
        dims = [tiledb.Dim("y", domain=(0, 39), tile=9, dtype=np.int32, ctx=ctx), tiledb.Dim("x", domain=(0, 24), tile=10, dtype=np.int32, ctx=ctx)]
        schema = tiledb.ArraySchema(domain=tiledb.Domain(*dims, ctx=ctx), attrs=[tiledb.Attr("a", dtype=np.int64, ctx=ctx)], sparse=True, capacity=13, ctx=ctx)
        tiledb.Array.create(uri, schema, ctx=ctx)
        y, x, v = self.cells()
        for k in range(4):
            with tiledb.open(uri, "w", ctx=ctx) as a:
                a[y[k::4], x[k::4]] = v[k::4]

    def check(self, uri, ctx):
        y, x, v = self.cells()
        sequences = {"C": np.lexsort((x, y)), "F": np.lexsort((y, x)), "G": np.lexsort((x, y, x // 10, y // 9))}
        with tiledb.open(uri, ctx=ctx) as a:
            for order, place in sequences.items():
                got = a.query(order=order)[:]
                for name, column in (("y", y), ("x", x), ("a", v)):
                    same(got[name], column[place], f"{order} {name}")
            got = a.query(order="U")[:]
            same(np.sort(got["a"]), v)
            got = a.query(order="C", dims=["x"], attrs=["a"]).multi_index[[slice(3, 8), slice(20, 33)], [slice(0, 4), slice(15, 24)]]
            keep = (((y >= 3) & (y <= 8)) | ((y >= 20) & (y <= 33))) & ((x <= 4) | (x >= 15))
            assert set(got) >= {"x", "a"} and "y" not in got
            same(np.sort(got["a"]), np.sort(v[keep]))


class HilbertOrder(Scenario):
    """Cells along the Hilbert curve, several versions of some: every order is that of an array on this machine."""

    why_not_reference = "it loses the upper end of a text range that begins with the empty text"

    def write(self, uri, ctx):
        rng = np.random.default_rng(34)
        dims = [tiledb.Dim("y", domain=(-40, 60), dtype=np.int32, ctx=ctx), tiledb.Dim("x", domain=(-1.0, 1.0), dtype=np.float64, ctx=ctx),
                tiledb.Dim("s", domain=(None, None), dtype="ascii", ctx=ctx)]
        schema = tiledb.ArraySchema(domain=tiledb.Domain(*dims, ctx=ctx), attrs=[tiledb.Attr("a", dtype=np.int64, ctx=ctx)], sparse=True,
                                    cell_order="hilbert", capacity=11, ctx=ctx)
        tiledb.Array.create(uri, schema, ctx=ctx)
        for k in range(3):
            at = rng.permutation(20 * 10 * 3)[:200]
            with tiledb.open(uri, "w", ctx=ctx) as a:
                a[(at // 30 * 5 - 40).astype(np.int32), at // 3 % 10 / 8 - 0.5, np.array(["", "mid", "zz"], object)[at % 3]] = at + 1000 * k

    def check(self, uri, ctx):
        with tempfile.TemporaryDirectory() as twin:
            self.write(twin + "/a", tiledb.Ctx())
            with tiledb.open(uri, ctx=ctx) as a, tiledb.open(twin + "/a") as b:
                assert a.schema.cell_order == "hilbert" and a.nonempty_domain() == b.nonempty_domain(), (a.nonempty_domain(), b.nonempty_domain())
                for order in "CFG":
                    same_columns(a.query(order=order)[:], b.query(order=order)[:])
                    same_columns(a.query(order=order).multi_index[-10:25, -0.3:0.4, "a":"zz"], b.query(order=order).multi_index[-10:25, -0.3:0.4, "a":"zz"])
                same(np.sort(a.query(order="U")[:]["a"]), np.sort(b.query(order="U")[:]["a"]))


class ManyRangesDense(Scenario):
    def values(self):
        return np.random.default_rng(21).normal(size=(50, 40)).astype(np.float32)

    def write(self, uri, ctx):
        dims = [tiledb.Dim("y", domain=(-10, 39), tile=8, dtype=np.int64, ctx=ctx), tiledb.Dim("x", domain=(0, 39), tile=11, dtype=np.int64, ctx=ctx)]
        schema = tiledb.ArraySchema(domain=tiledb.Domain(*dims, ctx=ctx), attrs=[tiledb.Attr("a", dtype=np.float32, ctx=ctx)], tile_order="col-major", ctx=ctx)
        tiledb.Array.create(uri, schema, ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[:] = self.values()

    def check(self, uri, ctx):
        v = self.values()
        with tiledb.open(uri, ctx=ctx) as a:
            same(a.multi_index[[slice(-8, -3), slice(5, 9), 30], [1, slice(20, 35)]]["a"],
                 v[[2, 3, 4, 5, 6, 7, 15, 16, 17, 18, 19, 40]][:, [1, *range(20, 36)]])
            frame = a.df[[-10, 39], 5:6]
            same(frame["a"].to_numpy(), v[[0, 0, 49, 49], [5, 6, 5, 6]])


class RandomOverlaps(Scenario):
    """Many fragments over one another, dense: the latest write of a cell wins, at every timestamp."""

    def plan(self):
        rng = np.random.default_rng(99)
        for k in range(12):
            y0, y1 = sorted(rng.integers(0, 24, 2))
            x0, x1 = sorted(rng.integers(0, 17, 2))
            yield 10 * (k + 1), slice(y0, y1 + 1), slice(x0, x1 + 1), rng.integers(0, 10**6, (y1 - y0 + 1, x1 - x0 + 1))

    def write(self, uri, ctx):
        dims = [tiledb.Dim("y", domain=(0, 23), tile=5, dtype=np.uint32, ctx=ctx), tiledb.Dim("x", domain=(0, 16), tile=6, dtype=np.uint32, ctx=ctx)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=tiledb.Domain(*dims, ctx=ctx), attrs=[tiledb.Attr("a", dtype=np.int64, fill=-1, ctx=ctx)], ctx=ctx), ctx=ctx)
        for at, ys, xs, values in self.plan():
            with tiledb.open(uri, "w", timestamp=at, ctx=ctx) as a:
                a[ys, xs] = values

    def check(self, uri, ctx):
        plan = list(self.plan())
        for t0, t1 in ((0, 120), (0, 65), (30, 80), (0, 9), (121, 200), (120, 120)):
            want = np.full((24, 17), -1)
            for at, ys, xs, values in plan:
                if t0 <= at <= t1:
                    want[ys, xs] = values
            with tiledb.open(uri, timestamp=(t0, t1), ctx=ctx) as a:
                same(a[:]["a"], want, f"{t0}-{t1}")
        with tiledb.open(uri, ctx=ctx) as a:
            final = a[:]["a"]
        with tiledb.open(uri, timestamp=(0, 120), ctx=ctx) as a:
            same(a[:]["a"], final)


class TimeTravel(Scenario):
    """Sparse: each write stays readable at its own moment."""

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32, ctx=ctx), ctx=ctx)
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32, ctx=ctx)], sparse=True, ctx=ctx), ctx=ctx)
        for at, coords in ((1, [1, 2, 3]), (2, [2, 3, 4]), (3, [4, 50])):
            with tiledb.open(uri, "w", timestamp=at, ctx=ctx) as a:
                a[coords] = np.full(len(coords), at, np.int32)

    def check(self, uri, ctx):
        for span, want in (((1, 1), {1: 1, 2: 1, 3: 1}), ((0, 2), {1: 1, 2: 2, 3: 2, 4: 2}), ((2, 3), {2: 2, 3: 2, 4: 3, 50: 3}), ((4, 9), {}), ((0, 0), {})):
            if span == (0, 0) and self.site.mode == "reference":
                continue  # it takes the timestamp 0 for now
            with tiledb.open(uri, timestamp=span, ctx=ctx) as a:
                got = a[:]
                assert dict(zip(got["x"].tolist(), got["a"].tolist())) == want, (span, got)
                ned = a.nonempty_domain()
                assert ned == (((min(want), max(want)),) if want else None), (span, ned)
        with tiledb.open(uri, timestamp=2, ctx=ctx) as a:
            assert a.timestamp_range == (0, 2)
            same(np.sort(a[:]["x"]), np.array([1, 2, 3, 4], np.int32))


class BesideAWarmServer(Scenario):
    """Another process writes, consolidates, vacuums, evolves and replaces an array while the server has read it: every
    open sees what is there, and never cells of an array that stood at the place before."""

    ways = ("theirs",)
    modes = ("local", "server")

    def create(self, directory, tile):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 9999), tile=tile, dtype=np.int32), tiledb.Dim("y", domain=(0, 9), tile=10, dtype=np.int32))
        attrs = [tiledb.Attr("a", dtype=np.int64, filters=tiledb.FilterList([tiledb.ZstdFilter()]))]
        tiledb.Array.create(directory, tiledb.ArraySchema(domain=domain, attrs=attrs))

    def write(self, uri, ctx):
        self.create(uri, 1000)

    def put(self, rows, value):
        with tiledb.open(self.place, "w") as a:
            a[rows, :] = np.full((rows.stop - rows.start, 10), value, np.int64)
        self.want[rows] = value

    def look(self, uri, ctx):
        """Reads small and large, each often enough for a cache to keep what is read."""
        for _ in range(3):
            with tiledb.open(uri, ctx=ctx) as a:
                same(a[4321:4324, 5:6]["a"].ravel(), self.want[4321:4324], "window")
                same(a[:]["a"], np.repeat(self.want, 10).reshape(-1, 10), "all")

    def check(self, uri, ctx):
        self.place = os.path.join(self.site.dir, "theirs", type(self).__name__.lower())
        fill = np.iinfo(np.int64).min
        self.want = np.full(10000, fill)
        if not uri.startswith("tiledb://") and self.site.mode != "local":
            return
        for k in range(3):
            self.put(slice(1000 * k, 9000), 100 + k)
            self.look(uri, ctx)
        tiledb.consolidate(self.place)
        self.look(uri, ctx)
        tiledb.vacuum(self.place)
        self.look(uri, ctx)
        evolution = tiledb.ArraySchemaEvolution(tiledb.default_ctx())
        evolution.add_attribute(tiledb.Attr("late", dtype=np.int32))
        evolution.array_evolve(self.place)
        with tiledb.open(uri, ctx=ctx) as a:
            assert a.schema.nattr == 2, a.schema
        for tile in (500, 2500):
            shutil.rmtree(self.place)
            self.create(self.place, tile)
            self.want = np.full(10000, fill)
            self.look(uri, ctx)
            self.put(slice(4000, 5000), tile)
            self.look(uri, ctx)
            with tiledb.open(uri, ctx=ctx) as a:
                assert a.schema.domain.dim("x").tile == tile and a.schema.nattr == 1, a.schema


if __name__ == "__main__":
    main([Conditions, NullConditions, DenseConditions, Aggregates, DenseAggregates, SmallBuffers, FixedBuffersDense, FixedBuffersSparse, TextInSmallBuffers, Orders, HilbertOrder,
          ManyRangesDense, RandomOverlaps, TimeTravel, BesideAWarmServer])
