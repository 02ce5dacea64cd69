"""
What test/fakeaws plays for baselines and their comparison: reads that lag behind or exceed what a table has, records
that come late or never, requests that are held, and damage of what is in the bucket.
"""
import concurrent.futures
import hashlib

import fake
import harness
from conformance import iso
from fakeaws_case import Case


def string(value):
    return {"S": value}


class Reads(Case):
    def values(self, table, consistent):
        """What Scan, GetItem and, of a range key, Query see of each item."""
        seen = {i["id"]["S"]: i["x"]["N"] for i in
                self.fake.dynamodb.scan(TableName=table, ConsistentRead=consistent)["Items"]}
        for key in "abc":
            got = self.fake.dynamodb.get_item(TableName=table, Key={"id": string(key)}, ConsistentRead=consistent)
            self.assertEqual(got.get("Item", {}).get("x", {}).get("N"), seen.get(key))
        return seen

    def test_lag(self):
        self.fake.do("clock", freeze=True)
        table = self.fake.new_table(read_lag_ms=1000)
        self.fake.put(table, "a", x={"N": "1"})
        self.assertEqual((self.values(table, False), self.values(table, True)), ({}, {"a": "1"}))
        self.fake.advance(0.4)
        self.fake.put(table, "a", x={"N": "2"})
        self.fake.put(table, "b", x={"N": "1"})
        self.fake.advance(0.4)
        self.fake.delete(table, "a")
        self.fake.put(table, "c", x={"N": "1"})
        for advance, lagging in ((0.199, {}), (0.001, {"a": "1"}), (0.4, {"a": "2", "b": "1"}),
                                 (0.4, {"b": "1", "c": "1"})):
            self.fake.advance(advance)
            self.assertEqual((self.values(table, False), self.values(table, True)),
                             (lagging, {"b": "1", "c": "1"}), advance)

    def test_lag_of_queries(self):
        self.fake.do("clock", freeze=True)
        table = self.fake.new_table(range_type="N", read_lag_ms=1000)

        def ranges(consistent):
            page = self.fake.dynamodb.query(
                TableName=table, ConsistentRead=consistent, KeyConditionExpression="#h = :h",
                ExpressionAttributeNames={"#h": "id"}, ExpressionAttributeValues={":h": string("a")})
            return [i["range"]["N"] for i in page["Items"]]
        for n in ("1", "2"):
            self.fake.dynamodb.put_item(TableName=table, Item={"id": string("a"), "range": {"N": n}})
        self.assertEqual((ranges(False), ranges(True)), ([], ["1", "2"]))
        self.fake.advance(1)
        self.fake.dynamodb.delete_item(TableName=table, Key={"id": string("a"), "range": {"N": "1"}})
        self.assertEqual((ranges(False), ranges(True)), (["1", "2"], ["2"]))

    def test_cost_and_capacity_of_a_scan(self):
        """Developer Guide, "Read consistency": a consistent read of up to 4 KB is a unit, another one half of it."""
        table = self.fake.new_table()
        for n in range(40):
            self.fake.put(table, f"{n:02}", pad=string("x" * 1000))
        sizes = []
        for consistent in (True, False):
            page = self.fake.dynamodb.scan(TableName=table, ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
            sizes.append(page["ConsumedCapacity"]["CapacityUnits"])
        self.assertEqual(sizes[0], 2 * sizes[1])
        self.assertEqual(sizes[0], 10)
        self.fake.do("clock", freeze=True)
        self.fake.options(table, read_units_per_s=20)
        scan = {"TableName": table, "ConsistentRead": True, "Segment": 0, "TotalSegments": 1}
        self.fake.dynamodb.scan(**scan)
        self.fake.dynamodb.scan(**scan)
        self.refused("ProvisionedThroughputExceededException", self.fake.dynamodb.scan, 400, **scan)
        self.fake.advance(0.5)
        self.fake.dynamodb.scan(**scan)
        self.refused("ProvisionedThroughputExceededException", self.fake.dynamodb.get_item, 400, TableName=table,
                     Key={"id": string("00")})


class Records(Case):
    def test_late(self):
        self.fake.do("clock", freeze=True)
        table = self.fake.new_table(record_lag_ms=5000)
        latest = self.iterator(table, kind="LATEST")
        self.fake.put(table, "a", x={"N": "1"})
        self.fake.advance(3)
        self.fake.put(table, "a", x={"N": "2"})
        still_latest = self.iterator(table, kind="LATEST")
        self.fake.do("rotate", table=table)
        self.assertIn("NextShardIterator", self.read(self.iterator(table)))
        counts = []
        for _ in range(4):
            counts.append([len(self.read(i)["Records"]) for i in (self.iterator(table), latest, still_latest)])
            self.fake.advance(1.7)
        self.assertEqual(counts, [[0, 0, 0], [0, 0, 0], [1, 1, 1], [2, 2, 2]])
        self.assertNotIn("NextShardIterator", self.read(self.iterator(table)))

    def test_lost(self):
        table = self.fake.new_table()
        self.fake.put(table, "a", x={"N": "1"})
        self.fake.options(table, lose_records=True)
        self.fake.put(table, "a", x={"N": "2"})
        self.fake.delete(table, "b")
        self.fake.put(table, "c", x={"N": "1"})
        self.fake.options(table, lose_records=False)
        self.fake.put(table, "a", x={"N": "3"})
        told = [(r["eventName"], r["dynamodb"]["NewImage"]["x"]["N"]) for r in self.read_all(self.iterator(table))]
        self.assertEqual(told, [("INSERT", "1"), ("MODIFY", "3")])
        self.assertEqual(len(self.fake.items(table)), 2)

    def test_gap_of_thirty_hours(self):
        table = self.fake.new_table()
        self.fake.put(table, "a", x={"N": "1"})
        begin = self.iterator(table)
        self.fake.advance(30 * 3600)
        self.fake.put(table, "b", x={"N": "1"})
        self.refused("ExpiredIteratorException", self.read, 400, iterator=begin)
        records = self.read_all(self.iterator(table))
        self.assertEqual([r["dynamodb"]["Keys"]["id"]["S"] for r in records], ["b"])
        self.refused("TrimmedDataAccessException", self.iterator, 400, table=table, kind="AFTER_SEQUENCE_NUMBER",
                     SequenceNumber=self.fake.records(table)[0]["seq"])


class Held(Case):
    def test_before_and_after_the_effect(self):
        table = self.fake.new_table()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for when, there in (("before", 0), ("after", 1)):
                rule = self.fake.fault(op="PutItem", key=when, hold=when, count=1)
                put = pool.submit(self.fake.put, table, when)
                harness.wait_until(lambda: self.fake.held(rule) == 1)
                self.assertEqual(len([i for i in self.fake.items(table) if i["id"]["S"] == when]), there)
                self.assertFalse(put.done())
                self.assertEqual((self.fake.release(rule), self.fake.held()), (1, 0))
                put.result(10)
            self.assertEqual(len(self.fake.items(table)), 2)

    def test_only_the_rule_that_is_meant(self):
        table = self.fake.new_table()
        rules = [self.fake.fault(op="PutItem", key=f'"{k}"', hold="before") for k in "ab"]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            puts = [pool.submit(self.fake.put, table, k) for k in "aba"]
            harness.wait_until(lambda: self.fake.held() == 3)
            self.assertEqual(self.fake.release(rules[1]), 1)
            puts[1].result(10)
            self.assertEqual((self.fake.held(rules[0]), self.fake.release(), self.fake.release()), (2, 2, 0))
            puts[0].result(10)
            puts[2].result(10)

    def test_the_effect_comes_when_the_client_has_gone(self):
        table = self.fake.new_table()
        self.fake.fault(op="PutItem", hold="before")
        with self.assertRaises(OSError):
            self.signed("dynamodb", "POST", "/", b'{"TableName":"%s","Item":{"id":{"S":"a"}}}' % table.encode(),
                        {"X-Amz-Target": "DynamoDB_20120810.PutItem"}, seconds=0.3)
        self.assertEqual((self.fake.items(table), self.fake.held()), ([], 1))
        self.fake.release()
        harness.wait_until(lambda: self.fake.items(table))


class Damage(Case):
    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()
        self.ids = [self.fake.version(self.bucket, "k", body=f"body {n}", meta={"ddb-seq": str(n)},
                                      modified_ms=1000000 * n) for n in (1, 2, 3)]

    def get(self, version):
        got = self.fake.s3.get_object(Bucket=self.bucket, Key="k", VersionId=version)
        return got["Body"].read(), got["ETag"].strip('"'), got["Metadata"], got["LastModified"].timestamp()

    def test_flipped_byte(self):
        body, etag, meta, modified = self.get(self.ids[1])
        self.fake.change(self.bucket, "k", version_id=self.ids[1], flip=5)
        self.assertEqual(self.get(self.ids[1]), (b"body 3", etag, meta, modified))
        self.fake.change(self.bucket, "k", version_id=self.ids[1], flip=0, follow_etag=True)
        self.assertEqual(self.get(self.ids[1]), (b"cody 3", hashlib.md5(b"cody 3").hexdigest(), meta, modified))
        self.assertEqual(self.get(self.ids[2])[0], b"body 3")
        listed = self.fake.s3.list_object_versions(Bucket=self.bucket)["Versions"]
        self.assertEqual([v["VersionId"] for v in listed], self.ids[::-1])
        self.assertEqual(listed[1]["ETag"].strip('"'), hashlib.md5(b"cody 3").hexdigest())

    def test_other_contents(self):
        self.assertEqual(self.fake.change(self.bucket, "k", body="x", meta={"a": "b"}, modified_ms=5000, etag="e"),
                         self.ids[2])
        self.assertEqual(self.get(self.ids[2]), (b"x", "e", {"a": "b"}, 5))
        self.fake.change(self.bucket, "k", meta={})
        self.assertEqual(self.get(self.ids[2]), (b"x", "e", {}, 5))

    def test_a_marker_has_a_time_only(self):
        marker = self.fake.version(self.bucket, "k", marker=True)
        self.fake.change(self.bucket, "k", version_id=marker, modified_ms=7000)
        listed = self.fake.s3.list_object_versions(Bucket=self.bucket)["DeleteMarkers"]
        self.assertEqual([(m["VersionId"], m["LastModified"].timestamp()) for m in listed], [(marker, 7)])
        for wrong in ({"body": "x"}, {"flip": 0}, {"meta": {}}):
            with self.assertRaises(fake.Refused, msg=wrong):
                self.fake.change(self.bucket, "k", version_id=marker, **wrong)

    def test_swapped(self):
        first, third = self.get(self.ids[0]), self.get(self.ids[2])
        self.fake.swap(self.bucket, "k", self.ids[0], self.ids[2])
        self.assertEqual(self.get(self.ids[0]), third[:3] + first[3:])
        self.assertEqual(self.get(self.ids[2]), first[:3] + third[3:])
        listed = self.fake.s3.list_object_versions(Bucket=self.bucket)["Versions"]
        self.assertEqual([v["VersionId"] for v in listed], self.ids[::-1])
        self.assertEqual(self.fake.s3.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"body 1")

    def test_refused(self):
        for wrong in ({"flip": 6}, {"flip": -1}, {"flip": "0"}, {"version_id": "none"}, {"body_base64": "?"},
                      {"follow_etag": 1}, {"meta": {"a": 1}}, {"marker": True}):
            with self.assertRaises(fake.Refused, msg=wrong):
                self.fake.change(self.bucket, "k", **wrong)
        for key, ids in (("k", (self.ids[0], "none")), ("other", self.ids[:2])):
            with self.assertRaises(fake.Refused):
                self.fake.swap(self.bucket, key, *ids)
        self.assertEqual([self.get(i)[0] for i in self.ids], [b"body 1", b"body 2", b"body 3"])


class State(Case):
    def test_the_table_as_it_is(self):
        table, bucket = self.fake.new_table(), self.fake.new_bucket()
        kinds = lambda: self.fake.verify(table, bucket, state=1)["kinds"]
        for key in "abc":
            self.fake.put(table, key)
            self.fake.version(bucket, f"{table}/{key}", body='{"id":{"S":"%s"}}' % key)
        self.assertEqual(self.check_state(table, bucket)["items"], 3)
        self.fake.version(bucket, f"{table}/a", marker=True)
        self.fake.version(bucket, f"{table}/b", body='{"id": {"S":"b"}}')
        self.fake.delete(table, "c")
        self.fake.put(table, "d")
        self.fake.version(bucket, f"{table}/x", body="{}")
        self.assertEqual(kinds(), {"missing": 2, "body": 1, "extra": 1, "stray": 1})
        self.fake.delete(table, "a")
        self.fake.delete(table, "d")
        self.fake.version(bucket, f"{table}/b", body='{"id":{"S":"b"}}')
        self.fake.version(bucket, f"{table}/c", marker=True)
        self.assertEqual(kinds(), {"stray": 1})

    def test_removals_of_a_baseline(self):
        """A marker of no record is one of a baseline when the deletes key says so."""
        table, bucket = self.fake.new_table(), self.fake.new_bucket()
        self.fake.put(table, "a")
        self.fake.options(table, lose_records=True)
        self.fake.delete(table, "a")
        record = self.fake.records(table)[0]
        self.fake.version(bucket, f"{table}/a", body='{"id":{"S":"a"}}', meta={
            "ddb-event": "INSERT", "ddb-seq": record["seq"], "ddb-stream": record["stream"],
            "ddb-shard": record["shard"], "ddb-time": iso(record["time_ms"])})
        self.fake.version(bucket, f"{table}/a", marker=True)
        self.assertEqual(self.fake.verify(table, bucket)["kinds"], {"marker": 1, "top": 1})
        self.fake.version(bucket, f".ddb-streamd/{table}/deletes/a", body='{"id":{"S":"a"}}',
                          meta={"ddb-event": "BASELINE"})
        self.assertEqual(self.fake.verify(table, bucket)["kinds"], {})
        self.check_state(table, bucket)


if __name__ == "__main__":
    harness.main()
