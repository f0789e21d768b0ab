"""The tiledb-cloud client: logging in, the user's profile, API tokens, the catalogue of arrays."""
import datetime
import os

import numpy as np
import tiledb
import tiledb.cloud
from oracle import Scenario, main, refused, same
from tiledb.cloud import rest_api
from tiledb.cloud.tiledb_cloud_error import TileDBCloudError


class Cloud(Scenario):
    ways, modes = ("ours",), ("server",)

    def login(self):
        tiledb.cloud.login(token=self.site.conf["token"], host=self.site.conf["server"])

    def tokens(self):
        return tiledb.cloud.client.build(rest_api.UserApi)


class Login(Cloud):
    def steps(self):
        site = self.site

        def token():
            self.login()
            assert tiledb.cloud.user_profile().username == site.conf["user"]
            assert tiledb.cloud.client.default_user().username == site.conf["user"]

        def password():
            tiledb.cloud.login(username=site.conf["user"], password=site.conf["password"], host=site.conf["server"])
            assert tiledb.cloud.user_profile().username == site.conf["user"]
            tiledb.from_numpy(site.uri("by-session"), np.arange(4), ctx=tiledb.cloud.Ctx()).close()
            same(tiledb.open(site.uri("by-session"), ctx=tiledb.cloud.Ctx())[:], np.arange(4))

        def wrong():
            with refused():
                tiledb.cloud.login(username=site.conf["user"], password="wrong", host=site.conf["server"])
            tiledb.cloud.login(token="azj_a_wrong", host=site.conf["server"])
            with refused("token"):
                tiledb.cloud.user_profile()

        yield "ours/token", token
        yield "ours/password", password
        yield "ours/wrong", wrong
        yield "ours/token again", token


class Tokens(Cloud):
    def steps(self):
        def blank():
            self.login()
            made = self.tokens().request_token()
            life = made.expires_at - made.issued_at
            assert abs(life - datetime.timedelta(minutes=30)) <= datetime.timedelta(seconds=2), life
            assert made.name and len(made.token) > 40 and list(made.scope) == ["*"], made

        def named():
            expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=7)
            names = [self.tokens().request_token(token_request=rest_api.TokenRequest(name="ci", expires=expires, scope=["array:read"])).name for _ in range(3)]
            assert names == ["ci", "ci-1", "ci-2"], names

        def listed():
            rows = self.tokens().get_api_tokens() if hasattr(self.tokens(), "get_api_tokens") else self.tokens().tokens_get()
            rows = {r.name: r for r in rows}
            assert {"ci", "ci-1", "ci-2"} <= set(rows)
            assert len(rows["ci"].token) == 7 and list(rows["ci"].scope) == ["array:read"]

        def revoked():
            made = self.tokens().request_token(token_request=rest_api.TokenRequest(name="my/tok en?#é"))
            self.tokens().revoke_token("my/tok en?#é")
            with refused("401"):
                tiledb.object_type(self.site.uri("anything"), ctx=self.site.as_token(made.token))

        yield "ours/blank", blank
        yield "ours/named", named
        yield "ours/listed", listed
        yield "ours/revoked", revoked


class Catalogue(Cloud):
    def steps(self):
        site, ctx = self.site, self.site.client()
        directory = os.path.join(site.dir, "shelf")

        def register():
            self.login()
            tiledb.from_numpy(directory, np.arange(6)).close()
            tiledb.cloud.array.register_array("file://" + directory, namespace=site.namespace, array_name="shelf")
            info = tiledb.cloud.array.info(site.uri("shelf"))
            assert (info.name, info.namespace, info.uri, info.tiledb_uri) == ("shelf", site.namespace, "file://" + directory, site.uri("shelf")), info
            same(tiledb.open(site.uri("shelf"), ctx=ctx)[:], np.arange(6))
            same(tiledb.open(f"tiledb://{site.namespace}/{info.id}", ctx=ctx)[:], np.arange(6))
            same(tiledb.open(f"tiledb://{site.namespace}/file://{directory}", ctx=ctx)[:], np.arange(6))

        def listed():
            names = {a.name for a in tiledb.cloud.list_arrays().arrays}
            assert "shelf" in names, names

        def again():
            with refused("already"):
                tiledb.cloud.array.register_array("file://" + directory, namespace=site.namespace, array_name="shelf")

        def deregister():
            tiledb.cloud.array.deregister_array(site.uri("shelf"))
            with refused(kind=TileDBCloudError):
                tiledb.cloud.array.info(site.uri("shelf"))
            with refused("404"):
                tiledb.open(site.uri("shelf"), ctx=ctx)
            same(tiledb.open(directory)[:], np.arange(6))
            assert "shelf" not in {a.name for a in tiledb.cloud.list_arrays().arrays or ()}

        yield "ours/register", register
        yield "ours/listed", listed
        yield "ours/again", again
        yield "ours/deregister", deregister


if __name__ == "__main__":
    main([Login, Tokens, Catalogue])
