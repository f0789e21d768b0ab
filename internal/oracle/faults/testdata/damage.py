"""Arrays with damaged files: every answer is either right or a refusal that names no path of the server."""
import json
import os
import random
import shutil

import numpy as np
import tiledb
from oracle import Scenario, main


class Damage(Scenario):
    """One file of a copy of an array is cut off or has a bit turned; the copy is registered and read whole."""

    ways, modes = ("ours",), ("server",)

    def make(self, directory, sparse):
        check = tiledb.FilterList([tiledb.ZstdFilter(), tiledb.ChecksumSHA256Filter()])
        dim = tiledb.Dim("x", domain=(0, 199), tile=50, dtype=np.int32, filters=check)
        enums = [tiledb.Enumeration("e", False, ["red", "green"])]
        attrs = [tiledb.Attr("a", dtype=np.int64, filters=check), tiledb.Attr("s", dtype="ascii", var=True, filters=check),
                 tiledb.Attr("n", dtype=np.int16, nullable=True, filters=check), tiledb.Attr("e", dtype=np.int8, enum_label="e", filters=check)]
        schema = tiledb.ArraySchema(domain=tiledb.Domain(dim), attrs=attrs, enums=enums, sparse=sparse, offsets_filters=check, validity_filters=check,
                                    **({"capacity": 30} if sparse else {}))
        tiledb.Array.create(directory, schema)
        n = 200
        columns = {"a": np.arange(n) * 3, "s": np.array(["v%d" % i for i in range(n)], dtype=object), "e": (np.arange(n) % 2).astype(np.int8),
                   "n": np.arange(n).astype(np.int16)}
        with tiledb.open(directory, "w") as a:
            if sparse:
                a[np.arange(n, dtype=np.int32)] = columns
            else:
                a[:] = columns
            a.meta["key"] = "value"

    def look(self, uri, ctx):
        """Everything a client sees of the array, as one comparable text."""
        with tiledb.open(uri, ctx=ctx) as a:
            cells = a.query(attrs=["a", "s", "n", "e"])[:]
            seen = {k: np.ma.filled(v, -1).tolist() if isinstance(v, np.ma.MaskedArray) else np.asarray(v).tolist() for k, v in cells.items()}
            order = np.argsort(cells["x"]) if "x" in cells else slice(None)
            seen = {k: np.asarray(v, dtype=object)[order].tolist() for k, v in seen.items()}
            return json.dumps([seen, dict(a.meta), str(a.nonempty_domain()), list(a.enum("e").values()), a.schema.attr("a").dtype.str], default=str)

    def steps(self):
        for sparse in (False, True):
            kind = "sparse" if sparse else "dense"
            yield f"ours-{kind}/every file", lambda sparse=sparse, kind=kind: self.every_file(sparse, kind)

    def every_file(self, sparse, kind):
        site, rng = self.site, random.Random(7)
        whole = os.path.join(site.dir, "whole-" + kind)
        self.make(whole, sparse)
        want = self.look(site.adopt(whole, "whole-" + kind), site.client())
        files = sorted(os.path.join(d, f)[len(whole) + 1:] for d, _, fs in os.walk(whole) for f in fs)
        wrong, refusals, equal = [], 0, 0
        for k, (name, damage) in enumerate((n, d) for n in files for d in self.damages(os.path.getsize(os.path.join(whole, n)), rng)):
            copy = os.path.join(site.dir, f"{kind}-{k}")
            shutil.copytree(whole, copy)
            self.apply(os.path.join(copy, name), damage)
            try:
                status, body = site.http("POST", f"/v1/arrays/{site.quoted('file://' + copy)}/register", {"name": f"{kind}-{k}", "uri": "file://" + copy})
                if status >= 400:
                    raise RuntimeError(body)
                got = self.look(site.uri(f"{kind}-{k}"), site.client())
                if got != want and not self.undetectable(name, damage):
                    wrong.append((name, damage, "a wrong answer", got[:300]))
                equal += got == want
            except Exception as err:
                refusals += 1
                text = str(err)
                if site.dir in text or site.conf["server_data"] in text or "goroutine" in text or "panic" in text:
                    wrong.append((name, damage, "leaks", text[:300]))
            shutil.rmtree(copy)
        status, _ = site.http("GET", "/healthz")
        assert status == 200, status
        assert not wrong, f"{len(wrong)} of {k + 1}: " + "\n".join(map(str, wrong[:10]))
        assert refusals > k // 2, (refusals, equal, k)

    @staticmethod
    def damages(n, rng):
        if n == 0:
            return [("append", b"junk")]
        cuts = sorted({0, 1, n // 2, n - 1, rng.randrange(n)} - {n})
        return [("cut", c) for c in cuts] + [("flip", rng.randrange(8 * n)) for _ in range(6)]

    @staticmethod
    def undetectable(name, damage):
        """A bit of a fragment's footer or of the head of a generic tile may turn one valid file into another: nothing checks it."""
        return damage[0] == "flip" and name.endswith("__fragment_metadata.tdb")

    @staticmethod
    def apply(path, damage):
        with open(path, "rb") as f:
            raw = bytearray(f.read())
        what, value = damage
        if what == "cut":
            raw = raw[:value]
        elif what == "append":
            raw += value
        else:
            raw[value // 8] ^= 1 << (value % 8)
        with open(path, "wb") as f:
            f.write(raw)


if __name__ == "__main__":
    main([Damage])
