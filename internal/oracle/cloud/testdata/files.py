"""Files and notebooks by the functions of tiledb-cloud and of TileDB-Py."""
import json
import os
import time
import urllib.request

import tiledb
import tiledb.cloud
from oracle import Scenario, main
from tiledb.cloud import array, client, notebook
from tiledb.cloud.files import utils as files
from tiledb.cloud.rest_api import ArrayApi, FilesApi, NotebookApi, NotebooksApi, models


class Files(Scenario):
    ways, modes = ("ours",), ("server",)

    def steps(self):
        tiledb.cloud.login(token=self.site.conf["token"], host=self.site.conf["server"], no_session=True)
        # The client makes the arrays of notebooks in the default context, which does not know of its login.
        tiledb.default_ctx({"rest.server_address": self.site.conf["server"], "rest.token": self.site.conf["token"]})
        self.ns = self.site.namespace
        self.work = os.path.join(self.site.dir, "work")
        os.makedirs(self.work, exist_ok=True)
        yield "ours/upload and export", self.upload
        yield "ours/versions", self.versions
        yield "ours/filestore", self.filestore
        yield "ours/ranges", self.ranges
        yield "ours/wrap and export", self.wrap
        yield "ours/form", self.form
        yield "ours/notebook", self.notebook
        yield "ours/previews", self.previews

    def local(self, name, content):
        path = os.path.join(self.work, name)
        with open(path, "wb") as f:
            f.write(content)
        return path

    def exported(self, uri, **at):
        path = os.path.join(self.work, "out")
        files.export_file_local(uri, path, **at)
        with open(path, "rb") as f:
            return f.read()

    def upload(self):
        for n in (1, 1000, 1024, 3_000_000):
            content = os.urandom(n)
            uri = files.upload_file(self.local(f"f{n}.bin", content), f"tiledb://{self.ns}/f{n}", content_type="application/x-thing")
            assert uri == f"tiledb://{self.ns}/f{n}", uri
            assert self.exported(uri) == content
            info = array.info(uri)
            assert info.file_type == "file" and info.file_properties == {"size": str(n), "mime_type": "application/x-thing"}, info
        place = f"{self.site.dir}/placed/f.txt"
        assert files.upload_file(self.local("f.txt", b"text"), f"tiledb://{self.ns}/file://{place}") == f"tiledb://{self.ns}/f.txt"
        with tiledb.open(place) as a:  # libtiledb sees the same on disk
            assert a.meta["file_size"] == 4 and a.meta["original_file_name"] == "f" and a.meta["file_extension"] == "txt", dict(a.meta)

    def versions(self):
        uri = f"tiledb://{self.ns}/versions"
        for text in (b"the longer one", b"short"):
            files.upload_file(self.local("v.txt", text), uri)
            time.sleep(0.01)
        got = client.build(ArrayApi).arrays_namespace_array_end_timestamps_get(self.ns, "versions")
        new, old = (int(t) for t in got.end_timestamps)
        assert new > old
        assert self.exported(uri) == b"short" and self.exported(uri, timestamp=old) == b"the longer one"

    def filestore(self):
        uri = f"tiledb://{self.ns}/f3000000"
        with open(os.path.join(self.work, "f3000000.bin"), "rb") as f:
            content = f.read()
        store = tiledb.Filestore(uri, ctx=self.site.client())
        assert len(store) == len(content) and store.read(10, 1000) == content[10:1010]
        out = os.path.join(self.work, "store.bin")
        tiledb.Filestore.copy_to(uri, out, ctx=self.site.client())
        with open(out, "rb") as f:
            assert f.read() == content

    def ranges(self):
        with open(os.path.join(self.work, "f3000000.bin"), "rb") as f:
            content = f.read()
        request = urllib.request.Request(f"{self.site.conf['server']}/v1/files/{self.ns}/f3000000/download",
                                         headers={"X-TILEDB-REST-API-KEY": self.site.conf["token"], "Range": "bytes=1048000-1050000"})
        with urllib.request.urlopen(request) as reply:
            assert reply.status == 206 and reply.read() == content[1048000:1050001]

    def wrap(self):
        path = self.local("in.csv", b"a,b\n1,2\n")
        made = files.create_file(self.ns, "file://" + path, f"file://{self.site.dir}/wrapped", name="wrapped")
        assert self.exported(made.output_uri) == b"a,b\n1,2\n"
        done = files.export_file(made.output_uri, f"s3://{self.ns}/exported.csv")
        assert done.output_uri == f"s3://{self.ns}/exported.csv"
        again = files.create_file(self.ns, done.output_uri, "", name="again")
        assert self.exported(again.output_uri) == b"a,b\n1,2\n"

    def form(self):
        made = client.build(FilesApi).handle_upload_file(self.ns, self.local("form.txt", b"by form"), name="form")
        assert self.exported(made.output_uri) == b"by form" and made.id
        made = client.build(NotebookApi).handle_upload_notebook(self.ns, self.local("n.ipynb", b"{}"), name="formbook")
        assert notebook.download_notebook_contents(made.output_uri) == "{}"

    def notebook(self):
        text = json.dumps({"cells": [{"source": "Doppelgänger"}]}, ensure_ascii=False)
        path = self.local("book.ipynb", text.encode())
        uri = notebook.upload_notebook_from_file(path, namespace=self.ns, array_name="book")
        out = os.path.join(self.work, "book.out")
        notebook.download_notebook_to_file(uri, out)
        with open(out, "rb") as f:
            assert f.read() == text.encode()
        time.sleep(0.01)
        notebook.upload_notebook_contents("{}", dest_uri=uri, on_exists=notebook.OnExists.OVERWRITE)
        api = client.build(NotebookApi)
        new, old = (int(t) for t in client.build(NotebooksApi).notebooks_namespace_array_end_timestamps_get(self.ns, "book").end_timestamps)
        assert notebook.download_notebook_contents(uri) == "{}" and notebook.download_notebook_contents(uri, timestamp=old) == text
        copied = api.handle_copy_notebook(self.ns, "book", models.NotebookCopy(name="copied"), end_timestamp=old)
        assert notebook.download_notebook_contents(copied.output_uri) == text
        notebook.rename_notebook(uri, "renamed")
        uri = f"tiledb://{self.ns}/renamed"
        assert notebook.download_notebook_contents(uri) == "{}" and array.info(uri).file_type == "notebook"
        client.build(NotebooksApi).notebooks_namespace_array_prune_post(self.ns, "renamed", keep_versions=1)
        assert [int(t) for t in client.build(NotebooksApi).notebooks_namespace_array_end_timestamps_get(self.ns, "renamed").end_timestamps] == [new]
        assert notebook.download_notebook_contents(uri) == "{}"

    def previews(self):
        api = client.build(ArrayApi)
        assert api.get_array_meta_data_json(self.ns, "copied")["file_size"] > 0
        assert api.get_array_sample_data(self.ns, "renamed", samples=2).data["contents"] == [ord("{"), ord("}")]
        assert api.get_array_non_empty_domain_json(self.ns, "f1") == {"position": [0, 1023]}
        sizes = api.get_array_max_buffer_sizes(self.ns, "f1", "0,9", "application/json").max_buffer_sizes
        assert [(s.attribute, s.data_bytes) for s in sizes] == [("contents", 10)], sizes


main([Files])
