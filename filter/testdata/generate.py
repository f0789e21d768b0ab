"""Makes vectors.json.gz: tiles as libtiledb filters them, with the values they hold.

Run it with a Python that has tiledb 0.36.1 (libtiledb 2.30):  python generate.py

Every vector is the bytes of one tile file of a dense array with one tile and one attribute. The pipeline is also given
in its stored form, which is checked against the array's schema file.
"""
import base64
import glob
import gzip
import json
import os
import shutil
import struct
import tempfile
import zlib

import numpy as np
import tiledb as t

HERE = os.path.dirname(os.path.abspath(__file__))
CODES = {
    "int8": 5, "uint8": 6, "int16": 7, "uint16": 8, "int32": 0, "uint32": 9, "int64": 1, "uint64": 10,
    "float32": 2, "float64": 3, "datetime64[ns]": 27, "datetime64[D]": 21, "bool": 41, "S1": 4}
INTS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
EXACT = ["none", "rle", "doubledelta", "delta", "bitwidth", "bitshuffle", "byteshuffle", "positivedelta", "md5", "sha256", "xor",
         "floatscale", "dictionary"]


def level(number, value):
    return struct.pack("<Bi", number, value)


# name -> (filter, stored code, stored options)
FILTERS = {
    "none": (t.NoOpFilter(), 0, b""),
    "gzip": (t.GzipFilter(level=6), 1, level(1, 6)),
    "zstd": (t.ZstdFilter(level=3), 2, level(2, 3)),
    "lz4": (t.LZ4Filter(), 3, level(3, -1)),
    "rle": (t.RleFilter(), 4, level(4, -1)),
    "bzip2": (t.Bzip2Filter(level=5), 5, level(5, 5)),
    "doubledelta": (t.DoubleDeltaFilter(), 6, level(6, -1) + b"\x11"),
    "doubledelta-int16": (t.DoubleDeltaFilter(reinterp_dtype=np.int16), 6, level(6, -1) + b"\x07"),
    "bitwidth": (t.BitWidthReductionFilter(window=256), 7, struct.pack("<I", 256)),
    "bitwidth-20": (t.BitWidthReductionFilter(window=20), 7, struct.pack("<I", 20)),
    "bitshuffle": (t.BitShuffleFilter(), 8, b""),
    "byteshuffle": (t.ByteShuffleFilter(), 9, b""),
    "positivedelta": (t.PositiveDeltaFilter(window=1024), 10, struct.pack("<I", 1024)),
    "positivedelta-36": (t.PositiveDeltaFilter(window=36), 10, struct.pack("<I", 36)),
    "md5": (t.ChecksumMD5Filter(), 12, b""),
    "sha256": (t.ChecksumSHA256Filter(), 13, b""),
    "xor": (t.XORFilter(), 16, b""),
    "dictionary": (t.DictionaryFilter(), 14, level(7, -1)),
    **{f"floatscale-{w}": (t.FloatScaleFilter(factor=0.25, offset=10.5, bytewidth=w), 15, struct.pack("<ddQ", 0.25, 10.5, w))
       for w in (1, 2, 4, 8)},
    "floatscale-odd": (t.FloatScaleFilter(factor=-0.1, offset=1e-3, bytewidth=4), 15, struct.pack("<ddQ", -0.1, 1e-3, 4)),
    "delta": (t.DeltaFilter(), 19, level(8, -1) + b"\x11"),
    "delta-uint32": (t.DeltaFilter(reinterp_dtype=np.uint32), 19, level(8, -1) + b"\x09"),
}


def b64(b):
    return base64.b64encode(bytes(b)).decode()


def stored(names):
    out = struct.pack("<II", 65536, len(names))
    for n in names:
        _, code, options = FILTERS[n]
        out += struct.pack("<BI", code, len(options)) + options
    return out


def schema_bytes(uri):
    """The schema inside its generic tile: one GZIP filter, in chunks."""
    raw = open(glob.glob(uri + "/__schema/__[0-9]*")[0], "rb").read()
    at = 34 + struct.unpack_from("<I", raw, 30)[0]
    chunks, at, out = struct.unpack_from("<Q", raw, at)[0], at + 8, b""
    for _ in range(chunks):
        _, data, meta = struct.unpack_from("<III", raw, at)
        at += 12 + meta
        out += zlib.decompress(raw[at:at + data])
        at += data
    return out


def write(values, dtype, names, var):
    """Writes one tile and returns the bytes of its files; None when libtiledb refuses."""
    uri = tempfile.mkdtemp() + "/a"
    try:
        dim = t.Dim("d", domain=(0, len(values) - 1), tile=len(values), dtype=np.int32)
        attr = t.Attr("a", dtype=dtype, var=var, filters=t.FilterList([FILTERS[n][0] for n in names]))
        t.Array.create(uri, t.ArraySchema(t.Domain(dim), [attr], offsets_filters=t.FilterList([t.RleFilter()])))
        assert stored(names) in schema_bytes(uri), names
        with t.open(uri, "w") as a:
            a[:] = values
        files = {}
        for f in ("a0.tdb", "a0_var.tdb"):
            for path in glob.glob(uri + "/__fragments/*/" + f):
                files[f] = open(path, "rb").read()
        if any(n.startswith("floatscale") for n in names):
            with t.open(uri) as a:
                files["read"] = a[:]["a"].tobytes()
        return files
    except t.TileDBError as e:
        print("refused:", names, dtype, len(values), str(e)[:100])
        return None
    finally:
        shutil.rmtree(os.path.dirname(uri))


VECTORS = []


def add(names, values, dtype, code, cell, label, var=False, offsets=None, raw=None):
    files = write(values, dtype, names, var)
    if files is None:
        return
    v = {"name": "+".join(names) + " " + label, "pipeline": b64(stored(names)), "type": code, "cell": cell,
         "raw": b64(values.tobytes() if raw is None else raw), "disk": b64(files["a0_var.tdb" if var else "a0.tdb"]),
         # Of windows that are not reduced libtiledb stores an offset that it never sets.
         "exact": not ("wild" in label and "bitwidth" in names[0]) and all(n.split("-")[0] in EXACT for n in names)}
    if "read" in files:
        v["raw"], v["written"] = b64(files["read"]), v["raw"]
    if var:
        v["offsets"], v["offsetsDisk"] = [int(o) for o in offsets], b64(files["a0.tdb"])
    VECTORS.append(v)


def cells(dtype, n, kind, seed):
    rng = np.random.default_rng(seed)
    d = np.dtype(dtype)
    if d.kind == "M":
        return cells("int64", n, kind, seed).view(dtype)
    if d.kind == "b":
        return rng.integers(0, 2, n).astype(bool)
    if d.kind == "S":
        return rng.integers(97, 100, n).astype(np.uint8).view("S1")
    if d.kind == "f":
        return (np.round(np.sin(np.arange(n) / 9) * 50 + rng.normal(size=n)) / 4).astype(d)
    lo, hi = np.iinfo(d).min, np.iinfo(d).max
    if kind == "rising":
        step = max(1, hi // 4 // max(n, 1)) if d.itemsize == 1 else 7
        return (lo // 2 + np.cumsum(rng.integers(0, step + 1, n))).astype(d)
    if kind == "runs":
        return np.repeat(rng.integers(0, 100, n), rng.integers(1, 12, n))[:n].astype(d)
    if kind == "wild":
        return rng.integers(lo, hi, n, dtype=d, endpoint=True)
    return (5000 + rng.integers(-60, 60, n).cumsum() + 1000 * rng.integers(0, 2, n)).astype(d) if d.itemsize > 1 else \
        rng.integers(20, 90, n).astype(d)


def fixed():
    for name in FILTERS:
        base = name.split("-")[0]
        types = list(CODES)
        if base in ("bitwidth", "positivedelta"):
            types = INTS + ["datetime64[ns]", "bool"]
        if base == "dictionary":
            continue
        if base == "floatscale":
            types = ["float32", "float64", "int32", "datetime64[ns]"]
        if base in ("delta", "doubledelta"):
            types = [x for x in CODES if not x.startswith("float")]
        if "-" in name and base.endswith("delta") and base != "positivedelta":
            types = ["int64", "float64", "datetime64[D]", "uint32"] if name == "delta-uint32" else ["int32", "int64"]
        for i, dtype in enumerate(types):
            kind = "rising" if base == "positivedelta" else "runs" if base == "rle" else "mixed"
            for n in (1, 2, 3, 130) if dtype in ("int32", "int64", "uint16", "float64") else (77,):
                add([name], cells(dtype, n, kind, 100 * i + n), dtype, CODES[dtype], np.dtype(dtype).itemsize, f"{dtype} {n}")
            if base in ("delta", "bitwidth", "bitshuffle", "byteshuffle", "xor") and dtype in INTS:
                add([name], cells(dtype, 40, "wild", i), dtype, CODES[dtype], np.dtype(dtype).itemsize, f"{dtype} wild")
    # Zero deltas and a first delta that is wider than the others; the widest double deltas; the most repetitions.
    for dtype in ("int32", "uint64"):
        add(["doubledelta"], np.arange(70).astype(dtype) * 1000, dtype, CODES[dtype], np.dtype(dtype).itemsize, f"{dtype} slope")
        for bits in (1, 7, 29, 30, 31, 61, 62):
            steps = np.zeros(9, "int64")
            steps[4] = (1 << bits) - 1
            values = np.cumsum(steps)
            if bits < 31 or dtype == "uint64":
                add(["doubledelta"], values.astype(dtype), dtype, CODES[dtype], np.dtype(dtype).itemsize, f"{dtype} {bits} bits")
    add(["rle"], np.zeros(70000, "uint8"), "uint8", 6, 1, "long run")
    # Halves, which round away from zero, and floats whose numbers the integers do not hold.
    halves = [10.5 + x / 8 for x in range(-9, 10)]
    big = [s * x for s in (1, -1) for b in (7, 8, 9, 15, 16, 17, 30, 31, 32, 33, 62, 63, 64, 90) for x in (2.0 ** b / 4, 2.0 ** b * 0.99)]
    odd = [np.nan, np.inf, -np.inf, -0.0, 5e-324, 1e308, -1e308, 3e38, 10.624999999, 1e15 + 0.3, 42.3e9]
    for name in FILTERS:
        for dtype in ("float32", "float64") if name.startswith("floatscale") else ():
            for label, values in (("halves", halves), ("big", big), ("odd", odd)):
                with np.errstate(over="ignore"):
                    add([name], np.array(values).astype(dtype), dtype, CODES[dtype], np.dtype(dtype).itemsize, f"{dtype} {label}")


def sizes():
    """Chunk edges and block edges."""
    for name in ("byteshuffle", "bitshuffle", "delta", "doubledelta", "rle", "bitwidth", "positivedelta", "zstd", "xor"):
        for n in (16384, 16385):
            add([name], np.arange(n, dtype="int32") // 64, "int32", 0, 4, f"chunk edge {n}")
    for dtype, n in (("float32", 16384), ("float32", 16385), ("float64", 8193)):
        values = 10.5 + np.arange(n) % 500 / 4
        add(["floatscale-2"], values.astype(dtype), dtype, CODES[dtype], np.dtype(dtype).itemsize, f"{dtype} chunk edge {n}")
    for dtype, n in (("int16", 4096), ("int16", 4097), ("int32", 2051), ("int64", 1030), ("uint8", 8209), ("float64", 1024)):
        add(["bitshuffle"], cells(dtype, n, "mixed", n), dtype, CODES[dtype], np.dtype(dtype).itemsize, f"{dtype} block edge {n}")
    for n in (3, 11, 100):
        for name in ("rle", "zstd", "byteshuffle", "bitshuffle", "bitwidth", "delta", "doubledelta", "md5", "xor"):
            three = np.zeros(n, dtype=[("", "int32"), ("", "int32"), ("", "int32")])
            for f in three.dtype.names:
                three[f] = cells("int32", n, "runs" if name == "rle" else "mixed", n)
            if name == "rle":
                three[n // 2:] = three[0]
            add([name], three, three.dtype, 0, 12, f"3 x int32 {n}")


def chains():
    ints = [["byteshuffle", "zstd"], ["bitshuffle", "lz4"], ["zstd", "sha256"], ["bitwidth", "zstd"], ["delta", "zstd"],
            ["positivedelta", "zstd"], ["byteshuffle", "md5", "sha256"], ["md5", "gzip"], ["positivedelta", "bitwidth"],
            ["bitwidth", "bitshuffle", "md5"], ["zstd", "bitshuffle"], ["lz4", "byteshuffle", "gzip"], ["none", "rle"],
            ["byteshuffle", "bitshuffle", "zstd", "md5"], ["rle", "zstd"], ["rle", "byteshuffle"], ["delta", "bitshuffle"],
            ["doubledelta", "zstd"], ["bzip2", "md5"], ["delta", "rle"], ["bitwidth", "none", "md5", "bitshuffle", "gzip"],
            ["md5", "bitwidth", "sha256", "byteshuffle"], ["rle", "bitwidth"], ["delta", "positivedelta"],
            ["byteshuffle", "doubledelta"], ["delta", "doubledelta"], ["doubledelta", "md5", "zstd"], ["md5", "md5"],
            ["delta-uint32", "byteshuffle", "zstd"], ["doubledelta-int16", "bitshuffle", "md5"],
            ["xor", "zstd"], ["xor", "bitwidth", "md5"], ["xor", "doubledelta"], ["delta", "xor", "bitshuffle"], ["md5", "xor"],
            ["byteshuffle", "xor", "gzip"], ["xor", "xor"]]
    floats = [["floatscale-2", "zstd"], ["floatscale-4", "doubledelta"], ["floatscale-2", "bitwidth", "lz4"],
              ["floatscale-8", "delta", "bitshuffle"], ["floatscale-1", "xor", "md5"], ["none", "floatscale-2", "byteshuffle"],
              ["md5", "floatscale-4", "sha256"], ["xor", "byteshuffle", "zstd"], ["floatscale-odd", "positivedelta"],
              ["byteshuffle", "floatscale-8"], ["xor", "floatscale-8"]]
    for names in floats:
        for dtype in ("float32", "float64"):
            for n in (5, 210):
                values = 10.5 - np.arange(n) % 100 / 4 if "odd" not in names[0] else np.arange(n, 0, -1) / 10
                add(names, values.astype(dtype), dtype, CODES[dtype], np.dtype(dtype).itemsize, f"{dtype} {n}")
    for names in ints:
        for dtype in ("int32", "uint16", "int64"):
            for n in (5, 210):
                add(names, cells(dtype, n, "rising", n), dtype, CODES[dtype], np.dtype(dtype).itemsize, f"{dtype} {n}")


def var():
    rng = np.random.default_rng(5)
    texts = {
        "runs": ["a", "a", "bc", "bc", "bc", "", "", "dddd", "a"], "one": ["x"], "empty": ["", "", ""],
        "first long": ["y" * 300, "y" * 300, "z"], "many": ["r"] * 300 + ["s"] + ["tt"] * 3,
        "words": ["w%d" % (x // 3) for x in range(60)], "255": ["v%d" % x for x in range(255)], "256": ["u%d" % x for x in range(256)]}
    for label, values in texts.items():
        for dtype, code in (("ascii", 11), ("U0", 12)):
            for names in (["rle"], ["rle", "zstd"], ["rle", "md5"], ["rle", "bitshuffle", "sha256"], ["dictionary"],
                          ["dictionary", "zstd"], ["dictionary", "md5"], ["dictionary", "bitshuffle", "sha256"], ["zstd"], ["none"],
                          ["byteshuffle", "md5"], ["delta"], ["doubledelta", "md5"]):
                if not "".join(values) and "delta" in "".join(names):
                    continue
                add(names, np.array(values, dtype=object), dtype, code, 1, f"{label} {dtype}", True,
                    np.cumsum([0] + [len(v) for v in values[:-1]]), "".join(values).encode())
    def slope(n):
        return (np.arange(n) // 500).astype("int32")
    lists = {
        "short": [cells("int32", n, "rising", n) for n in (1, 5, 2, 30, 1)],
        "large": [slope(n) for n in (9000, 9000, 20000, 100, 40000, 100, 16384, 12000, 5000)],
        "huge last": [slope(n) for n in (100, 30000)],
        "huge first": [slope(n) for n in (30000, 100)],
        "even": [slope(700) for _ in range(60)]}
    for label, values in lists.items():
        offsets = np.cumsum([0] + [4 * len(v) for v in values[:-1]])
        whole = [["none"], ["zstd"]] if label != "short" else [["none"], ["delta"], ["bitwidth"], ["bitshuffle"], ["rle"],
                                                               ["positivedelta", "zstd"], ["byteshuffle", "md5"]]
        if label == "large":
            whole = [["delta", "zstd"], ["zstd"]]
        for names in whole:
            arr = np.empty(len(values), dtype=object)
            arr[:] = values
            if names == ["positivedelta", "zstd"]:
                arr[:] = [np.sort(v) * 0 + i for i, v in enumerate(values)]
            add(names, arr, np.int32, 0, 4, f"int32 {label}", True, offsets, np.concatenate(list(arr)).astype("int32").tobytes())


fixed()
sizes()
chains()
var()
seen = set()
for v in VECTORS:
    assert v["name"] not in seen, v["name"]
    seen.add(v["name"])
text = "[\n" + ",\n".join(json.dumps(v) for v in VECTORS) + "\n]\n"
with open(HERE + "/vectors.json.gz", "wb") as f:
    with gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
        z.write(text.encode())
print(len(VECTORS), "vectors,", len(text), "bytes,", os.path.getsize(HERE + "/vectors.json.gz"), "packed")
