"""Registered code by the functions of tiledb-cloud: kept, changed, copied, renamed, shared and deleted; nothing is run."""
import json
import random
import string
import urllib.request

import numpy
import tiledb
import tiledb.cloud
from oracle import Scenario, main
from tiledb.cloud import array, asset, client, groups, rest_api, udf
from tiledb.cloud.taskgraphs import builder, registration, types


def double(x):
    """Twice x."""
    return 2 * x


def triple(x):
    return 3 * x


class Code(Scenario):
    ways, modes = ("ours",), ("server",)

    def steps(self):
        tiledb.cloud.login(token=self.site.conf["token"], host=self.site.conf["server"], no_session=True)
        tiledb.default_ctx({"rest.server_address": self.site.conf["server"], "rest.token": self.site.conf["token"]})
        self.ns = self.site.namespace
        yield "ours/functions", self.functions
        yield "ours/versions and copies", self.versions
        yield "ours/graphs", self.graphs
        yield "ours/catalogue", self.catalogue
        yield "ours/old names", self.renamed
        yield "ours/another namespace", self.transferred
        yield "ours/stats", self.stats

    def refused(self, status, call, *args, **kwargs):
        try:
            call(*args, **kwargs)
        except (rest_api.ApiException, tiledb.cloud.TileDBCloudError) as err:
            cause = err if isinstance(err, rest_api.ApiException) else err.__cause__
            assert cause is None or cause.status == status, err
            return
        raise AssertionError(f"{call} was not refused")

    def functions(self):
        udf.register_generic_udf(double, "double", namespace=self.ns)
        self.refused(409, udf.register_generic_udf, double, "double", namespace=self.ns)
        info = udf.info(self.ns, "double")
        assert (info.name, info.language, info.type, info.readme, info.tags) == ("double", "python", "generic", None, []), info
        raw = client.build(rest_api.UdfApi).get_udf_info(self.ns, "double", _preload_content=False)
        assert b"return 2 * x" in raw.data, raw.data
        udf.register_single_array_udf(double, "one", namespace=self.ns)
        udf.register_multi_array_udf(double, "many", namespace=self.ns)
        assert udf.info(self.ns, "one").type == "single_array" and udf.info(self.ns, "many").type == "multi_array"
        udf.share(f"{self.ns}/double", "public")
        shared = client.build(rest_api.UdfApi).get_udf_info_sharing_policies(self.ns, "double")
        assert [(s.namespace, s.actions) for s in shared] == [("public", ["fetch_udf"])], shared
        udf.unshare(f"{self.ns}/double", "public")
        assert client.build(rest_api.UdfApi).get_udf_info_sharing_policies(self.ns, "double") == []

    def versions(self):
        api = client.build(rest_api.UdfApi)
        udf.update_udf(triple, "double", namespace=self.ns, update_name="triple", readme="Three times.", license_text="MIT", license_id="Permission")
        info = udf.info(self.ns, "triple")
        # The client sends the two licences the other way round.
        assert (info.name, info.readme, info.license_id, info.license_text) == ("triple", "Three times.", "MIT", "Permission"), info
        assert info.type == "generic", info
        times = api.udf_namespace_array_end_timestamps_get(self.ns, "triple")
        assert len(times.end_timestamps) == 2 and times.end_timestamps[0] > times.end_timestamps[1], times
        raw = api.get_udf_info(self.ns, "triple", _preload_content=False)
        assert b"return 3 * x" in raw.data, raw.data
        api.update_udf_info(self.ns, "triple", rest_api.models.UDFInfoUpdate(tags=["maths"]))
        assert udf.info(self.ns, "triple").tags == ["maths"]
        copy = api.handle_copy_udf(self.ns, "triple", rest_api.models.UDFCopy(name="copy"))
        assert copy.output_uri == f"tiledb://{self.ns}/copy" and copy.id, copy
        assert udf.info(self.ns, "copy").readme == "Three times."
        udf.delete(f"tiledb://{self.ns}/copy")
        self.refused(404, udf.info, self.ns, "copy")
        udf.deregister(f"tiledb://{self.ns}/many")
        self.refused(404, udf.info, self.ns, "many")

    def graphs(self):
        name = "graph_" + "".join(random.choices(string.ascii_letters, k=8))
        graph = builder.TaskGraphBuilder(name=name)
        node = graph.udf(double, types.args(21), name="twice")
        graph.udf(triple, types.args(node), name="thrice", result_format="booga", image_name="monkey", local=True)
        graph.array_read("tiledb://something/else", raw_ranges=[[1, 2], [3, 4]], layout="c")
        graph.sql("select ?", parameters=(1,))
        sent = json.loads(json.dumps(graph._tdb_to_json()))
        registration.register(graph, namespace=self.ns)
        loaded = registration.load(name, namespace=self.ns)
        assert loaded["nodes"] == sent["nodes"] and loaded["name"] == name and loaded["namespace"] == self.ns, loaded
        registration.update(builder.TaskGraphBuilder("other"), name, namespace=self.ns)
        assert registration.load(f"{self.ns}/other")["nodes"] == []
        # What DAG.register does to the array of a graph.
        with tiledb.open(f"tiledb://{self.ns}/other", "w") as a:
            a.meta["dataset_type"] = "registered_task_graph"
        assert registration.load(f"{self.ns}/other")["nodes"] == []
        api = client.build(rest_api.RegisteredTaskGraphsApi)
        api.share_registered_task_graph(self.ns, "other", rest_api.models.TaskGraphSharing(namespace="public", actions=["fetch_task_graph"]))
        shared = api.get_registered_task_graph_sharing_policies(self.ns, "other")
        assert [(s.namespace, s.actions) for s in shared] == [("public", ["fetch_task_graph"])], shared
        info = array.info(f"tiledb://{self.ns}/other")
        assert info.file_type == "registered_task_graph" and info.public_share, info
        registration.delete("other", namespace=self.ns)
        self.refused(404, registration.load, "other", namespace=self.ns)

    def catalogue(self):
        page = asset.list(namespace=self.ns, type="user_defined_function")
        assert sorted(x.name for x in page.data) == ["one", "triple"], page
        page = tiledb.cloud.list_arrays(namespace=self.ns, file_type=["user_defined_function"])
        assert sorted(x.name for x in page.arrays) == ["one", "triple"], page
        assert all(x.file_properties["udf_language"] == "python" for x in page.arrays), page
        asset.update_info(f"tiledb://{self.ns}/one", description="One array.")
        assert asset.info(f"tiledb://{self.ns}/one").description == "One array."
        api = client.build(rest_api.FavoritesApi)
        api.add_udf_favorite(self.ns, "one")
        assert [f.name for f in api.list_udf_favorites().udfs] == ["one"]
        asset.delete(f"tiledb://{self.ns}/one")
        self.refused(404, udf.info, self.ns, "one")

    def renamed(self):
        """Old names answer for libtiledb and tiledb-cloud until another asset takes them."""
        uri = f"tiledb://{self.ns}/before"
        tiledb.from_numpy(uri, numpy.arange(4)).close()
        asset.update_info(uri, name="after")
        for name in ("before", "after"):
            with tiledb.open(f"tiledb://{self.ns}/{name}") as a:
                assert a[:].tolist() == [0, 1, 2, 3], a[:]
            assert array.info(f"tiledb://{self.ns}/{name}").name == "after"
            assert tiledb.object_type(f"tiledb://{self.ns}/{name}") == "array"
        with tiledb.open(uri, "w") as a:
            a[:] = numpy.arange(4, 8)
        tiledb.from_numpy(uri, numpy.arange(2)).close()
        with tiledb.open(uri) as a, tiledb.open(f"tiledb://{self.ns}/after") as b:
            assert (a[:].tolist(), b[:].tolist()) == ([0, 1], [4, 5, 6, 7])
        groups.create("old_group", namespace=self.ns)
        groups.update_info(f"tiledb://{self.ns}/old_group", name="new_group")
        assert groups.info(f"tiledb://{self.ns}/old_group").name == "new_group"
        with tiledb.Group(f"tiledb://{self.ns}/old_group", "w") as g:
            g.add(f"tiledb://{self.ns}/after", name="member")
        with tiledb.Group(f"tiledb://{self.ns}/new_group") as g:
            assert [m.name for m in g] == ["member"]
        log = array.array_activity(f"tiledb://{self.ns}/after")
        assert [x.action for x in log].count("update") == 1, log

    def transferred(self):
        client.build(rest_api.OrganizationApi).create_organization(rest_api.Organization(name="lab"))
        body = json.dumps({"namespace": "lab", "name": "given"}).encode()
        request = urllib.request.Request(f"{self.site.conf['server']}/v1/arrays/{self.ns}/after/transfer", data=body, method="POST",
                                         headers={"X-TILEDB-REST-API-KEY": self.site.conf["token"], "Content-Type": "application/json"})
        with urllib.request.urlopen(request) as reply:
            assert json.load(reply)["tiledb_uri"] == "tiledb://lab/given"
        for uri in ("tiledb://lab/given", f"tiledb://{self.ns}/after"):
            with tiledb.open(uri) as a:
                assert a[:].tolist() == [4, 5, 6, 7], a[:]
            assert array.info(uri).namespace == "lab"
        with tiledb.Group(f"tiledb://{self.ns}/new_group") as g:
            assert [m.uri for m in g] == ["tiledb://lab/given"], list(g)

    def stats(self):
        stats = client.build(rest_api.StatsApi).get_tiledb_stats()
        assert '"cache"' in stats.stats and '"Running":0' in stats.stats, stats



main([Code])
