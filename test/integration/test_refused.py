"""An item that S3 refuses holds its shard's checkpoint, says so, and stops no other item."""
import json

import harness
from harness import Bucket


class Refused(harness.TestCase):
    def setUp(self):
        self.bucket = Bucket(self.servers, self.servers.new_bucket())
        self.table = self.servers.new_table()

    def put(self, *names):
        for name in names:
            self.servers.dynamodb.put_item(TableName=self.table, Item={"id": {"S": name}, "n": {"N": "1"}})

    def deny(self, name):
        policy = {"Version": "2012-10-17",
                  "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                                 "Resource": f"arn:aws:s3:::{self.bucket.name}/{self.table}/{name}"}]}
        self.servers.s3.put_bucket_policy(Bucket=self.bucket.name, Policy=json.dumps(policy))

    def seqs(self):
        return {r["dynamodb"]["Keys"]["id"]["S"]: r["dynamodb"]["SequenceNumber"]
                for r in self.servers.stream_records(self.table)}

    def durable_seq(self, daemon):
        with open(f"{daemon.state_dir}/{self.table}.checkpoint", encoding="utf-8") as f:
            position = json.loads(f.read().splitlines()[1])["position"]
        return position["streams"][0]["shards"][0].get("seq", "0")

    def test_one_item_is_refused(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        self.put("before")
        daemon.wait(lambda: self.bucket.keys(self.table + "/"), 15, "the first item")
        self.deny("bad")
        self.put("bad", *(f"good{n}" for n in range(200)))
        self.servers.dynamodb.put_item(TableName=self.table, Item={"id": {"S": "bad"}, "n": {"N": "2"}})
        daemon.wait(lambda: len(self.bucket.keys(self.table + "/")) == 201, 60, "every other item")
        daemon.wait(lambda: daemon.status()["tables"][0]["stuck_items"] == 1, 15, "the stuck item in /status")
        status = daemon.status()["tables"][0]
        self.assertIn("AccessDenied", status["stuck_reason"])
        self.assertEqual(daemon.metrics()["ddb_streamd_stuck_items", (("table", self.table),)], 1)
        self.assertTrue(daemon.logged("record cannot be written"))
        # The checkpoint waits before it: what was saved last does not reach its number.
        self.put("later")
        daemon.wait(lambda: len(self.bucket.keys(self.table + "/")) == 202, 15, "one more item")
        seqs = self.seqs()
        self.assertLess(int(self.durable_seq(daemon)), int(seqs["good0"]))
        # Once it is allowed all comes right by itself, in order and once.
        self.servers.s3.delete_bucket_policy(Bucket=self.bucket.name)
        daemon.wait(lambda: len(self.bucket.versions(f"{self.table}/bad", full=False)) == 2, 90, "the refused item")
        daemon.wait(lambda: daemon.status()["tables"][0]["stuck_items"] == 0, 15, "no stuck item")
        daemon.stop()
        self.assertEqual(int(self.durable_seq(daemon)), max(int(s) for s in self.seqs().values()))
        counts = {k: len(v) for k, v in self.bucket.list(self.table + "/").items()}
        self.assertEqual(counts.pop(f"{self.table}/bad"), 2)
        self.assertEqual(set(counts.values()), {1})


if __name__ == "__main__":
    harness.main()
