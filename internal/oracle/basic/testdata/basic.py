"""Creating, writing and slicing arrays: what a newcomer does first, and every kind of cell."""
import numpy as np
import tiledb
from oracle import Scenario, main, refused, same, same_columns

SQUARE = np.arange(1, 17, dtype=np.int32).reshape(4, 4)


class QuickstartDense(Scenario):
    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("rows", domain=(1, 4), tile=2, dtype=np.int32, ctx=ctx),
                               tiledb.Dim("cols", domain=(1, 4), tile=4, dtype=np.int32, ctx=ctx), ctx=ctx)
        schema = tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32, ctx=ctx)], ctx=ctx)
        tiledb.Array.create(uri, schema, ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[:] = SQUARE

    def check(self, uri, ctx):
        assert tiledb.array_exists(uri, ctx=ctx)
        assert tiledb.object_type(uri, ctx=ctx) == "array"
        with tiledb.open(uri, ctx=ctx) as a:
            same(a[:]["a"], SQUARE)
            same(a[1:3, 2:5]["a"], SQUARE[0:2, 1:4])
            same(a[4, 4]["a"], SQUARE[3, 3])
            same(a.multi_index[2:3, [1, 3]]["a"], SQUARE[1:3][:, [0, 2]])
            frame = a.df[1:2, :]
            same(frame["rows"], np.repeat([1, 2], 4).astype(np.int32))
            same(frame["a"], SQUARE[:2].ravel())
            assert a.nonempty_domain() == ((1, 4), (1, 4))
            assert a.schema.domain.dim("cols").tile == 4


class QuickstartSparse(Scenario):
    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("rows", domain=(1, 4), tile=4, dtype=np.int32, ctx=ctx),
                               tiledb.Dim("cols", domain=(1, 4), tile=4, dtype=np.int32, ctx=ctx), ctx=ctx)
        schema = tiledb.ArraySchema(domain=domain, sparse=True, attrs=[tiledb.Attr("a", dtype=np.int32, ctx=ctx)], ctx=ctx)
        tiledb.Array.create(uri, schema, ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[[1, 2, 2], [1, 4, 3]] = np.array([1, 2, 3], np.int32)

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            want = {"rows": np.array([1, 2, 2], np.int32), "cols": np.array([1, 3, 4], np.int32), "a": np.array([1, 3, 2], np.int32)}
            same_columns(a[:], want, by=["rows", "cols"])
            same_columns(a[1:3, 2:5], {k: v[1:] for k, v in want.items()}, by=["rows", "cols"])
            assert len(a[3:5, 1:2]["a"]) == 0
            assert a.nonempty_domain() == ((1, 2), (1, 4))


class FromNumpy(Scenario):
    def values(self):
        return np.random.default_rng(7).normal(size=(37, 53))

    def write(self, uri, ctx):
        tiledb.from_numpy(uri, self.values(), ctx=ctx).close()

    def check(self, uri, ctx):
        want = self.values()
        with tiledb.open(uri, ctx=ctx) as a:
            same(a[:], want)
            same(a[5:30:1, 50], want[5:30, 50])
            assert a.shape == (37, 53)


class OverwritePartly(Scenario):
    """Two dense writes, the second over a part that is no tile; unwritten cells read as fill values."""

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 19), tile=7, dtype=np.uint16, ctx=ctx),
                               tiledb.Dim("y", domain=(0, 9), tile=4, dtype=np.uint16, ctx=ctx), ctx=ctx)
        attrs = [tiledb.Attr("a", dtype=np.float32, ctx=ctx), tiledb.Attr("b", dtype=np.int64, fill=-5, ctx=ctx)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, cell_order="col-major", ctx=ctx), ctx=ctx)
        a, b = self.parts()
        with tiledb.open(uri, "w", ctx=ctx) as arr:
            arr[2:15, 1:8] = {"a": a[0], "b": b[0]}
        with tiledb.open(uri, "w", ctx=ctx) as arr:
            arr[5:7, 0:10] = {"a": a[1], "b": b[1]}

    def parts(self):
        rng = np.random.default_rng(3)
        shapes = ((13, 7), (2, 10))
        return [rng.normal(size=s).astype(np.float32) for s in shapes], [rng.integers(0, 99, s) for s in shapes]

    def check(self, uri, ctx):
        a, b = self.parts()
        want_a, want_b = np.full((20, 10), np.nan, np.float32), np.full((20, 10), -5, np.int64)
        want_a[2:15, 1:8], want_b[2:15, 1:8] = a[0], b[0]
        want_a[5:7], want_b[5:7] = a[1], b[1]
        with tiledb.open(uri, ctx=ctx) as arr:
            got = arr[:]
            same(got["a"], want_a)
            same(got["b"], want_b)
            got = arr.query(attrs=["b"], order="F")[4:6, :]
            same(got["b"].ravel(), want_b[4:6].ravel("F"))  # the client hands col-major cells over in that order


class NumericTypes(Scenario):
    """Every numeric type as dense attribute, booleans too, with filters."""

    TYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "?"]

    def columns(self):
        rng = np.random.default_rng(11)
        out = {}
        for t in self.TYPES:
            dt = np.dtype(t)
            if dt.kind == "f":
                out[t] = rng.normal(size=100).astype(dt)
                out[t][:3] = [np.nan, np.inf, -0.0]
            elif dt.kind == "b":
                out[t] = rng.random(100) < 0.5
            else:
                out[t] = rng.integers(np.iinfo(dt).min, np.iinfo(dt).max, 100, dtype=dt, endpoint=True)
        return out

    def filters(self, i, ctx):
        chains = [[tiledb.ZstdFilter(3)], [tiledb.GzipFilter(6)], [tiledb.LZ4Filter(1)], [tiledb.Bzip2Filter(5)], [tiledb.RleFilter()],
                  [tiledb.ByteShuffleFilter(), tiledb.ZstdFilter()], [tiledb.BitShuffleFilter(), tiledb.LZ4Filter()],
                  [tiledb.ChecksumMD5Filter()], [tiledb.ChecksumSHA256Filter()], []]
        return tiledb.FilterList(chains[i % len(chains)])

    def write(self, uri, ctx):
        attrs = [tiledb.Attr("a_" + t, dtype=np.dtype(t), filters=self.filters(i, ctx), ctx=ctx) for i, t in enumerate(self.TYPES)]
        domain = tiledb.Domain(tiledb.Dim("i", domain=(0, 99), tile=30, dtype=np.int64, ctx=ctx), ctx=ctx)
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[:] = {"a_" + t: v for t, v in self.columns().items()}

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            got, part = a[:], a[17:64]
            for t, want in self.columns().items():
                same(got["a_" + t], want, t)
                same(part["a_" + t], want[17:64], t)


class DimensionTypes(Scenario):
    """Sparse arrays over floats, unsigned, negative and date dimensions."""

    def domain(self, ctx):
        day = np.datetime64
        return tiledb.Domain(
            tiledb.Dim("f", domain=(-90.0, 90.0), tile=10.0, dtype=np.float64, ctx=ctx),
            tiledb.Dim("u", domain=(0, 2**63), tile=1000, dtype=np.uint64, ctx=ctx),
            tiledb.Dim("n", domain=(-100, 100), tile=7, dtype=np.int8, ctx=ctx),
            tiledb.Dim("d", domain=(day("2000-01-01"), day("2030-12-31")), tile=np.timedelta64(30, "D"), dtype="datetime64[D]", ctx=ctx), ctx=ctx)

    def cells(self):
        rng, n = np.random.default_rng(5), 200
        return {"f": rng.uniform(-90, 90, n), "u": rng.integers(0, 2**63, n).astype(np.uint64), "n": rng.integers(-100, 101, n).astype(np.int8),
                "d": np.datetime64("2000-01-01") + rng.integers(0, 11000, n).astype("timedelta64[D]"), "a": np.arange(n)}

    def write(self, uri, ctx):
        attrs = [tiledb.Attr("a", dtype=np.int64, ctx=ctx)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=self.domain(ctx), attrs=attrs, sparse=True, capacity=20, ctx=ctx), ctx=ctx)
        c = self.cells()
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[c["f"], c["u"], c["n"], c["d"]] = c["a"]

    def check(self, uri, ctx):
        c = self.cells()
        with tiledb.open(uri, ctx=ctx) as a:
            same_columns(a[:], c, by=["a"])
            inside = (c["f"] >= -10.5) & (c["f"] <= 33.25) & (c["n"] >= -50) & (c["n"] <= 60) & (c["d"] >= np.datetime64("2010-05-05"))
            got = a.multi_index[-10.5:33.25, :, -50:60, np.datetime64("2010-05-05"):]
            same_columns(got, {k: v[inside] for k, v in c.items()}, by=["a"])
            ned = a.nonempty_domain()
            for dim, (lo, hi) in zip("fund", ned):
                assert (lo, hi) == (c[dim].min(), c[dim].max()), (dim, lo, hi)


class StorageURI(Scenario):
    """An array made at a storage URI that the namespace owns: found under its last path part, opened there by libtiledb."""

    ways, modes = ("ours",), ("server",)

    def steps(self):
        site, ctx = self.site, self.site.client()
        where = site.dir + "/by-uri/plan"
        uri = f"tiledb://{site.namespace}/file://{where}"
        dense = QuickstartDense(site)
        yield "ours/write", lambda: dense.write(uri, ctx)
        yield "ours/read by the same URI", lambda: dense.check(uri, ctx)
        yield "ours/read by name", lambda: dense.check(f"tiledb://{site.namespace}/plan", ctx)
        yield "ours/libtiledb reads", lambda: dense.check(where, site.local())
        other = site.dir + "/by-uri-2/plan"
        yield "ours/a derived name that is taken gets a suffix", lambda: (
            dense.write(f"tiledb://{site.namespace}/file://{other}", ctx), dense.check(f"tiledb://{site.namespace}/plan-1", ctx))


class AwkwardNames(Scenario):
    """Names with blanks, dots, percent signs, slashes and letters beyond ASCII address exactly one array each."""

    ways, modes = ("ours",), ("server",)

    def steps(self):
        site, ctx = self.site, self.site.client()
        names = ["with blank", "a.b", "100%", "per%2Fcent", "ação 日本", "deep/er/name", "q?x=1&y", "hash#tag", "plus+plus", "..dots..", "semi;colon"]
        for i, name in enumerate(names):
            yield f"ours{i}/write {name}", lambda i=i, name=name: tiledb.from_numpy(site.uri(name), np.full(3, i), ctx=ctx).close()
        for i, name in enumerate(names):
            def check(i=i, name=name):
                with tiledb.open(site.uri(name), ctx=ctx) as a:
                    same(a[:], np.full(3, i))
                with tiledb.open(site.directory(name)) as a:
                    same(a[:], np.full(3, i))
            yield f"ours{i}/read {name}", check


class LibtiledbWritesIntoOurs(Scenario):
    """Two writers of one directory: the server and libtiledb beside it."""

    ways = ("ours",)

    def steps(self):
        site, client, local = self.site, self.site.client(), self.site.local()
        uri = site.uri("both-write")

        def create():
            domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32))
            tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32)]), ctx=client)

        def put(where, ctx, lo, value):
            with tiledb.open(where, "w", ctx=ctx) as a:
                a[lo:lo + 20] = np.full(20, value, np.int32)

        def check(where, ctx):
            want = np.full(100, np.iinfo(np.int32).min, np.int32)
            want[0:20], want[10:30], want[20:40] = 1, 2, 3
            with tiledb.open(where, ctx=ctx) as a:
                same(a[:]["a"], want)

        yield "ours/create", create
        yield "ours/client writes", lambda: put(uri, client, 0, 1)
        yield "ours/libtiledb writes", lambda: put(site.directory("both-write"), local, 10, 2)
        yield "ours/client writes again", lambda: put(uri, client, 20, 3)
        yield "ours/client reads", lambda: check(uri, client)
        yield "ours/libtiledb reads", lambda: check(site.directory("both-write"), local)


class ExistingNameIsKept(Scenario):
    ways = ("ours",)
    why_not_reference = "it has no catalogue"

    def steps(self):
        site, ctx = self.site, self.site.client()
        dense = QuickstartDense(site)

        def again():
            with refused("already exists"):
                dense.write(site.uri("taken"), ctx)

        yield "ours/write", lambda: dense.write(site.uri("taken"), ctx)
        yield "ours/create again", again
        yield "ours/the first one is untouched", lambda: dense.check(site.uri("taken"), ctx)


if __name__ == "__main__":
    main([QuickstartDense, QuickstartSparse, FromNumpy, OverwritePartly, NumericTypes, DimensionTypes, StorageURI, AwkwardNames,
          LibtiledbWritesIntoOurs, ExistingNameIsKept])
