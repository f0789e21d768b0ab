"""What docs/people.md says, done as it says it: organizations, shares and activity by tiledb-cloud."""
import json
import os
import re
import subprocess

import numpy
import tiledb
import tiledb.cloud
from oracle import Scenario, main
from tiledb.cloud import array, client, groups, rest_api

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "..", "docs", "people.md")


class People(Scenario):
    ways, modes = ("ours",), ("server",)

    def steps(self):
        yield "ours/sign up", self.sign_up
        yield "ours/the page", self.page
        yield "ours/what others see", self.others

    def sign_up(self):
        person = {"username": "ann", "password": "a long password"}
        assert self.site.call("POST", "/v1/user", person)[0] == 403  # only the administrator makes accounts
        self.tokens = {}
        for name in ("ann", "bob", "eve"):
            person["username"] = name
            assert self.site.call("POST", "/v1/user", person, token=self.site.conf["token"])[0] == 204
            status, made = self.site.call("POST", "/v1/token", {"name": "test"}, basic=(name, "a long password"))
            assert status == 200, made
            self.tokens[name] = made["token"]

    def login(self, name):
        tiledb.cloud.login(token=self.tokens[name], host=self.site.conf["server"], no_session=True)
        return tiledb.cloud.Ctx()

    def page(self):
        ctx = self.login("ann")
        tiledb.from_numpy("tiledb://ann/counts", numpy.arange(4), ctx=ctx)
        self.visits(ctx)
        groups.create("study", namespace="ann")
        with open(PAGE, encoding="utf-8") as f:
            text = f.read()
        blocks = re.findall(r"```python\n(.*?)```", text, re.S)
        assert len(blocks) == 7
        names = {}
        for block in blocks:
            if "login(" not in block:
                exec(block.replace("http://127.0.0.1:8080", self.site.conf["server"]).replace("azj_a_…", self.tokens["ann"]), names)
        moved, shared = re.findall(r"^    (curl .*)$", text, re.M)
        assert json.loads(self.shell(moved))["tiledb_uri"] == "tiledb://lab/counts-2024"
        assert self.shell(shared) == b""
        assert [s.namespace for s in array.list_shared_with("tiledb://ann/counts")] == ["bob"]
        roles = {m.username: m.role for m in client.build(rest_api.OrganizationApi).get_organization("lab").users}
        assert roles == {"ann": "owner", "bob": "read_write"}, roles
        actions = [e.action for e in array.array_activity("tiledb://ann/counts")]
        assert {"create", "query_write"} <= set(actions), actions  # a use is noted when its reply is out, which may be after the next ones

    def shell(self, command):
        command = command.replace("http://127.0.0.1:8080", self.site.conf["server"]).replace("curl ", "curl --silent --show-error --fail ")
        return subprocess.run(command, shell=True, check=True, capture_output=True, env={**os.environ, "TOKEN": self.tokens["ann"]}).stdout

    def visits(self, ctx):
        """The array whose parts the page shares."""
        attrs = [tiledb.Attr("name", dtype="U", var=True), tiledb.Attr("age", dtype=numpy.int32), tiledb.Attr("site", dtype=numpy.int8, enum_label="sites")]
        domain = tiledb.Domain(tiledb.Dim("day", domain=(0, 99), tile=10, dtype=numpy.int32))
        sites = tiledb.Enumeration("sites", False, ["north", "south", "east"])
        tiledb.Array.create("tiledb://ann/visits", tiledb.ArraySchema(domain=domain, attrs=attrs, sparse=True, enums=[sites]), ctx=ctx)
        with tiledb.open("tiledb://ann/visits", "w", ctx=ctx) as a:
            a[numpy.arange(9, 14)] = {"name": numpy.array(list("abcde"), dtype=object), "age": numpy.arange(30, 35, dtype=numpy.int32), "site": numpy.array([0, 0, 1, 2, 0], numpy.int8)}
            a.meta["title"], a.meta["head"] = "visits", "Dr. No"

    def others(self):
        with tiledb.open("tiledb://ann/counts", ctx=self.login("bob")) as counts:
            assert counts[:].tolist() == [0, 1, 2, 3]
        with tiledb.open("tiledb://ann/visits", ctx=self.login("bob")) as visits:
            assert visits.df[:].to_dict("list") == {"day": [10, 12, 13], "age": [-(2**31)] * 3, "site": ["north", "east", "north"]}, visits.df[:]
            assert dict(visits.meta) == {"title": "visits"}
        assert groups.info("tiledb://ann/study").allowed_actions == ["read"]
        shared = client.build(rest_api.ArrayApi).arrays_browser_shared_get().arrays
        assert [a.name for a in shared] == ["visits"]  # the other is his organization's
        owned = client.build(rest_api.ArrayApi).arrays_browser_owned_get()
        assert [a.tiledb_uri for a in owned.arrays] == ["tiledb://lab/counts-2024"]
        ctx = self.login("eve")
        for attempt in (lambda: tiledb.open("tiledb://ann/counts", ctx=ctx), lambda: array.info("tiledb://ann/counts"),
                        lambda: groups.info("tiledb://ann/study"), lambda: array.list_shared_with("tiledb://ann/counts")):
            try:
                attempt()
            except Exception as err:  # noqa: BLE001: each client has its own class
                assert "not" in str(err), err
            else:
                raise AssertionError("a stranger was let in")


main([People])
