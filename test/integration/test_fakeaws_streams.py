"""test/fakeaws: DynamoDB Streams: shards, iterators, pages, trims, and the truth that it keeps of them."""
import gzip
import json
import zlib

import fake
import harness
from fakeaws_case import Case, ClientError


class Streams(Case):
    def test_records(self):
        table = self.fake.new_table()
        self.fake.put(table, "a", x={"N": "1"})
        self.fake.put(table, "a", x={"N": "1"})  # changes nothing, and gives no record
        self.fake.put(table, "a", x={"N": "2"})
        self.fake.delete(table, "a")
        self.fake.delete(table, "a")
        records = self.read_all(self.iterator(table))
        self.assertEqual([r["eventName"] for r in records], ["INSERT", "MODIFY", "REMOVE"])
        images = [(r["dynamodb"].get("OldImage", {}).get("x"), r["dynamodb"].get("NewImage", {}).get("x")) for r in records]
        self.assertEqual(images, [(None, {"N": "1"}), ({"N": "1"}, {"N": "2"}), ({"N": "2"}, None)])
        seqs = self.seqs(records)
        self.assertEqual(seqs, sorted(seqs, key=int))
        self.assertTrue(all(len(s) >= 21 for s in seqs))
        self.assertEqual({r["dynamodb"]["Keys"]["id"]["S"] for r in records}, {"a"})

    def test_views(self):
        for view, old, new in (("KEYS_ONLY", 0, 0), ("NEW_IMAGE", 0, 1), ("OLD_IMAGE", 1, 0), ("NEW_AND_OLD_IMAGES", 1, 1)):
            table = self.fake.new_table(view=view)
            self.fake.put(table, "a")
            self.fake.put(table, "a", x={"N": "2"})
            record = self.read(self.iterator(table))["Records"][1]["dynamodb"]
            self.assertEqual(("OldImage" in record, "NewImage" in record), (bool(old), bool(new)))
            self.assertEqual(record["StreamViewType"], view)

    def test_pages_of_describe_stream(self):
        table = self.fake.new_table(shards=250)
        arn = self.fake.stream_arn(table)
        found, start, pages = [], {}, 0
        while True:
            page = self.fake.streams.describe_stream(StreamArn=arn, **start)["StreamDescription"]
            found += [s["ShardId"] for s in page["Shards"]]
            pages += 1
            if "LastEvaluatedShardId" not in page:
                break
            start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}
        self.assertEqual((pages, len(found), len(set(found))), (3, 250, 250))
        page = self.fake.streams.describe_stream(StreamArn=arn, Limit=3)["StreamDescription"]
        self.assertEqual(len(page["Shards"]), 3)
        self.refused("ResourceNotFoundException", self.fake.streams.describe_stream, 400, StreamArn=arn,
                     ExclusiveStartShardId="shardId-00000000000000000000-nowhere")
        self.refused("ResourceNotFoundException", self.fake.streams.describe_stream, 400, StreamArn=arn[:-3] + "999")

    def test_wrong_cursors(self):
        table = self.fake.new_table(shards=5, describe_page=2, cursor="repeat")
        arn = self.fake.stream_arn(table)
        first = self.fake.streams.describe_stream(StreamArn=arn)["StreamDescription"]["LastEvaluatedShardId"]
        second = self.fake.streams.describe_stream(StreamArn=arn, ExclusiveStartShardId=first)["StreamDescription"]
        self.assertEqual(second["LastEvaluatedShardId"], first)
        self.fake.options(table, cursor="empty")
        self.assertEqual(json.loads(self.streams_call("DescribeStream", StreamArn=arn)[2])["StreamDescription"]
                         ["LastEvaluatedShardId"], "")

    def test_split_rotate_merge(self):
        table = self.fake.new_table()
        first = self.fake.shards(table)[0]["id"]
        left, right = self.fake.do("split", table=table)["shards"]
        self.assertEqual((left["parent"], right["parent"]), (first, first))
        rolled = self.fake.do("rotate", table=table, shard=left["id"])["shards"][0]
        self.assertEqual(rolled["parent"], left["id"])
        merged = self.fake.do("merge", table=table, shard=rolled["id"], **{"with": right["id"]})
        self.assertEqual(merged["parent"], rolled["id"])
        self.assertEqual([s["open"] for s in self.fake.shards(table)], [False, False, False, False, True])
        arn = self.fake.stream_arn(table)
        told = self.fake.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        for shard in told[:-1]:
            start, end = (int(shard["SequenceNumberRange"][k + "SequenceNumber"]) for k in ("Starting", "Ending"))
            self.assertLessEqual(start, end)
        self.assertNotIn("EndingSequenceNumber", told[-1]["SequenceNumberRange"])
        with self.assertRaises(fake.Refused):
            self.fake.do("split", table=table, shard=first)

    def test_no_record_is_lost_by_splits(self):
        table = self.fake.new_table(shards=3)
        for step in ("split", "rotate", "split"):
            self.fake.write(table, 300, keys=40, deletes=0.2)
            self.fake.do(step, table=table, all=True)
        self.fake.write(table, 300, keys=40, deletes=0.2)
        shards = self.fake.shards(table)
        self.assertEqual(len(shards), 3 + 6 + 6 + 12)
        found = []
        for i in range(len(shards)):
            found += self.seqs(self.read_all(self.iterator(table, i)))
        self.assertEqual(sorted(found, key=int), [r["seq"] for r in self.fake.records(table)])

    def test_child_shards(self):
        table = self.fake.new_table()
        arn, parent = self.fake.stream_arn(table), self.fake.shards(table)[0]["id"]
        children = sorted(s["id"] for s in self.fake.do("split", table=table)["shards"])

        def ask():
            # botocore is older than ShardFilter.
            status, _, body = self.streams_call("DescribeStream", StreamArn=arn,
                                                ShardFilter={"Type": "CHILD_SHARDS", "ShardId": parent})
            answer = json.loads(body)
            return answer["__type"].partition("#")[2] if status != 200 else \
                sorted(s["ShardId"] for s in answer["StreamDescription"]["Shards"])
        self.assertEqual(ask(), children)
        self.fake.options(table, child_filter="refuse")
        self.assertEqual(ask(), "ValidationException")
        self.fake.options(table, child_filter="ignore")
        self.assertEqual(ask(), sorted(children + [parent]))
        self.fake.options(table, child_filter="honour", child_empty=2)
        self.assertEqual([ask(), ask(), ask()], [[], [], children])

    def test_order_and_odd_ids(self):
        table = self.fake.new_table(order="child_first", odd_ids=True)
        self.fake.do("split", table=table)
        told = self.fake.streams.describe_stream(StreamArn=self.fake.stream_arn(table))["StreamDescription"]["Shards"]
        self.assertIn("ParentShardId", told[0])
        self.assertNotIn("ParentShardId", told[2])
        self.assertTrue(all(" " in s["ShardId"] and ":" in s["ShardId"] and 28 <= len(s["ShardId"]) <= 65 for s in told))
        self.fake.write(table, 10)
        self.read(self.iterator(table, 1))

    def test_iterators(self):
        table = self.fake.new_table()
        self.fake.write(table, 10)
        seqs = [r["seq"] for r in self.fake.records(table)]
        latest = self.iterator(table, kind="LATEST")
        self.assertEqual(self.seqs(self.read(self.iterator(table, kind="AT_SEQUENCE_NUMBER",
                                                           SequenceNumber=seqs[3]))["Records"]), seqs[3:])
        self.assertEqual(self.seqs(self.read(self.iterator(table, kind="AFTER_SEQUENCE_NUMBER",
                                                           SequenceNumber=seqs[3]))["Records"]), seqs[4:])
        self.assertEqual(self.seqs(self.read(self.iterator(table), Limit=4)["Records"]), seqs[:4])
        self.fake.put(table, "new")
        self.assertEqual(len(self.read(latest)["Records"]), 1)
        self.refused("ValidationException", self.read, 400, iterator="garbage")
        self.refused("ValidationException", self.read, 400, iterator=latest[:-4] + "AAAA")
        shard = self.fake.shards(table)[0]
        self.assertEqual(shard["iterators"], {"TRIM_HORIZON": 1, "LATEST": 1, "AT_SEQUENCE_NUMBER": 1,
                                              "AFTER_SEQUENCE_NUMBER": 1})
        self.refused("ResourceNotFoundException", self.fake.streams.get_shard_iterator, 400,
                     StreamArn=self.fake.stream_arn(table), ShardId="shardId-00000000000000000000-nowhere",
                     ShardIteratorType="LATEST")

    def test_expiry(self):
        table = self.fake.new_table()
        iterator = self.iterator(table)
        self.fake.advance(14 * 60)
        following = self.read(iterator)["NextShardIterator"]
        self.fake.advance(2 * 60)
        self.refused("ExpiredIteratorException", self.read, 400, iterator=iterator)
        self.read(following)

    def test_trims(self):
        table = self.fake.new_table()
        self.fake.write(table, 10)
        seqs = [r["seq"] for r in self.fake.records(table)]
        old = self.iterator(table)
        self.fake.do("trim", table=table, records=4)
        self.refused("TrimmedDataAccessException", self.read, 400, iterator=old)
        arguments = {"StreamArn": self.fake.stream_arn(table), "ShardId": self.fake.shards(table)[0]["id"],
                     "ShardIteratorType": "AT_SEQUENCE_NUMBER"}
        self.refused("TrimmedDataAccessException", self.fake.streams.get_shard_iterator, 400, **arguments,
                     SequenceNumber=seqs[3])
        self.fake.streams.get_shard_iterator(**arguments, SequenceNumber=seqs[4])
        self.assertEqual(self.seqs(self.read(self.iterator(table))["Records"]), seqs[4:])

    def test_trims_by_age(self):
        table = self.fake.new_table()
        self.fake.write(table, 5)
        self.fake.do("rotate", table=table)
        self.fake.advance(25 * 3600)
        self.fake.write(table, 3)
        told = self.fake.streams.describe_stream(StreamArn=self.fake.stream_arn(table))["StreamDescription"]["Shards"]
        self.assertEqual(len(told), 1)
        self.assertIn("ParentShardId", told[0])  # and it is listed no more
        self.assertEqual(len(self.read(self.iterator(table, 1))["Records"]), 3)

    def test_ends_of_shards(self):
        for empty in (False, True):
            table = self.fake.new_table(last_page_empty=empty)
            self.fake.write(table, 3)
            iterator = self.iterator(table)
            self.fake.do("rotate", table=table)
            page = self.read(iterator)
            self.assertEqual((len(page["Records"]), "NextShardIterator" in page), (3, empty))
            if empty:
                page = self.read(page["NextShardIterator"])
                self.assertEqual((page["Records"], "NextShardIterator" in page), ([], False))

    def test_empty_and_repeated_pages(self):
        table = self.fake.new_table(empty_pages=3, repeated_pages=2)
        self.fake.write(table, 3)
        iterator = self.iterator(table)
        for n in range(3):
            page = self.read(iterator)
            self.assertEqual(page["Records"], [])
            self.assertEqual(page["NextShardIterator"] == iterator, n < 2)
            iterator = page["NextShardIterator"]
        self.assertEqual(len(self.read(iterator)["Records"]), 3)

    def test_page_sizes(self):
        table = self.fake.new_table()
        self.fake.write(table, 1500, keys=2000, bytes=10)
        page = self.read(self.iterator(table))
        self.assertEqual(len(page["Records"]), 1000)
        table = self.fake.new_table()
        self.fake.write(table, 4, keys=1, bytes=390000)
        sizes = []
        iterator = self.iterator(table)
        while sum(sizes) < 4:
            page = self.read(iterator)
            sizes.append(len(page["Records"]))
            iterator = page["NextShardIterator"]
        self.assertEqual(sizes, [1, 1, 1, 1])  # a second one would pass 1 MB

    def test_forms_of_records(self):
        table = self.fake.new_table()
        self.fake.do("clock", freeze=True, set_ms=1464806460123)
        self.fake.put(table, "a")
        self.fake.do("ttl_delete", table=table, key={"id": {"S": "a"}})

        def wire(**options):
            self.fake.options(table, **options)
            return self.streams_call("GetRecords", ShardIterator=self.iterator(table))[2].decode()
        for form, text in (("seconds", "1464806460,"), ("fraction", "1464806460.123,"), ("exponent", "1.46480646E9,")):
            self.assertIn(f'"ApproximateCreationDateTime":{text}', wire(time=form))
        self.assertNotIn("ApproximateCreationDateTime", wire(time="absent"))
        self.assertIn('"userIdentity":{"principalId":"dynamodb.amazonaws.com","type":"Service"}', wire(identity="lower"))
        self.assertIn('"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}', wire(identity="upper"))
        self.assertIn('"futureField"', wire(unknown_fields=True))

    def test_digits_of_sequence_numbers(self):
        table = self.fake.new_table()
        self.fake.write(table, 5)
        self.fake.options(table, seq_digits=29)
        self.fake.write(table, 5)
        seqs = self.seqs(self.read_all(self.iterator(table)))
        self.assertEqual([len(s) for s in seqs], [21] * 5 + [29] * 5)
        self.assertEqual(seqs, sorted(seqs, key=int))

    def test_crc_and_gzip(self):
        table = self.fake.new_table()
        self.fake.write(table, 100)

        def ask(accept, **options):
            self.fake.options(table, **options)
            return self.streams_call("GetRecords", {"Accept-Encoding": accept}, ShardIterator=self.iterator(table))
        _, headers, plain = ask("identity", crc="right")
        self.assertNotIn("Content-Encoding", headers)
        self.assertEqual(int(headers["x-amz-crc32"]), zlib.crc32(plain))
        _, headers, body = ask("gzip")
        self.assertEqual(headers["Content-Encoding"], "gzip")
        self.assertEqual(int(headers["x-amz-crc32"]), zlib.crc32(body))
        self.assertEqual(gzip.decompress(body)[:30], plain[:30])
        _, headers, body = ask("identity", crc="wrong")
        self.assertNotEqual(int(headers["x-amz-crc32"]), zlib.crc32(body))
        self.assertNotIn("x-amz-crc32", ask("identity", crc="absent")[1])
        self.assertNotIn("Content-Encoding", ask("gzip", gzip=False)[1])

    def test_status(self):
        table = self.fake.new_table()
        arn = self.fake.stream_arn(table)
        self.fake.do("stream", table=table, status="ENABLING")

        def status():
            return self.fake.streams.describe_stream(StreamArn=arn)["StreamDescription"]["StreamStatus"]
        self.assertEqual(status(), "ENABLING")
        self.fake.do("stream", table=table, status="ENABLED")
        self.fake.write(table, 3)
        self.fake.set_stream(table, False)
        self.assertEqual(status(), "DISABLED")
        self.fake.put(table, "unseen")
        self.assertEqual(len(self.read_all(self.iterator(table))), 3)
        self.assertNotIn("StreamSpecification", self.fake.dynamodb.describe_table(TableName=table)["Table"])
        self.fake.set_stream(table, True)
        self.assertNotEqual(self.fake.stream_arn(table), arn)
        self.assertEqual(self.fake.do("stream", stream=arn)["status"], "DISABLED")

    def test_call_limit_of_a_shard(self):
        table = self.fake.new_table(shards=2, shard_calls_per_s=3)
        with self.assertRaises(ClientError) as caught:
            for _ in range(8):
                self.read(self.iterator(table))
        self.assertEqual(caught.exception.response["Error"]["Code"], "LimitExceededException")
        self.read(self.iterator(table, 1))

    def test_model_of_the_truth(self):
        table = self.fake.new_table()
        self.fake.put(table, "a", x={"N": "1"})
        self.fake.put(table, "b")
        self.fake.delete(table, "a")
        seqs = [r["seq"] for r in self.fake.records(table)]
        ids = [sorted(i["id"]["S"] for i in self.fake.items(table, after=s)) for s in seqs]
        self.assertEqual(ids, [["a"], ["a", "b"], ["b"]])


if __name__ == "__main__":
    harness.main()
