"""A pytest plugin that has TileDB-Py's own suite make its arrays through a server.

The suite takes its paths from one helper class, whose `path` this wraps; nothing else of the suite changes.  The server,
token and the like come from AZULEJO_SUITE, a JSON object:
    server, token, namespace
    mode     "storage": PATH becomes tiledb://NAMESPACE/file://PATH     "name": a name in the catalogue
    only     file of the tests to run, by node id
    report   file that gets one JSON line per test: node, outcome, reason
"""
import hashlib
import json
import os
import re
import sys

import pytest

conf = json.loads(os.environ["AZULEJO_SUITE"])
for key, value in {"REST_SERVER_ADDRESS": conf["server"], "REST_TOKEN": conf["token"], "REST_RETRY_COUNT": "2"}.items():
    os.environ["TILEDB_" + key] = value  # every context of the suite reads these


def address(path):
    if "://" in path:
        return path
    if conf["mode"] == "storage":
        return f"tiledb://{conf['namespace']}/file://{path}"
    tail = re.sub("[^A-Za-z0-9_-]+", "-", os.path.basename(path)) or "array"
    return f"tiledb://{conf['namespace']}/{tail}-{hashlib.sha1(path.encode()).hexdigest()[:10]}"


def wrap(cls):
    original = cls.path

    def path(self, basename=None, shared=False):
        local = original(self, basename, shared)
        if basename is None and "://" not in local:
            os.rmdir(local)  # the helper makes an empty folder, where the server wants to make an array
        uri = address(local)
        self.pathmap[uri] = "rest_paths"
        return uri

    cls.path, cls.over_rest = path, True


def pytest_collection_modifyitems(session, config, items):
    for name, module in list(sys.modules.items()):
        cls = getattr(module, "DiskTestCase", None) if name.split(".")[-1] == "common" else None
        if cls is not None and not hasattr(cls, "over_rest"):
            wrap(cls)
    with open(conf["only"], encoding="utf-8") as f:
        only = set(f.read().split("\n"))
    config.hook.pytest_deselected(items=[i for i in items if i.nodeid not in only])
    items[:] = [i for i in items if i.nodeid in only]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" and report.outcome == "passed":
        return
    reason = "" if report.outcome == "passed" else str(report.longrepr)[-1500:]
    with open(conf["report"], "a", encoding="utf-8") as f:
        f.write(json.dumps({"node": item.nodeid, "when": report.when, "outcome": report.outcome, "reason": reason}) + "\n")
