#!/usr/bin/python3 -B
"""
A baseline on real servers: DynamoDB Local, and RADOS Gateway, which ignores conditional writes. Under writes, and with the
daemon killed, table and bucket are equal at the end, and boto3 reads the same from both.

For a long run: BASELINE_ITEMS=100000 BASELINE_WRITES_PER_S=500 BASELINE_KILL_EVERY_S=4
"""
import hashlib
import json
import os
import random
import threading
import time

import harness
from harness import Bucket, canonical

ITEMS = int(os.environ.get("BASELINE_ITEMS", "3000"))
WRITES_PER_S = int(os.environ.get("BASELINE_WRITES_PER_S", "200"))
KILL_EVERY_S = float(os.environ.get("BASELINE_KILL_EVERY_S", "4"))


class Writer(threading.Thread):
    """Changes items, deletes and makes some, at about a rate, until it is told to end."""

    def __init__(self, dynamodb, table, seed):
        super().__init__(daemon=True)
        self.dynamodb, self.table = dynamodb, table
        self.random = random.Random(seed)
        self.ended = threading.Event()
        self.error, self.done = None, 0

    def run(self):
        began = time.monotonic()
        try:
            while not self.ended.is_set():
                self.batch()
                ahead = self.done / WRITES_PER_S - (time.monotonic() - began)
                if ahead > 0:
                    self.ended.wait(ahead)
        except Exception as e:  # told to the test, which is in another thread
            self.error = e

    def batch(self):
        requests = {}
        while len(requests) < 25:
            key = {"id": {"S": f"item-{self.random.randrange(ITEMS * 11 // 10):07}"}}
            if self.random.random() < 0.2:
                requests[key["id"]["S"]] = {"DeleteRequest": {"Key": key}}
            else:
                requests[key["id"]["S"]] = {"PutRequest": {"Item": {**key, "v": {"N": str(self.done + len(requests))}}}}
        self.dynamodb.batch_write_item(RequestItems={self.table: list(requests.values())})
        self.done += 25

    def end(self):
        self.ended.set()
        self.join(60)
        if self.error:
            raise self.error


class RealBaseline(harness.TestCase):
    def setUp(self):
        self.bucket = Bucket(self.servers, self.servers.new_bucket(public=True))
        self.dynamodb = self.servers.dynamodb
        self.table = self.servers.new_table(view=None)
        for at in range(0, ITEMS, 25):
            self.dynamodb.batch_write_item(RequestItems={self.table: [
                {"PutRequest": {"Item": {"id": {"S": f"item-{i:07}"}, "text": {"S": "x" * (1 + i % 300)}}}}
                for i in range(at, min(at + 25, ITEMS))]})
        self.dynamodb.update_table(TableName=self.table, StreamSpecification={
            "StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})

    def run_through(self, kill_every_s):
        daemon = self.daemon(self.bucket.name, {self.table: {"baseline": "auto"}},
                             daemon={"checkpoint_interval": "100ms", "poll_interval": "250ms",
                                     "watermark_interval": "1s"})
        writer = Writer(self.dynamodb, self.table, seed=7)
        writer.start()
        daemon.start(ready=False)
        kills = 0
        until = time.monotonic() + max(8, ITEMS / 1000)
        while kill_every_s and time.monotonic() < until:
            time.sleep(kill_every_s)
            daemon.kill()
            daemon.start(ready=False)
            kills += 1
        if not kill_every_s:
            daemon.wait(lambda: self.state(daemon) not in (None, "waiting", "listing"), 60, "the Scan had begun")
            daemon.wait(lambda: writer.done > 5 * WRITES_PER_S, 120, "there were writes meanwhile")
        writer.end()
        seconds = 120 + ITEMS / 200
        daemon.wait(lambda: self.state(daemon) == "done", seconds, "the baseline was done")
        self.expect_same(daemon, seconds)
        self.expect_each_once()
        daemon.stop()
        return kills

    def state(self, daemon):
        path = os.path.join(daemon.state_dir, f"{self.table}.checkpoint")
        try:
            with open(path, encoding="utf-8") as f:
                baseline = json.loads(f.read().splitlines()[1])["position"].get("baseline")
        except FileNotFoundError:
            return None
        return baseline and baseline["state"]

    def items(self):
        found = {}
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True):
            found.update({i["id"]["S"]: canonical(i) for i in page["Items"]})
        return found

    def etags(self):
        found = {}
        for page in self.servers.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket.name,
                                                                           Prefix=f"{self.table}/"):
            found.update({o["Key"].partition("/")[2]: o["ETag"].strip('"') for o in page.get("Contents", [])})
        return found

    def expect_same(self, daemon, seconds):
        want = {key: hashlib.md5(body).hexdigest() for key, body in self.items().items()}

        def equal():
            got = self.etags()
            differ = [k for k in want.keys() | got.keys() if want.get(k) != got.get(k)]
            assert not differ, f"{len(differ)} of {len(want)} differ, such as {differ[:3]}"
            return True
        daemon.wait(equal, seconds, "table and bucket were equal")

    def expect_each_once(self):
        """No item has two versions in a row with the same bytes, of which one is a baseline's: that would be one too many."""
        s3, seen = self.servers.s3, {}
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket.name, Prefix=f"{self.table}/"):
            for v in page.get("Versions", []):
                seen.setdefault(v["Key"], []).append((v["VersionId"], v["ETag"]))
        again = [(key, a[0], b[0]) for key, vs in seen.items() for a, b in zip(vs, vs[1:]) if a[1] == b[1]]
        for key, newer, older in again:
            events = [s3.head_object(Bucket=self.bucket.name, Key=key, VersionId=v)["Metadata"]["ddb-event"]
                      for v in (newer, older)]
            # Behind a marker the same bytes may come again, and a change may have been undone.
            self.assertFalse(events == ["BASELINE", "BASELINE"], f"{key} has two baselines in a row")

    def test_under_writes(self):
        self.run_through(0)

    def test_under_writes_and_kills(self):
        self.assertGreaterEqual(self.run_through(KILL_EVERY_S), 2)


if __name__ == "__main__":
    harness.main()
