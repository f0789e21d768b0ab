"""Imports and exports, judged by the real readers. Arguments: the azulejo binary, a directory for scratch files."""
import datetime
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import tiledb

AZULEJO, DIR = sys.argv[1:]
os.chdir(DIR)


def azulejo(*args, fails=False):
    r = subprocess.run([AZULEJO, "array", *args], capture_output=True, text=True)
    assert "panic" not in r.stderr and "goroutine" not in r.stderr, r.stderr
    assert (r.returncode == 1) == fails, (args, r.returncode, r.stdout, r.stderr)
    return r.stderr if fails else r.stdout


def same(got, want, what):
    pd.testing.assert_frame_equal(got.reset_index(drop=True), want.reset_index(drop=True), obj=what)


def csv_file():
    with open("messy.csv", "w", encoding="utf-8") as f:
        f.write('id,name,price,when,seen,ok,gap\n1,"Ångström, ""A""",1,2024-02-29,2024-02-29 10:00:00,true,\n'
                '2,"two\nlines",2.5,1970-01-02,1969-12-31 23:59:59,false,7\n3,"",-1e-3,2000-01-01,2000-01-01 00:00:00,true,\n')
    azulejo("import", "messy.csv", "messy")
    with tiledb.open("messy") as a:
        dtypes = {a.attr(i).name: (a.attr(i).dtype, a.attr(i).isnullable) for i in range(a.nattr)}
        assert dtypes == {"id": (np.dtype("i8"), False), "name": (np.dtype("U0"), False), "price": (np.dtype("f8"), False),
                          "when": (np.dtype("M8[D]"), False), "seen": (np.dtype("M8[s]"), False), "ok": (np.dtype("bool"), False),
                          "gap": (np.dtype("i8"), True)}, dtypes
    got = tiledb.open_dataframe("messy")
    want = pd.read_csv("messy.csv", keep_default_na=False, na_values={"gap": [""]}, dtype={"gap": "Int64"})
    for c in ("id", "name", "price", "ok", "gap"):
        pd.testing.assert_series_equal(got[c], want[c], check_index=False, obj=c)
    assert list(got["when"].astype("M8[s]")) == list(pd.to_datetime(want["when"]).astype("M8[s]"))
    assert list(got["seen"].astype("M8[s]")) == list(pd.to_datetime(want["seen"]).astype("M8[s]"))
    azulejo("export", "messy", "messy-out.csv")
    again = pd.read_csv("messy-out.csv", keep_default_na=False, na_values={"gap": [""]}, dtype={"gap": "Int64"})
    for c in ("id", "name", "price", "ok", "gap"):
        pd.testing.assert_series_equal(again[c], want[c], obj=c)


def frame(n):
    rng = np.random.default_rng(1)
    return pd.DataFrame({
        "i1": rng.integers(-100, 100, n).astype("i1"), "u2": rng.integers(0, 60000, n).astype("u2"), "i8": rng.integers(-2**62, 2**62, n),
        "f4": rng.random(n).astype("f4"), "f8": rng.random(n), "b": rng.random(n) < 0.5, "s": [f"ü{i}" for i in range(n)],
        "t": pd.date_range("1960-01-01", periods=n, freq="7h"), "ni": pd.array([None if i % 3 == 0 else i for i in range(n)], dtype="Int32"),
        "c": pd.Categorical([("red", "green", "blue")[i % 3] for i in range(n)]), "y": [bytes([i % 256, 0]) for i in range(n)],
    })


def parquet_file():
    df = frame(1000)
    df.to_parquet("frame.parquet", row_group_size=300)
    azulejo("import", "frame.parquet", "frame")
    with tiledb.open("frame") as a:
        assert a.schema.attr("c").enum_label == "c" and a.schema.attr("ni").isnullable and not a.schema.attr("s").isnullable
        got = a.df[:]
        for name in df.columns:
            if name == "c":
                assert list(got[name]) == list(df[name])
            elif name == "ni":
                assert got[name].isna().equals(df[name].isna()) and (got[name].dropna().astype("i8") == df[name].dropna().astype("i8")).all()
            else:
                assert (got[name].to_numpy() == df[name].to_numpy()).all(), name
        for name in ("i1", "u2", "i8", "f4", "f8", "b", "t"):
            assert got[name].dtype == df[name].dtype, (name, got[name].dtype)
        arrow = a.query(attrs=["i1", "u2", "f4", "s", "t", "y"], return_arrow=True).df[:]
        azulejo("export", "frame", "frame.arrow")
        ours = pa.feather.read_table("frame.arrow")
        for name in ("i1", "u2", "f4", "s", "t", "y"):
            assert ours.schema.field(name).type == arrow.schema.field(name).type, name
            assert ours[name].combine_chunks().equals(arrow[name].combine_chunks()), name
    azulejo("export", "frame", "back.parquet")
    back = pd.read_parquet("back.parquet")
    back["ni"] = back["ni"].astype("Int32")
    back["t"] = back["t"].astype(df["t"].dtype)
    same(back[df.columns].drop(columns="c"), df.drop(columns="c"), "parquet")
    assert list(back["c"]) == list(df["c"])


def arrow_file():
    t = pa.table({
        "k": pa.array([3, 1, 2], pa.uint16()), "l": pa.array([[1, 2], [], [3]], pa.list_(pa.int32())),
        "f": pa.array([[1.5, 2, 0], [3, 4, 0], [5, 6, 0]], pa.list_(pa.float32(), 3)), "d": pa.array([1, None, 3], pa.date32()),
        "z": pa.array([b"abcd", b"efgh", b"ijkl"], pa.binary(4)), "u": pa.array([1, 2, 3], pa.time64("us")), "w": pa.array([1, 2, 3], pa.duration("ms")),
        "q": pa.array(["x", None, "x"]).dictionary_encode(), "v": pa.array(["a", "b", "c"], pa.string_view()), "m": pa.array([1, 2, 3], pa.timestamp("ms", "Europe/Lisbon")),
    })
    pa.feather.write_feather(t, "t.arrow", compression="zstd")
    with pa.OSFile("t.arrows", "wb") as f, pa.ipc.new_stream(f, t.schema) as w:
        w.write_table(t, max_chunksize=2)
    for name in ("t.arrow", "t.arrows"):
        uri = name.replace(".", "-")
        azulejo("import", name, uri, "--index", "k")
        with tiledb.open(uri) as a:
            got = a[:]
            assert list(got["k"]) == [1, 2, 3] and a.schema.sparse
            assert [list(x) for x in got["l"]] == [[], [3], [1, 2]], got["l"]
            assert got["f"].view("f4").reshape(3, 3).tolist() == [[3, 4, 0], [5, 6, 0], [1.5, 2, 0]], got["f"]
            assert a.attr("d").dtype == "M8[D]" and a.attr("d").isnullable
            assert list(got["z"]) == [b"efgh", b"ijkl", b"abcd"]
            assert got["u"].dtype == "m8[us]" and got["w"].dtype == "m8[ms]" and got["m"].dtype == "M8[ms]"
            assert list(got["v"]) == ["b", "c", "a"]
            assert list(a.query(attrs=["q"]).df[:]["q"].astype(object).fillna("null")) == ["null", "x", "x"]
    for bad, why in ((pa.array([1], pa.decimal128(5, 2)), "arrays hold no decimals"), (pa.array([{"a": 1}]), "no such type"), (pa.array([None]), "all its values are null")):
        pa.feather.write_feather(pa.table({"x": bad}), "bad.arrow")
        assert why in azulejo("import", "bad.arrow", "bad", fails=True) and not os.path.exists("bad")


def numpy_file():
    rng = np.random.default_rng(2)
    cases = {"plain": rng.random((7, 5)), "fortran": np.asfortranarray(rng.integers(0, 99, (4, 3, 5)).astype("i4")), "big": np.arange(6, dtype=">i2"),
             "bool": rng.random(9) < 0.5, "days": np.arange(5).astype("M8[D]"), "months": np.arange(5).astype("M8[M]"), "text": np.array(["a", "üöä", ""]),
             "bytes": np.array([b"abc", b"xyz"])}
    for name, v in cases.items():
        np.save(name + ".npy", v)
        azulejo("import", name + ".npy", "np-" + name)
        with tiledb.open("np-" + name) as a:
            got = a[:]
            got = got[""] if isinstance(got, dict) else got
            assert got.shape == v.shape and (got == v).all(), (name, got)
            if name not in ("text", "big"):
                assert got.dtype == v.dtype, (name, got.dtype)
        if name not in ("fortran", "text"):  # from_numpy makes row-major arrays and cannot write texts
            tiledb.from_numpy("py-" + name, v.astype(v.dtype.newbyteorder("=")))
            with tiledb.open("py-" + name) as theirs, tiledb.open("np-" + name) as ours:
                assert theirs.schema.domain == ours.schema.domain and theirs.schema.attr(0).dtype == ours.schema.attr(0).dtype, name
        azulejo("export", "np-" + name, "out.npy")
        assert (np.load("out.npy") == v).all(), name
    np.savez("pair.npz", a=cases["plain"], b=(cases["plain"] * 9).astype("i8"))
    azulejo("import", "pair.npz", "pair", "--tile", "2,5")
    azulejo("export", "pair", "window.npz", "--range", "1:3,2:4")
    z = np.load("window.npz")
    assert (z["a"] == cases["plain"][1:4, 2:5]).all() and (z["b"] == (cases["plain"] * 9).astype("i8")[1:4, 2:5]).all()
    np.save("object.npy", np.array([{}], dtype=object))
    assert "objects" in azulejo("import", "object.npy", "bad", fails=True)


def portions():
    n = 300_000
    df = pd.DataFrame({"k": np.random.default_rng(3).permutation(n), "v": np.arange(n) * 0.5, "s": [f"text {i}" for i in range(n)]})
    df.to_parquet("large.parquet", row_group_size=50_000)
    out = azulejo("import", "large.parquet", "large", "--index", "k", "--memory", "1", "--no-dups")
    assert int(out.split()[-2]) > 3, out
    want = df.sort_values("k")
    for step in ("imported", "consolidated", "vacuumed"):
        if step == "consolidated":
            tiledb.consolidate("large")
        if step == "vacuumed":
            for mode in ("commits", "fragments"):
                tiledb.vacuum("large", config=tiledb.Config({"sm.vacuum.mode": mode}))
        with tiledb.open("large") as a:
            got = a.df[:].reset_index().sort_values("k")
            assert (got["k"].to_numpy() == want["k"].to_numpy()).all() and (got["v"].to_numpy() == want["v"].to_numpy()).all(), step
            assert list(got["s"]) == list(want["s"]), step
    azulejo("import", "large.parquet", "rows", "--memory", "1", "--full-domain")
    azulejo("import", "large.parquet", "rows", "--append", "--memory", "1")
    with tiledb.open("rows") as a:
        assert a.nonempty_domain() == ((0, 2 * n - 1),)
        assert (a[n:2 * n]["k"] == df["k"].to_numpy()).all() and (a[0:n]["v"] == df["v"].to_numpy()).all()


def exports():
    """Arrays that libtiledb wrote."""
    dims = [tiledb.Dim("s", domain=(None, None), tile=None, dtype="ascii"), tiledb.Dim("t", domain=(np.datetime64("2000-01-01", "ms"), np.datetime64("2030-01-01", "ms")),
            tile=np.timedelta64(10**9, "ms"), dtype="M8[ms]")]
    attrs = [tiledb.Attr("i", dtype="i4", nullable=True), tiledb.Attr("c", dtype="i1", enum_label="colours"), tiledb.Attr("u", dtype="U0", var=True),
             tiledb.Attr("l", dtype="f8", var=True), tiledb.Attr("b", dtype="bool")]
    tiledb.Array.create("theirs", tiledb.ArraySchema(tiledb.Domain(*dims), attrs, sparse=True, enums=[tiledb.Enumeration("colours", True, ["red", "blue"])]))
    when = np.array(["2001-01-01T00:00:00.001", "2002-02-02", "2003-03-03"], dtype="M8[ms]")
    with tiledb.open("theirs", "w") as a:
        lists = np.empty(3, dtype=object)
        lists[:] = [np.array([1.5]), np.array([2.5, 3.5]), np.array([4.5])]
        a[["x", "y", "y"], when] = {"i": pa.array([1, None, 3], pa.int32()).to_pandas().fillna(0).astype("i4").to_numpy(), "c": np.array([0, 1, 0], "i1"),
                                    "u": np.array(["a", "ü", ""], dtype=object), "l": lists, "b": np.array([True, False, True])}
    azulejo("export", "theirs", "theirs.parquet")
    azulejo("export", "theirs", "theirs.arrow")
    for t in (pq.read_table("theirs.parquet"), pa.feather.read_table("theirs.arrow")):
        d = t.to_pydict()
        assert d["s"] == ["x", "y", "y"] and d["i"] == [1, 0, 3] and d["c"] == ["red", "blue", "red"] and d["u"] == ["a", "ü", ""], d
        assert d["l"] == [[1.5], [2.5, 3.5], [4.5]] and d["b"] == [True, False, True], d
        assert t.schema.field("t").type == pa.timestamp("ms") and d["t"][0] == datetime.datetime(2001, 1, 1, 0, 0, 0, 1000), d["t"]
    azulejo("export", "theirs", "one.csv", "--attrs", "i,c", "--where", 'c == "blue"')
    assert open("one.csv").read() == "s,t,i,c\ny,2002-02-02 00:00:00.000,0,blue\n", open("one.csv").read()
    data = np.arange(60, dtype="u2").reshape(3, 4, 5)
    tiledb.from_numpy("cube", data)
    azulejo("export", "cube", "cube.npy")
    assert np.load("cube.npy").dtype == data.dtype and (np.load("cube.npy") == data).all()
    df = frame(50)[["i8", "f8", "b", "s", "t"]]
    tiledb.from_pandas("pandas", df)
    azulejo("export", "pandas", "pandas.parquet")
    back = pd.read_parquet("pandas.parquet")
    back["t"] = back["t"].astype(df["t"].dtype)
    same(back, df, "from_pandas")


def schemas():
    for uri in ("theirs", "cube", "frame", "large"):
        doc = azulejo("schema", uri, "--json")
        with open("doc.json", "w") as f:
            f.write(doc)
        azulejo("create", uri + "-again", "doc.json")
        assert azulejo("schema", uri + "-again", "--json") == doc
        with tiledb.open(uri) as a, tiledb.open(uri + "-again") as b:
            assert repr(a.schema) == repr(b.schema), (a.schema, b.schema)


def hostile():
    whole = open("frame.parquet", "rb").read()
    for n in (0, 3, len(whole) // 2, len(whole) - 1):
        open("cut.parquet", "wb").write(whole[:n])
        assert "cut.parquet: " in azulejo("import", "cut.parquet", "bad", fails=True)
    open("ragged.csv", "w").write("a,b\n1,2,3\n")
    azulejo("import", "ragged.csv", "bad", fails=True)
    open("long.csv", "w").write("a\n" + "x" * (1 << 25))
    assert "bytes in a field" in azulejo("import", "long.csv", "bad", fails=True)
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "twice.parquet")
    assert 'two columns are called "a"' in azulejo("import", "twice.parquet", "bad", fails=True)
    pq.write_table(pa.table({"a": pa.array([], pa.int32())}), "none.parquet")
    assert "there are no rows" in azulejo("import", "none.parquet", "bad", fails=True)
    azulejo("import", "none.parquet", "none", "--full-domain")
    assert not os.path.exists("bad")


for check in (csv_file, parquet_file, arrow_file, numpy_file, portions, exports, schemas, hostile):
    print(check.__name__, flush=True)
    check()
