"""Reads an array of the numbers 0, 1, 2, … that was written by one large request, in pieces and in the middle."""
import numpy as np
import tiledb
from oracle import Scenario, main, same


class Counting(Scenario):
    def steps(self):
        yield "client reads", lambda: self.check(self.site.uri("line"), self.site.client())

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            n = a.shape[0]
            assert a.nonempty_domain() == ((0, n - 1),)
            for at in [n // 2 - 7, *range(0, n, 4 << 20)]:
                same(a[at:at + (4 << 20)]["a"], np.arange(at, min(n, at + (4 << 20)), dtype=np.int64))
            # More than a query may hold comes in several parts.
            whole = a[0:12 << 20]["a"]
            same(whole, np.arange(12 << 20, dtype=np.int64))


if __name__ == "__main__":
    main([Counting])
