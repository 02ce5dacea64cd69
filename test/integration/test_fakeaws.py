"""
test/fakeaws itself, by boto3: what it answers is what AWS's API references say. The last class lets the daemon back up
through it, and shows that /_verify finds what is wrong.
"""
import datetime
import gzip
import hashlib
import http.client
import json
import time
import urllib.parse
import zlib

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions

import fake
import harness

ClientError = botocore.exceptions.ClientError
TransportError = (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)


class Case(fake.TestCase):
    def refused(self, code, call, status=None, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code)
        if status:
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], status)
        return answer

    def signed(self, service, method, path, body=b"", headers=None, when=None, seconds=10, **query):
        """A request signed by botocore, sent as it is: (status, headers, body)."""
        url = self.fake.url + path + ("?" + urllib.parse.urlencode(query) if query else "")
        request = botocore.awsrequest.AWSRequest(method, url, data=body, headers=headers or {})
        signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
        auth = signer(botocore.credentials.Credentials(fake.KEY_ID, fake.SECRET), service, "us-east-1")
        real = botocore.auth.datetime.datetime
        if when:
            class Frozen(real):
                @classmethod
                def utcnow(cls):
                    return when
            botocore.auth.datetime.datetime = Frozen
        try:
            auth.add_auth(request)
        finally:
            botocore.auth.datetime.datetime = real
        return self.send(method, url, body, dict(request.headers), seconds)

    def send(self, method, url, body=b"", headers=None, seconds=10):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)
        try:
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def streams_call(self, op, headers=None, **arguments):
        return self.signed("dynamodb", "POST", "/", json.dumps(arguments).encode(),
                           {"X-Amz-Target": f"DynamoDBStreams_20120810.{op}",
                            "Content-Type": "application/x-amz-json-1.0", **(headers or {})})

    def iterator(self, table, shard=0, kind="TRIM_HORIZON", **more):
        arn = self.fake.stream_arn(table)
        return self.fake.streams.get_shard_iterator(
            StreamArn=arn, ShardId=self.fake.shards(table)[shard]["id"], ShardIteratorType=kind, **more)["ShardIterator"]

    def read(self, iterator, **more):
        return self.fake.streams.get_records(ShardIterator=iterator, **more)

    def read_all(self, iterator):
        records, pages = [], 0
        while iterator:
            page = self.read(iterator)
            records += page["Records"]
            iterator = page.get("NextShardIterator")
            pages += 1
            if not page["Records"] and pages > 20:
                break
        return records

    def seqs(self, records):
        return [r["dynamodb"]["SequenceNumber"] for r in records]


class Signatures(Case):
    def test_wrong_secret(self):
        bucket = self.fake.new_bucket()
        other = {"secret": "wrong"}
        self.refused("SignatureDoesNotMatch", self.fake.client("s3", **other).list_object_versions, 403, Bucket=bucket)
        self.refused("InvalidSignatureException", self.fake.client("dynamodb", **other).list_tables, 400)
        self.refused("SignatureDoesNotMatch", self.fake.client("sts", **other).get_caller_identity, 403)

    def test_unknown_key(self):
        other = {"key_id": "nobody"}
        self.refused("InvalidAccessKeyId", self.fake.client("s3", **other).list_buckets, 403)
        self.refused("UnrecognizedClientException", self.fake.client("dynamodb", **other).list_tables, 400)
        self.refused("InvalidClientTokenId", self.fake.client("sts", **other).get_caller_identity, 403)

    def test_missing(self):
        status, _, body = self.send("GET", self.fake.url + "/some-bucket?versions")
        self.assertEqual(status, 403)
        self.assertIn(b"<Code>AccessDenied</Code>", body)
        status, _, body = self.send("POST", self.fake.url + "/", b"{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"})
        self.assertEqual(status, 400)
        self.assertIn(b"MissingAuthenticationTokenException", body)

    def test_clock_skew(self):
        for minutes, good in ((-16, False), (-14, True), (14, True), (16, False)):
            when = datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes)
            status, _, body = self.signed("s3", "GET", "/", when=when)
            self.assertEqual(status, 200 if good else 403, minutes)
            self.assertEqual(b"RequestTimeTooSkewed" in body, not good)

    def test_skew_of_the_virtual_clock_on_request(self):
        self.fake.advance(3600)
        self.fake.s3.list_buckets()
        self.fake.do("clock", virtual_auth=True)
        self.refused("RequestTimeTooSkewed", self.fake.s3.list_buckets, 403)

    def test_changed_on_the_way(self):
        bucket = self.fake.new_bucket()
        url = f"{self.fake.url}/{bucket}/key"
        request = botocore.awsrequest.AWSRequest("PUT", url, data=b"one", headers={"x-amz-meta-a": "1"})
        botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(fake.KEY_ID, fake.SECRET), "s3",
                                  "us-east-1").add_auth(request)
        good = dict(request.headers)
        for body, headers, path, code in ((b"two", good, "", b"XAmzContentSHA256Mismatch"),
                                          (b"one", {**good, "x-amz-meta-a": "2"}, "", b"SignatureDoesNotMatch"),
                                          (b"one", {**good, "x-amz-meta-b": "2"}, "", b"AccessDenied"),
                                          (b"one", good, "2", b"SignatureDoesNotMatch"),
                                          (b"one", good, "?versionId=1", b"SignatureDoesNotMatch")):
            status, _, answer = self.send("PUT", url + path, body, headers)
            self.assertIn(code, answer)
            self.assertIn(status, (400, 403))
        self.assertEqual(self.send("PUT", url, b"one", good)[0], 200)

    def test_odd_keys(self):
        bucket = self.fake.new_bucket()
        for key in ("a b", "a+b", "a%20b", "ä/€/😀", "../x", "./", "a//b", "~x", "=&?#", "a;b,c", "-_.!*'()"):
            self.fake.s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
            self.assertEqual(self.fake.s3.get_object(Bucket=bucket, Key=key)["Body"].read(), key.encode(), key)
            self.assertEqual(self.fake.s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"][0]["Key"], key)

    def test_session_token(self):
        self.fake.do("credentials", id="temp", secret="s", token="t", expires_ms=self.fake.now_ms() + 60000)
        self.fake.client("s3", "temp", "s", "t").list_buckets()
        self.refused("InvalidToken", self.fake.client("s3", "temp", "s").list_buckets)
        self.refused("InvalidToken", self.fake.client("s3", "temp", "s", "other").list_buckets)
        self.fake.advance(61)
        self.refused("ExpiredToken", self.fake.client("s3", "temp", "s", "t").list_buckets)
        self.refused("ExpiredTokenException", self.fake.client("dynamodb", "temp", "s", "t").list_tables)

    def test_denied_operations(self):
        self.fake.do("credentials", id="poor", secret="s", denied="PutObject,GetRecords")
        bucket = self.fake.new_bucket()
        s3 = self.fake.client("s3", "poor", "s")
        self.refused("AccessDenied", s3.put_object, 403, Bucket=bucket, Key="a", Body=b"")
        s3.list_object_versions(Bucket=bucket)


class Tables(Case):
    def test_life_of_a_table(self):
        name = self.fake.new_table(range_type="N")
        table = self.fake.dynamodb.describe_table(TableName=name)["Table"]
        self.assertEqual(table["TableStatus"], "ACTIVE")
        self.assertEqual([k["AttributeName"] for k in table["KeySchema"]], ["id", "range"])
        self.assertEqual(table["StreamSpecification"], {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.assertTrue(table["LatestStreamArn"].endswith("/stream/" + table["LatestStreamLabel"]))
        with self.assertRaises(ClientError) as caught:
            self.fake.new_table(name, range_type="N")
        self.assertEqual(caught.exception.response["Error"]["Code"], "ResourceInUseException")
        self.fake.dynamodb.delete_table(TableName=name)
        self.refused("ResourceNotFoundException", self.fake.dynamodb.describe_table, 400, TableName=name)
        self.fake.new_table(name)
        again = self.fake.dynamodb.describe_table(TableName=name)["Table"]
        self.assertNotEqual(again["LatestStreamArn"], table["LatestStreamArn"])
        arns = [s["StreamArn"] for s in self.fake.streams.list_streams(TableName=name)["Streams"]]
        self.assertEqual(arns, [table["LatestStreamArn"], again["LatestStreamArn"]])

    def test_items(self):
        name = self.fake.new_table()
        db = self.fake.dynamodb
        item = {"id": {"S": "a"}, "n": {"N": "1"}, "b": {"B": b"\0\1"}, "m": {"M": {"x": {"L": [{"NULL": True}]}}},
                "s": {"SS": ["x", "y"]}, "t": {"BOOL": False}}
        db.put_item(TableName=name, Item=item)
        self.assertEqual(db.get_item(TableName=name, Key={"id": {"S": "a"}})["Item"], item)
        self.assertNotIn("Item", db.get_item(TableName=name, Key={"id": {"S": "b"}}))
        old = db.delete_item(TableName=name, Key={"id": {"S": "a"}}, ReturnValues="ALL_OLD")
        self.assertEqual(old["Attributes"], item)
        self.assertNotIn("Item", db.get_item(TableName=name, Key={"id": {"S": "a"}}))

    def test_refused_items(self):
        name = self.fake.new_table()
        put = self.fake.dynamodb.put_item
        for item in ({"x": {"S": "no key"}}, {"id": {"N": "1"}}, {"id": {"S": "a"}, "n": {"N": "one"}},
                     {"id": {"S": "a"}, "s": {"SS": ["x", "x"]}}, {"id": {"S": "a"}, "x": {"S": "y" * 700000}}):
            self.refused("ValidationException", put, 400, TableName=name, Item=item)
        self.refused("ResourceNotFoundException", put, 400, TableName="nothing", Item={"id": {"S": "a"}})
        self.assertEqual(self.fake.records(name), [])

    def test_batches(self):
        name = self.fake.new_table()
        puts = [{"PutRequest": {"Item": {"id": {"S": str(i)}}}} for i in range(26)]
        batch = self.fake.dynamodb.batch_write_item
        self.refused("ValidationException", batch, 400, RequestItems={name: puts})
        self.refused("ValidationException", batch, 400, RequestItems={name: puts[:1] * 2})
        self.assertEqual(batch(RequestItems={name: puts[:25]})["UnprocessedItems"], {})
        batch(RequestItems={name: [{"DeleteRequest": {"Key": {"id": {"S": "3"}}}}]})
        self.assertEqual(len(self.fake.items(name)), 24)

    def test_scan_pages_and_segments(self):
        name = self.fake.new_table()
        self.fake.write(name, 500, keys=100)
        every = {i["id"]["S"] for i in self.fake.items(name)}
        pages = self.fake.dynamodb.get_paginator("scan").paginate(TableName=name, PaginationConfig={"PageSize": 7})
        found = [i["id"]["S"] for page in pages for i in page["Items"]]
        self.assertEqual((len(found), set(found)), (len(every), every))
        found = []
        for segment in range(3):
            for page in self.fake.dynamodb.get_paginator("scan").paginate(TableName=name, Segment=segment, TotalSegments=3):
                found += [i["id"]["S"] for i in page["Items"]]
        self.assertEqual((len(found), set(found)), (len(every), every))
        self.assertEqual(self.fake.dynamodb.scan(TableName=name, Select="COUNT")["Count"], len(every))

    def test_time_to_live(self):
        name = self.fake.new_table()
        told = self.fake.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        self.assertEqual(told, {"TimeToLiveStatus": "DISABLED"})


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


class Objects(Case):
    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()
        self.s3 = self.fake.s3

    def put(self, key, body=b"x", **more):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)["VersionId"]

    def delete(self, key):
        return self.s3.delete_object(Bucket=self.bucket, Key=key)["VersionId"]

    def list(self, **more):
        """[(key, id, is a marker)], read page by page."""
        found, start = [], {}
        while True:
            self.fake.listing_tags.clear()
            page = self.s3.list_object_versions(Bucket=self.bucket, **more, **start)
            rest = {"Version": iter(page.get("Versions", [])), "DeleteMarker": iter(page.get("DeleteMarkers", []))}
            for tag in self.fake.listing_tags:
                raw = next(rest[tag])
                found.append((raw["Key"], raw["VersionId"], tag == "DeleteMarker"))
            if not page["IsTruncated"]:
                return found
            start = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker", "")}

    def test_put_and_get(self):
        first = self.put("a", b"one", Metadata={"ddb-seq": "1"}, ContentType="application/json")
        second = self.put("a", b"two")
        got = self.s3.get_object(Bucket=self.bucket, Key="a")
        self.assertEqual((got["Body"].read(), got["VersionId"], got["Metadata"]), (b"two", second, {}))
        self.assertEqual(got["ETag"], f'"{hashlib.md5(b"two").hexdigest()}"')
        got = self.s3.get_object(Bucket=self.bucket, Key="a", VersionId=first)
        self.assertEqual((got["Body"].read(), got["Metadata"], got["ContentType"]),
                         (b"one", {"ddb-seq": "1"}, "application/json"))
        head = self.s3.head_object(Bucket=self.bucket, Key="a", VersionId=first)
        self.assertEqual((head["ContentLength"], head["Metadata"]), (3, {"ddb-seq": "1"}))
        self.refused("NoSuchKey", self.s3.get_object, 404, Bucket=self.bucket, Key="b")
        self.refused("404", self.s3.head_object, 404, Bucket=self.bucket, Key="b")
        self.refused("NoSuchVersion", self.s3.get_object, 404, Bucket=self.bucket, Key="a", VersionId="nothing")
        self.refused("NoSuchBucket", self.s3.get_object, 404, Bucket="no-such-bucket", Key="a")

    def test_digests(self):
        self.refused("BadDigest", self.s3.put_object, 400, Bucket=self.bucket, Key="a", Body=b"x",
                     ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
        self.refused("InvalidDigest", self.s3.put_object, 400, Bucket=self.bucket, Key="a", Body=b"x", ContentMD5="x")
        self.refused("KeyTooLongError", self.s3.put_object, 400, Bucket=self.bucket, Key="k" * 1025, Body=b"x")
        self.refused("MetadataTooLarge", self.s3.put_object, 400, Bucket=self.bucket, Key="a", Metadata={"m": "x" * 2048})
        self.put("k" * 1024)
        self.assertEqual(len(self.fake.writes()), 1)

    def test_delete_markers(self):
        version = self.put("a")
        marker = self.delete("a")
        with self.assertRaises(ClientError) as caught:
            self.s3.get_object(Bucket=self.bucket, Key="a")
        answer = caught.exception.response["ResponseMetadata"]
        self.assertEqual((answer["HTTPStatusCode"], answer["HTTPHeaders"]["x-amz-delete-marker"],
                          answer["HTTPHeaders"]["x-amz-version-id"]), (404, "true", marker))
        with self.assertRaises(ClientError) as caught:
            self.s3.head_object(Bucket=self.bucket, Key="a", VersionId=marker)
        answer = caught.exception.response["ResponseMetadata"]
        self.assertEqual((answer["HTTPStatusCode"], answer["HTTPHeaders"]["allow"]), (405, "DELETE"))
        self.assertIn("last-modified", answer["HTTPHeaders"])
        self.s3.get_object(Bucket=self.bucket, Key="a", VersionId=version)
        self.assertEqual(self.list(), [("a", marker, True), ("a", version, False)])
        self.delete("never-there")
        self.assertEqual(len(self.list()), 3)

    def test_versions_cannot_be_deleted(self):
        version = self.put("a")
        self.refused("AccessDenied", self.s3.delete_object, 403, Bucket=self.bucket, Key="a", VersionId=version)
        self.fake.s3_options(allow_version_delete=True)
        self.s3.delete_object(Bucket=self.bucket, Key="a", VersionId=version)
        self.assertEqual(self.list(), [])

    def conditional(self, key, header, value):
        return self.signed("s3", "PUT", f"/{self.bucket}/{key}", b"x", {header: value})[0]

    def test_conditions(self):
        etag = f'"{hashlib.md5(b"x").hexdigest()}"'
        self.assertEqual(self.conditional("a", "If-Match", etag), 404)
        self.assertEqual(self.conditional("a", "If-None-Match", "*"), 200)
        self.assertEqual(self.conditional("a", "If-None-Match", "*"), 412)
        self.assertEqual(self.conditional("a", "If-Match", etag), 200)
        self.assertEqual(self.conditional("a", "If-Match", '"other"'), 412)
        self.delete("a")
        self.assertEqual(self.conditional("a", "If-Match", etag), 404)
        self.assertEqual(self.conditional("a", "If-None-Match", "*"), 200)  # over a delete marker
        self.fake.s3_options(ignore_conditions=True)
        self.assertEqual(self.conditional("a", "If-None-Match", "*"), 200)
        self.assertEqual(self.conditional("a", "If-Match", '"other"'), 200)

    def fill(self):
        """What list() must say, whatever the pages."""
        expected = {}
        for n in range(3):
            for key in ("b", "a/1", "a/2", "ä b&<c>", "a", "Z", "a-"):
                expected.setdefault(key, []).insert(0, (key, self.put(key), False))
                if key in ("a/1", "b"):
                    expected[key].insert(0, (key, self.delete(key), True))
        return [v for key in sorted(expected, key=lambda k: k.encode()) for v in expected[key]]

    def test_listing_in_document_order(self):
        expected = self.fill()
        self.assertEqual(self.list(), expected)
        self.assertEqual(self.list(Prefix="a/"), [e for e in expected if e[0].startswith("a/")])
        for size in (1, 2, 3, 5, 7):
            self.assertEqual(self.list(MaxKeys=size), expected, size)
        self.fake.s3_options(list_page=2)
        self.assertEqual(self.list(), expected)
        self.fake.s3_options(list_page=5, list_random=True)
        self.assertEqual(self.list(), expected)

    def test_latest_is_told(self):
        self.fill()
        page = self.s3.list_object_versions(Bucket=self.bucket)
        latest = [v["Key"] for v in page["Versions"] + page["DeleteMarkers"] if v["IsLatest"]]
        self.assertEqual(sorted(latest), sorted({v["Key"] for v in page["Versions"]}))

    def test_page_of_markers_only(self):
        self.put("a")
        markers = [self.delete("a") for _ in range(3)]
        page = self.s3.list_object_versions(Bucket=self.bucket, MaxKeys=3)
        self.assertNotIn("Versions", page)
        self.assertEqual([m["VersionId"] for m in page["DeleteMarkers"]], markers[::-1])
        self.assertTrue(page["IsTruncated"])

    def test_delimiter(self):
        self.fill()
        for size in (1, 1000):
            prefixes, keys, start = [], [], {}
            while True:
                page = self.s3.list_object_versions(Bucket=self.bucket, Delimiter="/", MaxKeys=size, **start)
                prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
                keys += [v["Key"] for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
                if not page["IsTruncated"]:
                    break
                start = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker", "")}
            self.assertEqual(prefixes, ["a/"])
            self.assertEqual(sorted(set(keys)), sorted(["b", "ä b&<c>", "a", "Z", "a-"]))

    def test_encoding(self):
        self.put("a b+%ä/")
        self.put("a b+%ä/")
        path = f"/{self.bucket}"
        query = {"versions": "", "encoding-type": "url", "max-keys": "1"}
        body = self.signed("s3", "GET", path, **query)[2]
        for element in (b"<Key>a+b%2B%25%C3%A4/</Key>", b"<NextKeyMarker>a+b%2B%25%C3%A4/</NextKeyMarker>"):
            self.assertIn(element, body)
        self.fake.s3_options(plain_next_marker=True)
        self.assertIn("<NextKeyMarker>a b+%ä/</NextKeyMarker>".encode(), self.signed("s3", "GET", path, **query)[2])
        self.assertIn("<Key>a b+%ä/</Key>".encode(), self.signed("s3", "GET", path, versions="")[2])

    def test_bad_markers(self):
        status, _, body = self.signed("s3", "GET", f"/{self.bucket}", versions="", **{"version-id-marker": "x"})
        self.assertEqual((status, b"InvalidArgument" in body), (400, True))

    def test_versioning(self):
        bucket = self.fake.new_bucket(versioning=None)
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket=bucket))
        self.assertNotIn("VersionId", self.s3.put_object(Bucket=bucket, Key="a", Body=b"1"))
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled")
        self.s3.put_object(Bucket=bucket, Key="a", Body=b"2")
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        self.assertEqual(self.s3.put_object(Bucket=bucket, Key="a", Body=b"3")["VersionId"], "null")
        ids = [v["VersionId"] for v in self.s3.list_object_versions(Bucket=bucket)["Versions"]]
        self.assertEqual((len(ids), ids[0]), (2, "null"))  # the null version of the beginning was replaced
        self.refused("BucketAlreadyOwnedByYou", self.s3.create_bucket, 409, Bucket=bucket)

    def test_virtual_host(self):
        host = {"Host": f"{self.bucket}.localhost:{self.fake.port}"}  # not every resolver knows names below localhost
        self.assertEqual(self.signed("s3", "PUT", "/a/b", b"virtual", host)[0], 200)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="a/b")["Body"].read(), b"virtual")
        self.assertEqual(self.signed("s3", "GET", "/", headers=host, versions="")[2].count(b"<Version>"), 1)

    def test_clock(self):
        self.fake.do("clock", freeze=True, set_ms=1464806460999)
        self.put("a")
        head = self.s3.head_object(Bucket=self.bucket, Key="a")
        self.assertEqual(head["LastModified"].timestamp(), 1464806460)
        self.fake.do("skew", service="s3", ms=-120000)
        self.put("a")
        head = self.s3.head_object(Bucket=self.bucket, Key="a")
        self.assertEqual(head["LastModified"].timestamp(), 1464806340)
        self.assertEqual(head["ResponseMetadata"]["HTTPHeaders"]["date"], "Wed, 01 Jun 2016 18:39:00 GMT")

    def test_audit_of_writes(self):
        one, marker = self.put("a", b"1", Metadata={"k": "v"}), self.delete("a")
        writes = self.fake.writes(bucket=self.bucket)
        self.assertEqual([(w["version"], w["marker"]) for w in writes], [(one, False), (marker, True)])
        self.assertEqual((writes[0]["meta"], writes[0]["sha256"]), ({"k": "v"}, hashlib.sha256(b"1").hexdigest()))
        requests = {r["id"]: r for r in self.fake.requests()}
        self.assertEqual([requests[w["request"]]["op"] for w in writes], ["PutObject", "DeleteObject"])


class Faults(Case):
    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()

    def put(self, key="a"):
        return self.fake.s3.put_object(Bucket=self.bucket, Key=key, Body=b"x" * 1000)

    def give_up(self, key):
        """A PUT whose answer the client does not wait for."""
        with self.assertRaises(TimeoutError):
            self.signed("s3", "PUT", f"/{self.bucket}/{key}", b"x", seconds=0.3)

    def stored(self, key="a"):
        return len(self.fake.writes(key=key))

    def test_error(self):
        self.fake.fault(service="s3", op="PutObject", status=503, code="SlowDown", count=2, retry_after_s=7)
        answer = self.refused("SlowDown", self.put, 503)
        self.assertEqual(answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"], "7")
        self.refused("SlowDown", self.put, 503)
        self.put()
        self.assertEqual(self.stored(), 1)

    def test_error_of_streams(self):
        table = self.fake.new_table(shards=2)
        shard = self.fake.shards(table)[1]["id"]
        self.fake.fault(op="GetRecords", shard=shard, status=400, code="ProvisionedThroughputExceededException")
        self.refused("ProvisionedThroughputExceededException", self.read, 400, iterator=self.iterator(table, 1))
        self.read(self.iterator(table, 0))
        self.fake.fault(op="GetShardIterator", iterator="LATEST", status=500, code="InternalServerError")
        self.iterator(table, 0)
        with self.assertRaises(ClientError) as caught:
            self.iterator(table, 0, "LATEST")
        self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 500)

    def test_nth_skip_and_key(self):
        self.fake.fault(op="PutObject", key="special", nth=2, status=500, code="InternalError")
        rule = self.fake.fault(op="PutObject", key="other", skip=1, count=1, status=500, code="InternalError")
        done = []
        for key in ("special", "plain", "special", "special", "other", "other", "other"):
            try:
                self.put(key)
                done.append(True)
            except ClientError:
                done.append(False)
        self.assertEqual(done, [True, True, False, True, True, False, True])
        self.assertEqual(self.fake.hits(rule), 1)
        with self.assertRaises(fake.Refused):
            self.fake.fault(opp="PutObject", status=500)

    def test_probability_by_seed(self):
        def pattern():
            rule = self.fake.fault(op="PutObject", p=0.5, seed=42, status=500, code="InternalError")
            done = []
            for _ in range(20):
                try:
                    self.put()
                    done.append(True)
                except ClientError:
                    done.append(False)
            self.fake.do("clear_faults", id=rule)
            return done
        first = pattern()
        self.assertEqual(first, pattern())
        self.assertTrue(3 < sum(first) < 17)

    def test_reset_before_and_after(self):
        self.fake.fault(op="PutObject", key="before", reset="before", count=1)
        self.fake.fault(op="PutObject", key="after", reset="after", count=1)
        for key in ("before", "after"):
            with self.assertRaises(TransportError):
                self.put(key)
        self.assertEqual((self.stored("before"), self.stored("after")), (0, 1))
        noted = [(r["status"], r["effect"]) for r in self.fake.requests(op="PutObject")]
        self.assertEqual(noted, [(0, False), (200, True)])

    def test_delays(self):
        self.fake.fault(op="PutObject", delay_ms=600, count=1)
        began = time.monotonic()
        self.put()
        self.assertGreaterEqual(time.monotonic() - began, 0.6)

    def test_late_effect_of_a_request_that_was_given_up(self):
        self.fake.fault(op="PutObject", delay_ms=500, when="before", count=1)
        self.give_up("late")
        self.assertEqual(self.stored("late"), 0)
        harness.wait_until(lambda: self.stored("late") == 1, 5, "the effect came")

    def test_never_answered(self):
        self.fake.fault(op="PutObject", key="with", never="after", count=1)
        self.fake.fault(op="PutObject", key="out", never="before", count=1)
        for key, stored in (("with", 1), ("out", 0)):
            self.give_up(key)
            self.assertEqual(self.stored(key), stored)

    def test_bodies(self):
        self.put()
        path = f"/{self.bucket}/a"
        self.fake.fault(op="GetObject", truncate=100, count=1)
        with self.assertRaises(http.client.IncompleteRead) as caught:
            self.signed("s3", "GET", path)
        self.assertEqual(len(caught.exception.partial), 100)
        self.fake.fault(op="GetObject", garbage=True, count=1)
        status, _, body = self.signed("s3", "GET", path)
        self.assertEqual((status, len(body), body == b"x" * 1000), (200, 1000, False))
        self.fake.fault(op="GetObject", slow_bytes=400, slow_ms=100, count=1)
        began = time.monotonic()
        self.assertEqual(self.signed("s3", "GET", path)[2], b"x" * 1000)
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_date_and_crc(self):
        self.fake.fault(op="ListTables", date_skew_ms=-3600000, crc="wrong", count=1)
        def ask():
            return self.signed("dynamodb", "POST", "/", b"{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"})
        _, headers, body = ask()
        told = datetime.datetime.strptime(headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")
        self.assertAlmostEqual((datetime.datetime.utcnow() - told).total_seconds(), 3600, delta=5)
        self.assertNotEqual(int(headers["x-amz-crc32"]), zlib.crc32(body))
        self.assertEqual(int(ask()[1]["x-amz-crc32"]), zlib.crc32(b'{"TableNames":[]}'))

    def test_garbage_from_clients(self):
        for text in (b"\0\1\2\3", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                     b"GET /%zz?%q HTTP/1.1\r\nHost: x\r\n\r\n"):
            connection = http.client.HTTPConnection("127.0.0.1", self.fake.port, timeout=5)
            connection.connect()
            connection.sock.sendall(text)
            connection.sock.shutdown(1)
            while connection.sock.recv(4096):
                pass
            connection.close()
        with self.assertRaises(fake.Refused):
            self.fake.do("nonsense")
        with self.assertRaises(fake.Refused):
            self.fake.options(nonsense=1)
        self.put()


class Metadata(Case):
    def ask(self, method, path, headers=None):
        status, _, body = self.send(method, self.fake.url + path, b"", headers)
        return status, body.decode()

    def test_role(self):
        base = "/latest/meta-data/iam/security-credentials/"
        self.assertEqual(self.ask("GET", base)[0], 401)
        status, token = self.ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        self.assertEqual(status, 200)
        headers = {"X-aws-ec2-metadata-token": token}
        self.assertEqual(self.ask("GET", base, headers)[0], 404)
        self.fake.do("imds", role="backup", id="ASIA1", secret="s1", token="t1", expires_in_s=100)
        self.assertEqual(self.ask("GET", base, headers), (200, "backup"))
        told = json.loads(self.ask("GET", base + "backup", headers)[1])
        self.assertEqual((told["Code"], told["AccessKeyId"], told["Token"]), ("Success", "ASIA1", "t1"))
        role = self.fake.client("s3", told["AccessKeyId"], told["SecretAccessKey"], told["Token"])
        role.list_buckets()
        self.fake.advance(101)
        self.refused("ExpiredToken", role.list_buckets, 400)

    def test_caller(self):
        self.assertEqual(self.fake.sts.get_caller_identity()["Account"], "123456789012")


class Backup(Case):
    def test_eight_shards_with_splits_during_writes(self):
        table, bucket = self.fake.new_table(shards=8, range_type="N"), self.fake.new_bucket()
        daemon = self.daemon(bucket, [table], s3={"prefix": "p/"}).start()
        for step in ("split", "rotate", "split", "rotate"):
            self.fake.write(table, 400, keys=60, deletes=0.25)
            for shard in [s["id"] for s in self.fake.shards(table) if s["open"]][::3]:
                self.fake.do(step, table=table, shard=shard)
        self.fake.write(table, 400, keys=60, deletes=0.25)
        self.wait_backed_up(daemon, table, bucket, 60, prefix="p/")
        daemon.stop()
        found = self.check_backup(table, bucket, prefix="p/")
        self.assertEqual(found["records"], len(self.fake.records(table)))
        self.assertGreater(found["versions"], found["records"])

    def backed_up(self):
        """Keys of a finished backup: `a` was made and changed, `b` was made and removed."""
        self.table, self.bucket = self.fake.new_table(), self.fake.new_bucket()
        daemon = self.daemon(self.bucket, [self.table]).start()
        self.fake.put(self.table, "a", x={"N": "1"})
        self.fake.put(self.table, "a", x={"N": "2"})
        self.fake.put(self.table, "b")
        self.fake.delete(self.table, "b")
        self.wait_backed_up(daemon, self.table, self.bucket)
        daemon.stop()

    def kinds(self):
        return self.fake.verify(self.table, self.bucket)["kinds"]

    def copy(self, key, version, body=None, **meta):
        got = self.fake.s3.get_object(Bucket=self.bucket, Key=key, VersionId=version)
        self.fake.s3.put_object(Bucket=self.bucket, Key=key, Body=body or got["Body"].read(),
                                Metadata={**got["Metadata"], **meta}, ContentType="application/json")

    def test_differences_are_found(self):
        self.backed_up()
        s3, key = self.fake.s3, f"{self.table}/a"
        first = self.fake.writes(bucket=self.bucket, key=key)[0]["version"]
        self.fake.s3_options(allow_version_delete=True)

        def undo():
            last = self.fake.writes(bucket=self.bucket)[-1]
            s3.delete_object(Bucket=self.bucket, Key=last["key"], VersionId=last["version"])
            self.assertEqual(self.kinds(), {})
        self.copy(key, first)
        self.assertEqual(self.kinds(), {"repeated": 1, "top": 1})
        undo()
        self.copy(key, first, **{"ddb-seq": "5"})
        self.assertEqual(self.kinds(), {"unknown": 1, "top": 1})
        undo()
        s3.delete_object(Bucket=self.bucket, Key=key)
        self.assertEqual(self.kinds(), {"marker": 1, "top": 1})
        undo()
        s3.delete_object(Bucket=self.bucket, Key=f"{self.table}/b")
        self.assertEqual(self.kinds(), {"marker": 1})
        undo()
        s3.put_object(Bucket=self.bucket, Key=f"{self.table}/nobody", Body=b"")
        self.assertEqual(self.kinds(), {"stray": 1})
        undo()
        s3.delete_object(Bucket=self.bucket, Key=key, VersionId=first)
        self.assertEqual(self.kinds(), {"missing": 1})

    def test_wrong_contents_are_found(self):
        self.backed_up()
        self.fake.s3_options(allow_version_delete=True)
        key = f"{self.table}/a"
        last = self.fake.writes(bucket=self.bucket, key=key)[-1]["version"]
        self.copy(key, last, b'{"id": {"S":"a"},"x":{"N":"2"}}', **{"ddb-shard": "x"})
        self.fake.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=last)
        self.assertEqual(self.kinds(), {"body": 1, "meta": 1})

    def test_wrong_order_is_found(self):
        self.backed_up()
        self.fake.s3_options(allow_version_delete=True)
        key = f"{self.table}/a"
        first = self.fake.writes(bucket=self.bucket, key=key)[0]["version"]
        self.copy(key, first)
        self.fake.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=first)
        self.assertEqual(self.kinds(), {"order": 1, "top": 1})

    def test_lost_answers_add_nothing(self):
        table, bucket = self.fake.new_table(shards=2), self.fake.new_bucket()
        rules = [self.fake.fault(service="s3", op=op, key=table, p=0.3, reset="after", count=20)
                 for op in ("PutObject", "DeleteObject")]
        daemon = self.daemon(bucket, [table]).start()
        self.fake.write(table, 200, keys=20, deletes=0.3)
        self.wait_backed_up(daemon, table, bucket, 90)
        daemon.stop()
        self.assertTrue(all(self.fake.hits(r) for r in rules))


if __name__ == "__main__":
    harness.main()
