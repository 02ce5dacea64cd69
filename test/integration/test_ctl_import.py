"""ddb-streamctl restore --via-import: DynamoDB makes the table from a snapshot. DynamoDB Local cannot; the fake can."""
import json
import re
import signal

import exportcheck
import harness
from ctl import EX_CANTCREAT, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_USAGE, FakeCtl, INCOMPLETE, Story, T0, TABLE
from ctl import iso
from harness import EX_NOPERM, wait_until
from test_ctl_restore_table import every_type

ARN = re.compile(r"arn:aws:dynamodb:us-east-1:123456789012:table/[\w.-]+/import/[\w-]+")
EVERYTHING = {"ProjectionType": "ALL"}
BY_WHO = {"IndexName": "by-who", "KeySchema": [{"AttributeName": "who", "KeyType": "HASH"}],
          "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["n"]}}
BY_TAG = {"IndexName": "by-tag", "Projection": EVERYTHING, "KeySchema": [
    {"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "tag", "KeyType": "RANGE"}]}
KEYS = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "range", "KeyType": "RANGE"}]


def units(read, write):
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


class ViaImport(FakeCtl):
    def setUp(self):
        super().setUp()
        self.dest = self.fake.new_bucket()
        self.url = f"s3://{self.dest}/imports/"
        self.told = self.story()
        self.table_json()
        self.watermark()

    def story(self, count=200):
        story = Story(self)
        for n in range(count):
            story.put(n / 100, {"id": {"S": f"i{n % 20:04}"}, "range": {"N": str(n)}, "who": {"S": f"w{n % 3}"}})
        story.tell()
        return story

    def table_json(self, ttl=True, **more):
        told = {"TableName": TABLE, "TableArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{TABLE}",
                "TableId": "12345a12-abcd-123a-ab12-1234abc12345", "KeySchema": KEYS,
                "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in (
                    ("id", "S"), ("range", "N"), ("who", "S"))],
                "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}, "GlobalSecondaryIndexes": [BY_WHO],
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}, **more}
        told = {k: v for k, v in told.items() if v is not None}
        ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"} if ttl else {"TimeToLiveStatus": "DISABLED"}
        self.put_object(f".ddb-streamd/{TABLE}/table.json", json.dumps({"Table": told, "TimeToLiveDescription": ttl}))

    def ask(self, table, *more, url=None, at=100):
        return ["restore", "--table", TABLE, "--at", iso(T0 + int(at * 1000)), "--to-table", table, "--via-import",
                url or self.url, *more]

    def run_import(self, table, *more, code=0, **options):
        return self.ctl(*self.ask(table, *more, **options), code=code)

    def interrupt(self, op, how=signal.SIGINT, *more, skip=0, when="before"):
        """Stopped while that request is out: what it said."""
        rule = self.fake.fault(op=op, skip=skip, never=when)
        run = self.begin(*self.ask("new", *more))
        wait_until(lambda: self.fake.hits(rule) > 0 or run.poll() is not None, 60, f"{op} was asked")
        return self.end(run, how)

    def exports(self):
        """Ids of what lies at the destination."""
        names = exportcheck.Place(self.fake.s3, self.dest).names()
        return sorted({name.split("/")[2] for name in names})

    def check(self, table, at=100):
        self.assertEqual(self.items(table), self.told.at(at))

    def describe(self, table):
        told = self.fake.dynamodb.describe_table(TableName=table)["Table"]
        return told, self.fake.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]

    def order(self, table):
        return [r["op"] for r in self.fake.requests(table=table) if r["status"] == 200 and r["op"] in (
            "ImportTable", "DescribeImport", "UpdateTable", "UpdateTimeToLive", "CreateTable", "BatchWriteItem")]


class Done(ViaImport):
    def test_the_table(self):
        """Indexes, billing and encryption by the import, then stream and TTL; what is left out is said first."""
        self.table_json(
            BillingModeSummary=None, **units(7, 9), GlobalSecondaryIndexes=[{**BY_WHO, **units(3, 4)}],
            LocalSecondaryIndexes=[BY_TAG], DeletionProtectionEnabled=True,
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (
                ("id", "S"), ("range", "N"), ("who", "S"), ("tag", "B"))],
            SSEDescription={"Status": "ENABLED", "SSEType": "KMS",
                            "KMSMasterKeyArn": "arn:aws:kms:us-east-1:123456789012:key/abc"})
        out, err = self.run_import("new", "-o", "json")
        self.assertEqual({k: json.loads(out)[k] for k in ("verb", "table", "target", "items", "missing", "removed")}, {
            "verb": "restore", "table": TABLE, "target": "new", "items": 200, "missing": 0, "removed": 0})
        self.check("new")
        d, ttl = self.describe("new")
        self.assertEqual(d["KeySchema"], KEYS)
        self.assertEqual({a["AttributeName"]: a["AttributeType"] for a in d["AttributeDefinitions"]},
                         {"id": "S", "range": "N", "who": "S"})
        self.assertEqual({k: d["ProvisionedThroughput"][k] for k in ("ReadCapacityUnits", "WriteCapacityUnits")},
                         units(7, 9)["ProvisionedThroughput"])
        index, = d["GlobalSecondaryIndexes"]
        self.assertEqual({k: index[k] for k in BY_WHO}, BY_WHO)
        self.assertEqual([index["ProvisionedThroughput"][k] for k in ("ReadCapacityUnits", "WriteCapacityUnits")],
                         [3, 4])
        self.assertNotIn("LocalSecondaryIndexes", d)
        self.assertEqual(d["StreamSpecification"], {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.assertEqual(d["SSEDescription"]["SSEType"], "KMS")
        self.assertEqual(ttl, {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})
        order = self.order("new")
        self.assertEqual((order[0], sorted(order[-2:])), ("ImportTable", ["UpdateTable", "UpdateTimeToLive"]))
        self.assertEqual(set(order[1:-2]), {"DescribeImport"})
        before, _, after = err.partition("written: ")
        for word in ("by-tag", "deletion protection"):
            self.assertIn(word, before)
        for word in ("imported: 200 items", "stream of table new is turned on"):
            self.assertIn(word, after)
        # The snapshot stays, and is one.
        x = exportcheck.Export(exportcheck.Place(self.fake.s3, self.dest, "imports"))
        self.assertEqual((sorted(x.items()), x.summary["tableId"]),
                         (self.told.at(100), "12345a12-abcd-123a-ab12-1234abc12345"))

    def test_on_demand_without_the_rest(self):
        self.table_json(ttl=False, GlobalSecondaryIndexes=None, StreamSpecification=None,
                        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (
                            ("id", "S"), ("range", "N"))])
        self.run_import("new", at=1.5)
        self.check("new", 1.5)
        d, ttl = self.describe("new")
        self.assertEqual(d["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
        self.assertNotIn("GlobalSecondaryIndexes", d)
        self.assertFalse(d.get("StreamSpecification", {}).get("StreamEnabled"))
        self.assertEqual(ttl, {"TimeToLiveStatus": "DISABLED"})
        self.assertEqual(set(self.order("new")), {"ImportTable", "DescribeImport"})

    def test_every_type(self):
        for n, i in enumerate(every_type(True)):
            self.told.put(3, {**i, "range": {"N": str(n)}})
        self.told.tell()
        self.run_import("new")
        self.check("new")

    def test_parts_and_nothing(self):
        self.run_import("part", "--hash", "i0003", "--since", iso(T0 + 1000))
        self.assertEqual(self.items("part"), [
            i for i in self.told.at(100) if b'"i0003"' in i and int(json.loads(i)["range"]["N"]) > 100])
        self.run_import("none", "--prefix", "nothing")
        self.assertEqual(self.items("none"), [])

    def test_in_progress_several_times(self):
        self.fake.options("new", import_calls=2)
        _, err = self.run_import("new")
        self.assertEqual(self.order("new").count("DescribeImport"), 3)
        self.assertRegex(err, r"importing: \d+ items in \d+ s")
        self.check("new")

    def test_lost_answers(self):
        """One import, whatever happens to its questions."""
        for n, fault in enumerate(({"reset": "after"}, {"truncate": 9}, {"status": 500, "code": "InternalServerError"},
                                   {"reset": "before"}, {"garbage": True})):
            calls = self.fake.count("dynamodb ImportTable")
            rules = [self.fake.fault(op=op, count=1, **fault) for op in ("ImportTable", "DescribeImport")]
            self.run_import(f"new{n}")
            self.assertEqual([self.fake.hits(r) for r in rules], [1, 1])
            self.assertEqual(self.fake.count("dynamodb ImportTable") - calls, 2)
            self.check(f"new{n}")
            self.fake.do("clear_faults")

    def test_to_region(self):
        """The target's region signs, the bucket's stays. Nothing is written before it is known that it will do."""
        _, err = self.run_import("new", "--to-region", "eu-central-1", code=EX_NOPERM)
        self.assertIn("region", err)
        self.assertEqual(self.exports(), [])
        self.run_import("new", "--to-region", "us-east-1")
        self.check("new")


class NotDone(ViaImport):
    def unwritten(self, table=None):
        """Nothing was written since the test began, but by the test."""
        self.assertEqual(self.written(), {"s3 CreateBucket": 2, "s3 PutBucketVersioning": 2,
                                          **({"dynamodb CreateTable": 1} if table else {})})
        self.assertEqual(self.exports(), [])

    def test_exists(self):
        self.fake.new_table(name="there")
        for more in ((), ("--force",)):
            _, err = self.run_import("there", *more, code=EX_CANTCREAT)
            self.assertIn("table there exists", err)
        self.unwritten("there")

    def test_refused(self):
        for url in ("/tmp/x", "x/y", f"s3://{self.bucket}/{TABLE}", f"s3://{self.bucket}/.ddb-streamd/x"):
            self.run_import("new", url=url, code=EX_USAGE)
        for more in (("--in-place",), ("--rate", "5"), ("--resume", "--clean-up"), ("--file-size", "1")):
            self.run_import("new", *more, code=EX_USAGE)
        self.ctl("restore", "--table", TABLE, "--at", "latest", "--to-file", "-", "--via-import", self.url,
                 code=EX_USAGE)
        _, err = self.run_import("new", at=10**7, code=EX_DATAERR)
        self.assertIn("--force", err)
        _, err = self.run_import("new", url="s3://not-there/", code=EX_NOINPUT)
        self.assertIn("not-there", err)
        self.put_object(f".ddb-streamd/{TABLE}/table.json", '{"Table":{}}')
        _, err = self.run_import("new", code=EX_DATAERR)
        self.assertIn("table.json", err)
        self.bucket = self.fake.new_bucket()
        self.watermark()
        _, err = self.run_import("new", code=EX_NOINPUT)
        for word in ("table.json", "by hand"):
            self.assertIn(word, err)
        self.assertEqual(self.exports(), [])
        self.assertEqual(self.fake.count("dynamodb ImportTable"), 0)

    def test_dry_run(self):
        # So late that no version has to be asked for its metadata: then there is nothing to wait for.
        out, _ = self.run_import("new", "--dry-run", at=10**5)
        for word in ("200 items", self.url, "imported as table new", "cost"):
            self.assertIn(word, out)
        out, _ = self.run_import("new", "--dry-run", "-o", "json")
        told = json.loads(out)
        self.assertEqual([told[k] for k in ("dry_run", "items", "write_units", "missing")], [True, 200, 0, 0])
        self.unwritten()

    def test_the_import_fails(self):
        """What the API reference tells of it is shown; and what was asked for is what it says."""
        self.fake.do("fail_import", table="new", code="ItemValidationError", message="The items are wrong.")
        out, err = self.run_import("new", "-o", "json", code=EX_UNAVAILABLE)
        self.assertEqual(out, "")
        for word in ("ItemValidationError", "The items are wrong.", "delete table new", "manifest-summary.json stays"):
            self.assertIn(word, err)
        told = self.fake.dynamodb.describe_import(ImportArn=ARN.search(err)[0])["ImportTableDescription"]
        x = exportcheck.Export(exportcheck.Place(self.fake.s3, self.dest, "imports"))
        self.assertEqual(told["S3BucketSource"], {"S3Bucket": self.dest, "S3KeyPrefix": x.root + "data/"})
        self.assertEqual((told["InputFormat"], told["InputCompressionType"]), ("DYNAMODB_JSON", "GZIP"))
        self.assertRegex(told["ClientToken"], r"^[^$]{1,64}$")
        params = told["TableCreationParameters"]
        self.assertEqual((params["TableName"], params["KeySchema"], params["BillingMode"]),
                         ("new", KEYS, "PAY_PER_REQUEST"))
        self.assertEqual(params["GlobalSecondaryIndexes"], [BY_WHO])
        self.assertLessEqual(set(params), {"TableName", "AttributeDefinitions", "KeySchema", "BillingMode",
                                           "ProvisionedThroughput", "OnDemandThroughput", "SSESpecification",
                                           "GlobalSecondaryIndexes"})
        self.assertEqual(set(self.order("new")), {"ImportTable", "DescribeImport"})

    def test_some_items_fail(self):
        """An item that does not suit an index: it is said, the table is finished all the same, and the status is 3."""
        self.told.put(5, {"id": {"S": "wrong"}, "range": {"N": "0"}, "who": {"N": "17"}})
        self.told.tell()
        _, err = self.run_import("new", code=INCOMPLETE)
        for word in ("200 of 201 items", "1 errors", ARN.search(err)[0]):
            self.assertIn(word, err)
        self.assertEqual(self.items("new"), [i for i in self.told.at(100) if b"wrong" not in i])
        d, ttl = self.describe("new")
        self.assertTrue(d["StreamSpecification"]["StreamEnabled"])
        self.assertEqual(ttl["TimeToLiveStatus"], "ENABLED")

    def test_items_that_cannot_be_had(self):
        self.fake.version(self.bucket, f"{TABLE}/bad", body="no item", modified_ms=T0)
        out, err = self.run_import("new", "-o", "json", code=INCOMPLETE)
        self.assertEqual((json.loads(out)["items"], json.loads(out)["missing"]), (200, 1))
        self.assertIn(f"{TABLE}/bad", err)
        self.check("new")

    def test_not_begun(self):
        for op in ("DescribeTable", "ImportTable"):
            self.fake.fault(op=op, status=400, code="AccessDeniedException")
            _, err = self.run_import("new", code=EX_NOPERM)
            self.assertIn(op, err)
            self.assertEqual("manifest-summary.json is whole, but its import did not begin" in err, op == "ImportTable")
            self.fake.do("clear_faults")
        self.assertEqual(len(self.exports()), 1)

    def test_interrupted_while_it_is_followed(self):
        said = self.interrupt("DescribeImport", skip=1)
        last = said.splitlines()[-1]
        self.assertIn("describe-import", last)
        # It goes on without us: the next questions see its end.
        arn = ARN.search(last)[0]
        wait_until(lambda: self.fake.dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"][
            "ImportStatus"] == "COMPLETED", 10, "the import was over")
        self.check("new")

    def test_interrupted_before(self):
        """Of the snapshot nothing is left; of an import whose answer was lost it is not said that there is none."""
        said = self.interrupt("GetObject", signal.SIGTERM, skip=50)
        self.assertNotIn("import-arn", said)
        self.assertEqual((self.exports(), self.fake.count("dynamodb ImportTable")), ([], 0))
        said = self.interrupt("ImportTable", when="after")
        self.assertIn("list-imports", said)
        self.assertNotIn("did not begin", said)
        self.assertEqual(len(self.exports()), 1)


if __name__ == "__main__":
    harness.main()
