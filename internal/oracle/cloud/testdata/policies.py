"""What somebody sees to whom a part of an array is shared, by the unmodified clients: the same as of an array that holds the part alone."""

import numpy as np
import pandas as pd
import pyarrow as pa
import tiledb
import tiledb.cloud
from oracle import Scenario, main, refused, same
from tiledb.cloud import client as cloud_client
from tiledb.cloud import rest_api

WORDS = ["", "a", "bb", "ccc"]
SPARSE = {"attributes": ["v", "n", "site", "text", "shy", "none"], "masked": ["shy", "none"], "ranges": {"id": [10, 59]},
          "condition": {"all": [{"field": "site", "op": "in", "value": ["north", "east"]}, {"field": "secret", "op": "<", "value": 80}]}, "metadata": ["title"]}
DENSE = {"hidden": ["secret"], "masked": ["shy"], "ranges": {"row": [2, 5]}, "condition": {"field": "v", "op": ">=", "value": 0}}


class Policies(Scenario):
    modes = ("server",)

    def steps(self):
        yield "policies/people", self.sign_up
        yield "policies/arrays", self.arrays
        yield "policies/sparse schema", self.sparse_schema
        yield "policies/sparse reads", self.sparse_reads
        yield "policies/sparse aggregates", self.aggregates
        yield "policies/parts of an answer", self.incomplete
        yield "policies/time travel", self.time_travel
        yield "policies/dense", self.dense
        yield "policies/facts", self.facts
        yield "policies/changes are refused", self.changes
        yield "policies/files are refused", self.files
        yield "policies/previews", self.previews
        yield "policies/a policy that changes", self.changing

    def sign_up(self):
        self.tokens = {}
        for name in ("ann", "bob"):
            assert self.site.call("POST", "/v1/user", {"username": name, "password": "a long password"}, token=self.site.conf["token"])[0] == 204
            self.tokens[name] = self.site.call("POST", "/v1/token", {"name": "test"}, basic=(name, "a long password"))[1]["token"]

    def ctx(self, name, **more):
        settings = {"rest.server_address": self.site.conf["server"], "rest.token": self.tokens[name], "sm.query.sparse_global_order.reader": "refactored"}
        settings.update({k.replace("__", "."): v for k, v in more.items()})
        return tiledb.Ctx(settings)

    def share(self, name, policy, actions=("read",)):
        body = {"namespace": "bob", "actions": list(actions)}
        if policy is not None:
            body["policy"] = policy
        status, reply = self.site.call("PATCH", f"/v1/arrays/ann/{name}/share", body, token=self.tokens["ann"])
        assert status == 204, reply

    # ------------------------------------------------------------ the arrays and those of the parts alone
    def cells(self, seed, n=60):
        rng = np.random.default_rng(seed)
        ids = np.sort(rng.choice(100, n, replace=False)).astype(np.int32)
        return {
            "id": ids, "v": rng.integers(-50, 50, n).astype(np.int64), "n": pd.array([None if i % 5 == 0 else int(i) for i in rng.integers(0, 99, n)], dtype="Int32"),
            "site": rng.integers(0, 4, n).astype(np.int8), "secret": rng.integers(0, 100, n).astype(np.int32),
            "text": np.array([WORDS[i] for i in rng.integers(0, 4, n)], dtype=object), "shy": rng.random(n), "none": pd.array(rng.integers(0, 9, n), dtype="Int64"),
            "own": np.array([WORDS[i] for i in rng.integers(0, 4, n)], dtype=object),
        }

    def sparse(self, uri, shown, ctx):
        sites = tiledb.Enumeration("sites", False, ["north", "south", "east", "west"])
        rooms = tiledb.Enumeration("rooms", False, ["one", "two"])
        kinds = {"v": dict(dtype=np.int64), "n": dict(dtype=np.int32, nullable=True), "site": dict(dtype=np.int8, enum_label="sites"), "secret": dict(dtype=np.int32),
                 "text": dict(dtype="U", var=True), "shy": dict(dtype=np.float64), "none": dict(dtype=np.int64, nullable=True), "own": dict(dtype="U", var=True),
                 "room": dict(dtype=np.int8, enum_label="rooms")}
        attrs = [tiledb.Attr(a, **kinds[a]) for a in shown]
        domain = tiledb.Domain(tiledb.Dim("id", domain=(0, 99), tile=10, dtype=np.int32))
        enums = [sites] + ([rooms] if "room" in shown else [])
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=True, capacity=7, enums=enums), ctx=ctx)

    def put(self, uri, cells, attrs, ctx, at=None):
        data = {}
        for name in attrs:
            column = cells[name] if name != "room" else np.zeros(len(cells["id"]), np.int8)
            if isinstance(column, pd.api.extensions.ExtensionArray):  # nullable columns go in by Arrow's masks
                column = pa.array(column.fillna(0).to_numpy(dtype="i4" if name == "n" else "i8"), mask=np.asarray(column.isna()))
            data[name] = column
        with tiledb.open(uri, "w", ctx=ctx, timestamp=at) as array:
            array[cells["id"]] = data

    def permitted(self, cells):
        keep = (cells["id"] >= 10) & (cells["id"] <= 59) & np.isin(cells["site"], [0, 2]) & (cells["secret"] < 80)
        part = {k: v[keep] for k, v in cells.items()}
        part["shy"] = np.full(keep.sum(), np.nan)
        part["none"] = pd.array([None] * keep.sum(), dtype="Int64")
        return part

    def arrays(self):
        ctx = self.ctx("ann")
        every, shown = ["v", "n", "site", "secret", "text", "shy", "none", "own", "room"], ["v", "n", "site", "text", "shy", "none"]
        self.sparse("tiledb://ann/cells", every, ctx)
        merged = {}
        for at in (10, 20, 30):
            cells = self.cells(at)
            self.put("tiledb://ann/cells", cells, every, ctx, at)
            for i, x in enumerate(cells["id"]):
                merged[x] = {k: v[i] for k, v in cells.items()}
            rows = [merged[x] for x in sorted(merged)]
            state = {k: (pd.array([r[k] for r in rows], dtype=cells[k].dtype) if isinstance(cells[k], pd.api.extensions.ExtensionArray)
                         else np.array([r[k] for r in rows], dtype=cells[k].dtype)) for k in cells}
            self.sparse(f"tiledb://ann/part{at}", shown, ctx)
            self.put(f"tiledb://ann/part{at}", self.permitted(state), shown, ctx)
        with tiledb.open("tiledb://ann/cells", "w", ctx=ctx) as a:
            a.meta["title"], a.meta["patients"] = "cells", 17
        self.share("cells", SPARSE)
        for at in (10, 20, 30):
            self.share(f"part{at}", None)

    def both(self, at=30, **settings):
        """The restricted array and the one of the part alone, as bob sees them."""
        ctx = self.ctx("bob", **settings)
        return tiledb.open("tiledb://ann/cells", ctx=ctx), tiledb.open(f"tiledb://ann/part{at}", ctx=ctx)

    # ------------------------------------------------------------ sparse
    def sparse_schema(self):
        a, b = self.both()
        names = [a.schema.attr(i).name for i in range(a.schema.nattr)]
        assert names == SPARSE["attributes"], names
        assert a.schema.domain == b.schema.domain
        for name in names:
            x, y = a.attr(name), b.attr(name)
            assert (x.dtype, x.isvar, x.isnullable, x.enum_label) == (y.dtype, y.isvar, y.isnullable, y.enum_label), name
        assert list(a.enum("sites").values()) == ["north", "south", "east", "west"]
        with refused():
            a.enum("rooms")
        with refused():
            a.schema.attr("secret")
        text = str(a.schema)
        assert "secret" not in text and "own" not in text and "room" not in text, text
        assert a.nonempty_domain() == ((np.int32(10), np.int32(59)),), a.nonempty_domain()
        assert dict(a.meta) == {"title": "cells"}, dict(a.meta)

    def frames(self, a, b, read):
        x, y = read(a), read(b)
        pd.testing.assert_frame_equal(x, y)
        return x

    def sparse_reads(self):
        a, b = self.both()
        frame = self.frames(a, b, lambda x: x.df[:])
        assert 0 < len(frame) < 50 and set(frame["site"]) <= {"north", "east"} and frame["shy"].isna().all(), frame
        self.frames(a, b, lambda x: x.df[20:30])
        self.frames(a, b, lambda x: x.df[[5, 15, 25, 70]])
        self.frames(a, b, lambda x: x.query(attrs=["v", "text"]).df[0:99])
        for cond in ("v > 0", "v > 0 and text == 'bb'", "site == 'north'", "site != 'south'", "n == None", "not (v < 10)", "id > 30 or v == 3"):
            self.frames(a, b, lambda x: x.query(cond=cond).df[:])
        x, y = a[:], b[:]
        for name in y:
            got, want = x[name], y[name]
            if name in ("n", "none"):
                got, want = np.ma.asarray(got).filled(-1), np.ma.asarray(want).filled(-1)
            same(got, want, name)
        same(a.multi_index[12:18, ]["v"], b.multi_index[12:18, ]["v"])
        for what in (lambda: a.query(attrs=["secret"]).df[:], lambda: a.query(cond="secret > 5").df[:], lambda: a.query(cond="own == 'a'").df[:],
                     lambda: a.query(cond="shy > 0").df[:], lambda: a.query(cond="none == None").df[:], lambda: a.query(attrs=["nothing"]).df[:]):
            with refused():
                what()

    def aggregates(self):
        a, b = self.both()
        for agg in ("count", {"v": ["sum", "mean", "min", "max"]}, {"n": ["sum", "null_count", "max"]}):
            for cond in (None, "v > 0", "site == 'east'"):
                x, y = a.query(cond=cond).agg(agg)[:], b.query(cond=cond).agg(agg)[:]
                assert str(x) == str(y), (agg, cond, x, y)
        for agg in ({"secret": ["max"]}, {"shy": ["max"]}, {"none": ["null_count"]}):
            with refused():
                a.query().agg(agg)[:]

    def incomplete(self):
        a, b = self.both(py__init_buffer_bytes="64", py__max_incomplete_retries="1000")
        self.frames(a, b, lambda x: x.df[:])
        lists = [list(x.query(return_incomplete=True).df[:]) for x in (a, b)]
        assert len(lists[0]) > 1, lists[0]
        parts = [pd.concat(x) for x in lists]
        pd.testing.assert_frame_equal(parts[0].reset_index(drop=True), parts[1].reset_index(drop=True))

    def time_travel(self):
        ctx = self.ctx("bob")
        for at in (10, 20, 30):
            with tiledb.open("tiledb://ann/cells", ctx=ctx, timestamp=at) as a, tiledb.open(f"tiledb://ann/part{at}", ctx=ctx) as b:
                self.frames(a, b, lambda x: x.df[:])
                assert a.query().agg("count")[:] == b.query().agg("count")[:]
        with tiledb.open("tiledb://ann/cells", ctx=ctx, timestamp=5) as a:
            assert len(a.df[:]) == 0 and a.nonempty_domain() == ((np.int32(10), np.int32(59)),)

    # ------------------------------------------------------------ dense
    def dense(self):
        ctx = self.ctx("ann")
        dims = [tiledb.Dim("row", domain=(0, 7), tile=3, dtype=np.int32), tiledb.Dim("col", domain=(0, 4), tile=2, dtype=np.int32)]
        attrs = [tiledb.Attr("v", dtype=np.int32, fill=-7), tiledb.Attr("shy", dtype=np.float32), tiledb.Attr("secret", dtype=np.int64)]
        tiledb.Array.create("tiledb://ann/grid", tiledb.ArraySchema(domain=tiledb.Domain(*dims), attrs=attrs), ctx=ctx)
        v = np.random.default_rng(1).integers(-9, 9, (8, 5)).astype(np.int32)
        with tiledb.open("tiledb://ann/grid", "w", ctx=ctx) as a:
            a[:] = {"v": v, "shy": v.astype(np.float32), "secret": v.astype(np.int64)}
        self.share("grid", DENSE)
        rows = np.arange(8)[:, None]
        allowed = (rows >= 2) & (rows <= 5) & (v >= 0)
        want = np.where(allowed, v, -7)
        with tiledb.open("tiledb://ann/grid", ctx=self.ctx("bob")) as a:
            assert a.nonempty_domain()[0] == (np.int32(2), np.int32(5))
            got = a[:]
            assert list(got) == ["v", "shy"]
            same(got["v"], want)
            assert np.isnan(got["shy"]).all()
            same(a[3:5, 1:4]["v"], want[3:5, 1:4])
            same(a.query(cond="v == -7", attrs=["v"])[:]["v"], np.full((8, 5), -7, np.int32))
            same(a.query(cond="v > 3", attrs=["v"])[:]["v"], np.where(allowed & (v > 3), v, -7))
            got = a.query().agg({"v": ["sum", "min", "max"]})[:]
            assert [got[k] for k in ("sum", "min", "max")] == [v[allowed].sum(), v[allowed].min(), v[allowed].max()], got

    # ------------------------------------------------------------ facts, changes, files
    def facts(self):
        ctx = self.ctx("bob")
        assert len(tiledb.FragmentInfoList("tiledb://ann/cells", ctx=ctx)) == 0
        assert len(tiledb.FragmentInfoList("tiledb://ann/cells", ctx=self.ctx("ann"))) == 3
        assert tiledb.array_exists("tiledb://ann/cells", ctx=ctx) and tiledb.object_type("tiledb://ann/cells", ctx=ctx) == "array"
        with refused():
            tiledb.ConsolidationPlan(ctx, tiledb.open("tiledb://ann/cells", ctx=ctx), 1000)

    def changes(self):
        ctx, uri = self.ctx("bob"), "tiledb://ann/cells"
        cells = {k: v[:1] for k, v in self.cells(1).items()}
        evolution = tiledb.ArraySchemaEvolution(ctx)
        evolution.drop_attribute("v")

        def delete():
            with tiledb.open(uri, "d", ctx=ctx) as a:
                a.query(cond="v > 0").submit()

        def note():
            with tiledb.open(uri, "w", ctx=ctx) as a:
                a.meta["x"] = 1

        for change in (lambda: self.put(uri, cells, ["v", "n", "site", "secret", "text", "shy", "none", "own", "room"], ctx), delete, note,
                       lambda: tiledb.consolidate(uri, ctx=ctx), lambda: tiledb.vacuum(uri, ctx=ctx), lambda: evolution.array_evolve(uri),
                       lambda: tiledb.Array.delete_fragments(uri, 0, 100, ctx=ctx), lambda: tiledb.Array.delete_array(uri, ctx=ctx)):
            with refused():
                change()
        assert len(tiledb.FragmentInfoList(uri, ctx=self.ctx("ann"))) == 3

    def files(self):
        vfs, ann = tiledb.VFS(ctx=self.ctx("bob")), tiledb.VFS(ctx=self.ctx("ann"))
        names = ann.ls("tiledb://ann/cells/__fragments")
        assert len(names) == 3, names
        files = ann.ls(names[0])
        with ann.open(files[0], "rb") as f:
            assert len(f.read()) > 0
        for path in ("tiledb://ann/cells", "tiledb://ann/cells/__fragments", "tiledb://ann/cells/__schema"):
            try:
                assert vfs.ls(path) == []
            except tiledb.TileDBError:
                pass
        for path in files:
            with refused():
                vfs.file_size(path)
            with refused():
                with vfs.open(path, "rb") as f:
                    f.read()

    # ------------------------------------------------------------ the cloud's API
    def previews(self):
        tiledb.cloud.login(token=self.tokens["bob"], host=self.site.conf["server"], no_session=True)
        status, sample = self.site.call("GET", "/v1/arrays/ann/cells/sample?samples=255", token=self.tokens["bob"])
        a, _ = self.both()
        frame = a.df[:]
        assert status == 200 and sorted(sample["data"]["id"]) == frame["id"].tolist(), sample
        assert "secret" not in sample and "own" not in sample and set(sample["shy"]) == {"NaN"} and set(sample["none"]) == {None}
        assert self.site.call("GET", "/v1/arrays/ann/cells/metadata_json", token=self.tokens["bob"]) == (200, {"title": "cells"})
        assert self.site.call("GET", "/v1/arrays/ann/cells/non_empty_domain_json", token=self.tokens["bob"]) == (200, {"id": [10, 59]})
        info = cloud_client.build(rest_api.ArrayApi).get_array_metadata("ann", "cells")
        assert info.name == "cells" and sorted(info.allowed_actions) == ["read", "read_array_info", "read_array_schema"], info
        for refusal in (lambda: tiledb.cloud.array.array_activity("tiledb://ann/cells"), lambda: tiledb.cloud.array.list_shared_with("tiledb://ann/cells"),
                        lambda: tiledb.cloud.array.share_array("tiledb://ann/cells", "public", ["read"])):
            try:
                refusal()
            except Exception as err:  # noqa: BLE001: each client has its own class
                assert "may" in str(err), err
            else:
                raise AssertionError("it was not refused")
        tiledb.cloud.login(token=self.tokens["ann"], host=self.site.conf["server"], no_session=True)
        (shared,) = tiledb.cloud.array.list_shared_with("tiledb://ann/cells")  # a client that knows nothing of policies
        assert shared.namespace == "bob" and "read" in shared.actions

    def changing(self):
        """A read goes on as it began, or ends: never with what another policy shows."""
        ctx = self.ctx("bob", py__init_buffer_bytes="64")
        with tiledb.open("tiledb://ann/cells", ctx=ctx) as a:
            parts = iter(a.query(return_incomplete=True).df[:])
            next(parts)
            self.share("cells", {"attributes": SPARSE["attributes"], "masked": ["v"]})
            with refused():
                list(parts)
        with tiledb.open("tiledb://ann/cells", ctx=self.ctx("bob")) as a:
            assert len(a.df[:]) > 50 and (a.df[:]["v"] == np.iinfo(np.int64).min).all()
        self.share("cells", None, ())
        with refused():
            tiledb.open("tiledb://ann/cells", ctx=self.ctx("bob"))


main([Policies])
