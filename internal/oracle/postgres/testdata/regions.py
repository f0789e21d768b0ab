"""Two servers with storage of their own, in two regions, and one database: a client that knows one of them reaches all."""
import json
import os
import urllib.error
import urllib.request

import numpy as np
import tiledb
import tiledb.cloud
from oracle import Scenario, Site, main
from tiledb.cloud import array, client, rest_api
from tiledb.cloud.files import utils as files


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Regions(Scenario):
    ways, modes = ("ours",), ("server",)

    def steps(self):
        with open(os.path.join(os.path.dirname(self.site.dir), "second.json")) as f:
            other = json.load(f)
        self.eu, self.us = self.site, Site(self.site.conf | other)
        self.storage = other["storage"]
        for name in ("arrays", "groups", "replies", "cloud", "home", "deletes"):
            yield "ours-" + name + "/two regions", getattr(self, name)

    def stored(self):
        """How many arrays and groups the second server's storage has."""
        return sum(len(os.listdir(os.path.join(self.storage, n))) for n in os.listdir(self.storage))

    def schema(self, sparse=False):
        domain = tiledb.Domain(tiledb.Dim("i", domain=(0, 2_999_999), tile=100_000, dtype=np.int64))
        return tiledb.ArraySchema(domain, [tiledb.Attr("v", dtype=np.int64)], sparse=sparse)

    def arrays(self):
        """Made in one region, written, read, described and extended by clients that ask in the other."""
        tiledb.Array.create(self.us.uri("there"), self.schema(), ctx=self.us.client())
        tiledb.Array.create(self.eu.uri("here"), self.schema(), ctx=self.eu.client())
        assert self.stored() == 1
        values = np.arange(3_000_000)
        for name, site in (("there", self.eu), ("here", self.us)):
            with tiledb.open(site.uri(name), "w", ctx=site.client()) as a:  # 24 MB in one body
                a[:] = values
                a.meta["from"] = "afar"
        for name in ("there", "here"):
            for site in (self.eu, self.us):
                with tiledb.open(site.uri(name), ctx=site.client()) as a:
                    assert np.array_equal(a[:]["v"], values) and a.meta["from"] == "afar"
                    assert a.nonempty_domain() == ((0, 2_999_999),)
                assert len(tiledb.array_fragments(site.uri(name), ctx=site.client())) == 1
        with tiledb.open(self.eu.uri("there"), ctx=self.eu.client(sm__memory_budget=100_000)) as a:
            assert int(a.query(attrs=["v"]).agg("sum")[:]) == int(values.sum())
        se = tiledb.ArraySchemaEvolution(self.eu.client())
        se.add_attribute(tiledb.Attr("w", dtype=np.int8))
        se.array_evolve(self.eu.uri("there"))
        with tiledb.open(self.us.uri("there"), ctx=self.us.client()) as a:
            assert a.schema.has_attr("w")

    def groups(self):
        tiledb.Group.create(self.us.uri("folder"), ctx=self.us.client())
        with tiledb.Group(self.eu.uri("folder"), "w", ctx=self.eu.client()) as g:
            g.add(self.eu.uri("here"), name="here")
            g.add(self.eu.uri("there"), name="there")
            g.meta["k"] = 1
        for site in (self.eu, self.us):
            with tiledb.Group(site.uri("folder"), ctx=site.client()) as g:
                assert sorted(m.name for m in g) == ["here", "there"] and g.meta["k"] == 1

    def get(self, site, path):
        request = urllib.request.Request(site.conf["server"] + path, headers={"X-TILEDB-REST-API-KEY": site.conf["token"]})
        try:
            return urllib.request.build_opener(Stay).open(request)
        except urllib.error.HTTPError as err:
            return err

    def replies(self):
        """The redirect goes to a server of the list, after the rights were looked at; nothing else has a Location."""
        path = "/v1/arrays/admin/there/non_empty_domain_json?x=1"
        reply = self.get(self.eu, path)
        assert reply.status == 307 and reply.headers["Location"] == self.us.conf["server"] + path and reply.headers["Cache-Control"] == "no-store"
        assert json.loads(reply.read())["code"] == 3071
        reply = self.get(self.us, path)
        assert reply.status == 200 and reply.headers["Location"] is None
        request = urllib.request.Request(self.eu.conf["server"] + "/v1/user", data=json.dumps({"username": "eve", "password": "a long password"}).encode(),
                                         headers={"X-TILEDB-REST-API-KEY": self.eu.conf["token"], "Content-Type": "application/json"})
        urllib.request.urlopen(request)
        stranger = self.get(Site(self.eu.conf | {"token": "azj_a_nothing"}), path)
        assert stranger.status == 401, stranger.status
        # What only the catalogue knows, every server answers.
        assert self.get(self.eu, "/v1/arrays/admin/there/metadata").status == 200

    def cloud(self):
        tiledb.cloud.login(token=self.eu.conf["token"], host=self.eu.conf["server"], no_session=True)
        assert array.info("tiledb://admin/there").name == "there"
        assert {a.name for a in client.list_arrays().arrays} == {"there", "here"}
        api = client.build(rest_api.ArrayApi)
        assert api.get_array_non_empty_domain_json("admin", "there") == {"i": [0, 2999999]}
        api.share_array("admin", "there", rest_api.ArraySharing(namespace="eve", actions=["read"]))

    def home(self):
        """A user who prefers a region makes arrays there, whichever server is asked."""
        users = client.build(rest_api.UserApi)
        users.update_user("admin", rest_api.User(username="admin", default_region="us"))
        before = self.stored()
        tiledb.Array.create(self.eu.uri("mine"), self.schema(), ctx=self.eu.client())
        path = os.path.join(self.eu.dir, "f.txt")
        with open(path, "wb") as f:
            f.write(b"text")
        files.upload_file(path, "tiledb://admin/filed")
        assert self.stored() == before + 2
        with tiledb.open(self.eu.uri("mine"), "w", ctx=self.eu.client()) as a:
            a[:] = np.arange(3_000_000)
        users.update_user("admin", rest_api.User(username="admin", default_region="mars"))  # there is none: anywhere
        tiledb.Array.create(self.eu.uri("anywhere"), self.schema(), ctx=self.eu.client())
        assert self.stored() == before + 2

    def deletes(self):
        before = self.stored()
        tiledb.Array.delete_array(self.eu.uri("mine"), ctx=self.eu.client())
        assert self.stored() == before - 1 and tiledb.object_type(self.us.uri("mine"), ctx=self.us.client()) is None


main([Regions])
