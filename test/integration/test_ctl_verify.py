"""ddb-streamctl verify: the live table beside its backup, and the histories in it."""
import json
import signal

import harness
from backed import Backed, CORRUPTIONS, META, item
from ctl import EX_DATAERR, EX_NOINPUT, EX_USAGE, INCOMPLETE, T0, TABLE, iso  # noqa: F401
from harness import canonical


class Verify(Backed):
    def verify(self, *more, code=0, **options):
        """The report, and what was said."""
        out, err = self.ctl("verify", "--table", TABLE, "-o", "json", *more, code=code, **options)
        return json.loads(out), err

    def kinds(self, report):
        """{name of an object: kinds of what was found of it}"""
        found = {}
        for f in report["findings"]:
            found.setdefault(f["object"], set()).add(f["kind"])
        return found

    def counts(self, report):
        return {kind: n for kind, n in report["found"].items() if n}


class Good(Verify):
    def test_equal(self):
        self.fake.do("reset_audit")
        report, err = self.verify()
        self.assertEqual((report["outcome"], report["items"], report["objects"]), ("equal", 35, 35))
        self.assertEqual((report["findings"], self.counts(report), report["repair"]), ([], {}, None))
        self.assertEqual(err.count("warning"), 0)
        # One page of the listing, table.json and the watermark; the table's description and its four segments.
        self.assertEqual(self.fake.count("s3 ListObjectsV2"), 1)
        self.assertEqual(self.fake.count("s3 GetObject"), 2)
        self.assertEqual(self.fake.count("dynamodb Scan"), 4)
        self.assertEqual(self.fake.count("dynamodb GetItem"), 0)

    def test_requests_per_thousand_items(self):
        """However many items do not differ, S3 is asked once a thousand, and for what says how the table lies there."""
        more = [item(f"m{n}", n={"N": str(n)}) for n in range(2965)]
        for at in range(0, len(more), 25):
            self.fake.dynamodb.batch_write_item(RequestItems={TABLE: [
                {"PutRequest": {"Item": i}} for i in more[at:at + 25]]})
        self.fake.versions(self.bucket, [{"key": f"{TABLE}/{i['id']['S']}", "body": canonical(i).decode()} for i in more])
        self.fake.do("reset_audit")
        report, _ = self.verify()
        self.assertEqual((report["outcome"], report["items"], report["objects"]), ("equal", 3000, 3000))
        asked = {name: c["n"] for name, c in self.fake.counts().items() if c["n"] > 0}
        self.assertEqual({n: c for n, c in asked.items() if n.startswith("s3 ")},
                         {"s3 ListObjectsV2": 3, "s3 GetObject": 2})
        self.assertEqual({r.get("key") for r in self.fake.requests() if r["op"] == "GetObject"},
                         {META + "table.json", META + "watermark.json"})
        self.assertEqual({n: c for n, c in asked.items() if n.startswith("dynamodb ")},
                         {"dynamodb DescribeTable": 1, "dynamodb Scan": 4})

    def test_deep(self):
        report, _ = self.verify("--deep")
        self.assertEqual((report["outcome"], report["versions"], report["removals"]), ("equal", 95, 10))
        self.assertEqual(self.fake.count("s3 GetObject"), 95 - 10 + 10 + 2)

    def test_text(self):
        out, err = self.ctl("verify", "--table", TABLE, "--deep")
        self.assertEqual(out, "")
        self.assertIn("35 items, 35 objects: no difference", err)
        self.assertIn("40 items, 95 versions and markers, 10 deletes objects", err)

    def test_dry_run(self):
        out, _ = self.ctl("verify", "--table", TABLE, "--dry-run", "--deep")
        self.assertRegex(out, "35 objects, .* LIST requests")
        self.assertIn("cost   about $0.00", out)
        out, _ = self.ctl("verify", "--table", TABLE, "--dry-run", "-o", "json")
        self.assertEqual(json.loads(out)["objects"], 35)
        self.assertEqual(self.fake.count("dynamodb Scan"), 0)

    def test_sample(self):
        report, _ = self.verify("--sample", "50%", "--deep", "--seed", "a")
        self.assertEqual((report["outcome"], report["sample"]), ("equal", {"percent": 50, "seed": "a"}))
        self.assertEqual(report["items"], report["objects"])
        self.assertTrue(5 < report["items"] < 30, report)
        other, _ = self.verify("--sample", "50%", "--deep", "--seed", "b")
        again, _ = self.verify("--sample", "50%", "--deep", "--seed", "a")
        self.assertEqual(again["versions"], report["versions"])
        self.assertNotEqual((other["items"], other["versions"]), (report["items"], report["versions"]))
        report, err = self.verify("--sample", "1%")
        self.assertRegex(report["sample"]["seed"], "^20..-..-..$")
        self.assertIn("chosen by the seed 20", err)

    def test_usage(self):
        self.ctl("verify", code=EX_USAGE)
        for part in ("0%", "101%", "1", "-1%", "x%", "nan%"):
            self.ctl("verify", "--table", TABLE, "--sample", part, code=EX_USAGE)
        self.ctl("verify", "--table", TABLE, "--seed", "x", code=EX_USAGE)
        self.ctl("verify", "--table", TABLE, "--repair", "--dry-run", code=EX_USAGE)
        self.ctl("verify", "--table", TABLE, "--repair", "--sample", "1%", code=EX_USAGE)
        self.ctl("verify", "--table", TABLE, "--rate", "0", code=EX_USAGE)
        self.ctl("verify", "--table", "none-such", code=EX_NOINPUT)

    def test_pages_and_rate(self):
        self.fake.s3_options(list_page=7)
        self.fake.options(TABLE, read_empty_nth=2)
        report, _ = self.verify("--rate", "100")
        self.assertEqual((report["outcome"], report["items"], report["objects"]), ("equal", 35, 35))
        self.assertEqual(self.verify("--deep")[0]["versions"], 95)

    def test_foreign_bodies(self):
        """Another tool's spelling of an item is read, and is equal."""
        self.fake.version(self.bucket, f"{TABLE}/i1", modified_ms=T0 + 400_000, body=json.dumps(
            item("i1", s={"SS": ["b", "a"]}, n={"N": "2"})))
        report, err = self.verify()
        self.assertEqual((report["outcome"], report["not_canonical"]), ("equal", 1))
        self.assertEqual(self.fake.count("dynamodb GetItem"), 0)

    def test_multipart(self):
        """An ETag that is no MD5 tells nothing: the body does."""
        body = canonical(item("i2", n={"N": "2"}, s={"SS": ["a", "b"]}))
        made = self.fake.s3.create_multipart_upload(Bucket=self.bucket, Key=f"{TABLE}/i2")
        part = self.fake.s3.upload_part(Bucket=self.bucket, Key=f"{TABLE}/i2", UploadId=made["UploadId"], PartNumber=1,
                                        Body=body)
        self.fake.s3.complete_multipart_upload(
            Bucket=self.bucket, Key=f"{TABLE}/i2", UploadId=made["UploadId"],
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        report, _ = self.verify()
        self.assertEqual((report["outcome"], report["looked_again"]), ("equal", 1))


class Found(Verify):
    def test_each_corruption(self):
        for corrupt in CORRUPTIONS:
            with self.subTest(corrupt.__name__):
                self.doCleanups()
                self.setUp()
                name, kinds = corrupt(self)
                report, _ = self.verify(code=INCOMPLETE)
                self.assertEqual(self.kinds(report), {name: kinds})
                self.assertEqual(report["outcome"], "different")
                report, _ = self.verify("--deep", code=INCOMPLETE)
                self.assertEqual(set(self.kinds(report)), {name})
                self.assertTrue(kinds <= self.kinds(report)[name], report)

    def test_histories(self):
        """What only --deep finds: each on an item of its own; the table and the latest versions agree."""
        two = canonical(item("i0", n={"N": "2"}, s={"SS": ["a", "b"]}))
        for n, (event, seq, meta) in enumerate((("SOMETHING", 3000, {}), ("MODIFY", "x", {}), ("MODIFY", 3002, {"ddb-time": "soon"}),
                                                ("MODIFY", 3003, {"ddb-stream": ""}))):
            body = two.replace(b'"i0"', b'"i%d"' % (10 + n))
            told = {"ddb-event": event, "ddb-seq": str(seq), "ddb-time": iso(T0 + 400_000), "ddb-stream": "s", **meta}
            self.fake.version(self.bucket, f"{TABLE}/i{10 + n}", modified_ms=T0 + 400_500, body=body.decode(),
                              meta={k: v for k, v in told.items() if v})
        self.fake.version(self.bucket, f"{TABLE}/i14", modified_ms=T0 + 400_500,
                          body=two.replace(b'"i0"', b'"i14"').decode())
        self.drop("i32", 0, META + "deletes/")  # a marker loses its deletes object
        self.drop("i36", 2)  # the marker between two images of an item
        self.drop("i15", 0)  # nothing can tell: a version that expired
        self.told("i16", 3100, 401, event="INSERT", body=two.replace(b'"i0"', b'"i16"'))
        self.assertEqual(self.verify()[0]["outcome"], "equal")
        report, _ = self.verify("--deep", code=INCOMPLETE)
        self.assertEqual(self.kinds(report), {
            "i10": {"metadata"}, "i11": {"metadata"}, "i12": {"metadata"}, "i13": {"metadata", "misordered"}, "i14": {"metadata"},
            "i32": {"stray marker"}, "i36": {"stray removal"}, "i16": {"hole"}})
        # Across a gap a hole is no wonder, and what is older than the backup needs no metadata.
        self.complete(gaps=[{"reason": "trimmed", "from": None, "to": iso(T0), "noticed": iso(T0), "closed": iso(T0)}],
                      since=iso(T0 + 10**10))
        report, _ = self.verify("--deep", code=INCOMPLETE)
        self.assertEqual(set(self.kinds(report)), {"i10", "i11", "i12", "i13", "i36"})
        self.assertEqual(report["foreign_versions"], 1)

    def test_rotten_bytes(self):
        """Bytes that changed under their ETag: a listing cannot tell, who reads them can."""
        self.fake.change(self.bucket, f"{TABLE}/i2", flip=7)
        self.assertEqual(self.verify()[0]["outcome"], "equal")
        report, _ = self.verify("--deep", code=INCOMPLETE)
        self.assertEqual(self.kinds(report), {"i2": {"damaged"}})
        _, err = self.restore("latest", "--to-file", "-", code=INCOMPLETE)
        self.assertIn("i2: its version is damaged: its bytes are not those of its ETag", err)

    def test_not_ours(self):
        """Objects that no item of the table has made."""
        self.fake.version(self.bucket, f"{TABLE}/notes.txt", body="hello", modified_ms=T0)
        self.fake.version(self.bucket, f"{TABLE}/x", body=canonical(item("y")).decode(), modified_ms=T0)
        self.fake.version(self.bucket, f"{TABLE}/z", body=canonical({"other": {"S": "z"}}).decode(), modified_ms=T0)
        report, _ = self.verify(code=INCOMPLETE)
        self.assertEqual(self.kinds(report), {name: {"foreign"} for name in ("notes.txt", "x", "z")})

    def test_text(self):
        self.drop("i4")
        out, err = self.ctl("verify", "--table", TABLE, code=INCOMPLETE)
        self.assertRegex(out, r"(?m)^different +i4  \(the latest version is not the item that the table had at 20")
        self.assertIn("1 different in ", err)

    def test_unsettled(self):
        """A backup that is behind, without a daemon, may only be behind."""
        self.complete(ahead_s=-600, saved_s=600)
        self.fake.dynamodb.put_item(TableName=TABLE, Item=item("i9", n={"N": "9"}))
        report, err = self.verify(code=INCOMPLETE)
        self.assertEqual(self.kinds(report), {"i9": {"unsettled"}})
        self.assertIn("has written nothing since", err)
        self.fake.s3.delete_object(Bucket=self.bucket, Key=META + "watermark.json")
        report, err = self.verify(code=INCOMPLETE)
        self.assertEqual(self.kinds(report), {"i9": {"unsettled"}})

    def test_catches_up(self):
        """What is on its way to the bucket is no difference, once the backup has passed that time."""
        self.complete(ahead_s=-5)
        late = item("i9", n={"N": "9"})
        self.fake.dynamodb.put_item(TableName=TABLE, Item=late)
        self.fake.dynamodb.delete_item(TableName=TABLE, Key=item("i8"))
        self.fake.dynamodb.put_item(TableName=TABLE, Item=item("new"))
        run = self.begin("verify", "--table", TABLE)
        harness.wait_until(lambda: self.fake.count("dynamodb GetItem") == 3, 30, "the items were looked at again")
        self.assertIsNone(run.poll())
        # One of them has changed twice meanwhile, so that its latest image is a third one.
        self.fake.dynamodb.put_item(TableName=TABLE, Item=item("i9", n={"N": "10"}))
        for name, body in (("i9", late), ("i9", item("i9", n={"N": "10"})), ("new", item("new"))):
            self.fake.s3.put_object(Bucket=self.bucket, Key=f"{TABLE}/{name}", Body=canonical(body))
        self.fake.s3.delete_object(Bucket=self.bucket, Key=f"{TABLE}/i8")
        self.complete()
        with open(run.said, encoding="utf-8") as f:
            self.assertEqual(run.wait(30), 0, f.read())

    def test_interrupt(self):
        self.complete(ahead_s=-5)
        self.fake.dynamodb.put_item(TableName=TABLE, Item=item("i9", n={"N": "9"}))
        run = self.begin("verify", "--table", TABLE)
        harness.wait_until(lambda: self.fake.count("dynamodb GetItem") == 1, 30, "it waits for the backup")
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(30), -signal.SIGINT)

    def test_shared_names(self):
        """Key format plain: two items have one name."""
        self.fake.new_table("shared", range_type="S")
        for keys in (("a | b", "c"), ("a", "b | c")):
            self.fake.dynamodb.put_item(TableName="shared", Item={"id": {"S": keys[0]}, "range": {"S": keys[1]}})
        self.fake.version(self.bucket, "shared/a | b | c", modified_ms=T0, body=canonical(
            {"id": {"S": "a"}, "range": {"S": "b | c"}}).decode())
        out, _ = self.ctl("verify", "--table", "shared", "--key-format", "plain", "-o", "json", code=INCOMPLETE)
        self.assertEqual(json.loads(out)["found"]["shared_name"], 1)


class Repair(Verify):
    """The daemon's part is played by the test."""

    def repair(self, act):
        """Runs it; once the request is there `act` does what a baseline would."""
        request = META + "baseline-request.json"
        run = self.begin("verify", "--table", TABLE, "--repair")
        harness.wait_until(lambda: self.fake.writes(bucket=self.bucket, key=request) or run.poll() is not None, 30,
                           "the request was put")
        told = json.loads(self.fake.s3.get_object(Bucket=self.bucket, Key=request)["Body"].read())
        act()
        self.complete(baseline={"state": "done", "reason": "request", "request": told["id"], "began": iso(T0),
                                "ended": iso(T0 + 1), "complete_since": iso(T0 + 1)})
        code = run.wait(30)
        with open(run.said, encoding="utf-8") as f:
            return code, f.read()

    def corrupt(self):
        self.drop("i4")
        self.fake.version(self.bucket, f"{TABLE}/i6", marker=True, modified_ms=T0 + 400_000)
        self.drop("i31")

    def mend(self):
        for name in ("i4", "i6"):
            self.told(name, "", 500, event="BASELINE", body=canonical(item(name, n={"N": "2"}, s={"SS": ["a", "b"]})))
        self.fake.s3.delete_object(Bucket=self.bucket, Key=f"{TABLE}/i31")

    def test_mended(self):
        """What a baseline mends; the stray marker of i6 and the stray removal of i31 are history."""
        self.corrupt()
        code, err = self.repair(self.mend)
        self.assertEqual(code, INCOMPLETE, err)
        self.assertIn("of 3 differences 0 are left", err)
        self.assertIn("no baseline can mend those", err)

    def test_not_mended(self):
        self.drop("i4")
        code, err = self.repair(lambda: None)
        self.assertEqual(code, INCOMPLETE, err)
        self.assertIn("of 1 differences 1 are left", err)

    def test_all_mended(self):
        self.drop("i4")
        code, err = self.repair(lambda: self.told("i4", "", 500, event="BASELINE", body=canonical(
            item("i4", n={"N": "2"}, s={"SS": ["a", "b"]}))))
        self.assertEqual(code, 0, err)

    def test_nothing_to_do(self):
        _, err = self.ctl("verify", "--table", TABLE, "--repair")
        self.assertIn("nothing differs that a baseline could mend", err)


if __name__ == "__main__":
    harness.main()
