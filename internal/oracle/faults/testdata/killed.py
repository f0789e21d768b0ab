"""After a server was killed many times amid writes: what it acknowledged is there, and nothing is there by half."""
import json
import os

import numpy as np
import tiledb
from oracle import Scenario, main

CELLS = 20


class Killed(Scenario):
    ways, modes = ("ours",), ("server",)

    def steps(self):
        site, client, local = self.site, self.site.client(), self.site.local()
        with open(os.path.join(os.path.dirname(site.dir), "killed.json")) as f:
            rounds = json.load(f)
        yield "ours-client/every round", lambda: [self.check(r, site.uri(r["array"]), client) for r in rounds]
        yield "ours-libtiledb/every round", lambda: [self.check(r, site.directory(r["array"]), local) for r in rounds]
        yield "ours-made/created arrays open", lambda: [self.empty(name) for r in rounds for name in r["made"] or []]

    def check(self, seen, uri, ctx):
        with tiledb.open(uri, ctx=ctx) as a:
            got = a[:]
        w, k, i = (got[n] for n in ("writer", "number", "cell"))
        assert np.array_equal(got["value"], w * 1000003 + k * 1009 + i), uri
        writes, counts = np.unique(np.stack([w, k]), axis=1, return_counts=True)
        half = counts != CELLS
        assert not half.any(), f"{uri}: half-visible writes {writes[:, half].T.tolist()}"
        visible = set(map(tuple, writes.T.tolist()))
        for writer, acked in enumerate(seen["acked"]):
            mine = {number for who, number in visible if who == writer}
            lost = set(range(acked)) - mine
            assert not lost, f"{uri}: writer {writer} lost {sorted(lost)} of {acked} acknowledged writes"
            assert mine <= set(range(acked + 1)), f"{uri}: writer {writer} was acknowledged {acked}, visible {max(mine)}"

    def empty(self, name):
        with tiledb.open(self.site.uri(name), ctx=self.site.client()) as a:
            assert a.nonempty_domain() is None and len(a[:]["value"]) == 0


if __name__ == "__main__":
    main([Killed])
