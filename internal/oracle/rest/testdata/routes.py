"""The same work by the routes that older clients use: /v2 and /v1 for queries, and opening without a request of its own."""
import json

import numpy as np
import rawquery
import tiledb
from oracle import Scenario, main, same
from rawwrite import Writer

ROUTES = {
    "newest": {},
    "queries": {"rest.use_refactored_array_open_and_query_submit": "false"},
    "opening": {"rest.use_refactored_array_open": "false"},
    "both": {"rest.use_refactored_array_open_and_query_submit": "false", "rest.use_refactored_array_open": "false"},
    "lazy": {"rest.load_metadata_on_array_open": "false", "rest.load_non_empty_domain_on_array_open": "false"},
    "eager": {"rest.load_enumerations_on_array_open": "true", "rest.load_enumerations_on_array_open_all_schemas": "true"},
}


class Routes(Scenario):
    ways, modes = ("ours",), ("server",)

    def steps(self):
        uri, client = self.site.uri("routes"), self.site.client()
        yield "ours/write", lambda: self.write(uri, client)
        yield "ours/client reads", lambda: self.check(uri, client)

    def each(self, uri, ctx):
        for name, more in ROUTES.items():
            yield f"{uri}-{name}", tiledb.Ctx({**ctx.config().dict(), **more})

    def write(self, uri, ctx):
        for uri, ctx in self.each(uri, ctx):
            domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32))
            colours = tiledb.Enumeration("colours", False, ["red", "green", "blue"])
            attrs = [tiledb.Attr("a", dtype=np.int32), tiledb.Attr("c", dtype=np.int8, enum_label="colours")]
            tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, enums=[colours], sparse=True), ctx=ctx)
            with tiledb.open(uri, "w", timestamp=1, ctx=ctx) as a:
                x = np.arange(50, dtype=np.int32)
                a[x] = {"a": x * 2, "c": (x % 3).astype(np.int8)}
                a.meta["note"] = "one"
            w = Writer(ctx.config().dict(), uri, at=2)
            for i in range(3):
                x = np.arange(50 + 10 * i, 60 + 10 * i, dtype=np.int32)
                (w.end if i == 2 else w.submit)({"x": x, "a": x * 2, "c": (x % 3).astype(np.int8)})
            with tiledb.open(uri, "d", timestamp=3, ctx=ctx) as a:
                a.query(cond="x >= 5 and x < 10").submit()
            change = tiledb.ArraySchemaEvolution(ctx)
            change.extend_enumeration(tiledb.Enumeration("colours", False, ["red", "green", "blue", "black"]))
            change.array_evolve(uri)

    def check(self, uri, ctx):
        for uri, ctx in self.each(uri, ctx):
            x = np.array([v for v in range(80) if not 5 <= v < 10], np.int32)
            with tiledb.open(uri, ctx=ctx) as a:
                got = a.query(attrs=["a", "c"])[:]
                same(got["x"], x)
                same(got["a"], x * 2)
                assert dict(a.meta) == {"note": "one"}
                assert a.nonempty_domain()[0] == (0, 79)
                assert list(a.enum("colours").values()) == ["red", "green", "blue", "black"]
                same(a.query(attrs=["a"], cond="c == 'green' and a > 100")[:]["a"], np.array([v * 2 for v in x if v % 3 == 1 and v > 50], np.int32))
                assert a.query(attrs=["a"]).agg({"a": ["sum", "count"]})[:] == {"sum": int(x.sum() * 2), "count": len(x)}
            with tiledb.open(uri, ctx=ctx, timestamp=1) as a:
                assert len(a.query(attrs=["a"])[:]["a"]) == 50
                if not uri.endswith("both"):  # there the client opens by the newest schema, and asks for labels of the old one
                    assert len(a[20:30]["a"]) == 10
            parts = list(rawquery.parts(ctx.config().dict(), uri, "unordered", {"x": np.int32, "a": np.int32}, cells=7))
            assert len(parts) >= 10 and sorted(np.concatenate([p["x"] for p in parts]).tolist()) == x.tolist()
            if not uri.endswith(("opening", "both")):  # the client wants the newer way for it
                self.all_schemas(uri, ctx)

    def all_schemas(self, uri, ctx):
        """The enumerations of every schema the array has had, by one request."""
        raw = rawquery.Context(ctx.config().dict())
        array = raw.out("array_alloc", uri.encode())
        raw.call("array_open", array, 0)
        raw.call("array_load_enumerations_all_schemas", array)
        raw.call("array_close", array)


class Models(Scenario):
    """The catalogue says what a model of machine learning is, as its metadata does; what people said stays."""

    def info(self, name):
        status, body = self.site.http("GET", f"/v1/arrays/{self.site.quoted(name)}/metadata")
        assert status == 200, (status, body)
        return json.loads(body)

    def put(self, uri, ctx, **more):
        with tiledb.open(uri, "w", ctx=ctx) as a:
            for key, value in {"TILEDB_ML_MODEL_ML_FRAMEWORK": "SKLEARN", "TILEDB_ML_MODEL_PREVIEW": "é" * 5000, "accuracy": 0.5, **more}.items():
                a.meta[key] = value

    def run(self, ctx):
        for name in ("model", "notebook"):
            tiledb.from_numpy(self.site.uri(name), np.arange(4), ctx=ctx)
        self.put(self.site.uri("model"), ctx)
        got = self.info("model")
        want = {"TILEDB_ML_MODEL_ML_FRAMEWORK": "SKLEARN", "TILEDB_ML_MODEL_PREVIEW": "é" * 2048}
        assert (got["file_type"], got["file_properties"]) == ("ml_model", want), got
        self.put(self.site.uri("model"), ctx, TILEDB_ML_MODEL_STAGE="PRODUCTION")
        assert self.info("model")["file_properties"] == {**want, "TILEDB_ML_MODEL_STAGE": "PRODUCTION"}
        self.site.http("PATCH", f"/v1/arrays/{self.site.quoted('notebook')}/metadata", {"file_type": "notebook"})
        self.put(self.site.uri("notebook"), ctx)
        assert self.info("notebook")["file_type"] == "notebook"

    def steps(self):
        client = self.site.client()
        yield "ours/catalogue", lambda: self.run(client)


Models.ways, Models.modes = ("ours",), ("server",)

main([Routes, Models])
