"""Amazon's client for Python against the S3 face."""
import hashlib
import io

import boto3
import numpy as np
import tiledb
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError
from oracle import Scenario, main, same


class Boto(Scenario):
    modes = ("server",)

    def steps(self):
        yield "boto/all", self.run

    def client(self, token=None, **config):
        options = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **config)
        return boto3.client("s3", endpoint_url=self.site.conf["server"] + "/v4/files", region_name="us-east-1", config=options,
                            aws_access_key_id=token or self.site.conf["token"], aws_secret_access_key="anything")

    def code(self, call, **arguments):
        """The error that a call gives."""
        try:
            call(**arguments)
        except ClientError as err:
            return err.response["Error"]["Code"]
        return None


class Objects(Boto):
    def run(self):
        s3, ns = self.client(), self.site.namespace
        assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [ns]
        assert s3.get_bucket_location(Bucket=ns)["LocationConstraint"] is None
        s3.head_bucket(Bucket=ns)
        key = "boto/ü %/o bject+"
        for algorithm in (None, "CRC32", "SHA1", "SHA256"):
            more = {"ChecksumAlgorithm": algorithm} if algorithm else {}
            tag = s3.put_object(Bucket=ns, Key=key, Body=b"content", **more)["ETag"]
        got = s3.get_object(Bucket=ns, Key=key)
        assert got["Body"].read() == b"content" and got["ETag"] == tag and got["ContentLength"] == 7
        assert s3.get_object(Bucket=ns, Key=key, Range="bytes=1-3")["Body"].read() == b"ont"
        assert s3.head_object(Bucket=ns, Key=key)["ETag"] == tag
        assert self.code(s3.get_object, Bucket=ns, Key=key, IfNoneMatch=tag) == "304"
        assert self.code(s3.get_object, Bucket=ns, Key=key, IfMatch='"x"') == "PreconditionFailed"
        assert self.code(s3.put_object, Bucket=ns, Key=key, Body=b"x", IfNoneMatch="*") == "PreconditionFailed"
        assert self.code(s3.get_object, Bucket=ns, Key="boto/none") == "NoSuchKey"
        assert self.code(s3.get_object, Bucket="nobody", Key="x") == "NoSuchBucket"
        assert self.code(s3.get_object, Bucket=ns, Key=key, Range="bytes=7-") == "InvalidRange"
        assert self.code(s3.get_bucket_versioning, Bucket=ns) == "NotImplemented"
        assert self.code(self.client("azj_k_wrong").list_objects_v2, Bucket=ns) == "InvalidAccessKeyId"
        s3.copy_object(Bucket=ns, Key="boto/copy", CopySource={"Bucket": ns, "Key": key})
        reply = s3.delete_objects(Bucket=ns, Delete={"Objects": [{"Key": key}, {"Key": "boto/copy"}, {"Key": "boto/none"}]})
        assert len(reply["Deleted"]) == 3 and "Errors" not in reply
        assert s3.list_objects_v2(Bucket=ns, Prefix="boto/")["KeyCount"] == 0


class Large(Boto):
    """Uploads in parts and ranged downloads, by threads."""

    def run(self):
        s3, ns = self.client(), self.site.namespace
        content = np.random.default_rng(1).bytes(40_000_001)
        transfer = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
        s3.upload_fileobj(io.BytesIO(content), ns, "large/file", Config=transfer)
        assert s3.head_object(Bucket=ns, Key="large/file")["ContentLength"] == len(content)
        back = io.BytesIO()
        s3.download_fileobj(ns, "large/file", back, Config=transfer)
        assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(content).digest()
        s3.copy({"Bucket": ns, "Key": "large/file"}, ns, "large/copy", Config=transfer)  # by UploadPartCopy
        assert s3.get_object(Bucket=ns, Key="large/copy", Range="bytes=-9")["Body"].read() == content[-9:]
        upload = s3.create_multipart_upload(Bucket=ns, Key="large/other")["UploadId"]
        part = s3.upload_part(Bucket=ns, Key="large/other", UploadId=upload, PartNumber=2, Body=b"two")["ETag"]
        parts = s3.list_parts(Bucket=ns, Key="large/other", UploadId=upload)["Parts"]
        assert [(p["PartNumber"], p["ETag"], p["Size"]) for p in parts] == [(2, part, 3)]
        s3.abort_multipart_upload(Bucket=ns, Key="large/other", UploadId=upload)
        assert self.code(s3.list_parts, Bucket=ns, Key="large/other", UploadId=upload) == "NoSuchUpload"
        for key in ("large/file", "large/copy"):
            s3.delete_object(Bucket=ns, Key=key)


class Listing(Boto):
    def run(self):
        s3, ns = self.client(), self.site.namespace
        keys = sorted([f"list/{i % 7}/{i}" for i in range(50)] + ["list/x&y <z>", "list/é ü", "list/%41"])
        for key in keys:
            s3.put_object(Bucket=ns, Key=key, Body=b"")
        for name, size in (("list_objects_v2", 7), ("list_objects", 7), ("list_objects_v2", 1000)):
            pages = s3.get_paginator(name).paginate(Bucket=ns, Prefix="list/", PaginationConfig={"PageSize": size})
            assert sorted(o["Key"] for p in pages for o in p.get("Contents", [])) == keys, name
            pages = s3.get_paginator(name).paginate(Bucket=ns, Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": size})
            assert [c["Prefix"] for p in pages for c in p.get("CommonPrefixes", [])] == [f"list/{i}/" for i in range(7)], name
        assert [o["Key"] for o in s3.list_objects_v2(Bucket=ns, Prefix="list/", StartAfter="list/x")["Contents"]] == ["list/x&y <z>", "list/é ü"]
        boto3.resource("s3", endpoint_url=self.site.conf["server"] + "/v4/files", region_name="us-east-1", aws_access_key_id=self.site.conf["token"],
                       aws_secret_access_key="x", config=Config(s3={"addressing_style": "path"})).Bucket(ns).objects.filter(Prefix="list/").delete()
        assert "Contents" not in s3.list_objects_v2(Bucket=ns, Prefix="list/")


class ArrayFiles(Boto):
    """An array copied by its files is an array."""

    def run(self):
        s3, ns, ctx = self.client(), self.site.namespace, self.site.client()
        tiledb.from_numpy(self.site.uri("boto-array"), np.arange(9), ctx=ctx).close()
        for o in s3.list_objects_v2(Bucket=ns, Prefix="boto-array/")["Contents"]:
            body = s3.get_object(Bucket=ns, Key=o["Key"])["Body"].read()
            s3.put_object(Bucket=ns, Key=o["Key"].replace("boto-array/", "boto-copy/"), Body=body)
        same(tiledb.open(self.site.uri("boto-copy"), ctx=ctx)[:], np.arange(9))
        with tiledb.open(f"s3://{ns}/boto-copy", ctx=tiledb.Ctx({
                "vfs.s3.endpoint_override": self.site.conf["server"].removeprefix("http://") + "/v4/files", "vfs.s3.scheme": "http", "vfs.s3.use_virtual_addressing": "false",
                "vfs.s3.aws_access_key_id": self.site.conf["token"], "vfs.s3.aws_secret_access_key": "x", "vfs.s3.region": "us-east-1"})) as a:
            same(a[:], np.arange(9))


if __name__ == "__main__":
    main([Objects, Large, Listing, ArrayFiles])
