"""
What test/fakeaws answers of S3 to a restore and a snapshot: histories as control tells them, multipart uploads, listings
of objects.
"""
import base64
import hashlib
import io

import boto3.s3.transfer

import fake
import fakeaws_case
import harness
from fakeaws_case import ClientError


class Case(fakeaws_case.Case):
    def versions(self, bucket, **which):
        """(key, id, kind, seconds since 1970) of each version as it is listed."""
        found = []
        for page in self.fake.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, **which):
            found += [(v["Key"], v["VersionId"], kind, v["LastModified"].timestamp())
                      for kind in ("Versions", "DeleteMarkers") for v in page.get(kind, [])]
        return sorted(found, key=lambda v: (v[0], -v[3]))


class Histories(Case):
    def test_versions_as_told(self):
        bucket = self.fake.new_bucket()
        before = self.fake.now_ms()
        first = self.fake.version(bucket, "k", body="one", modified_ms=1000000, meta={"ddb-seq": "7"},
                                  content_type="application/json")
        second = self.fake.version(bucket, "k", marker=True, modified_ms=1000000)
        third = self.fake.version(bucket, "k", body_base64=base64.b64encode(b"\0\xff").decode(), modified_ms=900000,
                                  version_id="v3")
        self.assertLess(self.fake.now_ms() - before, 5000)
        page = self.fake.s3.list_object_versions(Bucket=bucket)
        self.assertEqual([(v["VersionId"], v["IsLatest"], v["LastModified"].timestamp()) for v in page["Versions"]],
                         [(third, True, 900), (first, False, 1000)])
        self.assertEqual([(v["VersionId"], v["IsLatest"]) for v in page["DeleteMarkers"]], [(second, False)])
        self.assertEqual(third, "v3")
        got = self.fake.s3.get_object(Bucket=bucket, Key="k", VersionId=first)
        self.assertEqual((got["Body"].read(), got["Metadata"], got["ContentType"]),
                         (b"one", {"ddb-seq": "7"}, "application/json"))
        self.assertEqual(self.fake.s3.get_object(Bucket=bucket, Key="k")["Body"].read(), b"\0\xff")

    def test_many_at_once(self):
        bucket = self.fake.new_bucket()
        keys = [f"t/{i * 7919 % 20000}" for i in range(20000)]
        ids = self.fake.versions(bucket, [{"key": k, "body": k, "modified_ms": i} for i, k in enumerate(keys)])
        self.assertEqual(len(set(ids)), 20000)
        found = [v[0] for v in self.versions(bucket)]
        self.assertEqual(found, sorted(keys))
        self.fake.version(bucket, "t/00", body="")
        self.assertEqual(len(self.fake.s3.list_object_versions(Bucket=bucket, Prefix="t/00")["Versions"]), 1)

    def test_refused(self):
        bucket = self.fake.new_bucket()
        self.fake.version(bucket, "k", version_id="a")
        for wrong in ({"version_id": "a"}, {"storage_class": "ICE"}, {"body_base64": "?"}, {"modified": 1},
                      {"modified_ms": "1"}, {"marker": 1}, {"body": {}}, {"meta": {"a": 1}}):
            with self.assertRaises(fake.Refused, msg=wrong):
                self.fake.version(bucket, "k", **wrong)
        with self.assertRaisesRegex(fake.Refused, r"versions\[1\]"):
            self.fake.versions(bucket, [{"key": "k"}, {"key": "k", "version_id": "a"}])
        with self.assertRaises(fake.Refused):
            self.fake.version("nothing", "k")

    def test_expired_versions(self):
        bucket = self.fake.new_bucket()
        one, two = self.fake.version(bucket, "k", body="1"), self.fake.version(bucket, "k", marker=True)
        self.fake.expire(bucket, "k", one)
        self.assertEqual([v[1] for v in self.versions(bucket)], [two])
        self.fake.expire(bucket, "k", two)
        self.assertEqual(self.versions(bucket), [])
        with self.assertRaises(fake.Refused):
            self.fake.expire(bucket, "k", two)

    def test_null_versions(self):
        bucket = self.fake.new_bucket(versioning=None)
        s3 = self.fake.s3
        s3.put_object(Bucket=bucket, Key="k", Body=b"0")
        self.assertEqual([v[1] for v in self.versions(bucket)], ["null"])
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        one = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
        self.assertEqual(s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read(), b"0")
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        s3.put_object(Bucket=bucket, Key="k", Body=b"2")
        page = s3.list_object_versions(Bucket=bucket)["Versions"]
        self.assertEqual([(v["VersionId"], v["IsLatest"]) for v in page], [("null", True), (one, False)])
        self.assertEqual(s3.delete_object(Bucket=bucket, Key="k")["VersionId"], "null")
        page = s3.list_object_versions(Bucket=bucket)
        self.assertEqual([v["VersionId"] for v in page["Versions"]], [one])
        self.assertEqual([v["VersionId"] for v in page["DeleteMarkers"]], ["null"])
        self.assertEqual(self.fake.version(bucket, "k", body="3"), "null")
        self.assertEqual(len(self.versions(bucket)), 2)

    def test_archived_versions(self):
        bucket = self.fake.new_bucket()
        for name, readable in (("GLACIER", False), ("DEEP_ARCHIVE", False), ("GLACIER_IR", True), ("STANDARD_IA", True)):
            version = self.fake.version(bucket, name, body="x", storage_class=name)
            which = {"Bucket": bucket, "Key": name, "VersionId": version}
            self.assertEqual(self.fake.s3.head_object(**which)["StorageClass"], name)
            listed = self.fake.s3.list_object_versions(Bucket=bucket, Prefix=name)["Versions"][0]
            self.assertEqual(listed["StorageClass"], name)
            if readable:
                self.assertEqual(self.fake.s3.get_object(**which)["Body"].read(), b"x")
            else:
                self.refused("InvalidObjectState", self.fake.s3.get_object, 403, **which)


MIB = 1 << 20


class Uploads(Case):
    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()
        self.where = {"Bucket": self.bucket, "Key": "a b&c"}

    def begin(self, **more):
        return self.fake.s3.create_multipart_upload(**self.where, **more)["UploadId"]

    def part(self, upload, number, body):
        return self.fake.s3.upload_part(**self.where, UploadId=upload, PartNumber=number, Body=body)["ETag"]

    def complete(self, upload, parts):
        return self.fake.s3.complete_multipart_upload(**self.where, UploadId=upload, MultipartUpload={
            "Parts": [{"PartNumber": n, "ETag": e} for n, e in parts]})

    def test_life_of_an_upload(self):
        upload = self.begin(ContentType="text/x", Metadata={"a": "1"})
        bodies = {1: b"a" * 5 * MIB, 7: b"b" * 5 * MIB, 9: b"c"}
        parts = [(n, self.part(upload, n, bodies[n])) for n in (9, 1, 7)]
        self.assertEqual(parts[0][1], '"' + hashlib.md5(b"c").hexdigest() + '"')
        self.assertEqual([(u["key"], u["parts"], u["bytes"]) for u in self.fake.uploads()], [("a b&c", 3, 10 * MIB + 1)])
        self.assertEqual(self.fake.s3.list_object_versions(Bucket=self.bucket).get("Versions"), None)
        self.fake.advance(100)
        done = self.complete(upload, sorted(parts))
        sums = b"".join(hashlib.md5(bodies[n]).digest() for n in (1, 7, 9))
        self.assertEqual(done["ETag"], f'"{hashlib.md5(sums).hexdigest()}-3"')
        got = self.fake.s3.get_object(**self.where)
        self.assertEqual(got["Body"].read(), bodies[1] + bodies[7] + bodies[9])
        self.assertEqual((got["ETag"], got["VersionId"], got["ContentType"], got["Metadata"]),
                         (done["ETag"], done["VersionId"], "text/x", {"a": "1"}))
        self.assertGreater(self.fake.now_ms() / 1000 - got["LastModified"].timestamp(), 99)
        self.assertEqual(self.fake.uploads(), [])
        self.refused("NoSuchUpload", self.part, 404, upload=upload, number=1, body=b"")

    def test_refused_parts(self):
        upload = self.begin()
        one, two = self.part(upload, 1, b"small"), self.part(upload, 2, b"last")
        for code, parts in (("EntityTooSmall", [(1, one), (2, two)]), ("InvalidPartOrder", [(2, two), (1, one)]),
                            ("InvalidPartOrder", [(2, two), (2, two)]), ("InvalidPart", [(1, one), (3, two)]),
                            ("InvalidPart", [(1, two)]), ("MalformedXML", [])):
            self.refused(code, self.complete, 400, upload=upload, parts=parts)
        for number in (0, 10001):
            self.refused("InvalidArgument", self.part, 400, upload=upload, number=number, body=b"")
        self.refused("BadDigest", self.fake.s3.upload_part, 400, **self.where, UploadId=upload, PartNumber=3, Body=b"x",
                     ContentMD5=base64.b64encode(hashlib.md5(b"y").digest()).decode())
        self.refused("NoSuchUpload", self.fake.s3.upload_part, 404, Bucket=self.bucket, Key="other", UploadId=upload,
                     PartNumber=1, Body=b"")
        self.complete(upload, [(2, two)])
        self.fake.s3_options(small_parts=True)
        upload = self.begin()
        self.complete(upload, [(n, self.part(upload, n, b"x")) for n in (1, 2)])
        self.assertEqual(self.fake.s3.head_object(**self.where)["ContentLength"], 2)

    def test_a_part_again(self):
        upload = self.begin()
        old, new = self.part(upload, 1, b"old"), self.part(upload, 1, b"new")
        self.refused("InvalidPart", self.complete, 400, upload=upload, parts=[(1, old)])
        self.complete(upload, [(1, new)])
        self.assertEqual(self.fake.s3.get_object(**self.where)["Body"].read(), b"new")

    def test_abort_and_lists(self):
        first, second = self.begin(), self.begin()
        for number in (3, 1, 2):
            self.part(second, number, b"x" * number)
        pages = self.fake.s3.get_paginator("list_parts").paginate(**self.where, UploadId=second,
                                                                  PaginationConfig={"PageSize": 2})
        self.assertEqual([[(p["PartNumber"], p["Size"]) for p in page["Parts"]] for page in pages],
                         [[(1, 1), (2, 2)], [(3, 3)]])
        listed = self.fake.s3.list_multipart_uploads(Bucket=self.bucket)["Uploads"]
        self.assertEqual([(u["Key"], u["UploadId"]) for u in listed], [("a b&c", first), ("a b&c", second)])
        self.assertNotIn("Uploads", self.fake.s3.list_multipart_uploads(Bucket=self.bucket, Prefix="z"))
        self.fake.s3.abort_multipart_upload(**self.where, UploadId=first)
        self.refused("NoSuchUpload", self.fake.s3.abort_multipart_upload, 404, **self.where, UploadId=first)
        self.assertEqual([u["id"] for u in self.fake.uploads()], [second])

    def test_error_inside_of_200(self):
        upload = self.begin()
        part = self.part(upload, 1, b"x")
        self.fake.fault(op="CompleteMultipartUpload", status=200, code="InternalError", count=1)
        with self.assertRaises(ClientError):
            self.complete(upload, [(1, part)])
        told = self.fake.requests(op="CompleteMultipartUpload")
        self.assertEqual([(r["status"], r["code"]) for r in told], [(200, "InternalError")])
        self.complete(upload, [(1, part)])

    def test_by_the_transfer_manager(self):
        body = bytes(range(256)) * 4 * 1024 * 20
        small = boto3.s3.transfer.TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=6 * MIB)
        self.fake.s3.upload_fileobj(io.BytesIO(body), self.bucket, "big", Config=small)
        self.assertTrue(self.fake.s3.head_object(Bucket=self.bucket, Key="big")["ETag"].endswith('-4"'))
        back = io.BytesIO()
        self.fake.s3.download_fileobj(self.bucket, "big", back, Config=small)
        self.assertEqual(back.getvalue(), body)

    def test_ranges(self):
        self.fake.s3.put_object(**self.where, Body=b"0123456789")
        for asked, body, told in (("bytes=2-4", b"234", "bytes 2-4/10"), ("bytes=7-", b"789", "bytes 7-9/10"),
                                  ("bytes=-2", b"89", "bytes 8-9/10"), ("bytes=8-99", b"89", "bytes 8-9/10")):
            got = self.fake.s3.get_object(**self.where, Range=asked)
            self.assertEqual((got["Body"].read(), got["ContentRange"]), (body, told))
        self.refused("InvalidRange", self.fake.s3.get_object, 416, **self.where, Range="bytes=10-")
        self.refused("NotImplemented", self.fake.s3.copy_object, 501, Bucket=self.bucket, Key="x", CopySource=self.where)


class Objects(Case):
    def pages(self, **arguments):
        return list(self.fake.s3.get_paginator("list_objects_v2").paginate(**arguments))

    def test_only_what_is_there(self):
        bucket = self.fake.new_bucket()
        for key in ("a/1", "a/2 x", "a/3", "b", "c/ä"):
            self.fake.s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        self.fake.s3.put_object(Bucket=bucket, Key="b", Body=b"again")
        for key in ("a/3", "c/ä"):
            self.fake.s3.delete_object(Bucket=bucket, Key=key)
        for size in (1, 2, 1000):
            pages = self.pages(Bucket=bucket, PaginationConfig={"PageSize": size})
            found = [(o["Key"], o["Size"]) for page in pages for o in page.get("Contents", [])]
            self.assertEqual(found, [("a/1", 3), ("a/2 x", 5), ("b", 5)])
            self.assertTrue(all(page["KeyCount"] <= size for page in pages))
            pages = self.pages(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size})
            found = [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])]
            self.assertEqual((found, [o["Key"] for page in pages for o in page.get("Contents", [])]), (["a/"], ["b"]))
        self.assertEqual([o["Key"] for o in self.pages(Bucket=bucket, Prefix="a/", StartAfter="a/1")[0]["Contents"]],
                         ["a/2 x"])
        self.assertNotIn("Contents", self.pages(Bucket=bucket, Prefix="c")[0])
        self.refused("InvalidArgument", self.fake.s3.list_objects_v2, 400, Bucket=bucket, ContinuationToken="?")


if __name__ == "__main__":
    harness.main()
