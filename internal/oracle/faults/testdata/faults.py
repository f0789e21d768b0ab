"""What must be refused, and with which words: unknown things, bad credentials, narrow scopes, wrong cells, foreign paths."""
import datetime
import json
import os
import time

import urllib.error
import urllib.request

import numpy as np
import tiledb
from oracle import Scenario, main, refused, same


class Refusals(Scenario):
    ways, modes = ("ours",), ("server",)

    def make(self, name, n=10):
        domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32))
        schema = tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32)], sparse=True)
        tiledb.Array.create(self.site.uri(name), schema, ctx=self.site.client())
        with tiledb.open(self.site.uri(name), "w", ctx=self.site.client()) as a:
            a[np.arange(n, dtype=np.int32)] = np.arange(n, dtype=np.int32)

    def error(self, path, status, *texts, method="GET", **kw):
        """The request must be answered with this status and an error object whose message has the texts."""
        got, body = self.site.http(method, path, **kw)
        assert got == status, (method, path, got, body)
        message = json.loads(body)["message"]
        for text in texts:
            assert text.lower() in message.lower(), (text, message)
        assert self.site.dir not in body and self.site.conf["server_data"] not in body and "azj_" not in body, body
        return message


class UnknownArray(Refusals):
    def steps(self):
        site = self.site
        ctx = site.client()

        def client():
            with refused("404"):
                tiledb.open(site.uri("nowhere"), ctx=ctx)
            with refused():
                tiledb.open(site.uri("nowhere"), "w", ctx=ctx)
            assert tiledb.object_type(site.uri("nowhere"), ctx=ctx) is None
            assert not tiledb.array_exists(site.uri("nowhere"), ctx=ctx)
            with refused("404"):
                tiledb.open("tiledb://somebody-else/nowhere", ctx=ctx)

        def raw():
            one = self.error(f"/v1/arrays/{site.namespace}/nowhere", 404)
            assert one
            self.error("/v1/arrays/somebody-else/nowhere", 404)
            self.error(f"/v1/arrays/{site.namespace}/00000000-0000-4000-8000-000000000000", 404)
            self.error("/v1/no/such/route", 404)

        yield "ours/client", client
        yield "ours/raw", raw


class BadCredentials(Refusals):
    def steps(self):
        site, path = self.site, f"/v1/arrays/{self.site.namespace}/guarded"

        def wrong():
            for token in ("", "x", "azj_a_" + "0" * 49, "azj_a_" + "z" * 49 + "é"):
                self.error(path, 401, token=token.encode("ascii", "ignore").decode())
            self.error(path, 401, basic=(site.conf["user"], "wrong"))
            self.error(path, 401, basic=("nobody", "wrong"))
            with refused("401"):
                tiledb.open(site.uri("guarded"), ctx=site.as_token("wrong"))

        def query_string():
            status, body = site.http("GET", f"{path}?token={site.conf['token']}")
            assert site.conf["token"] not in body

        def still_good():
            with tiledb.open(site.uri("guarded"), ctx=site.client()) as a:
                assert len(a[:]["a"]) == 10

        yield "ours/make", lambda: self.make("guarded")
        yield "ours/wrong", wrong
        yield "ours/token in the address", query_string
        yield "ours/the good token still works", still_good


class RevokedAndExpired(Refusals):
    def steps(self):
        site, path = self.site, f"/v1/arrays/{self.site.namespace}/timed"

        def revoked():
            token = site.new_token(name="to revoke / here")
            ctx = site.as_token(token["token"])
            with tiledb.open(site.uri("timed"), ctx=ctx) as a:
                assert len(a[:]["a"]) == 10
                status, _ = site.http("DELETE", "/v1/tokens/to%20revoke%20%2F%20here")
                assert status == 204, status
                with refused("401"):
                    a[:]
            self.error(path, 401, "revoked", token=token["token"])

        def expired():
            soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
            token = site.new_token(name="short", expires=soon.isoformat())["token"]
            until = time.monotonic() + 20
            while site.http("GET", path, token=token)[0] == 200 and time.monotonic() < until:
                time.sleep(0.1)  # the server's clock decides, not ours
            self.error(path, 401, "expired", token=token)

        yield "ours/make", lambda: self.make("timed")
        yield "ours/revoked", revoked
        yield "ours/expired", expired


class NarrowScopes(Refusals):
    def steps(self):
        site = self.site

        def read_only():
            token = site.new_token(name="reader", scope=["array:read"])["token"]
            ctx = site.as_token(token)
            with tiledb.open(site.uri("scoped"), ctx=ctx) as a:
                same(np.sort(a[:]["a"]), np.arange(10, dtype=np.int32))
                assert a.query(cond="a > 6")[:]["a"].size == 3
            with refused("403", "array:read-write"):
                with tiledb.open(site.uri("scoped"), "w", ctx=ctx) as a:
                    a[[50]] = np.array([1], np.int32)
            with refused("403"):
                tiledb.from_numpy(site.uri("not-made"), np.arange(3), ctx=ctx)
            with refused("403"):
                tiledb.Array.delete_array(site.uri("scoped"), ctx=ctx)
            with refused("403"):
                with tiledb.open(site.uri("scoped"), "w", ctx=ctx) as a:
                    a.meta["k"] = 1
            with refused("403"):
                tiledb.group_create(site.uri("not-made-either"), ctx=ctx)
            # the scope is asked first: a token without it learns nothing about what exists
            self.error(f"/v1/arrays/{site.namespace}/nowhere", 403, "array:", method="DELETE", token=token)
            self.error("/v1/tokens", 403, "user:", token=token)

        def read_write():
            ctx = site.as_token(site.new_token(name="writer", scope=["array:read-write"])["token"])
            with tiledb.open(site.uri("scoped"), "w", ctx=ctx) as a:
                a[[60]] = np.array([60], np.int32)
            with tiledb.open(site.uri("scoped"), ctx=ctx) as a:
                assert 60 in a[:]["x"]
            with refused("403", "array:admin"):
                tiledb.Array.delete_array(site.uri("scoped"), ctx=ctx)

        def no_wider():
            narrow = site.new_token(name="narrow", scope=["array:read", "user:admin"])["token"]
            status, body = site.http("POST", "/v1/token", {"name": "wide", "scope": ["*"]}, token=narrow)
            assert status == 403 or "*" not in json.loads(body)["scope"], (status, body)

        yield "ours/make", lambda: self.make("scoped")
        yield "ours/read", read_only
        yield "ours/read-write", read_write
        yield "ours/a token makes no wider one", no_wider


class WrongCells(Refusals):
    def steps(self):
        site, ctx = self.site, self.site.client()
        uri = site.uri("bounded")

        def outside():
            for x in (100, -1, 2**31 - 1):
                with refused():
                    with tiledb.open(uri, "w", ctx=ctx) as a:
                        a[[5, x]] = np.array([1, 2], np.int32)

        def twice():
            with refused():
                with tiledb.open(uri, "w", ctx=ctx) as a:
                    a[[7, 7]] = np.array([1, 2], np.int32)

        def untouched():
            with tiledb.open(uri, ctx=ctx) as a:
                same(np.sort(a[:]["a"]), np.arange(10, dtype=np.int32))
            assert len(tiledb.array_fragments(uri, ctx=ctx)) == 1

        def bad_schema():
            for domain, tile in (((0, 10), 0), ((5, 1), 2)):
                with refused():
                    dim = tiledb.Dim("x", domain=domain, tile=tile, dtype=np.int32)
                    tiledb.Array.create(site.uri("impossible"), tiledb.ArraySchema(domain=tiledb.Domain(dim), attrs=[tiledb.Attr("a", dtype=np.int32)]), ctx=ctx)
            assert not tiledb.array_exists(site.uri("impossible"), ctx=ctx)

        yield "ours/make", lambda: self.make("bounded")
        yield "ours/outside the domain", outside
        yield "ours/one place twice", twice
        yield "ours/nothing was written", untouched
        yield "ours/bad schema", bad_schema


class ForeignStorage(Refusals):
    """Only paths that the namespace owns can be storage; links do not lead out of them."""

    def steps(self):
        site, ctx = self.site, self.site.client()
        data, allowed = site.conf["server_data"], site.dir

        def paths():
            outside = os.path.join(os.path.dirname(allowed.rstrip("/")), "..", "outside")
            link = os.path.join(allowed, "link-out")
            if not os.path.islink(link):
                os.symlink("/tmp", link)
            inside = os.path.join(allowed, "fine")
            for path in ("/etc/azulejo-test", "/", "/tmp/azulejo-oracle-foreign", data, os.path.join(data, "storage"), os.path.join(data, "x"), outside,
                         f"{allowed}/../../escape", f"{inside}/../../../escape", os.path.join(link, "via-link"), "relative/path", "//etc/x"):
                yield "file://" + path
            yield from ("http://127.0.0.1/x", "s3://bucket/x", "mem://x", "tiledb://admin/x", "file://otherhost/tmp/x", "file:///tmp/%2e%2e/x\x00y")

        def create():
            for storage in paths():
                with refused():
                    tiledb.from_numpy(f"tiledb://{site.namespace}/{storage}", np.arange(3), ctx=ctx)

        def register():
            for storage in paths():
                status, body = site.http("POST", f"/v1/arrays/{site.quoted(storage)}/register", {"name": "stolen", "uri": storage})
                assert 400 <= status < 500 or status == 501, (storage, status, body)
                assert "sqlite" not in body.lower() and "no such file" not in body.lower(), body
            status, body = site.http("GET", f"/v1/arrays/{site.namespace}/stolen/metadata")
            assert status == 404, body

        def names():
            for name in ("..", ".", "a/../../b", "x/..", "x" * 5000):
                try:
                    tiledb.from_numpy(site.uri(name), np.arange(3), ctx=ctx)
                except tiledb.TileDBError:
                    continue
                raise AssertionError(f"{name!r:.50} was taken as a name")
            for path in ("/v1/arrays/admin/..%2f..%2fetc%2fpasswd", "/v1/arrays/..%2f..%2f/x", "/v1/arrays/admin/%00", "/v1/arrays/admin/%zz", "/v1/arrays/admin/%ff%fe"):
                status, body = site.http("GET", path)
                assert 400 <= status < 500, (path, status, body)

        yield "ours/create", create
        yield "ours/register", register
        yield "ours/names", names
        yield "ours/nothing outside", lambda: self.assert_absent()

    def assert_absent(self):
        for path in ("/etc/azulejo-test", "/tmp/azulejo-oracle-foreign", "/tmp/via-link", os.path.join(self.site.dir, "..", "..", "escape")):
            assert not os.path.exists(path), path


class NotBuilt(Refusals):
    """What this version cannot do is refused by name, never done wrong."""

    def steps(self):
        site, ctx = self.site, self.site.client()

        def deleted_cells():
            directory = os.path.join(site.dir, "with-deletes")
            domain = tiledb.Domain(tiledb.Dim("x", domain=(0, 99), tile=10, dtype=np.int32))
            tiledb.Array.create(directory, tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr("a", dtype=np.int32)], sparse=True))
            with tiledb.open(directory, "w") as a:
                a[[1, 2, 3]] = np.array([1, 2, 3], np.int32)
            with tiledb.open(directory, "d") as a:
                a.query(cond="a == 2").submit()
            uri = site.adopt(directory, "with-deletes")
            same(tiledb.open(uri, ctx=ctx)[:]["a"], np.array([1, 3], np.int32))

        def schema():
            return tiledb.ArraySchema(domain=tiledb.Domain(tiledb.Dim("x", domain=(0, 9), tile=10, dtype=np.int32)), attrs=[tiledb.Attr("a", dtype=np.int32)])

        def json_messages():
            by_json, uri = site.client(rest__server_serialization_format="JSON"), site.uri("by-json")
            tiledb.Array.create(uri, schema(), ctx=by_json)
            assert tiledb.object_type(uri, ctx=ctx) == "array"
            with tiledb.open(uri, "w", ctx=ctx) as a:
                a[:] = np.arange(10, dtype=np.int32)
            # The cells of queries have no form in JSON: the client says so itself, and the server to whoever asks all the same.
            with refused("JSON"), tiledb.open(uri, ctx=by_json) as a:
                a[:]
            request = urllib.request.Request(site.conf["server"] + "/v3/arrays/" + site.conf["namespace"] + "/by-json/query/submit?type=READ", data=b"{}",
                                             headers={"X-TILEDB-REST-API-KEY": site.conf["token"], "Content-Type": "application/json"})
            try:
                urllib.request.urlopen(request)
            except urllib.error.HTTPError as err:
                assert err.code == 415, err
            else:
                raise AssertionError("a query in JSON was not refused")

        def object_stores():
            with refused("501", "s3://"):
                tiledb.Array.create(site.uri("s3://bucket/array"), schema(), ctx=ctx)

        yield "ours/deleted cells", deleted_cells
        yield "ours2/messages in JSON", json_messages
        yield "ours2/object stores", object_stores


if __name__ == "__main__":
    main([UnknownArray, BadCredentials, RevokedAndExpired, NarrowScopes, WrongCells, ForeignStorage, NotBuilt])
