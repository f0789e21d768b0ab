"""An incomplete read goes on with the fragments it began with, whatever others do to the array between its submits.

The server is behind a proxy of the test, which may change servers or kill them, and keeps the last body of a submit."""
import base64
import glob
import json
import os
import subprocess
import sys
import urllib.parse

import numpy as np
import rawquery
import tiledb
from oracle import Scenario, main, refused, same

NOW = 2**64 - 1


def submits(site):
    """The path and body of the last submit."""
    status, text = site.http("GET", "/last-submit")
    assert status == 200, (status, text)
    last = json.loads(text)
    return last["path"], base64.b64decode(last["body"])


class Snapshots(Scenario):
    modes = ("server",)

    def steps(self):
        for sparse in (True, False):
            for layout in (("global", "unordered", "row-major") if sparse else ("row-major", "col-major")):
                name = f"{'sparse' if sparse else 'dense'}-{layout}"
                yield f"{name}/one version", lambda n=name, s=sparse, l=layout: self.one_version(n, s, l)
        yield "place/refused", self.refused
        yield "place/foreign vacuum", self.foreign

    def make(self, name, sparse):
        """An array of four fragments -> its URI and the values of its cells."""
        uri, ctx = self.site.uri(name), self.site.client()
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 399), tile=20, dtype=np.int64))
        schema = tiledb.ArraySchema(domain, [tiledb.Attr("a", dtype=np.int64)], sparse=sparse, capacity=20)
        tiledb.Array.create(uri, schema, ctx=ctx)
        want = np.full(400, np.iinfo(np.int64).min, np.int64)
        for i, at in enumerate((100, 200, 300, 400)):
            self.put(uri, sparse, 60 * i, 60 * i + 100, i, at)
            want[60 * i:60 * i + 100] = np.arange(60 * i, 60 * i + 100) * 10 + i
        return uri, want

    def put(self, uri, sparse, lo, hi, value, at=None):
        x = np.arange(lo, hi)
        with tiledb.open(uri, "w", timestamp=at, ctx=self.site.client()) as a:
            if sparse:
                a[x] = x * 10 + value
            else:
                a[lo:hi] = x * 10 + value

    def crash(self):
        self.site.http("POST", "/crash", {})  # of a proxy that cannot, nothing happens

    def upset(self, uri, sparse, step):
        """Something that others do between two submits."""
        ctx = self.site.client()
        if step == 0:
            self.put(uri, sparse, 50, 150, 7)
            self.put(uri, sparse, 150, 200, 8)
        elif step == 1:
            config = tiledb.Config(ctx.config().dict() | {"sm.consolidation.purge_deleted_cells": "true"})
            tiledb.consolidate(uri, ctx=ctx, config=config)
        elif step == 2:
            tiledb.vacuum(uri, ctx=ctx)
            assert len(tiledb.array_fragments(uri, ctx=ctx)) <= 3
        elif step == 3 and sparse:
            with tiledb.open(uri, "d", ctx=ctx) as a:
                a.query(cond="a > 2000").submit()
        elif step == 4:
            # Another process: in one, the client opens no array to delete from it that is open for reading.
            program = "import sys, json, tiledb; tiledb.Array.delete_fragments(sys.argv[1], 0, 2**64 - 2, ctx=tiledb.Ctx(json.loads(sys.argv[2])))"
            settings = {k: v for k, v in ctx.config().dict().items() if k.startswith("rest.") and v}
            subprocess.run([sys.executable, "-c", program, uri, json.dumps(settings)], check=True)
            assert len(tiledb.array_fragments(uri, ctx=ctx)) == 0
        elif step == 5:
            self.crash()
        elif step == 6:
            for mode in ("commits", "fragment_meta"):
                settings = {"sm.consolidation.mode": mode, "sm.vacuum.mode": mode}
                config = tiledb.Config(ctx.config().dict() | settings)
                tiledb.consolidate(uri, ctx=ctx, config=config)
                tiledb.vacuum(uri, ctx=ctx, config=config)
        elif step == 7:
            evolution = tiledb.ArraySchemaEvolution(ctx)
            evolution.add_attribute(tiledb.Attr("b", dtype=np.int32))
            evolution.drop_attribute("a")
            evolution.array_evolve(uri)

    def one_version(self, name, sparse, layout):
        uri, want = self.make("snap-" + name, sparse)
        folder = self.site.directory("snap-" + name)
        left = lambda: glob.glob(os.path.join(folder, ".azulejo-*"))
        fields = {"x": np.int64, "a": np.int64} if sparse else {"a": np.int64}
        ranges = [[(np.int64(0), np.int64(399))]]
        read = rawquery.parts(self.site.client().config().dict(), uri, layout, fields, ranges=ranges, cells=20)
        parts = []
        for step, part in enumerate(read):
            parts.append(part)
            if step == 0:
                assert left(), "the snapshot is not kept"
            self.upset(uri, sparse, step)
        assert len(parts) > 8, len(parts)
        got = np.concatenate([p["a"] for p in parts])
        if sparse:
            x = np.concatenate([p["x"] for p in parts])
            if layout == "unordered":
                order = np.argsort(x, kind="stable")
                x, got = x[order], got[order]
            same(x, np.arange(280))
            want = want[:280]
        same(got, want)
        assert not left(), left()
        ctx = self.site.client()
        tiledb.vacuum(uri, ctx=ctx)
        assert not os.listdir(os.path.join(folder, "__fragments")), "what the read held was not removed"
        with tiledb.open(uri, ctx=ctx) as a:
            assert a.nonempty_domain() is None and not a.schema.has_attr("a")

    def refused(self):
        """A place counts for the array, the query and the time it was made for."""
        uri, want = self.make("snap-place", True)
        self.make("snap-other", True)
        ranges = [[(np.int64(1), np.int64(271))]]
        read = rawquery.parts(self.site.client().config().dict(), uri, "global", {"x": np.int64, "a": np.int64}, ranges=ranges, cells=20)
        first = next(read)
        next(read)
        path, body = submits(self.site)
        at = body.index(b"azulejo.cursor")
        kind = {"Content-Type": "application/capnp"}

        def post(path, body, *parts):
            status, text = self.site.http("POST", path, body, headers=kind)
            for part in parts:
                assert str(part) in f"{status} {text}", (status, text[:300])
            return status
        assert post(path, body) == 200, "a repetition is answered as the first time"
        place = next(i for i in range(at + 16, len(body)) if len(body[i:i + 60].strip(b"\0")) == 60 and body[i:i + 60].isascii())
        for forged in (place + 3, place + 70, place + 120):
            other = b"A" if body[forged:forged + 1] != b"A" else b"B"
            post(path, body[:forged] + other + body[forged + 1:], 400, "start the read again")
        post(path.replace("snap-place", "snap-other"), body, 400, "start the read again")
        bound = np.int64(271).tobytes()
        assert bound in body
        post(path, body.replace(bound, np.int64(270).tobytes()), 400, "can only go on as it began")
        post(path.replace(urllib.parse.quote(str(NOW)), "350"), body, 400, "can only go on as it began")
        token = self.site.new_token(name="snap-2")["token"]
        status, text = self.site.http("POST", path, body, token=token, headers=kind)
        assert status == 200, "another token of the same user is the same user"
        parts = [first] + list(read)
        assert post(path, body, 410, "start the read again") == 410, "replayed after the end"

    def foreign(self):
        """Who vacuums beside the server is not held off: the read ends with an error, not with other cells."""
        uri, _ = self.make("snap-foreign", True)
        folder = self.site.directory("snap-foreign")
        read = rawquery.parts(self.site.client().config().dict(), uri, "global", {"x": np.int64, "a": np.int64}, cells=20)
        next(read)
        tiledb.consolidate(folder, ctx=self.site.local())
        tiledb.vacuum(folder, ctx=self.site.local())
        with refused("410", "start the read again"):
            for _ in read:
                pass


main([Snapshots])
