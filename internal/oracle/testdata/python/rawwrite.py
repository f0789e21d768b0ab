"""Writes in several submits, through the C interface of the library inside the tiledb wheel: the Python client has no call
for them."""
import ctypes as C

import numpy as np
from rawquery import LAYOUTS, Context


class Writer:
    """A write query that takes its cells portion by portion.

    With layout "global" the last portion is given to `end`; a dense write needs the region, one (lo, hi) of numpy scalars
    per dimension."""

    def __init__(self, settings, uri, layout="global", region=(), at=None, mode=1):
        self.ctx = ctx = Context(settings)
        self.array = ctx.out("array_alloc", uri.encode())
        if at is not None:
            ctx.call("array_set_open_timestamp_end", self.array, C.c_uint64(at))
        ctx.call("array_open", self.array, mode)
        self.query = ctx.out("query_alloc", self.array, mode)
        ctx.call("query_set_layout", self.query, LAYOUTS[layout])
        if region:
            subarray = ctx.out("subarray_alloc", self.array)
            for d, span in enumerate(region):
                pair = [np.array([x]) for x in span]
                ctx.call("subarray_add_range", subarray, C.c_uint32(d), *[p.ctypes.data_as(C.c_void_p) for p in pair], None)
            ctx.call("query_set_subarray_t", self.query, subarray)
        self.held = []

    def buffers(self, cells):
        """cells: {name: numbers, list of texts, or (numbers, validity)}"""
        for name, values in cells.items():
            validity = None
            if isinstance(values, tuple):
                values, validity = values
            if isinstance(values, list):
                data = np.frombuffer(b"".join(values) or b"\0", np.uint8)
                sizes = [len(v) for v in values]
                offsets = np.array([sum(sizes[:i]) for i in range(len(sizes))], np.uint64)
                size = C.c_uint64(sum(sizes))
                self.set("offsets", name, offsets, C.c_uint64(offsets.nbytes))
            else:
                data = np.ascontiguousarray(values)
                size = C.c_uint64(data.nbytes)
            self.set("data", name, data, size)
            if validity is not None:
                validity = np.asarray(validity, np.uint8)
                self.set("validity", name, validity, C.c_uint64(validity.nbytes))

    def set(self, kind, name, array, size):
        self.held.append((array, size))
        self.ctx.call(f"query_set_{kind}_buffer", self.query, name.encode(), array.ctypes.data_as(C.c_void_p), C.byref(size))

    def submit(self, cells):
        self.buffers(cells)
        self.ctx.call("query_submit", self.query)

    def end(self, cells=None):
        if cells is not None:
            self.buffers(cells)
        self.ctx.call("query_submit_and_finalize", self.query)
        self.ctx.call("array_close", self.array)

    def finish(self):
        self.ctx.call("query_finalize", self.query)
        self.ctx.call("array_close", self.array)
