"""The life of one item: INSERT, MODIFY and REMOVE become versions, a deletes object and a delete marker."""
import datetime
import json
import re
import signal
import time

import harness
from harness import Bucket, canonical, deletes_key


class Life(harness.TestCase):
    def setUp(self):
        self.bucket = Bucket(self.servers, self.servers.new_bucket())
        self.table = self.servers.new_table()

    def put(self, **item):
        self.servers.dynamodb.put_item(TableName=self.table, Item=item)

    def wait_versions(self, daemon, key, count, seconds=15):
        def there():
            versions = self.bucket.versions(key, full=False)
            assert len(versions) >= count, f"{len(versions)} of {count} versions of {key}"
            return True
        daemon.wait(there, seconds, f"{count} versions of {key}")
        return self.bucket.versions(key)

    def records(self):
        return self.servers.stream_records(self.table)

    def check_meta(self, version, record):
        meta = version.meta
        self.assertEqual(meta["ddb-event"], record["eventName"])
        self.assertEqual(meta["ddb-seq"], record["dynamodb"]["SequenceNumber"])
        self.assertEqual(meta["ddb-shard"], record["shard"])
        self.assertEqual(meta["ddb-stream"], self.servers.stream_arn(self.table).rpartition("/stream/")[2])
        self.assertRegex(meta["ddb-time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        told = datetime.datetime.strptime(re.sub(r"(\.\d+)?Z$", "", meta["ddb-time"]), "%Y-%m-%dT%H:%M:%S")
        event = record["dynamodb"]["ApproximateCreationDateTime"].astimezone(datetime.timezone.utc)
        self.assertEqual(told, event.replace(tzinfo=None, microsecond=0))
        self.assertNotIn("ddb-by", meta)
        self.assertEqual(version.content_type, "application/json")

    def test_insert_modify_remove(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        first, second = {"id": {"S": "a"}, "n": {"N": "1"}}, {"id": {"S": "a"}, "n": {"N": "2"}, "x": {"BOOL": True}}
        key = f"{self.table}/a"
        self.put(**first)
        self.wait_versions(daemon, key, 1)
        self.put(**second)
        self.wait_versions(daemon, key, 2)
        self.servers.dynamodb.delete_item(TableName=self.table, Key={"id": {"S": "a"}})
        versions = self.wait_versions(daemon, key, 3)
        daemon.stop()

        self.assertEqual([v.marker for v in versions], [False, False, True])
        self.assertEqual([v.latest for v in versions], [False, False, True])
        records = self.records()
        self.assertEqual([r["eventName"] for r in records], ["INSERT", "MODIFY", "REMOVE"])
        for version, record, item in zip(versions, records, (first, second)):
            self.assertEqual(version.body, canonical(item))
            self.check_meta(version, record)
        deletes = self.bucket.versions(deletes_key(self.table, "a"))
        self.assertEqual(len(deletes), 1)
        self.assertEqual(deletes[0].body, canonical(second))
        self.check_meta(deletes[0], records[2])
        self.assertLessEqual(len(self.bucket.versions(key, full=False)), 3)

    def test_reinsert_follows_the_marker(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        for n in ("1", "2"):
            self.put(id={"S": "b"}, n={"N": n})
            self.servers.dynamodb.delete_item(TableName=self.table, Key={"id": {"S": "b"}})
        versions = self.wait_versions(daemon, f"{self.table}/b", 4)
        daemon.stop()
        self.assertEqual([v.marker for v in versions], [False, True, False, True])
        self.assertEqual([v.meta["ddb-event"] for v in versions if not v.marker], ["INSERT", "INSERT"])
        deletes = self.bucket.versions(deletes_key(self.table, "b"))
        self.assertEqual([json.loads(v.body)["n"]["N"] for v in deletes], ["1", "2"])

    def test_what_was_there_before_the_start(self):
        for n in range(5):
            self.put(id={"S": f"old-{n}"})
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        daemon.wait(lambda: len(self.bucket.keys(self.table + "/")) == 5, 15, "five items in the bucket")
        daemon.stop()

    def test_latest_leaves_out_what_was_there(self):
        self.put(id={"S": "before"})
        daemon = self.daemon(self.bucket.name, {self.table: {"start": "latest"}}).start()
        written = []

        def one_arrives():  # the iterator of LATEST may be taken a moment after it is ready
            written.append(f"after-{len(written)}")
            self.put(id={"S": written[-1]})
            time.sleep(0.3)
            return self.bucket.keys(f"{self.table}/after-")
        daemon.wait(one_arrives, 20, "an item written after the start")
        daemon.stop()
        self.assertNotIn(f"{self.table}/before", self.bucket.keys(self.table + "/"))

    def test_quickness(self):
        """A write is in the bucket within two seconds or so, also after a quiet time."""
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        time.sleep(5)
        began = time.monotonic()
        self.put(id={"S": "quick"})
        self.wait_versions(daemon, f"{self.table}/quick", 1)
        took = time.monotonic() - began
        daemon.stop()
        self.assertLess(took, 4.0)

    def test_prefix_and_two_tables(self):
        other = self.servers.new_table()
        daemon = self.daemon(self.bucket.name, {self.table: {"start": "trim_horizon"},
                                                other: {"start": "trim_horizon", "prefix": "elsewhere/"}},
                             s3={"prefix": "backup/dynamodb/"}).start()
        self.put(id={"S": "one"})
        self.servers.dynamodb.put_item(TableName=other, Item={"id": {"S": "two"}})
        self.wait_versions(daemon, f"backup/dynamodb/{self.table}/one", 1)
        self.wait_versions(daemon, f"elsewhere/{other}/two", 1)
        self.servers.dynamodb.delete_item(TableName=other, Key={"id": {"S": "two"}})
        self.wait_versions(daemon, f"elsewhere/{other}/two", 2)
        daemon.stop()
        keys = self.bucket.keys()
        self.assertIn(deletes_key(other, "two", "elsewhere/"), keys)
        self.assertIn(f"backup/dynamodb/.ddb-streamd/{self.table}/table.json", keys)
        self.assertIn(f"elsewhere/.ddb-streamd/{other}/watermark.json", keys)
        self.assertEqual({k.split("/")[0] for k in keys}, {"backup", "elsewhere"})

    def test_data_path_holds_nothing_but_items(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        self.put(id={"S": "only"})
        self.wait_versions(daemon, f"{self.table}/only", 1)
        daemon.stop()
        keys = self.bucket.keys()
        self.assertEqual([k for k in keys if not k.startswith(".ddb-streamd/")], [f"{self.table}/only"])

    def test_table_json_recreates_the_table(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        key = f".ddb-streamd/{self.table}/table.json"
        version = self.wait_versions(daemon, key, 1)[-1]
        daemon.stop()
        text = version.body.decode("utf-8")
        described = self.servers.dynamodb.describe_table(TableName=self.table)["Table"]
        for part in ("KeySchema", "AttributeDefinitions"):
            self.assertIn(part, text)
        self.assertIn(described["TableArn"], text)
        json.loads(text)

    def test_second_signal_leaves_at_once(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        daemon.process.terminate()
        daemon.process.terminate()
        daemon.process.wait(5)
        daemon.ended()

    def test_sigint_stops_cleanly(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        daemon.process.send_signal(signal.SIGINT)
        daemon.process.wait(30)
        self.assertEqual(daemon.ended(), 0)


if __name__ == "__main__":
    harness.main()
