"""Write small arrays and groups with an old libtiledb, so that old storage formats are judged by bytes that old releases made.

usage: python old_write.py LIBTILEDB OUTDIR

LIBTILEDB is the shared library of an old `tiledb` wheel (for whatever version of Python) or of a tiledb-java jar; it is
called through ctypes with calls that releases from 1.4 to 2.14 have.  Every case lies in OUTDIR/<name>/data.  What the
release cannot do is left out, and said.  old_expect.py adds what libtiledb 2.30 reads from them.
"""
import ctypes as C
import os
import shutil
import sys
import time

import numpy as np

lib = C.CDLL(sys.argv[1])
out = sys.argv[2]
rng = np.random.default_rng(7)
VAR = 2**32 - 1
DATATYPES = (
    "INT32 INT64 FLOAT32 FLOAT64 CHAR INT8 UINT8 INT16 UINT16 UINT32 UINT64 "
    "STRING_ASCII STRING_UTF8 STRING_UTF16 STRING_UTF32 STRING_UCS2 STRING_UCS4 ANY "
    "DATETIME_YEAR DATETIME_MONTH DATETIME_WEEK DATETIME_DAY DATETIME_HR DATETIME_MIN "
    "DATETIME_SEC DATETIME_MS DATETIME_US DATETIME_NS DATETIME_PS DATETIME_FS DATETIME_AS "
    "TIME_HR TIME_MIN TIME_SEC TIME_MS TIME_US TIME_NS TIME_PS TIME_FS TIME_AS BLOB BOOL"
).split()
DT = {n: i for i, n in enumerate(DATATYPES)}
NP = {"INT32": "i4", "INT64": "i8", "FLOAT32": "f4", "FLOAT64": "f8", "INT8": "i1", "UINT8": "u1", "INT16": "i2",
      "UINT16": "u2", "UINT32": "u4", "UINT64": "u8", "STRING_UTF16": "u2", "STRING_UCS2": "u2", "STRING_UTF32": "u4",
      "STRING_UCS4": "u4", "BOOL": "u1"}
FILTERS = {"gzip": 1, "zstd": 2, "lz4": 3, "rle": 4, "bzip2": 5, "double_delta": 6, "bit_width_reduction": 7, "bitshuffle": 8,
           "byteshuffle": 9, "positive_delta": 10, "checksum_md5": 12, "checksum_sha256": 13, "dictionary": 14,
           "float_scale": 15, "xor": 16, "delta": 19}
ROW, COL, GLOBAL, UNORDERED, HILBERT = range(5)
READ, WRITE, DELETE = 0, 1, 2


class Refused(Exception):
    pass


def known_type(name):
    since = {"TIME_": (2, 3), "BLOB": (2, 8), "BOOL": (2, 10), "DATETIME_": (1, 7)}
    return all(version >= v for prefix, v in since.items() if name.startswith(prefix))


def np_dtype(name):
    return np.dtype("i8") if name.startswith(("DATETIME_", "TIME_")) else np.dtype(NP.get(name, "u1"))


ctx = C.c_void_p()
numbers = [C.c_int() for _ in range(3)]
lib.tiledb_version(*[C.byref(n) for n in numbers])
version = tuple(n.value for n in numbers)
zipped = version < (2, 0)  # coordinates are one buffer


def call(name, *args):
    fn = getattr(lib, "tiledb_" + name, None)
    if fn is None:
        raise Refused(f"no {name}")
    if fn(ctx, *args) != 0:
        err, msg = C.c_void_p(), C.c_char_p()
        lib.tiledb_ctx_get_last_error(ctx, C.byref(err))
        lib.tiledb_error_message(err, C.byref(msg))
        raise Refused(f"{name}: {(msg.value or b'').decode(errors='replace')}")


def make(name, *args):
    p = C.c_void_p()
    call(name, *args, C.byref(p))
    return p


def config(settings):
    cfg, err = C.c_void_p(), C.c_void_p()
    lib.tiledb_config_alloc(C.byref(cfg), C.byref(err))
    for k, v in settings.items():
        lib.tiledb_config_set(cfg, k.encode(), v.encode(), C.byref(err))
    return cfg


# ---------------------------------------------------------------- schema
def filter_list(filters):
    fl = make("filter_list_alloc")
    for f in filters:
        name, options = (f, ()) if isinstance(f, str) else f
        p = make("filter_alloc", C.c_int(FILTERS[name]))
        for opt, value in options:
            call("filter_set_option", p, C.c_int(opt), C.byref(value))
        call("filter_list_add_filter", fl, p)
    return fl


class Attr:
    def __init__(self, name, type, nval=1, filters=(), nullable=False, fill=None):
        self.name, self.type, self.nval, self.filters, self.nullable, self.fill = name, type, nval, filters, nullable, fill

    def build(self):
        a = make("attribute_alloc", self.name.encode(), C.c_int(DT[self.type]))
        if self.nval != 1:
            call("attribute_set_cell_val_num", a, C.c_uint32(self.nval))
        if self.filters:
            call("attribute_set_filter_list", a, filter_list(self.filters))
        if self.nullable:
            call("attribute_set_nullable", a, C.c_uint8(1))
        if self.fill is not None:
            call("attribute_set_fill_value", a, self.fill, C.c_uint64(len(self.fill)))
        return a

    def cells(self, n):
        """Random cells: (values, offsets or None, validity or None)."""
        dt, offsets, validity, count = np_dtype(self.type), None, None, n * self.nval
        if self.nval == VAR:
            # Old releases refuse offsets that do not rise, or that are the size of the values.
            lengths = rng.integers(1 if version < (2, 4) else 0, 6, n)
            offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype("u8") * dt.itemsize
            count = int(lengths.sum())
        if self.type in ("CHAR", "STRING_ASCII", "STRING_UTF8") or self.nval == VAR and dt.itemsize == 1:
            values = rng.integers(97, 123, count).astype(dt)
        elif self.type == "BOOL":
            values = rng.integers(0, 2, count).astype(dt)
        elif dt.kind == "f":
            values = np.round(rng.normal(size=count), 2).astype(dt)
        else:
            values = rng.integers(0, 100, count).astype(dt)
        if "positive_delta" in self.filters or "double_delta" in self.filters:
            values = np.sort(values)  # double deltas of small tiles overflow some releases' bits
        if self.nullable:
            validity = rng.integers(0, 2, n).astype("u1")
        return values, offsets, validity


class Dim:
    def __init__(self, name, type, domain=None, tile=None, filters=()):
        self.name, self.type, self.domain, self.tile, self.filters = name, type, domain, tile, filters

    def build(self):
        raw = lambda v: None if v is None else np.asarray(v, np_dtype(self.type)).tobytes()
        d = make("dimension_alloc", self.name.encode(), C.c_int(DT[self.type]), raw(self.domain), raw(self.tile))
        if self.domain is None:
            call("dimension_set_cell_val_num", d, C.c_uint32(VAR))
        if self.filters:
            call("dimension_set_filter_list", d, filter_list(self.filters))
        return d


def create(uri, dims, attrs, sparse, cell=ROW, tile=ROW, capacity=0, dups=False, coords=None, offsets=None):
    s = make("array_schema_alloc", C.c_int(int(sparse)))
    dom = make("domain_alloc")
    for d in dims:
        call("domain_add_dimension", dom, d.build())
    call("array_schema_set_domain", s, dom)
    call("array_schema_set_cell_order", s, C.c_int(cell))
    call("array_schema_set_tile_order", s, C.c_int(tile))
    if capacity:
        call("array_schema_set_capacity", s, C.c_uint64(capacity))
    if dups:
        call("array_schema_set_allows_dups", s, C.c_int(1))
    if coords:
        call("array_schema_set_coords_filter_list", s, filter_list(coords))
    if offsets:
        call("array_schema_set_offsets_filter_list", s, filter_list(offsets))
    for a in attrs:
        call("array_schema_add_attribute", s, a.build())
    call("array_schema_check", s)
    call("array_create", uri.encode(), s)


# ---------------------------------------------------------------- writes
def array(uri, mode):
    time.sleep(0.004)  # names are made of milliseconds
    a = make("array_alloc", uri.encode())
    call("array_open", a, C.c_int(mode))
    return a


def buffer(q, keep, name, values, offsets, validity):
    values = np.ascontiguousarray(values)
    if values.size == 0:
        values = np.zeros(1, values.dtype)[:0]
    p = lambda x: x.ctypes.data_as(C.c_void_p)
    n = C.c_uint64(values.nbytes)
    keep += [values, n]
    args = [p(values), C.byref(n)]
    kind = "query_set_buffer"
    if offsets is not None:
        no = C.c_uint64(offsets.nbytes)
        keep += [offsets, no]
        args, kind = [p(offsets), C.byref(no)] + args, kind + "_var"
    if validity is not None:
        nv = C.c_uint64(validity.nbytes)
        keep += [validity, nv]
        args, kind = args + [p(validity), C.byref(nv)], kind + "_nullable"
    call(kind, q, name.encode(), *args)


def write(uri, layout, columns, subarray=None):
    a = array(uri, WRITE)
    q = make("query_alloc", a, C.c_int(WRITE))
    call("query_set_layout", q, C.c_int(layout))
    if subarray is not None:
        call("query_set_subarray", q, subarray.ctypes.data_as(C.c_void_p))
    keep = []
    for name, col in columns.items():
        buffer(q, keep, name, *col)
    call("query_submit", q)
    call("query_finalize", q)
    call("array_close", a)


def fill_dense(uri, dims, attrs, box, layout=ROW):
    n = int(np.prod([hi - lo + 1 for lo, hi in box]))
    write(uri, layout, {a.name: a.cells(n) for a in attrs}, np.asarray(box, np_dtype(dims[0].type)))


def coordinates(dims, n, unique=True):
    cols = []
    for d in dims:
        dt = np_dtype(d.type)
        if d.domain is None:
            cols.append([("k%03d" % k)[: 2 + k % 3] for k in rng.integers(0, 300, n)])
        elif dt.kind == "f":
            cols.append(np.round(rng.uniform(*d.domain, n), 3).astype(dt))
        else:
            cols.append(rng.integers(d.domain[0], d.domain[1], n, endpoint=True).astype(dt))
    if unique:
        pick = sorted({tuple(c[i] for c in cols): i for i in range(n)}.values())
        cols = [[c[i] for i in pick] if isinstance(c, list) else c[pick] for c in cols]
    return cols


def fill_sparse(uri, dims, attrs, n, layout=UNORDERED, unique=True):
    cols = coordinates(dims, n, unique)
    n = len(cols[0])
    data = {}
    if zipped:
        data["__coords"] = (np.stack(cols, 1).reshape(-1), None, None)
    else:
        for d, c in zip(dims, cols):
            if isinstance(c, list):
                raw = "".join(c).encode()
                starts = np.concatenate([[0], np.cumsum([len(x) for x in c])[:-1]]).astype("u8")
                data[d.name] = (np.frombuffer(raw, "u1"), starts, None)
            else:
                data[d.name] = (c, None, None)
    data.update({a.name: a.cells(n) for a in attrs})
    write(uri, layout, data)


# ---------------------------------------------------------------- cases
def case(f):
    """Makes a case in a process of its own, as old libraries may crash; what is refused leaves no trace."""
    folder = os.path.join(out, f.__name__)
    if os.path.exists(folder):
        return f
    os.makedirs(folder)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            assert lib.tiledb_ctx_alloc(None, C.byref(ctx)) == 0
            f(os.path.join(folder, "data"))
            status = 0
        except Exception as e:
            print("left out", f.__name__, repr(e)[:200], flush=True)
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        print("left out", f.__name__, "crashed with signal", os.WTERMSIG(status))
    if status:
        shutil.rmtree(folder)
    else:
        print("ok", f.__name__)
    return f


YX = [Dim("y", "UINT32", (0, 19), 7), Dim("x", "UINT32", (1, 12), 5)]
TEXT = Attr("s", "CHAR", VAR, ["lz4"])


@case
def dense(uri):
    attrs = [Attr("a", "FLOAT64", filters=["byteshuffle", "zstd"]), Attr("b", "INT16", filters=["bit_width_reduction", "gzip"]), TEXT]
    create(uri, YX, attrs, False, tile=COL)
    for box in ([(0, 19), (1, 12)], [(3, 9), (4, 9)], [(19, 19), (12, 12)]):
        fill_dense(uri, YX, attrs, box)


@case
def dense_col(uri):
    attrs = [Attr("a", "INT32", 2), Attr("b", "UINT8", VAR)]
    create(uri, YX, attrs, False, cell=COL)
    fill_dense(uri, YX, attrs, [(2, 17), (2, 9)], COL)
    fill_dense(uri, YX, attrs, [(5, 6), (1, 12)], ROW)


@case
def dense_global(uri):
    dims = [Dim("y", "INT64", (-10, 9), 5), Dim("x", "INT64", (1, 12), 4)]
    attrs = [Attr("a", "INT32"), Attr("f", "FLOAT32", filters=["bzip2"])]
    create(uri, dims, attrs, False)
    fill_dense(uri, dims, attrs, [(-5, 4), (1, 8)], GLOBAL)


@case
def dense_with_sparse_fragment(uri):
    attrs = [Attr("a", "INT32"), TEXT]
    create(uri, YX, attrs, False)
    fill_dense(uri, YX, attrs, [(0, 13), (1, 12)])
    fill_sparse(uri, YX, attrs, 30)


@case
def dense_of_sparse(uri):
    """No dense fragment at all; column-major, negative coordinates, cells of several values."""
    dims = [Dim("i", "INT64", (-20, 29), 7), Dim("j", "INT64", (-3, 5), 4)]
    attrs = [Attr("m", "INT16", 2, ["gzip"]), TEXT, Attr("a", "INT32", filters=["double_delta"]), Attr("w", "FLOAT64", VAR)]
    create(uri, dims, attrs, False, cell=COL, tile=COL, capacity=10, coords=["zstd"])
    for n in (90, 10, 70):
        fill_sparse(uri, dims, attrs, n)


@case
def dense_consolidated(uri):
    attrs = [Attr("a", "INT64", filters=["gzip"]), TEXT]
    create(uri, YX, attrs, False)
    for box in ([(0, 6), (1, 5)], [(3, 13), (4, 9)], [(18, 19), (11, 12)]):
        fill_dense(uri, YX, attrs, box)
    call("array_consolidate", uri.encode(), config({}))


@case
def types(uri):
    dims = [Dim("d", "INT32", (1, 40), 9)]
    attrs = []
    for t in DATATYPES:
        if t == "ANY" or not known_type(t):
            continue
        try:
            Attr(t.lower(), t).build()
            attrs.append(Attr(t.lower(), t))
            attrs.append(Attr(t.lower() + "_var", t, VAR))
            Attr(t.lower(), t, 3).build()
            attrs.append(Attr(t.lower() + "_3", t, 3))
        except Refused:
            pass
    create(uri, dims, attrs, False)
    for box in ((5, 9), (10, 18), (28, 30)):  # a write of several tiles crashes releases since 2.7
        fill_dense(uri, dims, attrs, [box])


@case
def filters(uri):
    dims = [Dim("d", "INT32", (1, 1600), 400)]
    attrs = []
    chains = [[f] for f in FILTERS] + [
        ["byteshuffle", "zstd"], ["bitshuffle", "lz4"], ["positive_delta", "bit_width_reduction", "gzip"],
        ["checksum_md5", "zstd", "checksum_sha256"], ["double_delta", "bitshuffle", "gzip"]]
    for chain in chains:
        for t in ("INT32", "UINT8", "FLOAT64"):
            if t == "FLOAT64" and {"double_delta", "bit_width_reduction", "positive_delta", "delta", "xor"} & set(chain):
                continue
            if "dictionary" in chain or chain == ["float_scale"] and t != "FLOAT64":
                continue
            options = chain
            if chain == ["float_scale"]:
                options = [("float_scale", [(3, C.c_uint64(4)), (4, C.c_double(0.01)), (5, C.c_double(1.0))])]
            a = Attr("-".join(chain) + "_" + t.lower(), t, filters=options)
            try:
                a.build()
            except Refused:
                continue
            attrs.append(a)
    for f in ("rle", "dictionary"):
        for t in ("STRING_ASCII", "STRING_UTF8"):
            a = Attr(f"{f}_{t.lower()}", t, VAR, [f])
            if version < ((2, 14) if t == "STRING_UTF8" else (2, 9)):
                continue
            try:
                a.build()
                attrs.append(a)
            except Refused:
                continue
    create(uri, dims, attrs, False, offsets=["double_delta", "zstd"])
    fill_dense(uri, dims, attrs, [(1, 800)])


SPARSE = [Dim("i", "INT64", (0, 9999), 100), Dim("j", "INT64", (-50, 49), 30)]
VT = [Attr("v", "INT32", filters=["byteshuffle", "zstd"]), Attr("t", "CHAR", VAR, ["zstd"])]


def sparse_at(uri, rounds=3, **kw):
    create(uri, SPARSE, VT, True, capacity=40, **kw)
    for n in [120, 90, 150][:rounds]:
        fill_sparse(uri, SPARSE, VT, n)


@case
def sparse(uri):
    sparse_at(uri, coords=["double_delta", "zstd"])


@case
def sparse_col(uri):
    sparse_at(uri, cell=COL, tile=COL)


@case
def sparse_runs(uri):
    sparse_at(uri, 1, coords=["rle"])


@case
def sparse_shuffled(uri):
    sparse_at(uri, 1, coords=["bitshuffle", "byteshuffle"])


@case
def sparse_big(uri):
    """Tiles of several chunks; before 2.7 cells may lie in two of them."""
    dims = [Dim("i", "INT64", (0, 999999), 1000), Dim("j", "INT64", (0, 9), 10)]
    attrs = [Attr("c", "UINT8", 3, ["gzip"]), Attr("k", "CHAR", VAR, ["gzip"])]
    create(uri, dims, attrs, True, capacity=24000, coords=["double_delta", "gzip"])
    i = np.repeat(np.arange(2500), 10)
    cols = [i, np.tile(np.arange(10), 2500)]
    n = len(i)
    values = np.arange(3 * n) // 7 % 5
    data = {"__coords": (np.stack(cols, 1).reshape(-1).astype("i8"), None, None)} if zipped else {
        d.name: (c.astype("i8"), None, None) for d, c in zip(dims, cols)}
    data["c"] = (values.astype("u1"), None, None)
    data["k"] = (np.full(3 * n, 97, "u1"), np.arange(n, dtype="u8") * 3, None)
    write(uri, UNORDERED, data)


@case
def sparse_float(uri):
    dims = [Dim("x", "FLOAT32", (-1, 1), 0.25), Dim("y", "FLOAT32", (0, 10), 5)]
    create(uri, dims, VT, True, capacity=30, cell=COL)
    for n in (80, 60):
        fill_sparse(uri, dims, VT, n)


@case
def sparse_one(uri):
    """A global order write; one dimension, so global order is the order of the coordinates."""
    dims = [Dim("i", "UINT16", (0, 60000), 1000)]
    create(uri, dims, VT, True, capacity=16)
    cols = np.unique(rng.integers(0, 60000, 100).astype("u2"))
    data = {"__coords" if zipped else "i": (cols, None, None)}
    data.update({a.name: a.cells(len(cols)) for a in VT})
    write(uri, GLOBAL, data)


@case
def sparse_consolidated(uri):
    sparse_at(uri)
    call("array_consolidate", uri.encode(), config({}))
    fill_sparse(uri, SPARSE, VT, 50)


@case
def sparse_vacuumed(uri):
    sparse_at(uri)
    call("array_consolidate", uri.encode(), config({}))
    call("array_vacuum", uri.encode(), config({}))


@case
def fragment_meta(uri):
    sparse_at(uri)
    call("array_consolidate", uri.encode(), config({"sm.consolidation.mode": "fragment_meta"}))
    fill_sparse(uri, SPARSE, VT, 50)


@case
def commits(uri):
    if version < (2, 8):
        raise Refused("no commits folder")
    sparse_at(uri)
    call("array_consolidate", uri.encode(), config({"sm.consolidation.mode": "commits"}))
    call("array_vacuum", uri.encode(), config({"sm.vacuum.mode": "commits"}))
    fill_sparse(uri, SPARSE, VT, 50)


@case
def dups(uri):
    dims = [Dim("i", "INT64", (0, 60), 7)]
    create(uri, dims, VT, True, capacity=10, dups=True)
    for n in (70, 40):
        fill_sparse(uri, dims, VT, n, unique=False)


@case
def hetero(uri):
    dims = [Dim("k", "STRING_ASCII"), Dim("d", "DATETIME_DAY", (0, 400), 30, ["double_delta", "zstd"]), Dim("f", "FLOAT64", (-1, 1), 0.5)]
    create(uri, dims, VT, True, capacity=20)
    for n in (70, 40):
        fill_sparse(uri, dims, VT, n)


@case
def hilbert(uri):
    dims = [Dim("a", "INT32", (0, 99), 10), Dim("b", "FLOAT32", (0, 1), 0.5)]
    create(uri, dims, VT, True, capacity=8, cell=HILBERT)
    for n in (60, 30):
        fill_sparse(uri, dims, VT, n)


@case
def hilbert_text(uri):
    dims = [Dim("k", "STRING_ASCII"), Dim("i", "INT32", (-100, 99), 10)]
    create(uri, dims, VT, True, capacity=8, cell=HILBERT)
    for n in (60, 30):
        fill_sparse(uri, dims, VT, n)


def nullable_attrs():
    return [Attr("n", "INT32", nullable=True), Attr("s", "STRING_ASCII", VAR, ["zstd"], True), Attr("m", "FLOAT32", 2, nullable=True), Attr("p", "INT8")]


@case
def nullable_dense(uri):
    create(uri, YX, nullable_attrs(), False)
    for box in ([(0, 15), (1, 12)], [(3, 9), (4, 9)]):
        fill_dense(uri, YX, nullable_attrs(), box)


@case
def dense_sparse_nullable(uri):
    attrs = nullable_attrs()
    create(uri, YX, attrs, False, capacity=9)
    fill_dense(uri, YX, attrs, [(0, 13), (1, 12)])
    fill_sparse(uri, YX, attrs, 50)
    fill_sparse(uri, YX, attrs, 40)


@case
def nullable_sparse(uri):
    create(uri, SPARSE, nullable_attrs(), True, capacity=25)
    for n in (60, 40):
        fill_sparse(uri, SPARSE, nullable_attrs(), n)


@case
def fills(uri):
    attrs = [Attr("a", "INT32", fill=np.int32(-5).tobytes()), Attr("s", "CHAR", VAR, fill=b"none"), Attr("f", "FLOAT64")]
    create(uri, YX, attrs, False)
    fill_dense(uri, YX, attrs, [(3, 9), (4, 9)])


@case
def names(uri):
    wild = "a!#$%&'()*+,:;=?@[]\"<>|\\ \u00e9"
    dims = [Dim("d" + wild, "INT32", (1, 40), 9)]
    attrs = [Attr(wild, "INT32"), Attr("s" + wild, "CHAR", VAR), Attr("", "INT8")]
    create(uri, dims, attrs, True)
    fill_sparse(uri, dims, attrs, 20)


@case
def anonymous(uri):
    dims = [Dim("", "INT32", (1, 40), 9)]
    attrs = [Attr("v", "INT32")]
    create(uri, dims, attrs, False)
    fill_dense(uri, dims, attrs, [(1, 30)])


@case
def metadata(uri):
    attrs = [Attr("a", "INT32")]
    create(uri, YX, attrs, False)
    fill_dense(uri, YX, attrs, [(3, 9), (4, 9)])

    def put(key, dt, value):
        raw = np.asarray(value, np_dtype(dt)).tobytes() if not isinstance(value, bytes) else value
        call("array_put_metadata", a, key.encode(), C.c_int(DT[dt]), C.c_uint32(len(raw) // np_dtype(dt).itemsize), raw)

    a = array(uri, WRITE)
    for i, dt in enumerate(NP):
        if dt != "BOOL":
            put("k_" + dt, dt, [i, i + 1, 3])
    put("text", "STRING_UTF8", b"abc")
    put("gone", "INT32", [1])
    call("array_close", a)
    a = array(uri, WRITE)
    put("text", "CHAR", b"later")
    call("array_delete_metadata", a, b"gone")
    call("array_close", a)
    a = array(uri, WRITE)
    put("last", "FLOAT64", [0.5])
    call("array_close", a)


def metadata_of(uri):
    attrs = [Attr("a", "INT32")]
    create(uri, YX, attrs, False)
    for k in range(3):
        a = array(uri, WRITE)
        call("array_put_metadata", a, b"k%d" % k, C.c_int(0), C.c_uint32(1), np.int32(k).tobytes())
        call("array_put_metadata", a, b"same", C.c_int(0), C.c_uint32(1), np.int32(k).tobytes())
        call("array_close", a)


@case
def metadata_consolidated(uri):
    metadata_of(uri)
    mode = {"sm.consolidation.mode": "array_meta"}
    if hasattr(lib, "tiledb_array_consolidate_metadata") and version < (2, 0):
        call("array_consolidate_metadata", uri.encode(), config({}))
    else:
        call("array_consolidate", uri.encode(), config(mode))


@case
def schema_only(uri):
    create(uri, SPARSE, VT, True)


@case
def evolved(uri):
    dims = [Dim("i", "INT32", (0, 99), 10)]
    v, old, new = Attr("v", "INT32"), Attr("old", "FLOAT32"), Attr("new", "INT64", fill=np.int64(-7).tobytes())
    make("array_schema_evolution_alloc")
    create(uri, dims, [v, old], True)
    fill_sparse(uri, dims, [v, old], 30)
    e = make("array_schema_evolution_alloc")
    call("array_schema_evolution_add_attribute", e, new.build())
    call("array_schema_evolution_drop_attribute", e, b"old")
    time.sleep(0.004)
    call("array_evolve", uri.encode(), e)
    fill_sparse(uri, dims, [v, new], 30)


@case
def group(uri):
    call("group_create", uri.encode())
    call("group_create", (uri + "/inner").encode())
    create(uri + "/array", YX, [Attr("a", "INT32")], False)
    if not hasattr(lib, "tiledb_group_add_member"):
        return
    for add, remove in (([("array", "first"), ("inner", None)], []), ([], [b"first"]), ([("array", "again")], [])):
        time.sleep(0.004)
        g = make("group_alloc", uri.encode())
        call("group_open", g, C.c_int(WRITE))
        for member, name in add:
            call("group_add_member", g, member.encode(), C.c_uint8(1), name and name.encode())
        for name in remove:
            call("group_remove_member", g, name)
        call("group_put_metadata", g, b"key", C.c_int(DT["INT32"]), C.c_uint32(1), np.int32(len(add)).tobytes())
        call("group_close", g)
