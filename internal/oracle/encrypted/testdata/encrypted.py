"""Arrays that libtiledb encrypted, through a server that has their keys.  The client itself gets none: it refuses to send one."""
import base64
import os

import numpy as np
import tiledb
from oracle import Scenario, main, refused, same, same_columns

KEY = "0123456789abcdeF0123456789abcdeF"


class Encrypted(Scenario):
    modes = ("server",)

    def steps(self):
        yield "key/all", self.run

    def keyed(self):
        return self.site.local(sm__encryption_type="AES_256_GCM", sm__encryption_key=KEY)

    def make(self, name, sparse):
        """A directory that libtiledb wrote with the key."""
        path, ctx = os.path.join(self.site.dir, name), self.keyed()
        domain = tiledb.Domain(tiledb.Dim("d", domain=(0, 99), tile=10, dtype=np.int64, ctx=ctx), ctx=ctx)
        attrs = [tiledb.Attr("a", dtype=np.int32, ctx=ctx), tiledb.Attr("s", dtype=str, ctx=ctx)] if sparse else [tiledb.Attr("a", dtype=np.int32, ctx=ctx)]
        tiledb.Array.create(path, tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=sparse, ctx=ctx), ctx=ctx)
        with tiledb.open(path, "w", ctx=ctx) as a:
            if sparse:
                a[[1, 50, 99]] = {"a": np.array([1, 2, 3], np.int32), "s": np.array(["x", "yy", ""], dtype="O")}
            else:
                a[0:100] = np.arange(100, dtype=np.int32)
            a.meta["k"] = "v"
        return path

    def register(self, path, name, **more):
        return self.site.http("POST", f"/v1/arrays/{self.site.quoted('file://' + path)}/register", {"name": name, "uri": "file://" + path, **more})


class Dense(Encrypted):
    def run(self):
        site, ctx = self.site, self.site.client()
        path = self.make("dense", False)
        status, body = self.register(path, "e-none")
        assert status == 200, (status, body)
        with refused("encrypt"):
            tiledb.open(site.uri("e-none"), ctx=ctx)
        assert site.http("DELETE", f"/v1/arrays/{site.quoted('e-none')}/deregister")[0] == 204
        for wrong in ("too short", KEY[::-1]):
            status, body = self.register(path, "e-dense", encryption_key=wrong)
            assert status == 400 and wrong not in body, (status, body)
        status, body = self.register(path, "e-dense", encryption_key=KEY)
        assert status == 200 and KEY not in body, (status, body)
        uri = site.uri("e-dense")
        with tiledb.open(uri, ctx=ctx) as a:
            same(a[:]["a"], np.arange(100, dtype=np.int32))
            assert a.meta["k"] == "v"
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[10:20] = np.full(10, -1, np.int32)
            a.meta["k"] = "w"
        want = np.arange(100, dtype=np.int32)
        want[10:20] = -1
        for where, context in ((uri, ctx), (path, self.keyed())):
            with tiledb.open(where, ctx=context) as a:
                same(a[:]["a"], want)
                assert a.meta["k"] == "w"
        with refused():
            tiledb.open(path, ctx=site.local())
        assert len(tiledb.array_fragments(uri, ctx=ctx)) == 2
        tiledb.consolidate(uri, ctx=ctx)
        tiledb.vacuum(uri, ctx=ctx)
        for where, context in ((uri, ctx), (path, self.keyed())):
            with tiledb.open(where, ctx=context) as a:
                same(a[:]["a"], want)


class Sparse(Encrypted):
    def run(self):
        site, ctx = self.site, self.site.client()
        path = self.make("sparse", True)
        status, body = self.register(path, "e-sparse", encryption_key_base64=base64.b64encode(KEY.encode()).decode())
        assert status == 200, (status, body)
        uri = site.uri("e-sparse")
        evolution = tiledb.ArraySchemaEvolution(ctx)
        evolution.add_attribute(tiledb.Attr("b", dtype=np.float64, ctx=ctx))
        evolution.array_evolve(uri)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[[2]] = {"a": np.array([9], np.int32), "s": np.array(["z"], dtype="O"), "b": np.array([0.5])}
        want = {"d": np.array([1, 2, 50, 99]), "a": np.array([1, 9, 2, 3], np.int32), "b": np.array([np.nan, 0.5, np.nan, np.nan])}
        for where, context in ((uri, ctx), (path, self.keyed())):
            with tiledb.open(where, ctx=context) as a:
                got = a[:]
                same_columns(got, want, by=["d"])
                assert a.query(cond="a == 9", attrs=["a"])[:]["a"].tolist() == [9]
        with tiledb.open(uri, "d", ctx=ctx) as a:
            a.query(cond="a == 9").submit()
        with tiledb.open(path, ctx=self.keyed()) as a:
            assert a[:]["a"].tolist() == [1, 2, 3]
        # A move within the namespace takes the key along.
        tiledb.move(uri, uri + "-moved", ctx=ctx)
        with tiledb.open(uri + "-moved", ctx=ctx) as a:
            assert a[:]["a"].tolist() == [1, 2, 3]
        with refused():
            tiledb.open(site.directory("e-sparse-moved"), ctx=site.local())


class Groups(Encrypted):
    def register(self, path, name, **more):
        details = {"name": name, "uri": "file://" + path, **more}
        return self.site.http("PUT", f"/v2/groups/{self.site.namespace}", {"group_details": details})

    def run(self):
        site, ctx = self.site, self.site.client()
        path, array = os.path.join(site.dir, "e-group"), os.path.join(site.dir, "e-member")
        domain = tiledb.Domain(tiledb.Dim("d", domain=(0, 9), tile=10, dtype=np.int64))
        tiledb.Array.create(array, tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32)]))
        member = site.adopt(array, "e-member")
        tiledb.group_create(path, ctx=self.keyed())
        with tiledb.Group(path, "w", ctx=self.keyed()) as g:
            g.meta["k"] = "v"
            g.add("file://" + array, name="m")
        status, body = self.register(path, "e-nokey")
        assert status == 400 and "encryption_key" in body, (status, body)
        status, body = self.register(path, "e-group", encryption_key="x" * 32)
        assert status == 400 and "encryption_key" in body, (status, body)
        status, body = self.register(path, "e-group", encryption_key=KEY)
        assert status == 201 and KEY not in body, (status, body)
        with tiledb.Group(site.uri("e-group"), ctx=ctx) as g:
            assert dict(g.meta) == {"k": "v"} and [m.name for m in g] == ["m"], (dict(g.meta), list(g))
        with tiledb.Group(site.uri("e-group"), "w", ctx=ctx) as g:
            g.meta["n"] = 7
            g.remove("m")
        with tiledb.Group(site.uri("e-group"), "w", ctx=ctx) as g:
            g.add(member, name="again")
        for where, context in ((site.uri("e-group"), ctx), (path, self.keyed())):
            with tiledb.Group(where, ctx=context) as g:
                assert dict(g.meta) == {"k": "v", "n": 7} and [m.name for m in g] == ["again"], (where, dict(g.meta), list(g))
        with refused():
            tiledb.Group(path, ctx=site.local())


if __name__ == "__main__":
    main([Dense, Sparse, Groups])
