"""What the conformance cases share: the daemon against a fakeaws of its own, and what the server saw of it."""
import datetime
import json
import os
import time

import fake

QUICK = {"discovery_interval": "1s", "poll_interval": "250ms", "checkpoint_interval": "100ms",
         "watermark_interval": "1s"}


def iso(ms):
    """A time as positions tell it, to be compared as text."""
    t = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc)
    return t.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def checkpoint_path(daemon, table):
    return os.path.join(daemon.state_dir, f"{table}.checkpoint")


def read_checkpoint(daemon, table):
    """What the checkpoint file says; None when there is none yet."""
    try:
        with open(checkpoint_path(daemon, table), encoding="utf-8") as f:
            return json.loads(f.read().splitlines()[1])
    except FileNotFoundError:
        return None


def position_of(position, shard):
    """The entry of a shard in a checkpoint's or watermark's position; None when it is not in there."""
    for stream in position["streams"]:
        for entry in stream["shards"]:
            if entry["id"] == shard:
                return entry
    return None


class Case(fake.TestCase):
    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()
        # The virtual clock moves in some cases. The host's stays in Date, so that signatures are not affected.
        self.fake.do("clock", real_date=True)

    def make(self, table, quick=None, **settings):
        """A daemon that does not run yet."""
        return self.daemon(self.bucket, {table: {"start": "trim_horizon", **settings}},
                           daemon={**QUICK, **(quick or {})})

    def start(self, table, ready=False, quick=None, **settings):
        return self.make(table, quick, **settings).start(ready=ready)

    def backed_up(self, daemon, table, seconds=40, **options):
        self.wait_backed_up(daemon, table, self.bucket, seconds, **options)

    # What the server saw

    def ids(self, table):
        return [s["id"] for s in self.fake.shards(table)]

    def reads(self, shard):
        return [r for r in self.fake.requests(op="GetRecords", shard=shard) if r["status"] == 200]

    def iterators(self, shard):
        return [r for r in self.fake.requests(op="GetShardIterator", shard=shard) if r["status"] == 200]

    def item_writes(self, table, key=""):
        """Every version and marker of items, in order; with `key`, of that item only."""
        path = f"{table}/{key}"
        return [w for w in self.fake.writes(bucket=self.bucket, prefix=path) if not key or w["key"] == path]

    def questions(self, table):
        """The items that S3 was asked about, as names, in order."""
        paths = (f"{table}/", f".ddb-streamd/{table}/deletes/")
        return [r["key"].rpartition("/")[2] for op in ("HeadObject", "ListObjectVersions")
                for r in self.fake.requests(op=op) if r["key"].startswith(paths)]

    def check_lineage(self, table):
        """No shard was asked for before its parent had been read to its end and stored."""
        stored = {}
        for w in self.fake.writes(bucket=self.bucket):
            if "ddb-shard" in w["meta"]:
                stored[w["meta"]["ddb-shard"]] = w["request"]
        checked = 0
        for shard in self.fake.shards(table):
            mine = self.iterators(shard["id"])
            if not shard["parent"] or not mine:
                continue
            before = [r["id"] for r in self.reads(shard["parent"])] + [stored.get(shard["parent"], 0)]
            self.assertGreater(mine[0]["id"], max(before), f"{shard['id']} before its parent was done")
            checked += 1
        return checked

    # What the daemon says

    def metric(self, daemon, name):
        """Summed over tables and other labels."""
        return sum(value for (sample, _), value in daemon.metrics().items() if sample == "ddb_streamd_" + name)

    def gaps(self, daemon):
        return self.metric(daemon, "gaps_total")

    def watermark(self, table):
        answer = self.fake.s3.get_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/watermark.json")
        return json.loads(answer["Body"].read())

    def saved_seq(self, daemon, table, shard):
        """Up to where the checkpoint file says that the shard is durable; "" when it says nothing."""
        saved = read_checkpoint(daemon, table)
        entry = position_of(saved["position"], shard) if saved else None
        return entry.get("seq", "") if entry else ""

    def wait_saved(self, daemon, table):
        """Waits until the checkpoint has the last record of every shard that has one."""
        last = {r["shard"]: r["seq"] for r in self.fake.records(table)}
        daemon.wait(lambda: all(self.saved_seq(daemon, table, s) == seq for s, seq in last.items()), 20,
                    "the checkpoint had the last record")

    def quiet(self, condition, seconds=3.0):
        """It stays so for a while."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.assertTrue(condition())
            time.sleep(0.2)
