"""What surrounds the cells: metadata, enumerations, schema evolution, current domain, fragment info, deletion."""
import numpy as np
import pyarrow as pa
import tiledb
from oracle import Scenario, main, refused, same


def vector(uri, ctx, n=10, sparse=False, **kw):
    domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32, ctx=ctx), ctx=ctx)
    tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32, ctx=ctx)], sparse=sparse, ctx=ctx, **kw), ctx=ctx)


class Metadata(Scenario):
    """Array metadata of every kind of value: put, replaced, deleted, and seen as of a moment."""

    FIRST = {"int": 7, "float": 2.5, "text": "ação 🧱", "empty": "", "bytes": b"\x00\x01\xff", "list": (1, 2, 3), "floats": (0.5, -1.0), "key with / and ü": 1}

    def write(self, uri, ctx):
        vector(uri, ctx)
        with tiledb.open(uri, "w", timestamp=10, ctx=ctx) as a:
            for key, value in self.FIRST.items():
                a.meta[key] = value
        with tiledb.open(uri, "w", timestamp=20, ctx=ctx) as a:
            a.meta["int"] = "now a text"
            a.meta["array"] = np.array([1.5, 2.5], np.float32)
            del a.meta["list"]

    def check(self, uri, ctx):
        with tiledb.open(uri, timestamp=15, ctx=ctx) as a:
            assert dict(a.meta) == self.FIRST, dict(a.meta)
        with tiledb.open(uri, ctx=ctx) as a:
            got = dict(a.meta)
            assert a.meta["int"] == "now a text" and "list" not in a.meta and len(a.meta) == len(self.FIRST)
            same(a.meta["array"], np.array([1.5, 2.5], np.float32))
            assert got["text"] == "ação 🧱" and got["bytes"] == b"\x00\x01\xff" and got["empty"] == ""
        with tiledb.open(uri, timestamp=5, ctx=ctx) as a:
            assert len(a.meta) == 0


class LazyMetadata(Metadata):
    """The same when the client asks for metadata and non-empty domain by requests of their own."""

    def check(self, uri, ctx):
        lazy = tiledb.Ctx(dict(ctx.config().dict(), **{"rest.load_metadata_on_array_open": "false", "rest.load_non_empty_domain_on_array_open": "false"}))
        super().check(uri, lazy)
        with tiledb.open(uri, ctx=lazy) as a:
            assert a.nonempty_domain() is None


class ManyKeys(Scenario):
    def write(self, uri, ctx):
        vector(uri, ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            for k in range(500):
                a.meta[f"key{k:04d}"] = "v" * k

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            assert dict(a.meta) == {f"key{k:04d}": "v" * k for k in range(500)}


class Enumerations(Scenario):
    """Labels instead of numbers: written as codes, read as labels, searched by label."""

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32, ctx=ctx), ctx=ctx)
        colors = tiledb.Enumeration("colors", False, ["red", "grün", "", "blue"])
        sizes = tiledb.Enumeration("sizes", True, np.array([10, 20, 40], np.int64))
        attrs = [tiledb.Attr("c", dtype=np.int8, enum_label="colors", ctx=ctx), tiledb.Attr("s", dtype=np.uint16, enum_label="sizes", nullable=True, ctx=ctx)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, enums=[colors, sizes], sparse=True, ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[np.arange(8, dtype=np.int32)] = {"c": np.array([0, 1, 2, 3, 3, 2, 1, 0], np.int8), "s": pa.array([0, 1, 2, None, 0, 1, None, 2], pa.uint16())}

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            assert list(a.enum("colors").values()) == ["red", "grün", "", "blue"]
            assert list(a.enum("sizes").values()) == [10, 20, 40] and a.enum("sizes").ordered
            assert a.schema.attr("c").enum_label == "colors"
            frame = a.df[:].sort_values("x")
            assert list(frame["c"]) == ["red", "grün", "", "blue", "blue", "", "grün", "red"]
            for text, want in {"c == 'blue'": [3, 4], "c in ['red', 'grün', 'none']": [0, 1, 6, 7], "c != ''": [0, 1, 3, 4, 6, 7], "s > 10": [1, 2, 5, 7],
                               "c == 'none'": []}.items():
                same(np.sort(a.query(cond=text, attrs=["c"])[:]["x"]), np.array(want, np.int32), text)


class EnumerationGrows(Scenario):
    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32, ctx=ctx), ctx=ctx)
        attrs = [tiledb.Attr("c", dtype=np.uint8, enum_label="e", ctx=ctx)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, enums=[tiledb.Enumeration("e", False, ["a", "b"])], ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[0:4] = np.array([0, 1, 0, 1], np.uint8)
        with tiledb.open(uri, ctx=ctx) as a:
            longer = a.enum("e").extend(["c", "dd"])
        change = tiledb.ArraySchemaEvolution(ctx)
        change.extend_enumeration(longer)
        change.array_evolve(uri)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[4:6] = np.array([2, 3], np.uint8)

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            assert list(a.enum("e").values()) == ["a", "b", "c", "dd"]
            assert list(a.df[0:5]["c"]) == ["a", "b", "a", "b", "c", "dd"]


class Evolution(Scenario):
    """Attributes come and go; old cells show fill values for new ones; the past keeps its own schema."""

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 9), tile=5, dtype=np.int32, ctx=ctx), ctx=ctx)
        attrs = [tiledb.Attr("a", dtype=np.int32, ctx=ctx), tiledb.Attr("old", dtype="ascii", var=True, ctx=ctx)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=True, ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[[0, 1]] = {"a": np.array([1, 2], np.int32), "old": np.array(["x", "yy"], dtype=object)}
        change = tiledb.ArraySchemaEvolution(ctx)
        change.add_attribute(tiledb.Attr("new", dtype=np.float64, fill=0.25, ctx=ctx))
        change.add_attribute(tiledb.Attr("word", dtype="U0", nullable=True, ctx=ctx))
        change.drop_attribute("old")
        change.array_evolve(uri)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[[1, 2]] = {"a": np.array([20, 30], np.int32), "new": np.array([1.5, 2.5]), "word": pa.array(["w1", None])}

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            assert [a.schema.attr(i).name for i in range(a.schema.nattr)] == ["a", "new", "word"]
            got = a.query(order="C", attrs=["a", "new"])[:]
            same(got["x"], np.array([0, 1, 2], np.int32))
            same(got["a"], np.array([1, 20, 30], np.int32))
            same(got["new"], np.array([0.25, 1.5, 2.5]))
            frame = a.df[:].sort_values("x")
            assert [w if isinstance(w, str) else None for w in frame["word"]] == [None, "w1", None], frame
            with refused("old"):
                a.query(attrs=["old"])[:]
        first = [f.timestamp_range[1] for f in tiledb.array_fragments(uri, ctx=ctx)][0]
        with tiledb.open(uri, timestamp=first, ctx=ctx) as a:
            assert [a.schema.attr(i).name for i in range(a.schema.nattr)] == ["a", "old"]
            assert [x.decode() if isinstance(x, bytes) else x for x in a[:]["old"]] == ["x", "yy"]


class CurrentDomain(Scenario):
    def write(self, uri, ctx):
        d1 = tiledb.Dim("x", domain=(0, 999), tile=10, dtype=np.int32, ctx=ctx)
        domain = tiledb.Domain(d1, ctx=ctx)
        schema = tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32, ctx=ctx)], ctx=ctx)
        rect = tiledb.NDRectangle(ctx, domain)
        rect.set_range(0, 0, 9)
        current = tiledb.CurrentDomain(ctx)
        current.set_ndrectangle(rect)
        schema.set_current_domain(current)
        tiledb.Array.create(uri, schema, ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[0:10] = np.arange(10, dtype=np.int32)
        rect = tiledb.NDRectangle(ctx, domain)
        rect.set_range(0, 0, 19)
        current = tiledb.CurrentDomain(ctx)
        current.set_ndrectangle(rect)
        change = tiledb.ArraySchemaEvolution(ctx)
        change.expand_current_domain(current)
        change.array_evolve(uri)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[10:20] = np.arange(10, 20, dtype=np.int32)
            with refused():
                a[15:25] = np.arange(10, dtype=np.int32)

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            assert a.schema.current_domain.ndrectangle.range(0) == (0, 19)
            same(a.multi_index[0:19]["a"], np.arange(20, dtype=np.int32))


class FragmentInfo(Scenario):
    def write(self, uri, ctx):
        vector(uri, ctx)
        for at, lo, n in ((10, 0, 30), (20, 25, 10), (30, 95, 5)):
            with tiledb.open(uri, "w", timestamp=at, ctx=ctx) as a:
                a[lo:lo + n] = np.arange(n, dtype=np.int32)

    def check(self, uri, ctx):
        info = tiledb.array_fragments(uri, ctx=ctx)
        assert len(info) == 3
        assert [f.timestamp_range for f in info] == [(10, 10), (20, 20), (30, 30)]
        assert [f.nonempty_domain for f in info] == [((0, 29),), ((25, 34),), ((95, 99),)]
        assert [f.cell_num for f in info] == [30, 20, 10] and not any(f.sparse for f in info)
        assert all(f.version == 22 for f in info), [f.version for f in info]
        with tiledb.open(uri, ctx=ctx) as a:
            assert a.nonempty_domain() == ((0, 99),)
            same(a[20:36]["a"], np.array([20, 21, 22, 23, 24, *range(10), np.iinfo(np.int32).min], np.int32))
        with tiledb.open(uri, timestamp=(15, 25), ctx=ctx) as a:
            assert a.nonempty_domain() == ((25, 34),)


class SchemaDetails(Scenario):
    """Everything a schema says comes back: orders, capacity, filters and their options, fill values."""

    def write(self, uri, ctx):
        dims = [tiledb.Dim("y", domain=(-5, 44), tile=8, dtype=np.int16, filters=tiledb.FilterList([tiledb.DeltaFilter(), tiledb.ZstdFilter(5)]), ctx=ctx),
                tiledb.Dim("s", domain=(None, None), tile=None, dtype="ascii", filters=tiledb.FilterList([tiledb.GzipFilter(9)]), ctx=ctx)]
        attrs = [tiledb.Attr("a", dtype=np.int32, fill=-7, filters=tiledb.FilterList([tiledb.BitWidthReductionFilter(128), tiledb.PositiveDeltaFilter(256)]), ctx=ctx),
                 tiledb.Attr("n", dtype=np.uint8, nullable=True, filters=tiledb.FilterList([tiledb.RleFilter()]), ctx=ctx),
                 tiledb.Attr("v", dtype="U0", filters=tiledb.FilterList([tiledb.Bzip2Filter(2), tiledb.ChecksumSHA256Filter()]), ctx=ctx)]
        schema = tiledb.ArraySchema(domain=tiledb.Domain(*dims, ctx=ctx), attrs=attrs, sparse=True, capacity=123, cell_order="col-major", tile_order="col-major",
                                    allows_duplicates=True,
                                    offsets_filters=tiledb.FilterList([tiledb.DoubleDeltaFilter()]), validity_filters=tiledb.FilterList([tiledb.ZstdFilter(1)]), ctx=ctx)
        tiledb.Array.create(uri, schema, ctx=ctx)

    def check(self, uri, ctx):
        for schema in (tiledb.ArraySchema.load(uri, ctx=ctx), tiledb.open(uri, ctx=ctx).schema):
            assert (schema.capacity, schema.cell_order, schema.tile_order, schema.allows_duplicates, schema.sparse) == (123, "col-major", "col-major", True, True)
            y, s = schema.domain.dim("y"), schema.domain.dim("s")
            assert tuple(y.domain) == (-5, 44) and y.tile == 8 and y.dtype == np.int16 and s.dtype == np.dtype("S")
            assert [type(f).__name__ for f in y.filters] == ["DeltaFilter", "ZstdFilter"] and y.filters[1].level == 5
            assert s.filters[0].level == 9
            a, n, v = schema.attr("a"), schema.attr("n"), schema.attr("v")
            assert a.fill == -7 and a.filters[0].window == 128 and a.filters[1].window == 256
            assert n.isnullable and not a.isnullable and v.isvar
            assert v.filters[0].level == 2 and type(v.filters[1]).__name__ == "ChecksumSHA256Filter"
            assert [type(f).__name__ for f in schema.offsets_filters] == ["DoubleDeltaFilter"]
            assert schema.validity_filters[0].level == 1


class DeleteArray(Scenario):
    ways = ("ours",)

    def steps(self):
        site, ctx = self.site, self.site.client()
        uri = site.uri("doomed")

        def gone():
            assert tiledb.object_type(uri, ctx=ctx) is None
            assert not tiledb.array_exists(uri, ctx=ctx)
            with refused():
                tiledb.open(uri, ctx=ctx)

        yield "ours/nothing there yet", gone
        yield "ours/create", lambda: tiledb.from_numpy(uri, np.arange(5), ctx=ctx).close()
        yield "ours/it is there", lambda: same(tiledb.open(uri, ctx=ctx)[:], np.arange(5))
        yield "ours/delete", lambda: tiledb.Array.delete_array(uri, ctx=ctx)
        yield "ours/it is gone", gone
        yield "ours/the name is free again", lambda: tiledb.from_numpy(uri, np.arange(9), ctx=ctx).close()
        yield "ours/the new one is read", lambda: same(tiledb.open(uri, ctx=ctx)[:], np.arange(9))


if __name__ == "__main__":
    main([Metadata, LazyMetadata, ManyKeys, Enumerations, EnumerationGrows, Evolution, CurrentDomain, FragmentInfo, SchemaDetails, DeleteArray])
