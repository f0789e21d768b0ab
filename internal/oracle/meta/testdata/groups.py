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
    """libtiledb opens the directory of a group made through the server, and the server one that libtiledb made."""

    kind = "groups"

    def write(self, uri, ctx):
        tiledb.group_create(uri, ctx=ctx)
        with tiledb.Group(uri, "w", ctx=ctx) as g:
            g.meta["n"] = 5
            g.meta["s"] = "text"

    def check(self, uri, ctx):
        with tiledb.Group(uri, ctx=ctx) as g:
            assert dict(g.meta) == {"n": 5, "s": "text"} and len(g) == 0


class GroupMembersOnDisk(Scenario):
    """The member list that the server keeps is one that libtiledb reads."""

    ways, modes = ("ours",), ("server",)

    def steps(self):
        site, ctx = self.site, self.site.client()

        def write():
            tiledb.group_create(site.uri("on-disk"), ctx=ctx)
            for k in range(3):
                tiledb.from_numpy(site.uri(f"disk-member-{k}"), np.full(4, k), ctx=ctx).close()
            with tiledb.Group(site.uri("on-disk"), "w", ctx=ctx) as g:
                for k in range(3):
                    g.add(site.uri(f"disk-member-{k}"), name=f"m{k}")

        def read():
            directory = site.directory("on-disk", "groups")
            assert os.path.isdir(os.path.join(directory, "__group")), directory
            with tiledb.Group(directory) as g:
                assert sorted(m.name for m in g) == ["m0", "m1", "m2"]

        yield "ours/write", write
        yield "ours/libtiledb reads", read


if __name__ == "__main__":
    main([Groups, GroupDirectory, GroupMembersOnDisk])
