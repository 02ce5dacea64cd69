"""
Real rolls: DynamoDB Local with its test control on closes every shard and opens a child, and its stream is turned off
and on again, while the daemon reads. boto3 reads the same streams, and each record must have its version, once.
"""
import atexit
import copy
import os
import random
import shutil
import subprocess
import tempfile

import boto3
import botocore.config

import harness

SCRIPT = os.path.join(harness.ROOT, "test", "servers", "dynamodb-local")


class Rolling:
    """A DynamoDB Local of our own with test control, as a harness.Servers whose S3 is the shared one."""

    def __init__(self, shared):
        self.folder = tempfile.mkdtemp(prefix="ddb-streamd-rolls.")
        self.server = os.path.join(self.folder, "dynamodb-local")
        atexit.register(self.stop)
        subprocess.run([SCRIPT, "start", self.server, "--test-control"], check=True)
        with open(os.path.join(self.server, "env"), encoding="ascii") as f:
            env = dict(line[len("export "):].strip().split("=", 1) for line in f)
        self.servers = copy.copy(shared)
        self.servers.env = {**shared.env, **env}
        config = botocore.config.Config(retries={"max_attempts": 5}, read_timeout=60)
        self.servers.dynamodb, self.servers.streams = (
            boto3.session.Session().client(
                service, endpoint_url=env["AWS_ENDPOINT_URL_DYNAMODB"], region_name="us-east-1", config=config,
                aws_access_key_id=shared.env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=shared.env["AWS_SECRET_ACCESS_KEY"])
            for service in ("dynamodb", "dynamodbstreams"))

    def stop(self):
        if self.folder:
            subprocess.run([SCRIPT, "stop", self.server], check=False)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


class Rolls(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rolling = Rolling(cls.servers)
        cls.servers = cls.rolling.servers

    @classmethod
    def tearDownClass(cls):
        cls.rolling.stop()

    def setUp(self):
        self.random = random.Random(self.id())
        self.table = self.servers.new_table()
        self.bucket = self.servers.new_bucket(public=True)
        self.items = set()
        self.count = 0

    def roll(self):
        self.servers.dynamodb.put_item(TableName="[TEST_CONTROL]", Item={"ACTION": {"S": "ROLLOVER"}})

    def write(self, n):
        for _ in range(n):
            key = f"item-{self.random.randrange(25)}"
            if key in self.items and self.random.random() < 0.25:
                self.servers.dynamodb.delete_item(TableName=self.table, Key={"id": {"S": key}})
                self.items.discard(key)
            else:
                self.count += 1  # so that no put is without effect
                self.servers.dynamodb.put_item(TableName=self.table,
                                               Item={"id": {"S": key}, "n": {"N": str(self.count)}})
                self.items.add(key)

    def off_and_on(self):
        update = self.servers.dynamodb.update_table
        update(TableName=self.table, StreamSpecification={"StreamEnabled": False})
        update(TableName=self.table,
               StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})

    # The truth, by boto3

    def shard_records(self, arn, shard):
        records, empty = [], 0
        iterator = self.servers.streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while iterator and empty < 2:  # an open shard never says that it is at its end
            page = self.servers.streams.get_records(ShardIterator=iterator)
            empty = 0 if page["Records"] else empty + 1
            records += page["Records"]
            iterator = page.get("NextShardIterator")
        return records

    def read_streams(self):
        """[(label, shard, record)] of all streams of the table, in order; and how many shards each stream has."""
        found, shards = [], []
        streams = self.servers.streams.list_streams(TableName=self.table)["Streams"]
        for stream in sorted(streams, key=lambda s: s["StreamLabel"]):
            about = self.servers.streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
            self.assertNotIn("LastEvaluatedShardId", about)
            records = [(stream["StreamLabel"], s["ShardId"], r) for s in about["Shards"]
                       for r in self.shard_records(stream["StreamArn"], s["ShardId"])]
            found += sorted(records, key=lambda r: int(r[2]["dynamodb"]["SequenceNumber"]))
            shards.append(len(about["Shards"]))
        return found, shards

    def expected(self, records):
        """{S3 key: what must lie there, oldest first}: (event, stream, sequence number, shard, ETag), or "marker"."""
        want = {}
        for label, shard, record in records:
            change = record["dynamodb"]
            key, event = change["Keys"]["id"]["S"], record["eventName"]
            image = change["OldImage" if event == "REMOVE" else "NewImage"]
            path = f"{self.table}/{key}"
            if event == "REMOVE":
                want.setdefault(path, []).append("marker")
                path = harness.deletes_key(self.table, key)
            want.setdefault(path, []).append((event, label, change["SequenceNumber"], shard, harness.canonical(image)))
        return want

    def stored(self, full):
        """The same of the bucket; without `full` only how many versions and markers there are."""
        bucket = harness.Bucket(self.servers, self.bucket)
        found = bucket.list(f"{self.table}/")
        found.update(bucket.list(harness.deletes_key(self.table, "")))
        if not full:
            return sum(len(versions) for versions in found.values())
        told = {}
        for path, versions in found.items():
            for v in map(bucket.fill, versions):
                told.setdefault(path, []).append("marker" if v.marker else (
                    v.meta["ddb-event"], v.meta["ddb-stream"], v.meta["ddb-seq"], v.meta["ddb-shard"], v.body))
        return told

    def check(self, daemon, streams, least_shards):
        records, shards = self.read_streams()
        self.assertEqual(len(shards), streams)
        self.assertGreaterEqual(sum(shards), least_shards)
        want = self.expected(records)
        total = sum(len(versions) for versions in want.values())

        def complete():
            n = self.stored(False)
            assert n >= total, f"{n} of {total} versions are there"
            return True
        daemon.wait(complete, 60, "every record had its version")
        self.assertEqual(self.stored(True), want)

    def start(self):
        quick = {"discovery_interval": "1s", "poll_interval": "250ms", "checkpoint_interval": "100ms"}
        return self.daemon(self.bucket, [self.table], daemon=quick)

    def test_rolls_and_a_stream_turned_off_and_on_while_the_daemon_reads(self):
        daemon = self.start().start()
        for _ in range(5):
            self.write(30)
            self.roll()
            self.write(10)
        self.off_and_on()
        for _ in range(3):
            self.write(20)
            self.roll()
        self.write(10)
        self.check(daemon, 2, 10)
        daemon.stop()

    def test_rolls_over_kills_and_stops(self):
        daemon = self.start()
        for n in range(6):
            # Ready before writing or not; after the stream was off (n == 3) never again, since that is a gap.
            daemon.start(ready=n in (0, 2))
            before = self.stored(False)
            self.write(30)
            self.roll()
            self.write(10)
            daemon.wait(lambda: self.stored(False) > before + 5, 30, "writing was under way")
            if n % 2:
                daemon.stop()
            else:
                daemon.kill()
            self.write(10)
            self.roll()
            if n == 3:
                self.off_and_on()
        self.write(10)
        daemon.start(ready=False)
        self.check(daemon, 2, 14)
        daemon.stop()

    def test_rolls_of_an_idle_table(self):
        """Shards that end without a record: the chain is followed all the same."""
        daemon = self.start().start()
        self.write(5)
        for _ in range(6):
            self.roll()
        self.write(5)
        self.check(daemon, 1, 7)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
