"""Writes in global order, whose cells come in several submits."""
import numpy as np
import tiledb
from oracle import Scenario, main, same
from rawwrite import Writer


def settings(ctx):
    return ctx.config().dict()


def texts(n):
    return [(b"x" * (i % 5)) + str(i).encode() for i in range(n)]


class Sparse(Scenario):
    """Portions that end anywhere in a tile become one fragment with every cell."""

    cells = 40
    portions = (5, 17, 10, 8)

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 999), tile=100, dtype=np.int64))
        attrs = [tiledb.Attr("a", dtype=np.int32, filters=[tiledb.ZstdFilter()]), tiledb.Attr("t", dtype="ascii", var=True),
                 tiledb.Attr("n", dtype=np.float64, nullable=True)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=True, capacity=10), ctx=ctx)
        w, at = Writer(settings(ctx), uri), 0
        for i, n in enumerate(self.portions):
            r = np.arange(at, at + n)
            cells = {"x": r * 3, "a": (r * 7).astype(np.int32), "t": texts(self.cells)[at:at + n], "n": (r / 4.0, r % 3 > 0)}
            (w.end if i == len(self.portions) - 1 else w.submit)(cells)
            at += n

    def check(self, uri, ctx):
        r = np.arange(self.cells)
        with tiledb.open(uri, ctx=ctx) as a:
            got = a[:]
            same(got["x"], r * 3)
            same(got["a"], (r * 7).astype(np.int32))
            assert [v.decode() if isinstance(v, bytes) else v for v in got["t"]] == [t.decode() for t in texts(self.cells)], got["t"]
            n = got["n"]
            valid = r % 3 > 0
            assert [float(v) for v in np.ma.filled(n, np.nan)[valid]] == [i / 4.0 for i in r[valid]]
            same(a[30:60]["a"], (np.arange(10, 20) * 7).astype(np.int32))
        assert len(tiledb.array_fragments(uri, ctx=ctx)) == 1


class Dense(Scenario):
    """Tiles of a matrix come one after the other, in the order of tiles."""

    def write(self, uri, ctx):
        dims = [tiledb.Dim(n, domain=(0, 7), tile=4, dtype=np.int32) for n in "yx"]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=tiledb.Domain(*dims), attrs=[tiledb.Attr("v", dtype=np.int64)]), ctx=ctx)
        w = Writer(settings(ctx), uri, region=[(np.int32(0), np.int32(7))] * 2)
        cells = np.arange(64).reshape(2, 4, 2, 4).transpose(0, 2, 1, 3).reshape(-1)  # tile after tile
        w.submit({"v": cells[:10]})
        w.submit({"v": cells[10:37]})
        w.submit({"v": cells[37:48]})
        w.end({"v": cells[48:]})

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            same(a[:]["v"], np.arange(64).reshape(8, 8))
            same(a[2:6, 3:5]["v"], np.arange(64).reshape(8, 8)[2:6, 3:5])
        assert len(tiledb.array_fragments(uri, ctx=ctx)) == 1


class InOneGo(Scenario):
    """A write that is over with its first portion, at a time of the past."""

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32))
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32)], sparse=True), ctx=ctx)
        Writer(settings(ctx), uri, at=7).end({"x": np.arange(5, dtype=np.int32), "a": np.arange(5, dtype=np.int32)})
        later = Writer(settings(ctx), uri, at=9)
        later.submit({"x": np.zeros(0, np.int32), "a": np.zeros(0, np.int32)})
        later.end({"x": np.arange(5, 9, dtype=np.int32), "a": np.arange(5, 9, dtype=np.int32)})

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx, timestamp=8) as a:
            same(a[:]["a"], np.arange(5, dtype=np.int32))
        with tiledb.open(uri, ctx=ctx) as a:
            same(a[:]["a"], np.arange(9, dtype=np.int32))
        ranges = sorted(tuple(int(t) for t in f.timestamp_range) for f in tiledb.array_fragments(uri, ctx=ctx))
        assert ranges == [(7, 7), (9, 9)], ranges


class OutOfOrder(Scenario):
    """A portion that is out of order ends the write, and no cell of it appears."""

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32))
        schema = tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32)], sparse=True, capacity=2)
        tiledb.Array.create(uri, schema, ctx=ctx)
        w = Writer(settings(ctx), uri)
        two = np.arange(2, dtype=np.int32)
        try:
            w.submit({"x": two + 50, "a": two})
            w.submit({"x": two, "a": two})
            w.end({"x": two + 90, "a": two})
        except RuntimeError as refused:
            assert "global order" in str(refused), refused
        else:
            raise AssertionError("cells out of order were taken")

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            assert a.nonempty_domain() is None and len(a[:]["a"]) == 0


class FieldByField(Scenario):
    """The coordinates come first and the attributes one after the other; with the last one the cells are there."""

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32))
        attrs = [tiledb.Attr("a", dtype=np.int32), tiledb.Attr("t", dtype="ascii", var=True), tiledb.Attr("n", dtype=np.int16, nullable=True)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=True, capacity=4), ctx=ctx)
        more = settings(ctx)
        more["sm.allow_separate_attribute_writes"] = "true"
        w = Writer(more, uri, layout="unordered")
        order = np.array([7, 3, 9, 1, 5, 2, 8], np.int32)
        w.submit({"x": order, "a": order * 10})
        w.submit({"t": [str(v).encode() * (v % 3) for v in order]})
        if not self.site.mode == "local":
            with tiledb.open(uri, ctx=ctx) as a:
                assert a.nonempty_domain() is None
        w.submit({"n": (order.astype(np.int16), order % 2)})
        w.finish()

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            got = a.query(attrs=["a", "t", "n"], order="G")[:]
            x = np.array([1, 2, 3, 5, 7, 8, 9], np.int32)
            same(got["x"], x)
            same(got["a"], x * 10)
            assert [v.decode() if isinstance(v, bytes) else v for v in got["t"]] == [str(v) * (v % 3) for v in x], got["t"]
            same(np.ma.filled(got["n"], 0)[x % 2 == 1], x.astype(np.int16)[x % 2 == 1])
        assert len(tiledb.array_fragments(uri, ctx=ctx)) == 1


main([Sparse, Dense, InOneGo, OutOfOrder, FieldByField])
