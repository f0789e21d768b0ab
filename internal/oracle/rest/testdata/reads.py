"""Reads that pass the server's memory for one query, on a server that has little."""
import numpy as np
import rawquery
import tiledb
from oracle import Scenario, main, same


class Parts(Scenario):
    """One answer of several parts: the client asks once and has everything."""

    ways = ("ours",)
    cells = 3_000_000

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 10**8), tile=10**5, dtype=np.int64))
        attrs = [tiledb.Attr("a", dtype=np.int64), tiledb.Attr("t", dtype="ascii", var=True)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=True, capacity=10000), ctx=ctx)
        step = self.cells // 10
        for i in range(10):
            r = np.arange(i * step, (i + 1) * step)
            with tiledb.open(uri, "w", ctx=ctx) as a:
                a[r] = {"a": r * 5, "t": np.array([str(v % 1000).encode() for v in r], dtype=object)}

    def check(self, uri, ctx):
        r = np.arange(self.cells)
        settings = ctx.config().dict()
        for resubmit in (True, False):
            settings["rest.resubmit_incomplete"] = "true" if resubmit else "false"
            parts = list(rawquery.parts(settings, uri, "global", {"x": np.int64, "a": np.int64, "t": bytes}, cells=self.cells))
            same(np.concatenate([p["x"] for p in parts]), r)
            same(np.concatenate([p["a"] for p in parts]), r * 5)
            assert [t for p in parts for t in p["t"]] == [str(v % 1000).encode() for v in r]
            if self.site.mode == "server" and uri.startswith("tiledb:"):
                assert (len(parts) == 1) == resubmit, f"{len(parts)} submits"
        # Buffers that are smaller than the cells: the answer stops where they are full.
        settings["rest.resubmit_incomplete"] = "true"
        parts = list(rawquery.parts(settings, uri, "global", {"x": np.int64, "t": bytes}, cells=self.cells // 3 + 7))
        same(np.concatenate([p["x"] for p in parts]), r)
        assert [t for p in parts for t in p["t"]] == [str(v % 1000).encode() for v in r]


main([Parts])
