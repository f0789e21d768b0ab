"""Ten writes over a connection that breaks before each reply: the client repeats them, and every cell is there once."""
import numpy as np
import tiledb
from oracle import Scenario, main, same


class Cut(Scenario):
    def steps(self):
        uri, ctx = self.site.uri("cut"), self.site.client(rest__retry_initial_delay_ms="1")
        yield "write", lambda: self.write(uri, ctx)
        yield "check", lambda: self.check(uri, ctx)

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("d", domain=(0, 99), tile=10, dtype=np.int64, ctx=ctx), ctx=ctx)
        schema = tiledb.ArraySchema(domain=domain, sparse=True, allows_duplicates=True, attrs=[tiledb.Attr("a", dtype=np.int64, ctx=ctx)], ctx=ctx)
        tiledb.Array.create(uri, schema, ctx=ctx)
        for i in range(10):
            with tiledb.open(uri, "w", ctx=ctx) as a:
                a[np.arange(10)] = np.arange(10) + 100 * (i // 2)  # every second one is the same as the one before, and another write

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            got = a[:]
        want = np.sort(np.concatenate([np.arange(10) + 100 * (i // 2) for i in range(10)]))
        same(np.sort(got["a"]), want)
        assert len(tiledb.array_fragments(uri, ctx=ctx)) == 10


if __name__ == "__main__":
    main([Cut])
