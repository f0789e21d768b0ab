"""Two servers on one database: the client works with both in turns, and neither lags behind the other."""
import concurrent.futures
import json
import os

import numpy as np
import tiledb
from oracle import Scenario, Site, main


class Pair(Scenario):
    ways, modes = ("ours",), ("server",)

    def steps(self):
        with open(os.path.join(os.path.dirname(self.site.dir), "second.json")) as f:
            other = json.load(f)
        self.sites = self.site, Site(self.site.conf | other)
        for name in ("writes", "names", "evolutions", "groups", "tokens", "deletes"):
            yield "ours-" + name + "/two servers", getattr(self, name)

    def schema(self, sparse=False):
        domain = tiledb.Domain(tiledb.Dim("i", domain=(0, 999), tile=100, dtype=np.int64))
        return tiledb.ArraySchema(domain, [tiledb.Attr("v", dtype=np.int64)], sparse=sparse)

    def writes(self):
        """What one server acknowledged the other shows at once."""
        one, two = (s.client() for s in self.sites)
        for turn in range(30):
            ctx = [one, two][turn % 2]
            uri = self.site.uri(f"pair-{turn}")
            tiledb.Array.create(uri, self.schema(), ctx=ctx)
            for write in range(2):
                with tiledb.open(uri, "w", ctx=[one, two][write]) as a:
                    a[:] = np.arange(1000) + 1000 * turn + write
                    a.meta["turn"] = turn * 10 + write
                with tiledb.open(uri, ctx=[two, one][write]) as a:
                    got = a[:]["v"]
                    assert np.array_equal(got, np.arange(1000) + 1000 * turn + write), (turn, write)
                    assert a.meta["turn"] == turn * 10 + write

    def names(self):
        """Of many who ask for one name at once, one gets it."""
        def create(n):
            try:
                tiledb.Array.create(self.site.uri(f"raced-{n // 8}"), self.schema(), ctx=self.sites[n % 2].client())
                return n // 8
            except tiledb.TileDBError as refused:
                assert "already exists" in str(refused), refused
                return None
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            made = [n for n in threads.map(create, range(80)) if n is not None]
        assert sorted(made) == list(range(10)), made

    def evolutions(self):
        """Attributes added through both servers at once are all there."""
        uri = self.site.uri("evolved")
        tiledb.Array.create(uri, self.schema(sparse=True), ctx=self.site.client())

        def add(n):
            ctx = self.sites[n % 2].client()
            evolution = tiledb.ArraySchemaEvolution(ctx)
            evolution.add_attribute(tiledb.Attr(f"a{n}", dtype=np.int32))
            evolution.array_evolve(uri)
        with concurrent.futures.ThreadPoolExecutor(6) as threads:
            list(threads.map(add, range(24)))
        for site in self.sites:
            schema = tiledb.ArraySchema.load(uri, ctx=site.client())
            got = {schema.attr(i).name for i in range(schema.nattr)}
            assert got == {"v"} | {f"a{n}" for n in range(24)}, got

    def groups(self):
        uri, one, two = self.site.uri("both"), self.sites[0].client(), self.sites[1].client()
        tiledb.group_create(uri, ctx=one)
        for n in range(6):
            with tiledb.Group(uri, "w", ctx=[one, two][n % 2]) as g:
                g.add(self.site.uri(f"pair-{n}"), name=f"m{n}")
            with tiledb.Group(uri, ctx=[two, one][n % 2]) as g:
                assert sorted(m.name for m in g) == [f"m{k}" for k in range(n + 1)]

    def tokens(self):
        """A token that one server made lets in at the other, until either revokes it."""
        one, two = self.sites
        for n in range(10):
            token = one.new_token(name=f"pair-{n}")["token"]
            status, body = two.http("GET", "/v1/arrays/admin", token=token)
            assert status == 200, (status, body)
            maker, user = (one, two) if n % 2 else (two, one)
            status, body = maker.http("DELETE", f"/v1/tokens/pair-{n}")
            assert status in (200, 204), (status, body)
            status, body = user.http("GET", "/v1/arrays/admin", token=token)
            assert status == 401, (status, body)

    def deletes(self):
        one, two = (s.client() for s in self.sites)
        for n in range(10):
            uri = self.site.uri(f"pair-{n}")
            assert tiledb.object_type(uri, ctx=two) == "array"
            tiledb.Array.delete_array(uri, ctx=[one, two][n % 2])
            assert tiledb.object_type(uri, ctx=[two, one][n % 2]) is None
            tiledb.Array.create(uri, self.schema(), ctx=[two, one][n % 2])
            with tiledb.open(uri, ctx=[one, two][n % 2]) as a:
                assert a.nonempty_domain() is None


if __name__ == "__main__":
    main([Pair])
