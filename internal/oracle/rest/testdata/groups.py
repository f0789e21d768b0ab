"""Groups: members relative to their group, and deletion with all members."""
import os

import numpy as np
import tiledb
from oracle import Scenario, main


def small(uri, ctx):
    tiledb.Array.create(uri, tiledb.ArraySchema(domain=tiledb.Domain(tiledb.Dim("x", domain=(0, 9), tile=5, dtype=np.int32)),
                                                attrs=[tiledb.Attr("a", dtype=np.int32)]), ctx=ctx)
    with tiledb.open(uri, "w", ctx=ctx) as a:
        a[:] = np.arange(10, dtype=np.int32)


class Relative(Scenario):
    """A group made by storage address keeps its relative members relative: it can be moved, and read without the server."""

    kind, ways, modes = "groups", ("ours",), ("server",)

    def folder(self):
        return os.path.join(self.site.dir, "relative", "g")

    def write(self, uri, ctx):
        root = f"tiledb://{self.site.namespace}/file://{self.folder()}"
        tiledb.Group.create(root, ctx=ctx)
        small(root + "/a", ctx)
        tiledb.Group.create(root + "/sub", ctx=ctx)
        small(root + "/sub/b", ctx)
        with tiledb.Group(root, "w", ctx=ctx) as g:
            g.add("a", name="first", relative=True)
            g.add("sub", name="second", relative=True)
            g.add(root + "/sub/b", name="far")
        with tiledb.Group(root + "/sub", "w", ctx=ctx) as g:
            g.add("b", name="b", relative=True)
        with tiledb.Group(root, ctx=ctx) as g:
            assert g.is_relative("first") and g.is_relative("second") and not g.is_relative("far")
            with tiledb.open(g["first"].uri, ctx=ctx) as a:
                assert a[3]["a"] == 3
        with tiledb.Group(root, "w", ctx=ctx) as g:
            g.remove("first")
        with tiledb.Group(root, ctx=ctx) as g:
            assert {m.name for m in g} == {"second", "far"}
        with tiledb.Group(root, "w", ctx=ctx) as g:
            g.add("a", name="first", relative=True)

    def check(self, uri, ctx):
        local = self.site.local()
        with tiledb.Group(self.folder(), ctx=local) as g:
            assert g.is_relative("first") and not g.is_relative("far")
            with tiledb.open(g["first"].uri, ctx=local) as a:
                assert list(a[:]["a"]) == list(range(10))

    def steps(self):
        client = self.site.client()
        yield "ours/write", lambda: self.write(None, client)
        yield "ours/libtiledb reads", lambda: self.check(None, client)


class Recursive(Scenario):
    """Deletion of a group with its members takes the members of member groups along, and nothing else."""

    kind, ways, modes = "groups", ("ours",), ("server",)

    def write(self, uri, ctx):
        ns = f"tiledb://{self.site.namespace}/rec"
        for name in ("g", "g1"):
            tiledb.Group.create(f"{ns}-{name}", ctx=ctx)
        for name in ("a", "b", "stays"):
            small(f"{ns}-{name}", ctx)
        with tiledb.Group(f"{ns}-g", "w", ctx=ctx) as g:
            g.add(f"{ns}-a", name="a")
            g.add(f"{ns}-g1", name="g1")
        with tiledb.Group(f"{ns}-g1", "w", ctx=ctx) as g:
            g.add(f"{ns}-b", name="b")
            g.add(f"{ns}-g", name="round")  # a group may lead back to itself
        directories = [self.site.directory("rec-" + n) for n in ("a", "b")]
        groups = self.site.as_token(self.site.new_token(name="g", scope=["group:admin", "array:read-write"])["token"])
        try:
            with tiledb.Group(f"{ns}-g", "m", ctx=groups) as g:
                g.delete(recursive=True)
        except tiledb.TileDBError as e:
            assert "403" in str(e) and "array:admin" in str(e), e
        else:
            raise AssertionError("arrays were deleted without the right to")
        assert all(os.path.isdir(d) for d in directories)
        with tiledb.Group(f"{ns}-g", "m", ctx=ctx) as g:
            g.delete(recursive=True)
        assert not any(os.path.exists(d) for d in directories)
        for name in ("g", "g1", "a", "b"):
            assert tiledb.object_type(f"{ns}-{name}", ctx=ctx) is None, name

    def check(self, uri, ctx):
        with tiledb.open(f"tiledb://{self.site.namespace}/rec-stays", ctx=ctx) as a:
            assert list(a[:]["a"]) == list(range(10))

    def steps(self):
        client = self.site.client()
        yield "ours/write", lambda: self.write(None, client)
        yield "ours/client reads", lambda: self.check(None, client)


main([Relative, Recursive])
