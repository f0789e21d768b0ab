"""Groups: members of both kinds, their names, metadata, removal and deletion."""
import os

import numpy as np
import tiledb
from oracle import Scenario, main, refused, same


class Groups(Scenario):
    """Through the server only: members are named by tiledb:// URIs there."""

    ways = ("ours",)

    def steps(self):
        site, ctx = self.site, self.site.client()
        outer, inner, a, b = (site.uri(n) for n in ("outer", "inner", "member-a", "member-b"))
        here = site.mode == "local"

        def create():
            assert tiledb.object_type(outer, ctx=ctx) is None
            for uri in (outer, inner):
                tiledb.group_create(uri, ctx=ctx)
            for uri, n in ((a, 3), (b, 4)):
                tiledb.from_numpy(uri, np.arange(n), ctx=ctx).close()
            assert tiledb.object_type(outer, ctx=ctx) == "group"
            with tiledb.Group(outer, ctx=ctx) as g:
                assert len(g) == 0

        def add():
            with tiledb.Group(outer, "w", ctx=ctx) as g:
                g.add(a, name="first")
                g.add(inner, name="sub group")
                g.meta["answer"] = 42
                g.meta["text"] = "ação"
            with tiledb.Group(inner, "w", ctx=ctx) as g:
                g.add(b, name="deep")

        def listed():
            with tiledb.Group(outer, ctx=ctx) as g:
                members = {m.name: m.type for m in g}
                assert members == {"first": tiledb.Array, "sub group": tiledb.Group}, members
                assert g.meta["answer"] == 42 and g.meta["text"] == "ação" and len(g.meta) == 2
                same(tiledb.open(g["first"].uri, ctx=ctx)[:], np.arange(3))
                assert "first" in g and "nope" not in g
                if not here:
                    assert g["first"].uri.startswith("tiledb://"), g["first"].uri
                with tiledb.Group(g["sub group"].uri, ctx=ctx) as sub:
                    same(tiledb.open(sub["deep"].uri, ctx=ctx)[:], np.arange(4))

        def remove():
            with tiledb.Group(outer, "w", ctx=ctx) as g:
                g.remove("first")
                del g.meta["text"]
                g.meta["answer"] = "changed"
            with tiledb.Group(outer, ctx=ctx) as g:
                assert [m.name for m in g] == ["sub group"]
                assert dict(g.meta) == {"answer": "changed"}
            same(tiledb.open(a, ctx=ctx)[:], np.arange(3))

        def back():
            with tiledb.Group(outer, "w", ctx=ctx) as g:
                g.add(a, name="again")
            with tiledb.Group(outer, ctx=ctx) as g:
                assert sorted(m.name for m in g) == ["again", "sub group"]

        def again():
            with refused("already exists"):
                tiledb.group_create(outer, ctx=ctx)

        yield "ours/create", create
        yield "ours/add", add
        yield "ours/list", listed
        yield "ours/remove", remove
        yield "ours/add again", back
        if site.mode != "reference":
            yield "ours/create again", again
        yield "ours/delete", lambda: self.delete(outer, ctx, [a, inner])

    def delete(self, uri, ctx, kept):
        with tiledb.Group(uri, "m", ctx=ctx) as g:
            g.delete(recursive=False)
        assert tiledb.object_type(uri, ctx=ctx) is None
        for other in kept:
            assert tiledb.object_type(other, ctx=ctx) is not None, other


class GroupDirectory(Scenario):
    """A group at a storage URI: libtiledb opens the directory and writes to it, and both see what the other wrote."""

    ways, modes = ("ours",), ("server",)

    def steps(self):
        site, ctx = self.site, self.site.client()
        directory = os.path.join(site.dir, "groups", "on-disk")
        uri, name = f"tiledb://{site.namespace}/file://{directory}", site.uri("on-disk")

        def write():
            tiledb.group_create(uri, ctx=ctx)
            for k in range(3):
                tiledb.from_numpy(site.uri(f"disk-member-{k}"), np.full(4, k), ctx=ctx).close()
            with tiledb.Group(name, "w", ctx=ctx) as g:
                g.meta["n"] = 5
                for k in range(3):
                    g.add(site.uri(f"disk-member-{k}"), name=f"m{k}")

        def read():
            assert os.path.isdir(os.path.join(directory, "__group")), directory
            with tiledb.Group(directory) as g:
                assert sorted(m.name for m in g) == ["m0", "m1", "m2"] and dict(g.meta) == {"n": 5}

        def libtiledb_writes():
            with tiledb.Group(directory, "w") as g:
                g.remove("m1")
                g.meta["s"] = "text"
            with tiledb.Group(name, ctx=ctx) as g:
                assert sorted(m.name for m in g) == ["m0", "m2"] and dict(g.meta) == {"n": 5, "s": "text"}
                same(tiledb.open(g["m2"].uri, ctx=ctx)[:], np.full(4, 2))

        yield "ours/write", write
        yield "ours/libtiledb reads", read
        yield "ours/libtiledb writes, the client reads", libtiledb_writes


if __name__ == "__main__":
    main([Groups, GroupDirectory])
