"""A write goes on after the server was killed between two of its submits."""
import numpy as np
import tiledb
from oracle import Scenario, main, same
from rawwrite import Writer


class Crash(Scenario):
    ways = ("ours",)
    modes = ("server",)

    def crash(self):
        status, body = self.site.http("POST", "/crash", {})
        assert status == 200, (status, body)

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 10**9), tile=1000, dtype=np.int64))
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int64)], sparse=True, capacity=1000), ctx=ctx)
        w = Writer(ctx.config().dict(), uri)
        for i in range(6):
            r = np.arange(i * 5000, (i + 1) * 5000)
            (w.end if i == 5 else w.submit)({"x": r, "a": r * r})
            if i % 2 == 1 and i < 5:
                self.crash()
        self.crash()

    def check(self, uri, ctx):
        r = np.arange(30000)
        with tiledb.open(uri, ctx=ctx) as a:
            got = a[:]
            same(got["x"], r)
            same(got["a"], r * r)
        assert len(tiledb.array_fragments(uri, ctx=ctx)) == 1


main([Crash])
