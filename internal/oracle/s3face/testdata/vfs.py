"""TileDB's client on tiledb:// files: its virtual file system, and listing, moving and removing arrays and groups."""
import os

import numpy as np
import tiledb
from oracle import Scenario, main, refused, same


class Files(Scenario):
    modes = ("server",)

    def steps(self):
        yield self.where() + "/all", self.run

    def where(self):
        return "names"

    def base(self):
        return self.site.uri("files")

    def vfs(self, **settings):
        return tiledb.VFS(ctx=self.site.client(**settings))


class WriteAndRead(Files):
    """Small, empty and multipart files, read back whole and in pieces."""

    def run(self):
        vfs, base = self.vfs(), self.base()
        for name, n in {"empty": 0, "small": 5, "odd name %é+~=&": 1000, "deep/er/file": 1 << 20, "parts": 23_000_001}.items():
            uri, content = f"{base}/{name}", np.random.default_rng(n).bytes(n)
            assert not vfs.is_file(uri)
            with vfs.open(uri, "wb") as f:
                f.write(content[: n // 2])
                f.write(content[n // 2 :])
            assert vfs.is_file(uri) and not vfs.is_dir(uri) and vfs.file_size(uri) == n, name
            with vfs.open(uri, "rb") as f:
                assert f.read() == content, name
                if n > 100:
                    f.seek(77)
                    assert f.read(20) == content[77:97], name
            with vfs.open(uri, "wb") as f:  # again: the old content goes
                f.write(b"new")
            with self.vfs().open(uri, "rb") as f:  # the client keeps what it has read of a file
                assert f.read() == b"new"
        assert vfs.dir_size(base) == 15
        vfs.touch(f"{base}/touched")
        assert vfs.file_size(f"{base}/touched") == 0
        with refused():
            vfs.open(f"{base}/none", "rb")
        with refused():
            vfs.file_size(f"{base}/deep")
        vfs.remove_dir(base)
        assert not vfs.is_dir(base) and vfs.ls(base) == []


class ByStorage(WriteAndRead):
    """The same in a directory that the namespace owns, where others see the files."""

    def where(self):
        return "storage"

    def base(self):
        return f"tiledb://{self.site.namespace}/file://{self.site.dir}/files by storage"


class Tree(Files):
    """Listing, copying and moving files."""

    def run(self):
        vfs, base = self.vfs(), self.base()
        for name in ["a", "d/b", "d/e/c", "d-f", "d.g"]:
            with vfs.open(f"{base}/{name}", "wb") as f:
                f.write(name.encode())
        assert sorted(vfs.ls(base)) == [f"{base}/{n}" for n in ["a", "d", "d-f", "d.g"]]
        assert sorted(vfs.ls_recursive(base)) == [f"{base}/{n}" for n in ["a", "d-f", "d.g", "d/b", "d/e/c"]]
        vfs.copy_file(f"{base}/a", f"{base}/x/copy")
        vfs.move_file(f"{base}/a", f"{base}/x/moved")
        vfs.copy_dir(f"{base}/d", f"{base}/y")
        vfs.move_dir(f"{base}/d", f"{base}/z")
        assert sorted(vfs.ls_recursive(base)) == [f"{base}/{n}" for n in ["d-f", "d.g", "x/copy", "x/moved", "y/b", "y/e/c", "z/b", "z/e/c"]]
        with vfs.open(f"{base}/z/e/c", "rb") as f:
            assert f.read() == b"d/e/c"
        for i in range(1100):  # more than one page
            if i % 100 == 0:
                vfs.touch(f"{base}/many/{i:04}")
            else:
                vfs.copy_file(f"{base}/many/{i // 100 * 100:04}", f"{base}/many/{i:04}")
        assert [os.path.basename(p) for p in vfs.ls(f"{base}/many")] == [f"{i:04}" for i in range(1100)]
        vfs.remove_dir(base)
        assert vfs.ls_recursive(base) == []

    def base(self):
        return self.site.uri("tree")


class Strangers(Files):
    """Who has no token for it, or one for reading, gets an error and not the file."""

    def run(self):
        vfs, uri = self.vfs(), self.base() + "/file"
        with vfs.open(uri, "wb") as f:
            f.write(b"mine")
        assert vfs.is_bucket(f"tiledb://{self.site.namespace}") and not vfs.is_bucket("tiledb://nobody")
        reader = self.vfs(rest__token=self.site.new_token(name="s3-reader", scope=["array:read"])["token"])
        with reader.open(uri, "rb") as f:
            assert f.read() == b"mine"
        with refused("403"):
            reader.touch(uri + "2")
        with refused("403"):
            reader.remove_file(uri)
        none = self.vfs(rest__token="azj_k_wrong")
        for call in (none.is_file, none.ls, none.touch):
            with refused("401"):
                call(uri)
        for path in ("/etc/passwd", self.site.conf["server_data"] + "/azulejo.db"):
            with refused("403"):
                vfs.is_file(f"tiledb://{self.site.namespace}/file://{path}")
        assert not vfs.is_file(f"tiledb://{self.site.namespace}/../../azulejo.db")
        vfs.remove_file(uri)


class Arrays(Files):
    """tiledb.ls, move and remove of arrays; the catalogue follows."""

    def run(self):
        site, ctx = self.site, self.site.client()
        storage = f"tiledb://{site.namespace}/file://{site.dir}/"
        for i, (old, new) in enumerate([(site.uri("mv/array"), site.uri("mv/array 2")), (storage + "mv-a", storage + "mv-b"), (site.uri("mv-c"), storage + "mv-c")]):
            values = np.arange(10) + i
            tiledb.from_numpy(old, values, ctx=ctx).close()
            with tiledb.open(old, "w", ctx=ctx) as a:
                a.meta["k"] = i
            assert any(p.endswith("/__schema") for p in tiledb.VFS(ctx=ctx).ls(old))
            tiledb.move(old, new, ctx=ctx)
            assert tiledb.object_type(old, ctx=ctx) is None and tiledb.object_type(new, ctx=ctx) == "array"
            with tiledb.open(new, ctx=ctx) as a:
                same(a[:], values)
                assert a.meta["k"] == i
            with tiledb.open(new, "w", ctx=ctx) as a:
                a[0:3] = np.array([7, 8, 9])
            with tiledb.open(new, ctx=ctx) as a:
                same(a[:], np.concatenate([[7, 8, 9], values[3:]]))
            if new.startswith(storage):
                with tiledb.open(new.removeprefix(f"tiledb://{site.namespace}/"), ctx=site.local()) as a:
                    assert a.meta["k"] == i
            tiledb.remove(new, ctx=ctx)
            assert tiledb.object_type(new, ctx=ctx) is None and tiledb.VFS(ctx=ctx).ls(new) == []
            with refused("does not exist"):
                tiledb.open(new, ctx=ctx)
            tiledb.from_numpy(old, values, ctx=ctx).close()  # the name is free again
            tiledb.remove(old, ctx=ctx)
        assert not [p for p in os.listdir(site.dir) if p.startswith("mv")], os.listdir(site.dir)


class Groups(Files):
    """The same of groups, with an array inside."""

    def run(self):
        site, ctx = self.site, self.site.client()
        base = f"tiledb://{site.namespace}/file://{site.dir}/"
        tiledb.group_create(base + "g", ctx=ctx)
        tiledb.group_create(base + "g/sub", ctx=ctx)
        tiledb.from_numpy(base + "g/array", np.arange(3), ctx=ctx).close()
        found = []
        tiledb.ls(base + "g", lambda path, kind: found.append((os.path.basename(path), kind)), ctx=ctx)
        assert sorted(found) == [("array", "array"), ("sub", "group")], found
        walked = []
        tiledb.walk(base + "g", lambda path, kind: walked.append((os.path.basename(path), kind)), ctx=ctx)
        assert sorted(walked) == [("array", "array"), ("sub", "group")], walked
        tiledb.move(base + "g", base + "h", ctx=ctx)
        kinds = {name: tiledb.object_type(base + name, ctx=ctx) for name in ("g", "g/sub", "g/array", "h", "h/sub", "h/array")}
        assert kinds == {"g": None, "g/sub": None, "g/array": None, "h": "group", "h/sub": "group", "h/array": "array"}, kinds
        same(tiledb.open(base + "h/array", ctx=ctx)[:], np.arange(3))
        tiledb.remove(base + "h", ctx=ctx)
        assert [tiledb.object_type(base + name, ctx=ctx) for name in ("h", "h/sub", "h/array")] == [None] * 3


class Fragments(Files):
    """Copying fragments from array to array, which is copying of files."""

    def run(self):
        ctx = self.site.client()
        schema = tiledb.ArraySchema(domain=tiledb.Domain(tiledb.Dim(domain=(1, 3), tile=3, ctx=ctx), ctx=ctx), attrs=[tiledb.Attr(dtype="int64", ctx=ctx)], sparse=True, ctx=ctx)
        old, new = self.site.uri("fragments/old"), self.site.uri("fragments/new")
        tiledb.Array.create(old, schema, ctx=ctx)
        for t in range(1, 6):
            with tiledb.open(old, "w", timestamp=t, ctx=ctx) as a:
                a[[1, 2, 3]] = np.array([t, t, t])
        with tiledb.scope_ctx(ctx):
            tiledb.create_array_from_fragments(old, new, (2, 3))
        with tiledb.open(new, ctx=ctx) as a:
            same(a[:][""], np.array([3, 3, 3]))
        assert len(tiledb.array_fragments(new, ctx=ctx)) == 2


class Filestore(Files):
    """A file in an array, taken from and given to a tiledb:// file."""

    def run(self):
        ctx, content = self.site.client(), np.random.default_rng(5).bytes(300_000)
        array, source, target = self.site.uri("store/array"), self.site.uri("store/in.bin"), self.site.uri("store/out.bin")
        vfs = tiledb.VFS(ctx=ctx)
        with vfs.open(source, "wb") as f:
            f.write(content)
        with tiledb.scope_ctx(ctx):
            tiledb.Array.create(array, tiledb.ArraySchema.from_file(source))
            tiledb.Filestore.copy_from(array, source)
            store = tiledb.Filestore(array)
            assert len(store) == len(content) and store.read(1000, 50) == content[1000:1050]
            tiledb.Filestore.copy_to(array, target)
        with vfs.open(target, "rb") as f:
            assert f.read() == content


if __name__ == "__main__":
    main([WriteAndRead, ByStorage, Tree, Strangers, Arrays, Groups, Fragments, Filestore])
