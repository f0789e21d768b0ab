"""All that the client can say in JSON. It cannot send queries so, and refuses to: cells are written and read by another context."""
import numpy as np
import rawquery
import tiledb
from oracle import Scenario, main, refused, same

FORM = {"rest__server_serialization_format": "JSON"}


class Json(Scenario):
    ways, modes = ("ours",), ("server",)

    def steps(self):
        site = self.site
        self.cells, self.json = site.client(), site.client(**FORM)
        for name in ("schemas", "arrays", "changes", "maintenance", "groups", "faults"):
            yield "ours/" + name, getattr(self, name)

    def create(self, name, ctx, **more):
        uri = self.site.uri(name)
        domain = tiledb.Domain(tiledb.Dim("x", domain=(-5, 99), tile=10, dtype=np.int32, filters=tiledb.FilterList([tiledb.DoubleDeltaFilter(), tiledb.ZstdFilter(3)])),
                               tiledb.Dim("f", domain=(-1.5, 1e300), tile=0.5, dtype=np.float64), tiledb.Dim("t", domain=(None, None), tile=None, dtype="ascii"))
        colours = tiledb.Enumeration("colours", True, ["red", 'gr"een\\', "blé"])
        attrs = [tiledb.Attr("a", dtype=np.int64, fill=-2**62, filters=tiledb.FilterList([tiledb.BitShuffleFilter(), tiledb.LZ4Filter(2)])),
                 tiledb.Attr("n", dtype=np.float32, nullable=True, fill=np.nan),
                 tiledb.Attr("c", dtype=np.int8, enum_label="colours"), tiledb.Attr("v", dtype="U0", var=True), tiledb.Attr("s", dtype=np.float64, filters=tiledb.FilterList([tiledb.FloatScaleFilter(0.25, 1e-7, 4)]))]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, enums=[colours], sparse=True, capacity=7, allows_duplicates=True, **more), ctx=ctx)
        return uri

    def write(self, uri, at, lo):
        x = np.arange(lo, lo + 20, dtype=np.int32)
        with tiledb.open(uri, "w", timestamp=at, ctx=self.cells) as a:
            a[x, x / 4.0, np.array([f"t{v}" for v in x], dtype="S")] = {
                "a": x * 3, "n": (x / 2).astype(np.float32), "c": (x % 3).astype(np.int8), "v": np.array([f"v{v}é" for v in x], dtype="U"), "s": x / 4.0}

    def schemas(self):
        uri, other = self.create("json-schema", self.json), self.create("json-schema-capnp", self.cells)
        want = str(tiledb.ArraySchema.load(other, ctx=self.cells))
        for where in (uri, other):
            for ctx in (self.json, self.cells):
                assert str(tiledb.ArraySchema.load(where, ctx=ctx)) == want, (str(tiledb.ArraySchema.load(where, ctx=ctx)), want)
        assert tiledb.array_exists(uri, ctx=self.json) and tiledb.object_type(uri, ctx=self.json) == "array"
        assert tiledb.object_type(self.site.uri("json-nothing"), ctx=self.json) is None
        dense = self.site.uri("json-dense")
        tiledb.Array.create(dense, tiledb.ArraySchema(domain=tiledb.Domain(tiledb.Dim("d", domain=(0, 2**64 - 3), tile=2**40, dtype=np.uint64)),
                                                      attrs=[tiledb.Attr("a", dtype="datetime64[ns]")]), ctx=self.json)
        assert str(tiledb.ArraySchema.load(dense, ctx=self.json)) == str(tiledb.ArraySchema.load(self.site.directory("json-dense")))

    def arrays(self):
        """Opening, metadata, enumerations, the non-empty domain, fragments."""
        uri = self.create("json-array", self.json)
        self.write(uri, 1, 0)
        self.write(uri, 2, 30)
        values = {"i": 2**62, "f": 1e-300, "nan": np.inf, "t": 'é"\\\n\t\x01', "b": bytes(range(256)), "l": (1, 2, 3), "empty": ""}
        with tiledb.open(uri, "w", ctx=self.json) as a:
            for key, value in values.items():
                a.meta[key] = value
            a.meta["gone"] = 1
        with tiledb.open(uri, "w", ctx=self.json) as a:
            del a.meta["gone"]
        lazy = self.site.client(rest__load_metadata_on_array_open="false", rest__load_non_empty_domain_on_array_open="false",
                                rest__use_refactored_array_open="false", **FORM)
        for ctx in (self.json, self.cells, lazy):
            with tiledb.open(uri, ctx=ctx) as a:
                assert dict(a.meta) == values, dict(a.meta)
                assert a.nonempty_domain() == ((0, 49), (0.0, 12.25), (b"t0", b"t9")), a.nonempty_domain()
        for more in ({}, {"rest__load_enumerations_on_array_open": "true", "rest__load_enumerations_on_array_open_all_schemas": "true"}):
            with tiledb.open(uri, ctx=self.site.client(**FORM, **more)) as a:
                assert list(a.enum("colours").values()) == ["red", 'gr"een\\', "blé"]
        with tiledb.open(uri, timestamp=1, ctx=self.json) as a:
            assert a.nonempty_domain()[0] == (0, 19)
        info = [[(f.uri.split("/")[-1], int(f.cell_num), f.nonempty_domain, tuple(map(int, f.timestamp_range))) for f in tiledb.array_fragments(uri, ctx=ctx)]
                for ctx in (self.json, self.cells)]
        assert info[0] == info[1] and len(info[0]) == 2, info
        raw = rawquery.Context(self.json.config().dict())
        array = raw.out("array_alloc", uri.encode())
        raw.call("array_open", array, 0)
        raw.call("array_load_enumerations_all_schemas", array)
        raw.call("array_close", array)

    def changes(self):
        uri = self.create("json-change", self.json)
        self.write(uri, 1, 0)
        change = tiledb.ArraySchemaEvolution(self.json)
        change.add_attribute(tiledb.Attr("late", dtype=np.uint64, fill=2**64 - 2))
        change.drop_attribute("v")
        change.extend_enumeration(tiledb.Enumeration("colours", True, ["red", 'gr"een\\', "blé", "black"]))
        change.array_evolve(uri)
        with tiledb.open(uri, ctx=self.cells) as a:
            got = a.query(attrs=["late", "a"])[:]
            same(got["late"], np.full(20, 2**64 - 2, np.uint64))
            assert list(a.enum("colours").values())[-1] == "black" and not a.schema.has_attr("v")
        tiledb.Array.delete_array(uri, ctx=self.json)
        assert tiledb.object_type(uri, ctx=self.json) is None

    def maintenance(self):
        uri = self.create("json-keep", self.json)
        for i in range(6):
            self.write(uri, i + 1, 15 * i - 5)
        tiledb.Array.delete_fragments(uri, 2, 2, ctx=self.json)
        with tiledb.open(uri, ctx=self.json) as a:
            plan = tiledb.ConsolidationPlan(self.json, a, 1 << 30)
            assert [plan.num_fragments(i) for i in range(plan.num_nodes)] == [5], plan.num_nodes
        with tiledb.open(uri, ctx=self.cells) as a:
            want = sorted(a.query(attrs=["a"])[:]["a"].tolist())
        tiledb.consolidate(uri, ctx=self.json)
        assert len(tiledb.array_fragments(uri, ctx=self.json).to_vacuum) == 5
        tiledb.vacuum(uri, ctx=self.json)
        assert len(tiledb.array_fragments(uri, ctx=self.json)) == 1
        with tiledb.open(uri, ctx=self.cells) as a:
            assert sorted(a.query(attrs=["a"])[:]["a"].tolist()) == want

    def groups(self):
        root, member = self.site.uri("json-group"), self.create("json-member", self.json)
        tiledb.Group.create(root, ctx=self.json)
        assert tiledb.object_type(root, ctx=self.json) == "group"
        with tiledb.Group(root, "w", ctx=self.json) as g:
            g.add(member, name="m")
            g.add(self.create("json-other", self.json), name="o")
            g.meta["k"] = "é"
        with tiledb.Group(root, "w", ctx=self.json) as g:
            g.remove("o")
        for ctx in (self.json, self.cells):
            with tiledb.Group(root, ctx=ctx) as g:
                assert [(m.name, m.type, m.uri) for m in g] == [("m", tiledb.Array, member)] and dict(g.meta) == {"k": "é"}, (list(g), dict(g.meta))
        with tiledb.Group(root, "m", ctx=self.json) as g:
            g.delete(recursive=True)
        assert tiledb.object_type(root, ctx=self.json) is None and tiledb.object_type(member, ctx=self.json) is None

    def faults(self):
        """The client refuses queries; the server refuses what is no message, with a reason."""
        uri = self.create("json-fault", self.json)
        with refused("json format not supported"), tiledb.open(uri, ctx=self.json) as a:
            a.query(attrs=["a"])[:]
        path = "/v1/arrays/" + self.site.quoted("json-fault")
        libtiledb = {"X-TILEDB-VERSION": "2.30.0"}
        for body, status, text in (({"enumerations": 5}, 400, "enumerations"), (b"{", 400, "not JSON")):
            got = self.site.http("POST", path + "/enumerations", body, headers={"Content-Type": "application/json", **libtiledb})
            assert got[0] == status and text in got[1], got
        got = self.site.http("POST", path.replace("/v1", "/v3") + "/query/submit?type=READ", {}, headers=libtiledb)
        assert got[0] == 415 and "CAPNP" in got[1], got


main([Json])
