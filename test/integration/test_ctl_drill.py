"""ddb-streamctl drill: restores into something that it throws away, compares, and puts the result on record."""
import json
import os
import signal
import time

import harness
from backed import Backed, CORRUPTIONS, META, item
from ctl import EX_CANTCREAT, EX_DATAERR, EX_USAGE, INCOMPLETE, T0, TABLE, iso

TAG = "ddb-streamd:drill"


class Drill(Backed):
    def config(self):
        path = self.file("ddb-streamd.conf")
        os.makedirs(self.file("state"), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"[daemon]\nstate_dir = {self.file('state')}\n[s3]\nbucket = {self.bucket}\n[table \"{TABLE}\"]\n")
        return path

    def drill(self, *more, code=0, **options):
        out, err = self.ctl("drill", "--table", TABLE, "-o", "json", *more, code=code, **options)
        return json.loads(out), err

    def tables(self):
        return self.fake.dynamodb.list_tables()["TableNames"]

    def recorded(self):
        """Results in the bucket, oldest first."""
        names = sorted({w["key"] for w in self.fake.writes(bucket=self.bucket, prefix=META + "drills/")})
        return [json.loads(self.fake.s3.get_object(Bucket=self.bucket, Key=n)["Body"].read()) for n in names]

    def kinds(self, report):
        found = {}
        for f in report["findings"]:
            found.setdefault(f["object"], set()).add(f["kind"])
        return found


class Passes(Drill):
    def test_into_a_table(self):
        report, _ = self.drill()
        self.assertEqual((report["outcome"], report["items"], report["mismatches"]), ("passed", 35, 0))
        self.assertRegex(report["target"], f"^{TABLE}-drill-20......T......Z$")
        self.assertGreaterEqual(report["recovery_time_seconds"], 0)
        self.assertEqual(self.tables(), [TABLE])
        record, = self.recorded()
        self.assertEqual({**record, "findings": []}, {**report, "last_success": record["ended"]})
        created = [r for r in self.fake.requests(op="CreateTable") if r["table"] == report["target"]]
        self.assertEqual(len(created), 1)

    def test_into_a_file(self):
        self.fake.do("reset_audit")
        report, _ = self.drill("--to-file", extra={"TMPDIR": self.home()})
        self.assertEqual((report["outcome"], report["items"]), ("passed", 35))
        self.assertEqual([f for f in os.listdir(self.home()) if "drill" in f], [])
        self.assertEqual(self.written(), {"s3 PutObject": 1})

    def test_text(self):
        out, err = self.ctl("drill", "--table", TABLE)
        self.assertEqual(out, "")
        self.assertRegex(err, "drill of table orders passed: every item is as it was; 35 items, 0 mismatches")
        self.assertRegex(err, r"recovery time [0-9]")
        self.assertRegex(err, "recovery point -?[0-9.]+ s")

    def test_at_a_time(self):
        """The state of then alone is compared."""
        self.fake.put(TABLE, "later")
        report, _ = self.drill("--at", iso(T0 + 250_000))
        self.assertEqual((report["outcome"], report["items"], report["recovery_point_seconds"]), ("passed", 30, None))

    def test_changed_meanwhile(self):
        """What changes in the table while it runs is no mismatch, when the backup has it."""
        self.complete(ahead_s=-5)
        run = self.begin("drill", "--table", TABLE)
        harness.wait_until(lambda: len(self.tables()) == 2, 30, "the table was made")
        now = {"ddb-event": "MODIFY", "ddb-time": iso(int(time.time() * 1000) + 2000), "ddb-stream": "s", "ddb-shard": "x"}
        changed = item("i9", n={"N": "9"})
        self.fake.dynamodb.put_item(TableName=TABLE, Item=changed)
        self.fake.s3.put_object(Bucket=self.bucket, Key=f"{TABLE}/i9", Body=harness.canonical(changed),
                                Metadata={**now, "ddb-seq": "5000"})
        self.fake.delete(TABLE, "i8")
        self.fake.s3.delete_object(Bucket=self.bucket, Key=f"{TABLE}/i8")
        self.complete()
        with open(run.said, encoding="utf-8") as f:
            self.assertEqual(run.wait(60), 0, f.read())

    def test_state_folder(self):
        config = self.config()
        report, _ = self.drill(config=config)
        path = self.file(f"state/drill/{TABLE}.json")
        with open(path, encoding="utf-8") as f:
            first = json.load(f)
        self.assertEqual(first["last_success"], report["ended"])
        self.assertEqual(os.stat(os.path.dirname(path)).st_mode & 0o777, 0o700)
        self.drop("i4")
        self.drill(config=config, code=INCOMPLETE)
        with open(path, encoding="utf-8") as f:
            second = json.load(f)
        self.assertEqual((second["outcome"], second["last_success"]), ("failed", first["last_success"]))
        self.assertEqual(os.listdir(os.path.dirname(path)), [f"{TABLE}.json"])

    def test_usage(self):
        self.ctl("drill", code=EX_USAGE)
        self.ctl("drill", "--table", TABLE, "--into", "x-y-z", "--to-file", code=EX_USAGE)
        self.ctl("drill", "--table", TABLE, "--into", TABLE, code=EX_USAGE)
        self.ctl("drill", "--table", TABLE, "--at", "nonsense", code=EX_USAGE)
        self.ctl("drill", "--table", TABLE, "--at", iso(T0 - 10**9), code=EX_DATAERR)


class Throwaway(Drill):
    def make(self, name, tag=None):
        self.fake.dynamodb.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            **({"Tags": [{"Key": TAG, "Value": tag}]} if tag else {}))

    def test_protected_and_with_a_stream(self):
        """The throwaway has neither, so that it can be deleted and nobody follows it."""
        self.schema()
        told = self.fake.dynamodb.describe_table(TableName=TABLE)["Table"]
        self.assertIn("StreamSpecification", told)
        self.put_object(META + "table.json", json.dumps(
            {"Table": {**json.loads(json.dumps(told, default=str)), "DeletionProtectionEnabled": True},
             "TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}}))
        self.assertEqual(self.drill()[0]["outcome"], "passed")
        self.assertEqual(self.tables(), [TABLE])
        self.assertEqual(self.fake.count("dynamodb UpdateTimeToLive"), 0)

    def test_a_table_that_is_there(self):
        """Nothing that this drill has not made is touched."""
        self.make("orders-copy", "another")
        report, err = self.drill("--into", "orders-copy", code=EX_CANTCREAT)
        self.assertEqual(report["outcome"], "error")
        self.assertIn("is there already, and is not of this drill", err)
        self.assertEqual(sorted(self.tables()), [TABLE, "orders-copy"])
        self.assertEqual(self.fake.count("dynamodb DeleteTable"), 0)

    def test_untagged(self):
        """Without its tag it deletes nothing."""
        rule = self.fake.fault(service="dynamodb", op="ListTagsOfResource", status=403, code="AccessDeniedException")
        _, err = self.drill(code=77)
        self.assertIn("is left", err)
        self.assertEqual(len(self.tables()), 2)
        self.assertGreater(self.fake.hits(rule), 0)

    def test_leftovers(self):
        old, young, foreign, other = (f"{TABLE}-drill-20260101T000000Z", f"{TABLE}-drill-20990101T000000Z",
                                      f"{TABLE}-drill-20260102T000000Z", f"{TABLE}-drill-notes")
        self.make(old, "a")
        self.make(young, "b")
        self.make(foreign)
        self.make(other, "c")
        _, err = self.drill()
        self.assertEqual(err.count("has left table"), 1)
        self.assertIn(f"an earlier drill has left table {old} behind", err)
        self.assertEqual(sorted(self.tables()), sorted([TABLE, old, young, foreign, other]))
        _, err = self.drill("--clean-up")
        self.assertIn(f"removed table {old}", err)
        self.assertEqual(sorted(self.tables()), sorted([TABLE, young, foreign, other]))

    def test_interrupt(self):
        rule = self.fake.fault(service="dynamodb", op="BatchWriteItem", delay_ms=2000, when="before")
        run = self.begin("drill", "--table", TABLE)
        harness.wait_until(lambda: len(self.tables()) == 2 and self.fake.hits(rule), 30, "it writes the table")
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(30), -signal.SIGINT)
        self.assertEqual(self.tables(), [TABLE])
        record, = self.recorded()
        self.assertEqual((record["outcome"], record["message"]), ("error", "interrupted"))


class Fails(Drill):
    def test_rotten_bytes(self):
        self.fake.change(self.bucket, f"{TABLE}/i2", flip=7)
        report, _ = self.drill(code=INCOMPLETE)
        self.assertEqual((report["outcome"], report["items"], report["missing"] > 0), ("failed", 34, True))
        self.assertIn("i2", self.kinds(report))

    def test_each_corruption(self):
        for corrupt in CORRUPTIONS:
            with self.subTest(corrupt.__name__):
                self.doCleanups()
                self.__dict__.pop("_home", None)
                self.setUp()
                name, _ = corrupt(self)
                for target in ((), ("--to-file",)):
                    report, _ = self.drill(*target, code=INCOMPLETE)
                    self.assertEqual(report["outcome"], "failed")
                    self.assertEqual(set(self.kinds(report)), {name}, report["findings"])
                    self.assertEqual(self.tables(), [TABLE])


if __name__ == "__main__":
    harness.main()
