"""
Thousands of writes while the daemon runs, is stopped, and is killed: each item's list of versions is exactly what the
table's stream says of it, no more, no less, in that order (I2, I4).
"""
import concurrent.futures
import hashlib
import random
import threading
import time

import harness
from harness import Bucket, canonical, deletes_key

WRITES, ITEMS = 10000, 2000


def md5(item):
    """The ETag that an item's object must have."""
    return hashlib.md5(canonical(item)).hexdigest()


class Writer(threading.Thread):
    """Puts, updates and deletes at random (the same ones each time), in batches where it can."""

    def __init__(self, servers, table, writes, items, seed):
        super().__init__(daemon=True)
        self.servers, self.table, self.writes, self.items = servers, table, writes, items
        self.random = random.Random(seed)
        self.done = 0
        self.error = None

    def key(self):
        return {"id": {"S": f"item {self.random.randrange(self.items)}"}}

    def run(self):
        try:
            while self.done < self.writes:
                if self.random.random() < 0.7:
                    self.batch(min(25, self.writes - self.done))
                else:
                    self.servers.dynamodb.update_item(
                        TableName=self.table, Key=self.key(), UpdateExpression="SET v = :v, #t = :t",
                        ExpressionAttributeNames={"#t": "text"},
                        ExpressionAttributeValues={":v": {"N": str(self.done)}, ":t": {"S": "updated"}})
                    self.done += 1
        except Exception as e:  # told to the test, which is in another thread
            self.error = e

    def batch(self, size):
        requests = {}
        while len(requests) < size:
            key = self.key()
            if self.random.random() < 0.3:
                requests[key["id"]["S"]] = {"DeleteRequest": {"Key": key}}
            else:
                item = {**key, "v": {"N": str(self.done + len(requests))}, "text": {"S": "x" * self.random.randrange(1, 200)}}
                requests[key["id"]["S"]] = {"PutRequest": {"Item": item}}
        answer = self.servers.dynamodb.batch_write_item(RequestItems={self.table: list(requests.values())})
        assert not answer["UnprocessedItems"]
        self.done += size


class Volume(harness.TestCase):
    def setUp(self):
        self.bucket = Bucket(self.servers, self.servers.new_bucket(public=True))
        self.table = self.servers.new_table()

    def writer(self, writes=WRITES, items=ITEMS):
        writer = Writer(self.servers, self.table, writes, items, seed=1)
        writer.start()
        return writer

    def finish(self, daemon, writer, seconds=120):
        writer.join(300)
        self.assertIsNone(writer.error)
        self.assertFalse(writer.is_alive())
        records = self.servers.stream_records(self.table)
        expected = sum(2 if r["eventName"] == "REMOVE" else 1 for r in records)

        def all_there():
            got = sum(len(v) for v in self.bucket.list(self.table + "/").values())
            got += sum(len(v) for v in self.bucket.list(deletes_key(self.table, "")).values())
            assert got >= expected, f"{got} of {expected} versions and markers"
            return True
        daemon.wait(all_there, seconds, "every record in the bucket")
        daemon.stop()
        return records

    def check(self, records):
        """The bucket against the stream: number, order, kind, sequence and body of every version."""
        by_item = {}
        for r in records:
            by_item.setdefault(r["dynamodb"]["Keys"]["id"]["S"], []).append(r)
        data = self.bucket.list(self.table + "/")
        deletes = self.bucket.list(deletes_key(self.table, ""))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            lists = list(data.values()) + list(deletes.values())
            list(pool.map(self.bucket.fill_meta_public, [sum(lists[i::4], []) for i in range(4)]))
        names = {item: f"{self.table}/{harness.item_key({'id': {'S': item}})}" for item in by_item}
        self.assertEqual(set(data), set(names.values()))
        for item, changes in by_item.items():
            versions, removed = data[names[item]], [r for r in changes if r["eventName"] == "REMOVE"]
            told = [("marker", "") if v.marker else (v.meta["ddb-event"], v.meta["ddb-seq"]) for v in versions]
            self.assertEqual(told, [("marker", "") if r["eventName"] == "REMOVE" else
                                    (r["eventName"], r["dynamodb"]["SequenceNumber"]) for r in changes], item)
            for v, r in zip(versions, changes):
                if not v.marker:
                    self.assertEqual(v.etag, md5(r["dynamodb"]["NewImage"]))
            gone = deletes.get(deletes_key(self.table, harness.item_key({"id": {"S": item}})), [])
            self.assertEqual([(v.marker, v.meta["ddb-event"], v.meta["ddb-seq"]) for v in gone],
                             [(False, "REMOVE", r["dynamodb"]["SequenceNumber"]) for r in removed], item)
            for v, r in zip(gone, removed):
                self.assertEqual(v.etag, md5(r["dynamodb"]["OldImage"]))

    def in_the_middle(self, daemon, writer, part):
        """Waits until `part` of the writes are made and some of them, not all, are in the bucket."""
        daemon.wait(lambda: writer.error or writer.done >= writer.writes * part, 120, f"{part:.0%} of the writes")
        daemon.wait(lambda: sum(1 for _ in self.bucket.list(self.table + "/")) > 0, 60, "first versions")

    def test_running(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        writer = self.writer()
        records = self.finish(daemon, writer)
        self.assertGreaterEqual(len(records), WRITES * 0.8)  # deleting what is not there makes no record
        self.check(records)

    def test_stop_and_start(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        writer = self.writer(4000, 800)
        for part in (0.3, 0.6):
            self.in_the_middle(daemon, writer, part)
            daemon.stop()
            daemon.start()
        self.check(self.finish(daemon, writer))
        daemon.start()  # with nothing new to do
        time.sleep(2)
        daemon.stop()
        self.check(self.servers.stream_records(self.table))

    def test_kill_and_start(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        writer = self.writer(4000, 800)
        for part in (0.2, 0.4, 0.6, 0.8):
            self.in_the_middle(daemon, writer, part)
            daemon.kill()
            daemon.start()
        self.check(self.finish(daemon, writer))

    def test_kill_at_random_moments(self):
        """Few items, so that nearly every write at the moment of the kill has a successor waiting."""
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        writer = self.writer(3000, 40)
        moments = random.Random(2)
        for _ in range(8):
            time.sleep(moments.uniform(0.05, 1.0))
            daemon.kill()
            daemon.start()
        self.check(self.finish(daemon, writer))


if __name__ == "__main__":
    harness.main()
