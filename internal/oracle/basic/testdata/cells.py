"""Tables, images and cells that are more than one number: text, nulls, lists, dates."""
import numpy as np
import pandas as pd
import tiledb
from oracle import Scenario, main, same, same_columns
from PIL import Image


class PandasTable(Scenario):
    """A table of real numbers becomes a sparse array over its two keys and comes back equal."""

    def frame(self):
        return pd.read_csv(self.data("macrodata.csv"))

    def write(self, uri, ctx):
        tiledb.from_pandas(uri, self.frame(), sparse=True, index_dims=["year", "quarter"], full_domain=True, ctx=ctx)

    def check(self, uri, ctx):
        want = self.frame()
        got = tiledb.open_dataframe(uri, ctx=ctx).reset_index()
        pd.testing.assert_frame_equal(got[want.columns].sort_values(["year", "quarter"], ignore_index=True), want)
        with tiledb.open(uri, ctx=ctx) as a:
            part = a.df[1980:1985, 2]
            rows = want[want.year.between(1980, 1985) & (want.quarter == 2)].reset_index(drop=True)
            pd.testing.assert_frame_equal(part.reset_index()[want.columns].sort_values("year", ignore_index=True), rows)


class PandasFromCSV(Scenario):
    """A CSV file goes in by from_csv, dates as the dimension and missing values as nulls."""

    def frame(self):
        frame = pd.read_csv(self.data("co2.csv"))
        frame["date"] = pd.to_datetime(frame["date"], format="%Y%m%d")
        return frame

    def write(self, uri, ctx):
        tiledb.from_csv(uri, self.data("co2.csv"), ctx=ctx, sparse=True, index_col=["date"], parse_dates=["date"], date_format="%Y%m%d",
                        fillna={"co2": -1.0}, allows_duplicates=False)

    def check(self, uri, ctx):
        want = self.frame().set_index("date").fillna(-1.0)
        with tiledb.open(uri, ctx=ctx) as a:
            pd.testing.assert_frame_equal(a.df[:].sort_index(), want, check_freq=False)
            part = a.df[np.datetime64("1970-01-01", "ns"):np.datetime64("1972-06-30", "ns")]
            pd.testing.assert_frame_equal(part.sort_index(), want["1970-01-01":"1972-06-30"], check_freq=False)


class PandasDense(Scenario):
    """A frame without an index of its own: a dense array of rows, with text columns."""

    def frame(self):
        return pd.read_csv(self.data("statecrime.csv"))

    def write(self, uri, ctx):
        tiledb.from_pandas(uri, self.frame(), ctx=ctx)

    def check(self, uri, ctx):
        want = self.frame()
        pd.testing.assert_frame_equal(tiledb.open_dataframe(uri, ctx=ctx), want)
        with tiledb.open(uri, ctx=ctx) as a:
            pd.testing.assert_frame_equal(a.df[10:20].reset_index(drop=True), want[10:21].reset_index(drop=True))


class Photograph(Scenario):
    """A colour photograph as rows x columns x channels; any window of it comes back equal."""

    def pixels(self):
        with Image.open(self.data("china.jpg")) as image:
            return np.asarray(image.convert("RGB"))

    def write(self, uri, ctx):
        image = self.pixels()
        dims = [tiledb.Dim(n, domain=(0, size - 1), tile=tile, dtype=np.uint32, ctx=ctx) for n, size, tile in zip("yxc", image.shape, (64, 64, 3))]
        attr = tiledb.Attr("rgb", dtype=np.uint8, filters=tiledb.FilterList([tiledb.ZstdFilter(3)]), ctx=ctx)
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=tiledb.Domain(*dims, ctx=ctx), attrs=[attr], ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[:] = image

    def check(self, uri, ctx):
        image = self.pixels()
        rng = np.random.default_rng(2024)
        with tiledb.open(uri, ctx=ctx) as a:
            same(a[:]["rgb"], image)
            for _ in range(200):
                (y0, y1), (x0, x1), (c0, c1) = (sorted(rng.integers(0, n, 2)) for n in image.shape)
                got = a[int(y0):int(y1) + 1, int(x0):int(x1) + 1, int(c0):int(c1) + 1]
                same(got["rgb"], image[y0:y1 + 1, x0:x1 + 1, c0:c1 + 1], f"{y0}:{y1} {x0}:{x1} {c0}:{c1}")


class StringDimension(Scenario):
    """Rows found by name: a text dimension, sliced by exact name and by range."""

    def frame(self):
        return pd.read_csv(self.data("statecrime.csv"))

    def write(self, uri, ctx):
        frame = self.frame()
        dim = tiledb.Dim("state", domain=(None, None), tile=None, dtype="ascii", filters=tiledb.FilterList([tiledb.ZstdFilter()]), ctx=ctx)
        attrs = [tiledb.Attr(c, dtype=np.float64, ctx=ctx) for c in frame.columns[1:]]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=tiledb.Domain(dim, ctx=ctx), attrs=attrs, sparse=True, capacity=10, ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[frame["state"].to_numpy()] = {c: frame[c].to_numpy(np.float64) for c in frame.columns[1:]}

    def check(self, uri, ctx):
        frame = self.frame().sort_values("state", ignore_index=True)
        names = frame["state"].to_numpy()
        with tiledb.open(uri, ctx=ctx) as a:
            got = a[:]
            same([s.decode() for s in got["state"]], names)
            for c in frame.columns[1:]:
                same(got[c], frame[c].to_numpy(np.float64), c)
            one = a.multi_index["Oregon"]
            same(one["murder"], frame.loc[frame.state == "Oregon", "murder"].to_numpy(np.float64))
            inside = (names >= "K") & (names <= "New York")
            same(a.multi_index["K":"New York"]["white"], frame.loc[inside, "white"].to_numpy(np.float64))
            some = a.multi_index[["Texas", "Maine", "Nowhere"]]
            assert sorted(s.decode() for s in some["state"]) == ["Maine", "Texas"]
            assert len(a.multi_index["zzz":"zzzz"]["state"]) == 0
            assert a.nonempty_domain() == (("Alabama", "Wyoming"),) or a.nonempty_domain() == ((b"Alabama", b"Wyoming"),)


class Nullable(Scenario):
    """Nulls in numbers and text, dense and sparse, through pandas and through the array itself."""

    def frame(self):
        rng = np.random.default_rng(1)
        n = 60
        frame = pd.DataFrame({
            "i": pd.array(rng.integers(-9, 9, n), dtype="Int32"), "f": pd.array(rng.normal(size=n), dtype="Float64"),
            "b": pd.array(rng.random(n) < 0.5, dtype="boolean"), "s": pd.array([["", "é", "three"][k] for k in rng.integers(0, 3, n)], dtype="string")})
        for c in frame:
            frame.loc[rng.random(n) < 0.3, c] = pd.NA
        return frame

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("row", domain=(0, 59), tile=20, dtype=np.uint64, ctx=ctx), ctx=ctx)
        attrs = [tiledb.Attr("i", dtype=np.int32, nullable=True, ctx=ctx), tiledb.Attr("f", dtype=np.float64, nullable=True, ctx=ctx),
                 tiledb.Attr("b", dtype=np.bool_, nullable=True, ctx=ctx), tiledb.Attr("s", dtype="U0", nullable=True, ctx=ctx)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=True, ctx=ctx), ctx=ctx)
        frame = self.frame()
        import pyarrow as pa
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[np.arange(60, dtype=np.uint64)] = {c: pa.array(frame[c]) if c != "s" else pa.array(frame[c].tolist(), pa.string(), from_pandas=True)
                                                 for c in frame}

    def check(self, uri, ctx):
        want = self.frame()
        with tiledb.open(uri, ctx=ctx) as a:
            got = a.df[:].sort_values("row").reset_index(drop=True)
            for c in want:
                g, w = [None if pd.isna(v) else v for v in got[c]], [None if pd.isna(v) else v for v in want[c]]
                assert g == w, (c, g, w)
            part = a.df[10:19].sort_values("row").reset_index(drop=True)
            assert [pd.isna(v) for v in part["i"]] == [pd.isna(v) for v in want["i"][10:20]]


class VarLength(Scenario):
    """Text, bytes and lists of numbers of any length, the empty one too."""

    def cells(self):
        rng = np.random.default_rng(9)
        n = 40
        words = ["", "a", "ação", "日本語", "x" * 300]
        text = np.array([words[k] for k in rng.integers(0, len(words), n)], dtype=object)
        raw = np.array([bytes(rng.integers(0, 256, k, dtype=np.uint8)) for k in rng.integers(1, 30, n)], dtype=object)
        lists = np.empty(n, dtype=object)
        for i, k in enumerate(rng.integers(1, 6, n)):
            lists[i] = rng.integers(-1000, 1000, k)
        return {"text": text, "raw": raw, "lists": lists}

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("i", domain=(0, 39), tile=16, dtype=np.int32, ctx=ctx), ctx=ctx)
        attrs = [tiledb.Attr("text", dtype="U0", filters=tiledb.FilterList([tiledb.GzipFilter()]), ctx=ctx),
                 tiledb.Attr("raw", dtype="S0", ctx=ctx), tiledb.Attr("lists", dtype=np.int64, var=True, ctx=ctx)]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, offsets_filters=tiledb.FilterList(
            [tiledb.DoubleDeltaFilter(), tiledb.ZstdFilter()]), ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[:] = self.cells()

    def check(self, uri, ctx):
        want = self.cells()
        with tiledb.open(uri, ctx=ctx) as a:
            for lo, hi in ((0, 40), (13, 35)):
                got = a[lo:hi]
                assert [str(s) for s in got["text"]] == list(want["text"][lo:hi])
                assert [bytes(s) for s in got["raw"]] == list(want["raw"][lo:hi])
                for g, w in zip(got["lists"], want["lists"][lo:hi]):
                    same(g, w)


class DatesAndTimes(Scenario):
    """Dates and times in several units, NaT among them, and a date dimension in nanoseconds."""

    UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps"]

    def cells(self):
        rng = np.random.default_rng(4)
        out = {}
        for u in self.UNITS:
            out["t_" + u] = rng.integers(0, 10**4, 30).astype(f"datetime64[{u}]")
            out["t_" + u][3] = np.datetime64("NaT")
        return out

    def write(self, uri, ctx):
        lo = np.datetime64("2020-01-01", "ns")
        dim = tiledb.Dim("when", domain=(lo, lo + np.timedelta64(400, "D")), tile=np.timedelta64(1, "D"), dtype="datetime64[ns]", ctx=ctx)
        attrs = [tiledb.Attr(n, dtype=v.dtype, ctx=ctx) for n, v in self.cells().items()]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=tiledb.Domain(dim, ctx=ctx), attrs=attrs, sparse=True, ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[self.moments()] = self.cells()

    def moments(self):
        return np.datetime64("2020-01-01", "ns") + (np.arange(30) * 10**15).astype("timedelta64[ns]")

    def check(self, uri, ctx):
        want = dict(self.cells(), when=self.moments())
        with tiledb.open(uri, ctx=ctx) as a:
            same_columns(a[:], want, by=["when"])
            end = np.datetime64("2020-04-01", "ns")
            got = a.multi_index[:end]
            same_columns(got, {k: v[want["when"] <= end] for k, v in want.items()}, by=["when"])


class CellsOfSeveralValues(Scenario):
    """Pairs and records: attributes of a fixed number of values, complex numbers included."""

    def cells(self):
        rng = np.random.default_rng(6)
        pairs = np.empty(20, dtype=[("", np.float32)] * 3)
        for f in pairs.dtype.names:
            pairs[f] = rng.normal(size=20)
        return {"triple": pairs, "complex": rng.normal(size=20) + 1j * rng.normal(size=20)}

    def write(self, uri, ctx):
        cells = self.cells()
        domain = tiledb.Domain(tiledb.Dim("i", domain=(0, 19), tile=8, dtype=np.int32, ctx=ctx), ctx=ctx)
        attrs = [tiledb.Attr(n, dtype=v.dtype, ctx=ctx) for n, v in cells.items()]
        tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, ctx=ctx), ctx=ctx)
        with tiledb.open(uri, "w", ctx=ctx) as a:
            a[:] = cells

    def check(self, uri, ctx):
        want = self.cells()
        with tiledb.open(uri, ctx=ctx) as a:
            got = a[3:17]
            for f, g in zip(want["triple"].dtype.names, got["triple"].dtype.names):
                same(got["triple"][g], want["triple"][f][3:17])
            same(got["complex"], want["complex"][3:17])


class Duplicates(Scenario):
    """An array that allows duplicates keeps every cell written at one place."""

    def write(self, uri, ctx):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 9), tile=5, dtype=np.int32, ctx=ctx), ctx=ctx)
        schema = tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32, ctx=ctx)], sparse=True, allows_duplicates=True, ctx=ctx)
        tiledb.Array.create(uri, schema, ctx=ctx)
        for k in range(3):
            with tiledb.open(uri, "w", ctx=ctx) as a:
                a[[1, 1, 5]] = np.array([10, 11, 12], np.int32) + 100 * k

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            same(np.sort(a[:]["a"]), np.array([10, 11, 12, 110, 111, 112, 210, 211, 212], np.int32))
            same(np.sort(a.multi_index[1]["a"]), np.array([10, 11, 110, 111, 210, 211], np.int32))
            assert a.schema.allows_duplicates


if __name__ == "__main__":
    main([PandasTable, PandasFromCSV, PandasDense, Photograph, StringDimension, Nullable, VarLength, DatesAndTimes, CellsOfSeveralValues, Duplicates])
