"""verify, backfill and drill with the daemon itself, from an empty bucket on."""
import datetime
import json

import ctl
import harness
from ctl import Ctl, INCOMPLETE, FakeCtl

QUICK = {"discovery_interval": "1s", "watermark_interval": "1s", "poll_interval": "250ms"}


class Whole(FakeCtl):
    def setUp(self):
        super().setUp()
        self.name = self.fake.new_table()
        for n in range(30):
            self.fake.put(self.name, f"i{n}", n={"N": str(n)})
        # What was there before the stream keeps it.
        self.fake.do("trim", table=self.name)
        self.backup = self.daemon(self.bucket, {self.name: {"start": "latest", "baseline": "auto"}}, daemon=QUICK)
        self.backup.start()
        self.backup.wait(lambda: (self.table_status()["baseline"] or {}).get("complete_since"), 30, "the baseline was complete")
        self.wait_marked()

    def table_status(self):
        return self.backup.status()["tables"][0]

    def wait_marked(self):
        """Until watermark.json says that the whole table is there, through now."""
        now = datetime.datetime.now(datetime.timezone.utc)

        def told():
            row = json.loads(self.ctl("tables", "-o", "json")[0])
            return row["baseline"] and row["baseline"]["complete_since"] and ctl.parse(row["complete_through"]) > now
        self.backup.wait(told, 30, "the watermark told of it")

    def verify(self, *more, code=0):
        out, _ = self.ctl("verify", "--table", self.name, "-o", "json", *more, code=code, config=self.backup.config)
        return json.loads(out)

    def test_all(self):
        self.assertEqual((self.verify()["outcome"], self.verify("--deep")["outcome"]), ("equal", "equal"))
        self.fake.put(self.name, "new")
        self.fake.delete(self.name, "i1")
        self.assertEqual(self.verify()["items"], 30)

        self.fake.s3.delete_object(Bucket=self.bucket, Key=f"{self.name}/i2")
        self.fake.s3.put_object(Bucket=self.bucket, Key=f"{self.name}/i3", Body=b'{"id":{"S":"i3"}}')
        self.fake.s3.put_object(Bucket=self.bucket, Key=f"{self.name}/i1", Body=b'{"id":{"S":"i1"}}')
        found = self.verify(code=INCOMPLETE)["found"]
        self.assertEqual((found["missing"], found["different"], found["extra"]), (1, 1, 1))
        report = self.verify("--repair", code=INCOMPLETE)  # the marker that nobody made stays in the history
        found = {kind: n for kind, n in report["found"].items() if n}
        self.assertEqual(found, {"stray_marker": 1}, report)
        self.assertEqual((report["repair"]["found_before"], report["repair"]["baseline"]["state"]), (3, "done"))
        self.assertEqual(self.verify()["outcome"], "equal")

        out, _ = self.ctl("backfill", "--table", self.name, "-o", "json", config=self.backup.config)
        told = json.loads(out)["baseline"]
        self.assertEqual((told["written"], told["removed"], told["equal"]), (0, 0, 30))

        self.wait_marked()
        out, _ = self.ctl("drill", "--table", self.name, "-o", "json", config=self.backup.config)
        result = json.loads(out)
        self.assertEqual((result["outcome"], result["items"]), ("passed", 30))
        self.backup.stop()
        self.backup.start()
        self.backup.wait(lambda: self.table_status()["drill"], 20, "the daemon showed the drill")
        shown = self.table_status()["drill"]
        self.assertEqual((shown["outcome"], shown["items"], shown["last_success"]), ("passed", 30, result["ended"]))
        metrics = {name: v for (name, labels), v in self.backup.metrics().items() if "_drill_" in name}
        self.assertEqual(metrics["ddb_streamd_drill_items"], 30)
        self.assertEqual(metrics["ddb_streamd_drill_mismatches"], 0)
        self.assertGreater(metrics["ddb_streamd_drill_last_success_timestamp_seconds"], 1.7e9)


class RealServers(Ctl):
    """DynamoDB and the RADOS Gateway: which ignores conditions, and says 404 of markers."""

    def verify(self, *more, code=0):
        out, _ = self.ctl("verify", "--table", self.table, "-o", "json", *more, code=code)
        return json.loads(out)

    def test_all(self):
        backup = self.daemon(self.bucket.name, {self.table: {"baseline": "auto"}}, daemon=QUICK).start()
        for n in range(12):
            self.put(id={"S": f"a/b %{n}"}, n={"N": str(n)}, b={"B": b"\x00\xff"})
        self.put(id={"S": "a/b %3"}, n={"N": "33"})
        self.delete("a/b %4")
        self.wait_settled(backup)

        def whole():
            row = json.loads(self.ctl("tables", "-o", "json")[0])
            return row["baseline"] and row["baseline"]["complete_since"]
        backup.wait(whole, 60, "the baseline was complete")
        report = self.verify("--deep")
        self.assertEqual((report["outcome"], report["items"], report["objects"]), ("equal", 11, 11))

        # DynamoDB Local knows no tags, without which nothing is deleted: into a file.
        out, _ = self.ctl("drill", "--table", self.table, "--to-file", "-o", "json", extra={"TMPDIR": self.home()})
        self.assertEqual(json.loads(out)["outcome"], "passed")

        folder = f"{self.table}/"
        self.servers.s3.delete_object(Bucket=self.bucket.name, Key=folder + harness.item_key({"id": {"S": "a/b %5"}}))
        self.servers.s3.put_object(Bucket=self.bucket.name, Key=folder + harness.item_key({"id": {"S": "a/b %6"}}),
                                   Body=b'{"id":{"S":"a/b %6"}}')
        self.servers.s3.put_object(Bucket=self.bucket.name, Key=folder + "notes", Body=b"hello")
        found = self.verify(code=INCOMPLETE)["found"]
        self.assertEqual({k: n for k, n in found.items() if n},
                         {"missing": 1, "different": 1, "foreign": 1, "stray_marker": 1})
        out, _ = self.ctl("drill", "--table", self.table, "--to-file", "-o", "json", code=INCOMPLETE,
                          extra={"TMPDIR": self.home()})
        self.assertEqual(json.loads(out)["outcome"], "failed")


if __name__ == "__main__":
    harness.main()
