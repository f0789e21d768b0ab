"""Reads with buffers of a fixed size, through the C interface of the library inside the tiledb wheel.

The Python client grows its buffers when an answer does not fit; programs in C, C++, Java or R hand over fixed ones and
submit again until the query is complete.  This does the same and returns every part.
"""
import ctypes as C
import glob
import os

import numpy as np
import tiledb

LAYOUTS = {"row-major": 0, "col-major": 1, "global": 2, "unordered": 3}
HOME = os.path.dirname(tiledb.__file__)
lib = C.CDLL([*glob.glob(HOME + ".libs/libtiledb*.so*"), *glob.glob(HOME + "/libtiledb.so*")][0])  # older wheels have it inside


class Context:
    def __init__(self, settings):
        config, error = C.c_void_p(), C.c_void_p()
        lib.tiledb_config_alloc(C.byref(config), C.byref(error))
        for key, value in settings.items():
            lib.tiledb_config_set(config, key.encode(), str(value).encode(), C.byref(error))
        self.ptr = C.c_void_p()
        assert lib.tiledb_ctx_alloc(config, C.byref(self.ptr)) == 0

    def call(self, name, *args):
        if getattr(lib, "tiledb_" + name)(self.ptr, *args) != 0:
            error, text = C.c_void_p(), C.c_char_p()
            lib.tiledb_ctx_get_last_error(self.ptr, C.byref(error))
            lib.tiledb_error_message(error, C.byref(text))
            raise RuntimeError(f"{name}: {(text.value or b'').decode()}")

    def out(self, name, *args):
        value = C.c_void_p()
        self.call(name, *args, C.byref(value))
        return value


def parts(settings, uri, layout, fields, ranges=(), cells=10, most=10000):
    """Yield {field: array or list of bytes} for every part of a read.

    fields: {name: numpy type, or bytes for var-length text}; ranges: one list of (lo, hi) numpy scalars per dimension;
    cells: room for that many cells (and eight times as many bytes of text)."""
    ctx = Context(settings)
    array = ctx.out("array_alloc", uri.encode())
    ctx.call("array_open", array, 0)
    query = ctx.out("query_alloc", array, 0)
    ctx.call("query_set_layout", query, LAYOUTS[layout])
    subarray = ctx.out("subarray_alloc", array)
    for d, spans in enumerate(ranges):
        for lo, hi in spans:
            pair = [np.array([x]) for x in (lo, hi)]
            ctx.call("subarray_add_range", subarray, C.c_uint32(d), *[p.ctypes.data_as(C.c_void_p) for p in pair], None)
    if ranges:
        ctx.call("query_set_subarray_t", query, subarray)
    buffers = {}
    for name, kind in fields.items():
        data = np.zeros(cells * 8, np.uint8) if kind is bytes else np.zeros(cells, kind)
        offsets = np.zeros(cells, np.uint64) if kind is bytes else None
        sizes = [C.c_uint64(data.nbytes), C.c_uint64(0 if offsets is None else offsets.nbytes)]
        ctx.call("query_set_data_buffer", query, name.encode(), data.ctypes.data_as(C.c_void_p), C.byref(sizes[0]))
        if offsets is not None:
            ctx.call("query_set_offsets_buffer", query, name.encode(), offsets.ctypes.data_as(C.c_void_p), C.byref(sizes[1]))
        buffers[name] = (data, offsets, sizes)
    for _ in range(most):
        for data, offsets, sizes in buffers.values():
            sizes[0].value, sizes[1].value = data.nbytes, 0 if offsets is None else offsets.nbytes
        ctx.call("query_submit", query)
        status = C.c_uint32()
        ctx.call("query_get_status", query, C.byref(status))
        part = {}
        for name, (data, offsets, sizes) in buffers.items():
            if offsets is None:
                part[name] = data[:sizes[0].value // data.itemsize].copy()
            else:
                starts = [*offsets[:sizes[1].value // 8].tolist(), sizes[0].value]
                part[name] = [data[a:b].tobytes() for a, b in zip(starts, starts[1:])]
        yield part
        if status.value == 1:
            ctx.call("array_close", array)
            return
        assert any(len(v) for v in part.values()), "an incomplete part without cells: the buffers are too small"
    raise AssertionError(f"not complete after {most} parts")
