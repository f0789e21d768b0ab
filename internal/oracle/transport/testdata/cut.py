"""Changes over a connection that breaks before each reply: the client repeats them, and every one is made once."""
import os

import numpy as np
import tiledb
from oracle import Scenario, main, refused, same


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


class Changes(Scenario):
    """Every kind of change but cells, each looked at in the files of the server."""

    def steps(self):
        self.name, self.ctx = self.site.uri("changed"), self.site.client(rest__retry_initial_delay_ms="1")
        for step in (self.create, self.metadata, self.evolve, self.delete_cells, self.maintain, self.group, self.group_metadata, self.members, self.delete_array, self.delete_group):
            yield step.__name__, step

    def files(self, folder, name="changed", kind="arrays"):
        return [n for n in os.listdir(os.path.join(self.site.directory(name, kind), folder)) if n != "__enumerations"]

    def create(self):
        ctx = self.ctx
        domain = tiledb.Domain(tiledb.Dim("d", domain=(0, 99), tile=10, dtype=np.int64, ctx=ctx), ctx=ctx)
        schema = tiledb.ArraySchema(domain=domain, sparse=True, attrs=[tiledb.Attr("a", dtype=np.int64, ctx=ctx)], ctx=ctx)
        tiledb.Array.create(self.name, schema, ctx=ctx)
        assert tiledb.object_type(self.name, ctx=ctx) == "array"
        assert len(self.files("__schema")) == 1
        with refused("already exists"):  # for who has the reply to the first
            tiledb.Array.create(self.name, schema, ctx=self.ctx)

    def metadata(self):
        with tiledb.open(self.name, "w", ctx=self.ctx) as a:
            a.meta["x"] = 7
        with tiledb.open(self.name, ctx=self.ctx) as a:
            assert a.meta["x"] == 7
        assert len(self.files("__meta")) == 1

    def evolve(self):
        change = tiledb.ArraySchemaEvolution(self.ctx)
        change.add_attribute(tiledb.Attr("b", dtype=np.int32, ctx=self.ctx))
        change.array_evolve(self.name)
        assert tiledb.ArraySchema.load(self.name, ctx=self.ctx).has_attr("b")
        assert len(self.files("__schema")) == 2

    def delete_cells(self):
        with tiledb.open(self.name, "w", ctx=self.ctx) as a:
            a[np.arange(10)] = {"a": np.arange(10), "b": np.arange(10, dtype=np.int32)}
        with tiledb.open(self.name, "d", ctx=self.ctx) as a:
            a.query(cond="a < 3").submit()
        with tiledb.open(self.name, ctx=self.ctx) as a:
            same(np.sort(a[:]["a"]), np.arange(3, 10))
        deletes = [n for n in self.files("__commits") if n.endswith(".del")]
        assert len(deletes) == 1, deletes

    def maintain(self):
        with tiledb.open(self.name, "w", ctx=self.ctx) as a:
            a[np.arange(20, 30)] = {"a": np.arange(10), "b": np.arange(10, dtype=np.int32)}
        tiledb.consolidate(self.name, ctx=self.ctx)
        tiledb.vacuum(self.name, ctx=self.ctx)
        assert len(self.files("__fragments")) == 1
        with tiledb.open(self.name, ctx=self.ctx) as a:
            assert len(a[:]["a"]) == 17
        tiledb.Array.delete_fragments(self.name, 0, 2**63, ctx=self.ctx)
        assert self.files("__fragments") == []

    def group(self):
        tiledb.group_create(self.site.uri("grouped"), ctx=self.ctx)
        assert tiledb.object_type(self.site.uri("grouped"), ctx=self.ctx) == "group"

    def group_metadata(self):
        with tiledb.Group(self.site.uri("grouped"), "w", ctx=self.ctx) as g:
            g.meta["y"] = "z"
        with tiledb.Group(self.site.uri("grouped"), ctx=self.ctx) as g:
            assert g.meta["y"] == "z"
        assert len(self.files("__meta", "grouped", "groups")) == 1

    def members(self):
        for change in (lambda g: g.add(self.name, "m"), lambda g: g.remove("m")):
            with tiledb.Group(self.site.uri("grouped"), "w", ctx=self.ctx) as g:
                change(g)
        with tiledb.Group(self.site.uri("grouped"), ctx=self.ctx) as g:
            assert len(g) == 0
        assert len(self.files("__group", "grouped", "groups")) == 2

    def delete_array(self):
        tiledb.Array.delete_array(self.name, ctx=self.ctx)
        assert tiledb.object_type(self.name, ctx=self.ctx) is None

    def delete_group(self):
        with tiledb.Group(self.site.uri("grouped"), "m", ctx=self.ctx) as g:
            g.delete()
        assert tiledb.object_type(self.site.uri("grouped"), ctx=self.ctx) is None


if __name__ == "__main__":
    main([Cut, Changes])
