"""What the client programs of these tests have in common.

A program defines scenarios: subclasses of Scenario whose `write` makes something at a URI and whose `check` reads it
and compares values.  `main` runs every scenario both ways and prints one JSON line per step:

    ours     the client writes through the server; the client reads back; libtiledb reads the directory itself
    theirs   libtiledb writes a directory; the server adopts it; the client reads it through the server

The argument of a program is a JSON object:
    mode       "local": both sides are plain directories (shows that a scenario is right)
               "server": an Azulejo server     "reference": libtiledb's own server half
    server, token, user, password, namespace    how to reach it
    dir        scratch directory that the server may also read (its --allow-path)
    root       storage directory of a reference server
    data       directory of the data sets
    only       optional list of scenario names
"""
import base64
import contextlib
import json
import os
import shutil
import sys
import traceback
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import tiledb


class Site:
    """The client's view of one server and the way from a name to the directory behind it."""

    def __init__(self, conf):
        self.conf = conf
        self.mode, self.dir, self.data = conf["mode"], conf["dir"], conf["data"]
        self.namespace = conf.get("namespace", "")

    def client(self, **settings):
        """A context of the client under test.  Keys of settings: dots written as __."""
        base = {}
        if self.mode != "local":
            base = {"rest.server_address": self.conf["server"], "rest.token": self.conf["token"]}
        base.update({k.replace("__", "."): str(v) for k, v in settings.items()})
        return tiledb.Ctx(base)

    def local(self, **settings):
        """A context that knows no server."""
        return tiledb.Ctx({k.replace("__", "."): str(v) for k, v in settings.items()})

    def uri(self, name):
        """Where the client finds or makes the object."""
        return os.path.join(self.dir, "local", name) if self.mode == "local" else f"tiledb://{self.namespace}/{name}"

    def directory(self, name, kind="arrays"):
        """The directory of an object that was made under this name."""
        if self.mode == "local":
            return self.uri(name)
        if self.mode == "reference":
            return os.path.join(self.conf["root"], self.namespace, name)
        path = f"/v1/arrays/{self.quoted(name)}/metadata" if kind == "arrays" else f"/v1/groups/{self.quoted(name)}"
        status, body = self.http("GET", path)
        assert status == 200, (status, body)
        return json.loads(body)["uri"].removeprefix("file://")

    def quoted(self, name):
        return f"{self.namespace}/{urllib.parse.quote(name, safe='')}"

    def adopt(self, directory, name, kind="arrays"):
        """Make a directory that libtiledb wrote known to the server; -> URI for the client."""
        if self.mode == "local":
            return directory
        if self.mode == "reference":
            shutil.copytree(directory, os.path.join(self.conf["root"], self.namespace, name))
            return self.uri(name)
        storage = "file://" + directory
        if kind == "arrays":
            status, body = self.http("POST", f"/v1/arrays/{self.quoted(storage)}/register", {"name": name, "uri": storage})
        else:
            status, body = self.http("PUT", f"/v2/groups/{self.namespace}",
                                     {"group_details": {"name": name, "uri": storage}})
        assert status in (200, 201, 204), (status, body)
        return self.uri(name)

    def known(self, name, directory):
        """Where the client finds a directory that was adopted under this name."""
        return directory if self.mode == "local" else self.uri(name)

    def http(self, method, path, body=None, token=None, basic=None, headers=None):
        """One request -> (status, text).  The token of the run is sent unless another ("" for none) or Basic credentials are given."""
        headers = dict(headers or {})
        if basic:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
        elif token != "":
            headers["X-TILEDB-REST-API-KEY"] = self.conf["token"] if token is None else token
        if body is not None and not isinstance(body, bytes):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.conf["server"] + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode("utf-8", "replace")

    def call(self, method, path, body=None, basic=None, token=""):
        """One request without credentials but those given -> (status, the reply's value)."""
        status, text = self.http(method, path, body, token, basic)
        return status, json.loads(text) if text else None

    def new_token(self, **request):
        """A fresh API token -> the reply's object."""
        status, body = self.http("POST", "/v1/token", request, basic=(self.conf["user"], self.conf["password"]))
        assert status == 200, (status, body)
        return json.loads(body)

    def as_token(self, token):
        """A client context that uses another token."""
        return self.client(rest__token=token)


class Scenario:
    """One thing users do.  Subclasses define write and check; ways and kind may be narrowed."""

    ways = ("ours", "theirs")
    kind = "arrays"
    modes = ("local", "server", "reference")
    why_not_reference = ""  # what libtiledb's own server half cannot do

    def __init__(self, site):
        self.site = site

    def data(self, name):
        return os.path.join(self.site.data, name)

    def write(self, uri, ctx):
        raise NotImplementedError

    def check(self, uri, ctx):
        raise NotImplementedError

    def same_schema(self, uri, ctx, directory, local):
        """Through the server and beside it, a schema says the same."""
        if self.kind != "arrays":
            return
        got, want = str(tiledb.ArraySchema.load(uri, ctx=ctx)), str(tiledb.ArraySchema.load(directory, ctx=local))
        assert got == want, f"{got}\n-- is not --\n{want}"

    def steps(self):
        """-> (name of the step, function) in order."""
        name, site = type(self).__name__.lower(), self.site
        client, local = site.client(), site.local()
        if "ours" in self.ways:
            ours = name + "-ours"
            yield "ours/write", lambda: self.write(site.uri(ours), client)
            yield "ours/client reads", lambda: self.check(site.uri(ours), client)
            yield "ours/libtiledb reads", lambda: self.check(site.directory(ours, self.kind), local)
            yield "ours/schemas agree", lambda: self.same_schema(site.uri(ours), client, site.directory(ours, self.kind), local)
        if "theirs" in self.ways:
            theirs = os.path.join(site.dir, "theirs", name)
            os.makedirs(os.path.dirname(theirs), exist_ok=True)
            yield "theirs/write", lambda: self.write(theirs, local)
            yield "theirs/libtiledb reads", lambda: self.check(theirs, local)
            yield "theirs/client reads", lambda: self.check(site.adopt(theirs, name + "-theirs", self.kind), client)
            yield "theirs/schemas agree", lambda: self.same_schema(site.known(name + "-theirs", theirs), client, theirs, local)


def main(scenarios):
    site = Site(json.loads(sys.argv[1]))
    os.makedirs(os.path.join(site.dir, "local"), exist_ok=True)
    only = site.conf.get("only")
    for cls in scenarios:
        if site.mode not in cls.modes or (site.mode == "reference" and cls.why_not_reference) or (only and cls.__name__ not in only):
            continue
        broken = set()
        for step, run in cls(site).steps():
            way = step.split("/")[0]
            if way in broken:
                continue
            say(scenario=cls.__name__, step=step, begin=True)
            try:
                run()
                say(scenario=cls.__name__, step=step, ok=True)
            except Exception:
                broken.add(way)
                say(scenario=cls.__name__, step=step, ok=False, error=traceback.format_exc(limit=-4))


def say(**line):
    print(json.dumps(line), flush=True)


# ---------------------------------------------------------------- comparing
def same(got, want, what=""):
    """Equal values, types included; NaN equals NaN."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, want {want.shape}"
    if want.dtype.kind in "OUS" or got.dtype.kind in "OUS":
        got, want = got.tolist(), want.tolist()
        assert got == want, f"{what}: {got} != {want}"
        return
    assert got.dtype == want.dtype, f"{what}: type {got.dtype}, want {want.dtype}"
    if want.dtype.kind in "mM":
        got, want = got.view("i8"), want.view("i8")
    equal = np.array_equal(got, want, equal_nan=want.dtype.kind == "f")
    assert equal, f"{what}: {np.sum(got != want)} of {got.size} values differ:\n{got}\n{want}"


def same_columns(got, want, by=None):
    """Every column of want, in order of the columns `by` (None = as they come)."""
    missing = set(want) - set(got)
    assert not missing, f"columns {missing} are missing in {list(got)}"
    place = slice(None)
    if by is not None:
        place = np.lexsort([np.asarray(got[k]) for k in reversed(by)])
    for name, column in want.items():
        same(np.asarray(got[name])[place], column, name)


@contextlib.contextmanager
def refused(*texts, kind=Exception):
    """The block must fail, with each of the texts in its message."""
    try:
        yield
    except kind as err:
        for text in texts:
            assert text.lower() in str(err).lower(), f"{text!r} is not in: {err}"
        return
    raise AssertionError("it was not refused")
