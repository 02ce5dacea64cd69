"""test/fakeaws: versioned S3: objects, delete markers, conditions, listings, and the audit of writes."""
import hashlib

import harness
from fakeaws_case import Case, ClientError


class Objects(Case):
    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()
        self.s3 = self.fake.s3

    def put(self, key, body=b"x", **more):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)["VersionId"]

    def delete(self, key):
        return self.s3.delete_object(Bucket=self.bucket, Key=key)["VersionId"]

    def list(self, **more):
        """[(key, id, is a marker)], read page by page."""
        found, start = [], {}
        while True:
            self.fake.listing_tags.clear()
            page = self.s3.list_object_versions(Bucket=self.bucket, **more, **start)
            rest = {"Version": iter(page.get("Versions", [])), "DeleteMarker": iter(page.get("DeleteMarkers", []))}
            for tag in self.fake.listing_tags:
                raw = next(rest[tag])
                found.append((raw["Key"], raw["VersionId"], tag == "DeleteMarker"))
            if not page["IsTruncated"]:
                return found
            start = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker", "")}

    def test_put_and_get(self):
        first = self.put("a", b"one", Metadata={"ddb-seq": "1"}, ContentType="application/json")
        second = self.put("a", b"two")
        got = self.s3.get_object(Bucket=self.bucket, Key="a")
        self.assertEqual((got["Body"].read(), got["VersionId"], got["Metadata"]), (b"two", second, {}))
        self.assertEqual(got["ETag"], f'"{hashlib.md5(b"two").hexdigest()}"')
        got = self.s3.get_object(Bucket=self.bucket, Key="a", VersionId=first)
        self.assertEqual((got["Body"].read(), got["Metadata"], got["ContentType"]),
                         (b"one", {"ddb-seq": "1"}, "application/json"))
        head = self.s3.head_object(Bucket=self.bucket, Key="a", VersionId=first)
        self.assertEqual((head["ContentLength"], head["Metadata"]), (3, {"ddb-seq": "1"}))
        self.refused("NoSuchKey", self.s3.get_object, 404, Bucket=self.bucket, Key="b")
        self.refused("404", self.s3.head_object, 404, Bucket=self.bucket, Key="b")
        self.refused("NoSuchVersion", self.s3.get_object, 404, Bucket=self.bucket, Key="a", VersionId="nothing")
        self.refused("NoSuchBucket", self.s3.get_object, 404, Bucket="no-such-bucket", Key="a")

    def test_digests(self):
        self.refused("BadDigest", self.s3.put_object, 400, Bucket=self.bucket, Key="a", Body=b"x",
                     ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
        self.refused("InvalidDigest", self.s3.put_object, 400, Bucket=self.bucket, Key="a", Body=b"x", ContentMD5="x")
        self.refused("KeyTooLongError", self.s3.put_object, 400, Bucket=self.bucket, Key="k" * 1025, Body=b"x")
        self.refused("MetadataTooLarge", self.s3.put_object, 400, Bucket=self.bucket, Key="a", Metadata={"m": "x" * 2048})
        self.put("k" * 1024)
        self.assertEqual(len(self.fake.writes()), 1)

    def test_delete_markers(self):
        version = self.put("a")
        marker = self.delete("a")
        with self.assertRaises(ClientError) as caught:
            self.s3.get_object(Bucket=self.bucket, Key="a")
        answer = caught.exception.response["ResponseMetadata"]
        self.assertEqual((answer["HTTPStatusCode"], answer["HTTPHeaders"]["x-amz-delete-marker"],
                          answer["HTTPHeaders"]["x-amz-version-id"]), (404, "true", marker))
        with self.assertRaises(ClientError) as caught:
            self.s3.head_object(Bucket=self.bucket, Key="a", VersionId=marker)
        answer = caught.exception.response["ResponseMetadata"]
        self.assertEqual((answer["HTTPStatusCode"], answer["HTTPHeaders"]["allow"]), (405, "DELETE"))
        self.assertIn("last-modified", answer["HTTPHeaders"])
        self.s3.get_object(Bucket=self.bucket, Key="a", VersionId=version)
        self.assertEqual(self.list(), [("a", marker, True), ("a", version, False)])
        self.delete("never-there")
        self.assertEqual(len(self.list()), 3)

    def test_versions_cannot_be_deleted(self):
        version = self.put("a")
        self.refused("AccessDenied", self.s3.delete_object, 403, Bucket=self.bucket, Key="a", VersionId=version)
        self.fake.s3_options(allow_version_delete=True)
        self.s3.delete_object(Bucket=self.bucket, Key="a", VersionId=version)
        self.assertEqual(self.list(), [])

    def conditional(self, key, header, value):
        return self.signed("s3", "PUT", f"/{self.bucket}/{key}", b"x", {header: value})[0]

    def test_conditions(self):
        etag = f'"{hashlib.md5(b"x").hexdigest()}"'
        self.assertEqual(self.conditional("a", "If-Match", etag), 404)
        self.assertEqual(self.conditional("a", "If-None-Match", "*"), 200)
        self.assertEqual(self.conditional("a", "If-None-Match", "*"), 412)
        self.assertEqual(self.conditional("a", "If-Match", etag), 200)
        self.assertEqual(self.conditional("a", "If-Match", '"other"'), 412)
        self.delete("a")
        self.assertEqual(self.conditional("a", "If-Match", etag), 404)
        self.assertEqual(self.conditional("a", "If-None-Match", "*"), 200)  # over a delete marker
        self.fake.s3_options(ignore_conditions=True)
        self.assertEqual(self.conditional("a", "If-None-Match", "*"), 200)
        self.assertEqual(self.conditional("a", "If-Match", '"other"'), 200)

    def fill(self):
        """What list() must say, whatever the pages."""
        expected = {}
        for n in range(3):
            for key in ("b", "a/1", "a/2", "ä b&<c>", "a", "Z", "a-"):
                expected.setdefault(key, []).insert(0, (key, self.put(key), False))
                if key in ("a/1", "b"):
                    expected[key].insert(0, (key, self.delete(key), True))
        return [v for key in sorted(expected, key=lambda k: k.encode()) for v in expected[key]]

    def test_listing_in_document_order(self):
        expected = self.fill()
        self.assertEqual(self.list(), expected)
        self.assertEqual(self.list(Prefix="a/"), [e for e in expected if e[0].startswith("a/")])
        for size in (1, 2, 3, 5, 7):
            self.assertEqual(self.list(MaxKeys=size), expected, size)
        self.fake.s3_options(list_page=2)
        self.assertEqual(self.list(), expected)
        self.fake.s3_options(list_page=5, list_random=True)
        self.assertEqual(self.list(), expected)

    def test_latest_is_told(self):
        self.fill()
        page = self.s3.list_object_versions(Bucket=self.bucket)
        latest = [v["Key"] for v in page["Versions"] + page["DeleteMarkers"] if v["IsLatest"]]
        self.assertEqual(sorted(latest), sorted({v["Key"] for v in page["Versions"]}))

    def test_page_of_markers_only(self):
        self.put("a")
        markers = [self.delete("a") for _ in range(3)]
        page = self.s3.list_object_versions(Bucket=self.bucket, MaxKeys=3)
        self.assertNotIn("Versions", page)
        self.assertEqual([m["VersionId"] for m in page["DeleteMarkers"]], markers[::-1])
        self.assertTrue(page["IsTruncated"])

    def test_delimiter(self):
        self.fill()
        for size in (1, 1000):
            prefixes, keys, start = [], [], {}
            while True:
                page = self.s3.list_object_versions(Bucket=self.bucket, Delimiter="/", MaxKeys=size, **start)
                prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
                keys += [v["Key"] for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
                if not page["IsTruncated"]:
                    break
                start = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker", "")}
            self.assertEqual(prefixes, ["a/"])
            self.assertEqual(sorted(set(keys)), sorted(["b", "ä b&<c>", "a", "Z", "a-"]))

    def test_encoding(self):
        self.put("a b+%ä/")
        self.put("a b+%ä/")
        path = f"/{self.bucket}"
        query = {"versions": "", "encoding-type": "url", "max-keys": "1"}
        body = self.signed("s3", "GET", path, **query)[2]
        for element in (b"<Key>a+b%2B%25%C3%A4/</Key>", b"<NextKeyMarker>a+b%2B%25%C3%A4/</NextKeyMarker>"):
            self.assertIn(element, body)
        self.fake.s3_options(plain_next_marker=True)
        self.assertIn("<NextKeyMarker>a b+%ä/</NextKeyMarker>".encode(), self.signed("s3", "GET", path, **query)[2])
        self.assertIn("<Key>a b+%ä/</Key>".encode(), self.signed("s3", "GET", path, versions="")[2])

    def test_bad_markers(self):
        status, _, body = self.signed("s3", "GET", f"/{self.bucket}", versions="", **{"version-id-marker": "x"})
        self.assertEqual((status, b"InvalidArgument" in body), (400, True))

    def test_versioning(self):
        bucket = self.fake.new_bucket(versioning=None)
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket=bucket))
        self.assertNotIn("VersionId", self.s3.put_object(Bucket=bucket, Key="a", Body=b"1"))
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled")
        self.s3.put_object(Bucket=bucket, Key="a", Body=b"2")
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        self.assertEqual(self.s3.put_object(Bucket=bucket, Key="a", Body=b"3")["VersionId"], "null")
        ids = [v["VersionId"] for v in self.s3.list_object_versions(Bucket=bucket)["Versions"]]
        self.assertEqual((len(ids), ids[0]), (2, "null"))  # the null version of the beginning was replaced
        self.refused("BucketAlreadyOwnedByYou", self.s3.create_bucket, 409, Bucket=bucket)

    def test_virtual_host(self):
        host = {"Host": f"{self.bucket}.localhost:{self.fake.port}"}  # not every resolver knows names below localhost
        self.assertEqual(self.signed("s3", "PUT", "/a/b", b"virtual", host)[0], 200)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="a/b")["Body"].read(), b"virtual")
        self.assertEqual(self.signed("s3", "GET", "/", headers=host, versions="")[2].count(b"<Version>"), 1)

    def test_clock(self):
        self.fake.do("clock", freeze=True, set_ms=1464806460999)
        self.put("a")
        head = self.s3.head_object(Bucket=self.bucket, Key="a")
        self.assertEqual(head["LastModified"].timestamp(), 1464806460)
        self.fake.do("skew", service="s3", ms=-120000)
        self.put("a")
        head = self.s3.head_object(Bucket=self.bucket, Key="a")
        self.assertEqual(head["LastModified"].timestamp(), 1464806340)
        self.assertEqual(head["ResponseMetadata"]["HTTPHeaders"]["date"], "Wed, 01 Jun 2016 18:39:00 GMT")

    def test_audit_of_writes(self):
        one, marker = self.put("a", b"1", Metadata={"k": "v"}), self.delete("a")
        writes = self.fake.writes(bucket=self.bucket)
        self.assertEqual([(w["version"], w["marker"]) for w in writes], [(one, False), (marker, True)])
        self.assertEqual((writes[0]["meta"], writes[0]["sha256"]), ({"k": "v"}, hashlib.sha256(b"1").hexdigest()))
        requests = {r["id"]: r for r in self.fake.requests()}
        self.assertEqual([requests[w["request"]]["op"] for w in writes], ["PutObject", "DeleteObject"])


if __name__ == "__main__":
    harness.main()
