"""What keeps arrays in shape, through the server and beside it: consolidation, vacuum, plans, deletes."""
import ctypes as C
import json

import numpy as np
import rawquery
import tiledb
from oracle import Scenario, main, same


def line(uri, ctx, sparse=True):
    domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32))
    attrs = [tiledb.Attr("a", dtype=np.int32), tiledb.Attr("n", dtype=np.int16, nullable=True)] if sparse else [tiledb.Attr("a", dtype=np.int32)]
    tiledb.Array.create(uri, tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=sparse, capacity=5), ctx=ctx)


def put(uri, ctx, at, lo, hi, value):
    x = np.arange(lo, hi, dtype=np.int32)
    with tiledb.open(uri, "w", timestamp=at, ctx=ctx) as a:
        a[x] = {"a": np.full(hi - lo, value, np.int32), "n": (x % 3).astype(np.int16)}


def cells(uri, ctx, at=None):
    with tiledb.open(uri, ctx=ctx, timestamp=at) as a:
        got = a.query(attrs=["a"])[:]
        return {int(x): int(v) for x, v in zip(got["x"], got["a"])}


def with_settings(ctx, **more):
    settings = ctx.config().dict()
    settings.update({k.replace("__", "."): str(v) for k, v in more.items()})
    return tiledb.Config(settings)


def refused(call, *parts):
    try:
        call()
    except (tiledb.TileDBError, RuntimeError) as e:
        for p in parts:
            assert p in str(e), (p, e)
        return
    raise AssertionError("it was not refused")


class Fragments(Scenario):
    """Four fragments become one; the past stays readable; what they were is gone after the vacuum."""

    def write(self, uri, ctx):
        line(uri, ctx)
        for i in range(4):
            put(uri, ctx, 10 * (i + 1), 5 * i, 5 * i + 10, i)
        tiledb.consolidate(uri, ctx=ctx)
        info = tiledb.array_fragments(uri, ctx=ctx)
        assert len(info) == 1 and len(info.to_vacuum) == 4, (len(info), info.to_vacuum)
        tiledb.vacuum(uri, ctx=ctx)
        assert len(tiledb.array_fragments(uri, ctx=ctx).to_vacuum) == 0

    def check(self, uri, ctx):
        want = {x: min(x // 5, 3) for x in range(25)}
        assert cells(uri, ctx) == want, cells(uri, ctx)
        assert cells(uri, ctx, 20) == {x: min(x // 5, 1) for x in range(15)}
        info = tiledb.array_fragments(uri, ctx=ctx)
        assert len(info) == 1 and tuple(int(t) for t in info[0].timestamp_range) == (10, 40)


class InTime(Scenario):
    """Only what lies in the settings' interval is merged, and steps go as the settings say."""

    def write(self, uri, ctx):
        line(uri, ctx)
        for i in range(6):
            put(uri, ctx, i + 1, 10 * i, 10 * i + 10, i)
        tiledb.consolidate(uri, ctx=ctx, config=with_settings(ctx, sm__consolidation__timestamp_start=2, sm__consolidation__timestamp_end=4))
        spans = sorted(tuple(int(t) for t in f.timestamp_range) for f in tiledb.array_fragments(uri, ctx=ctx))
        assert spans == [(1, 1), (2, 4), (5, 5), (6, 6)], spans
        tiledb.vacuum(uri, ctx=ctx)
        tiledb.consolidate(uri, ctx=ctx, config=with_settings(ctx, sm__consolidation__steps=1, sm__consolidation__step_min_frags=2, sm__consolidation__step_max_frags=2))

    def check(self, uri, ctx):
        assert cells(uri, ctx) == {x: x // 10 for x in range(60)}
        assert len(tiledb.array_fragments(uri, ctx=ctx)) == 3


class OtherModes(Scenario):
    """Commits, footers and metadata are merged one by one, and what they were goes."""

    def write(self, uri, ctx):
        line(uri, ctx, sparse=False)
        for i in range(5):
            with tiledb.open(uri, "w", timestamp=i + 1, ctx=ctx) as a:
                a[10 * i:10 * i + 10] = np.full(10, i, np.int32)
                a.meta[f"k{i}"] = i
                a.meta["last"] = f"text {i}"
        for mode in ("commits", "fragment_meta", "array_meta"):
            tiledb.consolidate(uri, ctx=ctx, config=with_settings(ctx, sm__consolidation__mode=mode))
            tiledb.vacuum(uri, ctx=ctx, config=with_settings(ctx, sm__vacuum__mode=mode))

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            same(a[0:50]["a"], np.repeat(np.arange(5, dtype=np.int32), 10))
            assert dict(a.meta) == {"k0": 0, "k1": 1, "k2": 2, "k3": 3, "k4": 4, "last": "text 4"}, dict(a.meta)
        info = tiledb.array_fragments(uri, ctx=ctx)
        assert len(info) == 5 and all(f.has_consolidated_metadata for f in info)


class Unknown(Scenario):
    """A mode that does not exist is refused with its name, and so are settings that cannot be."""

    ways, modes = ("ours",), ("server",)

    def write(self, uri, ctx):
        line(uri, ctx)
        put(uri, ctx, 1, 0, 3, 1)
        status, body = self.site.http("POST", f"/v1/arrays/{self.site.quoted(uri.split('/')[-1])}/consolidate", b"rubbish")
        assert status == 400 and "malformed" in body, (status, body)

    def check(self, uri, ctx):
        assert cells(uri, ctx) == {0: 1, 1: 1, 2: 1}


class Rights(Scenario):
    """Maintenance needs the right to write, deletion of fragments that to delete."""

    ways, modes = ("ours",), ("server",)

    def write(self, uri, ctx):
        line(uri, ctx)
        put(uri, ctx, 1, 0, 10, 1)
        put(uri, ctx, 2, 0, 10, 2)
        reader = self.site.as_token(self.site.new_token(name="r", scope=["array:read"])["token"])
        writer = self.site.as_token(self.site.new_token(name="w", scope=["array:read-write"])["token"])
        refused(lambda: tiledb.consolidate(uri, ctx=reader), "403", "array:read-write")
        refused(lambda: tiledb.vacuum(uri, ctx=reader), "403", "array:read-write")
        with tiledb.open(uri, ctx=reader) as a:
            plan = tiledb.ConsolidationPlan(reader, a, 1 << 20)
            assert plan.num_nodes == 1 and plan.num_fragments(0) == 2
        refused(lambda: tiledb.Array.delete_fragments(uri, 1, 1, ctx=writer), "403", "array:admin")
        tiledb.consolidate(uri, ctx=writer)
        refused(lambda: tiledb.Array.delete_fragments(uri, 1, 1, ctx=reader), "403", "array:admin")

    def check(self, uri, ctx):
        assert cells(uri, ctx) == {x: 2 for x in range(10)}


class Plans(Scenario):
    """The plan of consolidation names the fragments that belong together."""

    def write(self, uri, ctx):
        line(uri, ctx)
        put(uri, ctx, 1, 0, 20, 1)
        put(uri, ctx, 2, 10, 30, 2)
        put(uri, ctx, 3, 80, 90, 3)

    def check(self, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            names = [f.uri.rstrip("/").split("/")[-1] for f in tiledb.array_fragments(uri, ctx=ctx)]
            plan = tiledb.ConsolidationPlan(ctx, a, 10)
            got = [sorted(plan[i]["fragment_uris"]) if isinstance(plan[i], dict) else sorted(plan[i]) for i in range(len(plan))]
            assert sorted(names[:2]) in got, (got, names)
            whole = tiledb.ConsolidationPlan(ctx, a, 1 << 30)
            assert whole.num_nodes == 1 and whole.num_fragments(0) == 3, whole.dump()


class DeleteFragments(Scenario):
    """Fragments go by time and by list, with their cells."""

    def write(self, uri, ctx):
        line(uri, ctx)
        for i in range(5):
            put(uri, ctx, i + 1, 10 * i, 10 * i + 10, i)
        tiledb.Array.delete_fragments(uri, 2, 3, ctx=ctx)
        assert sorted(set(cells(uri, ctx).values())) == [0, 3, 4]
        last = sorted(tiledb.array_fragments(uri, ctx=ctx), key=lambda f: f.timestamp_range)[-1].uri.rstrip("/").split("/")[-1]
        raw = rawquery.Context(ctx.config().dict())
        names = (C.c_char_p * 1)(f"{uri}/__fragments/{last}".encode())
        raw.call("array_delete_fragments_list", uri.encode(), names, C.c_size_t(1))
        missing = (C.c_char_p * 1)(f"{uri}/__fragments/__9_9_00112233445566778899aabbccddeeff_22".encode())
        refused(lambda: raw.call("array_delete_fragments_list", uri.encode(), missing, C.c_size_t(1)))

    def check(self, uri, ctx):
        assert cells(uri, ctx) == {**{x: 0 for x in range(10)}, **{x: 3 for x in range(30, 40)}}
        assert len(tiledb.array_fragments(uri, ctx=ctx)) == 2


class DeleteCells(Scenario):
    """Cells go by condition, at a time; consolidation that purges forgets them."""

    def write(self, uri, ctx):
        line(uri, ctx)
        put(uri, ctx, 1, 0, 30, 1)
        put(uri, ctx, 3, 30, 60, 2)
        for at, cond in ((2, "x < 5"), (4, "n == 1 and x >= 40"), (5, "a == 2 and x > 55")):
            with tiledb.open(uri, "d", timestamp=at, ctx=ctx) as a:
                a.query(cond=cond).submit()
        with tiledb.open(uri, "d", ctx=ctx) as a:
            refused(lambda: a.query(cond="nothing == 1").submit())
        assert len(cells(uri, ctx, 1)) == 30
        assert min(cells(uri, ctx, 2)) == 5
        tiledb.consolidate(uri, ctx=ctx, config=with_settings(ctx, sm__consolidation__purge_deleted_cells="true"))
        tiledb.vacuum(uri, ctx=ctx)

    def check(self, uri, ctx):
        want = {x: 1 for x in range(5, 30)} | {x: 2 for x in range(30, 56) if not (x >= 40 and x % 3 == 1)}
        assert cells(uri, ctx) == want, cells(uri, ctx)
        assert sum(int(f.cell_num) for f in tiledb.array_fragments(uri, ctx=ctx)) == len(want)


class QueryPlans(Scenario):
    """The plan of a query says the same as that of a local array, but for the place."""

    def write(self, uri, ctx):
        line(uri, ctx)
        line(uri + "-dense", ctx, sparse=False)
        put(uri, ctx, 1, 0, 10, 1)
        with tiledb.open(uri + "-dense", "w", ctx=ctx) as a:
            a[:] = np.arange(100, dtype=np.int32)

    def plan(self, ctx, uri, mode, layout, fields):
        raw = rawquery.Context(ctx.config().dict())
        array = raw.out("array_alloc", uri.encode())
        raw.call("array_open", array, mode)
        query = raw.out("query_alloc", array, mode)
        raw.call("query_set_layout", query, rawquery.LAYOUTS[layout])
        if uri.endswith("-dense") and mode == 0:
            subarray = raw.out("subarray_alloc", array)
            ends = [np.array([v], np.int32) for v in (0, 9)]
            raw.call("subarray_add_range", subarray, C.c_uint32(0), *[e.ctypes.data_as(C.c_void_p) for e in ends], None)
            raw.call("query_set_subarray_t", query, subarray)
        held = []
        for name in fields:
            data, size = np.zeros(100, np.int32), C.c_uint64(400)
            held.append((data, size))
            raw.call("query_set_data_buffer", query, name.encode(), data.ctypes.data_as(C.c_void_p), C.byref(size))
        text = raw.out("query_get_plan", query)
        view, length = C.c_void_p(), C.c_size_t()
        rawquery.lib.tiledb_string_view(text, C.byref(view), C.byref(length))
        plan = json.loads(C.string_at(view, length.value))["TileDB Query Plan"]
        plan.pop("Array.URI"), plan.pop("VFS.Backend", None)
        return plan

    def plans(self, uri, ctx):
        return [self.plan(ctx, uri, mode, layout, fields) for mode, layout, fields in (
            (0, "unordered", ["a", "x"]), (0, "global", ["x", "a"]), (0, "row-major", ["a"]), (1, "unordered", ["x", "a"]), (1, "global", ["x", "a"]))] + [
            self.plan(ctx, uri + "-dense", 0, layout, ["a"]) for layout in ("row-major", "col-major", "unordered")]

    def check(self, uri, ctx):
        got = self.plans(uri, ctx)
        import os
        local = os.path.join(self.site.dir, "plans")
        if not os.path.exists(local):
            self.write(local, self.site.local())
        want = self.plans(local, self.site.local())
        for g, w in zip(got, want):
            assert g == w, f"{g}\n-- is not --\n{w}"


QueryPlans.ways, QueryPlans.modes = ("ours",), ("server",)
QueryPlans.steps = lambda self: [("ours/write", lambda: self.write(self.site.uri("queryplans-ours"), self.site.client())),
                                 ("ours/check", lambda: self.check(self.site.uri("queryplans-ours"), self.site.client()))]

main([Fragments, InTime, OtherModes, Unknown, Rights, Plans, DeleteFragments, DeleteCells, QueryPlans])
