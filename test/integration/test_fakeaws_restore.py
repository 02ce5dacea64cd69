"""
What test/fakeaws answers of DynamoDB to a restore and an import: tables with all that they can hold, batches, capacity,
scans and queries, imports.
"""
import base64
import gzip
import json

import fakeaws_case
import harness
from fakeaws_case import ClientError


class Case(fakeaws_case.Case):
    def dynamodb(self, op, **arguments):
        """A call as it is told: an old boto3 neither sends members that it does not know, nor shows them."""
        body = json.dumps(arguments, default=lambda b: base64.b64encode(b).decode()).encode()
        status, _, answer = self.signed("dynamodb", "POST", "/", body, {
            "X-Amz-Target": f"DynamoDB_20120810.{op}", "Content-Type": "application/x-amz-json-1.0"}, seconds=30)
        told = json.loads(answer or b"{}")
        if status != 200:
            error = {"Code": told["__type"].rpartition("#")[2], "Message": told["message"]}
            raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, op)
        return told


def attributes(*names):
    """AttributeDefinitions of "name:type"."""
    return [dict(zip(("AttributeName", "AttributeType"), n.split(":"))) for n in names]


def keys(*names):
    """KeySchema."""
    return [{"AttributeName": n, "KeyType": k} for n, k in zip(names, ("HASH", "RANGE"))]


def string(value):
    return {"S": value}


class Tables(Case):
    def create(self, name="restored", **more):
        schema = {"KeySchema": keys("id"), "AttributeDefinitions": attributes("id:S"), "BillingMode": "PAY_PER_REQUEST"}
        return self.dynamodb("CreateTable", TableName=name, **{**schema, **more})["TableDescription"]

    def table(self, name="restored"):
        return self.dynamodb("DescribeTable", TableName=name)["Table"]

    def test_all_that_a_table_can_hold(self):
        everything = {"ProjectionType": "ALL"}
        some = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]}
        units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
        self.create(
            BillingMode="PROVISIONED", ProvisionedThroughput=units, KeySchema=keys("id", "at"),
            AttributeDefinitions=attributes("id:S", "at:N", "who:S", "when:B"),
            GlobalSecondaryIndexes=[{"IndexName": "by-who", "KeySchema": keys("who", "at"), "Projection": some,
                                     "ProvisionedThroughput": units}],
            LocalSecondaryIndexes=[{"IndexName": "by-when", "KeySchema": keys("id", "when"), "Projection": everything}],
            SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "arn:aws:kms:us-east-1:1:key/k"},
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            TableClass="STANDARD_INFREQUENT_ACCESS", DeletionProtectionEnabled=True, Tags=[{"Key": "a", "Value": "1"}])
        self.fake.dynamodb.put_item(TableName="restored", Item={"id": string("a"), "at": {"N": "1"}})
        told = self.table()
        self.assertEqual(told["ProvisionedThroughput"], {**units, "NumberOfDecreasesToday": 0})
        index = told["GlobalSecondaryIndexes"][0]
        self.assertEqual(index["ProvisionedThroughput"], {**units, "NumberOfDecreasesToday": 0})
        self.assertEqual((index["IndexName"], index["KeySchema"], index["Projection"], index["IndexStatus"]),
                         ("by-who", keys("who", "at"), some, "ACTIVE"))
        self.assertTrue(index["IndexArn"].endswith("table/restored/index/by-who"))
        index = told["LocalSecondaryIndexes"][0]
        self.assertEqual((index["KeySchema"], index["Projection"]), (keys("id", "when"), everything))
        self.assertEqual(told["SSEDescription"], {"Status": "ENABLED", "SSEType": "KMS",
                                                  "KMSMasterKeyArn": "arn:aws:kms:us-east-1:1:key/k"})
        self.assertEqual(told["StreamSpecification"], {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
        self.assertEqual((told["TableClassSummary"], told["DeletionProtectionEnabled"], told["ItemCount"]),
                         ({"TableClass": "STANDARD_INFREQUENT_ACCESS"}, True, 1))
        self.assertEqual(told["TableSizeBytes"], len("id") + len("a") + len("at") + 2)
        self.assertNotIn("BillingModeSummary", told)
        tags = self.fake.dynamodb.list_tags_of_resource
        self.assertEqual(tags(ResourceArn=told["TableArn"])["Tags"], [{"Key": "a", "Value": "1"}])
        self.fake.dynamodb.tag_resource(ResourceArn=told["TableArn"], Tags=[{"Key": "b", "Value": "2"}])
        self.fake.dynamodb.untag_resource(ResourceArn=told["TableArn"], TagKeys=["a"])
        self.assertEqual(tags(ResourceArn=told["TableArn"])["Tags"], [{"Key": "b", "Value": "2"}])

    def test_on_demand(self):
        most = {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20}
        self.create(OnDemandThroughput=most)
        told = self.table()
        self.assertEqual(told["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
        self.assertEqual(told["ProvisionedThroughput"]["WriteCapacityUnits"], 0)
        self.assertEqual(told["OnDemandThroughput"], most)

    def test_what_cannot_be(self):
        units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
        index = {"IndexName": "other", "KeySchema": keys("x"), "Projection": {"ProjectionType": "ALL"}}
        two = attributes("id:S", "x:S")
        for message, wrong in (
                ("Neither ReadCapacityUnits", {"ProvisionedThroughput": units}),
                ("must both be specified", {"BillingMode": "PROVISIONED"}),
                ("greater than or equal to 1", {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {
                    "ReadCapacityUnits": 0, "WriteCapacityUnits": 0}}),
                ("not defined", {"KeySchema": keys("other")}),
                ("not defined", {"GlobalSecondaryIndexes": [index]}),
                ("are not used", {"AttributeDefinitions": two}),
                ("is empty", {"GlobalSecondaryIndexes": []}),
                ("should not be specified", {"AttributeDefinitions": two, "GlobalSecondaryIndexes": [
                    {**index, "ProvisionedThroughput": units}]}),
                ("Duplicate index", {"AttributeDefinitions": two, "GlobalSecondaryIndexes": [index] * 2}),
                ("Unknown ProjectionType", {"AttributeDefinitions": two, "GlobalSecondaryIndexes": [
                    {**index, "Projection": {}}]}),
                ("does not have a range key", {"AttributeDefinitions": two, "LocalSecondaryIndexes": [index]}),
                ("not a HASH", {"KeySchema": [{"AttributeName": "id", "KeyType": "RANGE"}]}),
                ("tableClass", {"TableClass": "CHEAP"})):
            answer = self.refused("ValidationException", self.create, 400, **wrong)
            self.assertIn(message, answer["Error"]["Message"])
        self.refused("ValidationException", self.create, 400, name="a b c")
        self.assertEqual(self.fake.dynamodb.list_tables()["TableNames"], [])
        self.create(AttributeDefinitions=two, GlobalSecondaryIndexes=[index])
        self.refused("ResourceInUseException", self.create, 400)

    def test_creating(self):
        self.fake.options("restored", create_ms=60000)
        db = self.fake.dynamodb
        self.assertEqual(self.create()["TableStatus"], "CREATING")
        self.assertEqual(self.table()["TableStatus"], "CREATING")
        item, key = {"id": string("a")}, {"Key": {"id": string("a")}}
        for call, arguments in ((db.put_item, {"Item": item}), (db.get_item, key), (db.delete_item, key), (db.scan, {})):
            self.refused("ResourceNotFoundException", call, 400, TableName="restored", **arguments)
        self.refused("ResourceNotFoundException", db.batch_write_item, 400,
                     RequestItems={"restored": [{"PutRequest": {"Item": item}}]})
        spec = {"TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True}}
        self.refused("ResourceInUseException", db.update_time_to_live, 400, TableName="restored", **spec)
        self.refused("ResourceInUseException", db.delete_table, 400, TableName="restored")
        self.fake.advance(60)
        self.assertEqual(self.table()["TableStatus"], "ACTIVE")
        db.put_item(TableName="restored", Item=item)
        db.update_time_to_live(TableName="restored", **spec)

    def test_time_to_live(self):
        self.create()
        self.fake.options("restored", ttl_ms=3600000)
        db = self.fake.dynamodb

        def change(enabled, attribute="expires"):
            return {"TableName": "restored",
                    "TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": enabled}}

        def told():
            return db.describe_time_to_live(TableName="restored")["TimeToLiveDescription"]
        self.refused("ValidationException", db.update_time_to_live, 400, **change(False))
        self.assertEqual(db.update_time_to_live(**change(True))["TimeToLiveSpecification"]["Enabled"], True)
        self.assertEqual(told(), {"TimeToLiveStatus": "ENABLING", "AttributeName": "expires"})
        self.refused("ValidationException", db.update_time_to_live, 400, **change(False))
        self.fake.advance(3601)
        self.assertEqual(told(), {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})
        self.refused("ValidationException", db.update_time_to_live, 400, **change(True))
        self.refused("ValidationException", db.update_time_to_live, 400, **change(False, "other"))
        db.update_time_to_live(**change(False))
        self.assertEqual(told()["TimeToLiveStatus"], "DISABLING")
        self.fake.advance(3601)
        self.assertEqual(told(), {"TimeToLiveStatus": "DISABLED"})

    def test_deletion_protection(self):
        self.create(DeletionProtectionEnabled=True)
        self.refused("ValidationException", self.fake.dynamodb.delete_table, 400, TableName="restored")
        self.dynamodb("UpdateTable", TableName="restored", DeletionProtectionEnabled=False)
        self.fake.dynamodb.delete_table(TableName="restored")
        self.refused("ResourceNotFoundException", self.table, 400)
        self.create()
        self.assertFalse(self.table()["DeletionProtectionEnabled"])


class Items(Case):
    def setUp(self):
        super().setUp()
        self.name = self.fake.new_table()

    def batch(self, *writes, **more):
        return self.dynamodb("BatchWriteItem", RequestItems={self.name: [
            {"PutRequest": {"Item": w}} if isinstance(w, dict) else {"DeleteRequest": {"Key": {"id": string(w)}}}
            for w in writes]}, **more)

    def test_sizes(self):
        rest = len("id") + len("a") + len("x")
        kib = 1024
        self.fake.put(self.name, "a", x=string("y" * (400 * kib - rest)))
        self.fake.put(self.name, "a", x={"B": b"y" * (400 * kib - rest)})
        self.fake.put(self.name, "a", x=string("ä" * ((400 * kib - rest) // 2)))
        for over in (string("y" * (400 * kib - rest + 1)), {"B": b"y" * (400 * kib - rest + 1)}):
            answer = self.refused("ValidationException", self.fake.put, 400, table=self.name, key="a", x=over)
            self.assertEqual(answer["Error"]["Message"], "Item size has exceeded the maximum allowed size")
            with self.assertRaises(ClientError):
                self.batch({"id": string("b")}, {"id": string("a"), "x": over})
        # 3 for the map and its three kinds of members of one byte each, names, 2 + 1 bytes for three digits
        self.fake.delete(self.name, "a")
        self.fake.put(self.name, "a", x={"M": {"n": {"N": "-0012.30"}, "l": {"L": [{"NULL": True}, {"BOOL": True}]},
                                               "s": {"SS": ["p", "qr"]}}})
        size = self.fake.dynamodb.describe_table(TableName=self.name)["Table"]["TableSizeBytes"]
        self.assertEqual(size, rest + 3 + (1 + 1 + 3) + (1 + 1 + 3 + 2 * 2) + (1 + 1 + 3))

    def test_keys(self):
        wide = self.fake.new_table(range_type="B")
        long = "k" * 2049
        for message, item in (("Missing the key id", {"x": string("a")}), ("Type mismatch for key id", {"id": {"N": "1"}}),
                              ("empty string value", {"id": string("")}), ("2048", {"id": string(long)})):
            answer = self.refused("ValidationException", self.fake.dynamodb.put_item, 400, TableName=self.name, Item=item)
            self.assertIn(message, answer["Error"]["Message"])
            with self.assertRaises(ClientError):
                self.batch({"id": string("good")}, item)
        for message, value in (("empty binary value", b""), ("1024", b"x" * 1025)):
            answer = self.refused("ValidationException", self.fake.dynamodb.put_item, 400, TableName=wide,
                                  Item={"id": string("a"), "range": {"B": value}})
            self.assertIn(message, answer["Error"]["Message"])
        for key in ({"id": {"N": "1"}}, {"x": string("a")}, {"id": string("a"), "x": string("b")}):
            answer = self.refused("ValidationException", self.fake.dynamodb.get_item, 400, TableName=self.name, Key=key)
            self.assertEqual(answer["Error"]["Message"], "The provided key element does not match the schema")
        self.assertEqual(self.fake.items(self.name), [])

    def test_numbers(self):
        for good in ("1" * 38, "9.99E+125", "-1E-130", "0", "1" + "0" * 100, "000.5e0"):
            self.fake.put(self.name, "a", n={"N": good})
        for wrong in ("1" * 39, "1E+126", "-1E-131", "e5"):
            self.refused("ValidationException", self.fake.put, 400, table=self.name, key="a", n={"N": wrong})

    def test_index_keys(self):
        self.fake.dynamodb.create_table(
            TableName="indexed", BillingMode="PAY_PER_REQUEST", KeySchema=keys("id"),
            AttributeDefinitions=attributes("id:S", "who:S"), GlobalSecondaryIndexes=[
                {"IndexName": "by-who", "KeySchema": keys("who"), "Projection": {"ProjectionType": "ALL"}}])
        for message, who in (("Type mismatch for Index Key who", {"N": "1"}), ("IndexKey: who", string(""))):
            answer = self.refused("ValidationException", self.fake.put, 400, table="indexed", key="a", who=who)
            self.assertIn(message, answer["Error"]["Message"])
        for item, units in (({}, 1), ({"who": string("x")}, 2), ({"who": string("x" * 2000)}, 4), ({}, 4), ({}, 1)):
            told = self.fake.dynamodb.put_item(TableName="indexed", Item={"id": string("a"), **item},
                                               ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
            self.assertEqual(told, {"TableName": "indexed", "CapacityUnits": units})

    def test_refused_batches(self):
        one = {"id": string("a")}
        for message, writes in (("Too many items", [{"id": string(str(i))} for i in range(26)]),
                                ("duplicates", [one, one]), ("duplicates", [one, "a"]), ("", [])):
            with self.assertRaises(ClientError) as caught:
                self.batch(*writes)
            self.assertEqual(caught.exception.response["Error"]["Code"], "ValidationException")
            self.assertIn(message, str(caught.exception))
        self.refused("ResourceNotFoundException", self.fake.dynamodb.batch_write_item, 400, RequestItems={
            self.name: [{"PutRequest": {"Item": one}}], "nowhere": [{"PutRequest": {"Item": one}}]})
        # 25 items of under 400 KB, that are over 16 MB as they are sent: each "\x01" goes out as six bytes
        with self.assertRaises(ClientError):
            self.batch(*[{"id": string(str(i)), "x": string("\x01" * 120000)} for i in range(25)])
        self.assertEqual(self.fake.items(self.name), [])
        self.batch(*[{"id": string(str(i)), "x": string("\x01" * 80000)} for i in range(25)])
        self.assertEqual(len(self.fake.items(self.name)), 25)

    def test_unprocessed(self):
        self.fake.options(self.name, unprocessed_nth=4)
        items = [{"id": string(str(i))} for i in range(10)]
        left = self.batch(*items)["UnprocessedItems"][self.name]
        self.assertEqual(left, [{"PutRequest": {"Item": items[i]}} for i in (3, 7)])
        self.assertEqual(len(self.fake.items(self.name)), 8)
        left = self.batch("0", "1")["UnprocessedItems"][self.name]
        self.assertEqual(left, [{"DeleteRequest": {"Key": {"id": string("1")}}}])
        self.fake.options(self.name, unprocessed_nth=0, unprocessed_percent=50)
        shares = [len(self.batch(*[{"id": string(str(i))} for i in range(25)])["UnprocessedItems"].get(self.name, []))
                  for _ in range(20)]
        self.assertTrue(150 < sum(shares) < 350 and len(set(shares)) > 1, shares)

    def test_write_capacity(self):
        self.fake.do("clock", freeze=True)
        self.fake.options(self.name, write_units_per_s=10)
        items = [{"id": string(str(i)), "x": string("y" * 1500)} for i in range(12)]
        answer = self.batch(*items, ReturnConsumedCapacity="TOTAL")
        self.assertEqual(answer["ConsumedCapacity"], [{"TableName": self.name, "CapacityUnits": 10.0}])
        left = answer["UnprocessedItems"][self.name]
        self.assertEqual([w["PutRequest"]["Item"]["id"]["S"] for w in left], [str(i) for i in range(5, 12)])
        self.refused("ProvisionedThroughputExceededException", self.fake.put, 400, table=self.name, key="a")
        with self.assertRaises(ClientError) as caught:
            self.batch(*items[5:])
        self.assertEqual(caught.exception.response["Error"]["Code"], "ProvisionedThroughputExceededException")
        self.fake.advance(0.1)
        self.fake.put(self.name, "large", x=string("y" * 20000))
        self.fake.advance(1)
        self.refused("ProvisionedThroughputExceededException", self.fake.put, 400, table=self.name, key="a")
        self.fake.advance(1)
        self.fake.put(self.name, "a")

    def test_read_capacity(self):
        self.fake.do("clock", freeze=True)
        self.fake.put(self.name, "a", x=string("y" * 5000))
        key = {"TableName": self.name, "Key": {"id": string("a")}, "ReturnConsumedCapacity": "TOTAL"}
        self.assertEqual(self.fake.dynamodb.get_item(**key)["ConsumedCapacity"]["CapacityUnits"], 1)
        strong = self.fake.dynamodb.get_item(**key, ConsistentRead=True)
        self.assertEqual(strong["ConsumedCapacity"], {"TableName": self.name, "CapacityUnits": 2})
        self.fake.options(self.name, read_units_per_s=2)
        self.fake.dynamodb.get_item(**key, ConsistentRead=True)
        self.refused("ProvisionedThroughputExceededException", self.fake.dynamodb.get_item, 400, **key)
        self.refused("ProvisionedThroughputExceededException", self.fake.dynamodb.scan, 400, TableName=self.name)


class Reads(Case):
    def pages(self, operation, **arguments):
        return list(self.fake.dynamodb.get_paginator(operation).paginate(**arguments))

    def test_scan_pages_of_a_megabyte(self):
        table = self.fake.new_table()
        for i in range(15):
            self.fake.put(table, f"{i:02}", x=string("y" * 200000))
        pages = self.pages("scan", TableName=table, ConsistentRead=True, ReturnConsumedCapacity="TOTAL")
        self.assertEqual([p["Count"] for p in pages], [6, 6, 3])
        self.assertEqual(pages[0]["LastEvaluatedKey"], {"id": string("05")})
        self.assertEqual([p["ConsumedCapacity"]["CapacityUnits"] for p in pages], [293, 293, 147])
        pages = self.pages("scan", TableName=table, Select="COUNT")
        self.assertEqual((sum(p["Count"] for p in pages), "Items" in pages[0]), (15, False))

    def test_scan_limits_and_segments(self):
        table = self.fake.new_table(range_type="N")
        self.fake.write(table, 400, keys=100)
        every = sorted(str(i) for i in self.fake.items(table))
        found, sizes = [], set()
        for segment in range(4):
            part = [i for page in self.pages("scan", TableName=table, Segment=segment, TotalSegments=4,
                                             PaginationConfig={"PageSize": 3}) for i in page["Items"]]
            sizes.add(len(part))
            found += [str(i) for i in part]
        self.assertEqual(sorted(found), every)
        self.assertNotIn(len(every), sizes)
        exact = self.fake.dynamodb.scan(TableName=table, Limit=len(every))
        self.assertIn("LastEvaluatedKey", exact)
        last = self.fake.dynamodb.scan(TableName=table, ExclusiveStartKey=exact["LastEvaluatedKey"])
        self.assertEqual((last["Items"], "LastEvaluatedKey" in last), ([], False))
        for wrong in ({"Segment": 4, "TotalSegments": 4}, {"Segment": 0}, {"TotalSegments": 2},
                      {"ExclusiveStartKey": {"id": string("a")}}, {"FilterExpression": "a = b"}):
            self.refused("ValidationException", self.fake.dynamodb.scan, 400, TableName=table, **wrong)

    def test_empty_pages(self):
        for hash_type, range_type in (("S", None), ("N", None), ("B", None), ("S", "S"), ("S", "N"), ("N", "B")):
            table = self.fake.new_table(hash_type=hash_type, range_type=range_type)
            self.fake.write(table, 60, keys=30)
            every = sorted(i["value"]["N"] for i in self.fake.items(table))
            self.fake.options(table, read_empty_nth=2)
            self.fake.dynamodb.scan(TableName=table, Limit=1)
            pages = self.pages("scan", TableName=table, PaginationConfig={"PageSize": 4})
            self.assertEqual([p["Count"] for p in pages[:4]], [0, 4, 0, 4])
            self.assertTrue(all("LastEvaluatedKey" in p for p in pages[:4]))
            keys_told = [str(p.get("LastEvaluatedKey")) for p in pages]
            self.assertEqual(len(set(keys_told)), len(keys_told))
            self.assertEqual(sorted(i["value"]["N"] for p in pages for i in p["Items"]), every)

    def query(self, table, value, name="id", **more):
        return self.pages("query", TableName=table, KeyConditionExpression="#h = :h",
                          ExpressionAttributeNames={"#h": name}, ExpressionAttributeValues={":h": value}, **more)

    def test_query(self):
        orders = {"S": ["a", "B", "aa", "ä", "😀"], "N": ["-10", "-2.5", "0", "1e1", "0.002", "30", "10.01"],
                  "B": [b"\0", b"\0\1", b"\x80", b"a", b"\xff"]}
        right = {"S": ["B", "a", "aa", "ä", "😀"], "N": ["-10", "-2.5", "0", "0.002", "1e1", "10.01", "30"],
                 "B": [b"\0", b"\0\1", b"a", b"\x80", b"\xff"]}
        for kind, values in orders.items():
            table = self.fake.new_table(range_type=kind)
            for value in values:
                for key in ("one", "two"):
                    self.fake.dynamodb.put_item(TableName=table, Item={"id": string(key), "range": {kind: value}})
            for forward in (True, False):
                want = right[kind] if forward else right[kind][::-1]
                for size, empty in ((100, 0), (1, 0), (2, 0), (2, 2), (1, 3)):
                    self.fake.options(table, read_empty_nth=empty)
                    pages = self.query(table, string("two"), ScanIndexForward=forward,
                                       PaginationConfig={"PageSize": size})
                    self.assertEqual([i["range"][kind] for p in pages for i in p["Items"]], want, (kind, size, empty))
                    self.assertEqual({i["id"]["S"] for p in pages for i in p["Items"]}, {"two"})
                    self.assertEqual(any(p["Count"] == 0 and "LastEvaluatedKey" in p for p in pages), bool(empty))
            self.assertEqual(self.query(table, string("three"))[0]["Items"], [])

    def test_refused_queries(self):
        table = self.fake.new_table(range_type="S")
        query = self.fake.dynamodb.query
        for expression, name, value in (("#h < :h", "id", string("a")), ("#h = :h and x = :y", "id", string("a")),
                                        ("#h = :h", "range", string("a")), ("#h = :h", "id", {"N": "1"}),
                                        ("#x = :h", "id", string("a")), ("#h = :x", "id", string("a"))):
            self.refused("ValidationException", query, 400, TableName=table, KeyConditionExpression=expression,
                         ExpressionAttributeNames={"#h": name}, ExpressionAttributeValues={":h": value})
        self.refused("ValidationException", query, 400, TableName=table, KeyConditionExpression="#h = :h",
                     ExpressionAttributeNames={"#h": "id"}, ExpressionAttributeValues={":h": string("a")},
                     ExclusiveStartKey={"id": string("b"), "range": string("c")})


class Imports(Case):
    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()

    def upload(self, name, *lines, compress=True):
        body = b"".join(json.dumps(line).encode() + b"\n" if isinstance(line, dict) else line for line in lines)
        self.fake.s3.put_object(Bucket=self.bucket, Key=f"export/data/{name}",
                                Body=gzip.compress(body) if compress else body)
        return len(body)

    def begin(self, table="imported", token="t", compression="GZIP", bucket=None, prefix="export/data/", **more):
        schema = {"TableName": table, "KeySchema": keys("id"), "AttributeDefinitions": attributes("id:S"),
                  "BillingMode": "PAY_PER_REQUEST"}
        return self.fake.dynamodb.import_table(
            ClientToken=token, S3BucketSource={"S3Bucket": bucket or self.bucket, "S3KeyPrefix": prefix},
            InputFormat=more.pop("form", "DYNAMODB_JSON"), InputCompressionType=compression,
            TableCreationParameters={**schema, **more})["ImportTableDescription"]

    def follow(self, arn):
        """Its description at the end, and how often it was in progress."""
        for calls in range(100):
            told = self.fake.dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]
            if told["ImportStatus"] != "IN_PROGRESS":
                return told, calls

    def test_items(self):
        items = [{"id": {"S": str(i)}, "n": {"N": "1.50"}, "m": {"M": {"b": {"B": "AAE="}}}} for i in range(50)]
        size = self.upload("1.json.gz", *[{"Item": i} for i in items[:30]])
        size += self.upload("2.json.gz", *[{"Item": i} for i in items[30:]], b"\n")
        self.fake.s3.put_object(Bucket=self.bucket, Key="export/manifest-files.json", Body=b"no item")
        self.fake.options("imported", import_calls=3)
        begun = self.begin()
        self.assertEqual((begun["ImportStatus"], begun["ImportedItemCount"]), ("IN_PROGRESS", 0))
        table = self.fake.dynamodb.describe_table(TableName="imported")["Table"]
        self.assertEqual((table["TableStatus"], table["TableArn"]), ("CREATING", begun["TableArn"]))
        self.refused("ResourceNotFoundException", self.fake.dynamodb.scan, 400, TableName="imported")
        told, calls = self.follow(begun["ImportArn"])
        self.assertEqual((told["ImportStatus"], calls), ("COMPLETED", 3))
        self.assertEqual((told["ProcessedItemCount"], told["ImportedItemCount"], told["ErrorCount"],
                          told["ProcessedSizeBytes"]), (50, 50, 0, size))
        self.assertIn("EndTime", told)
        self.assertEqual(self.fake.dynamodb.describe_table(TableName="imported")["Table"]["TableStatus"], "ACTIVE")
        self.assertEqual(sorted(self.fake.items("imported"), key=str), sorted(items, key=str))
        self.assertEqual(self.fake.records("imported"), [])

    def test_several_gzip_members_and_none(self):
        lines = [json.dumps({"Item": {"id": {"S": str(i)}}}).encode() for i in range(3)]
        self.fake.s3.put_object(Bucket=self.bucket, Key="export/data/a",
                                Body=b"".join(gzip.compress(line + b"\n") for line in lines))
        self.follow(self.begin()["ImportArn"])
        self.assertEqual(len(self.fake.items("imported")), 3)
        self.fake.s3.put_object(Bucket=self.bucket, Key="plain/a", Body=b"\n".join(lines))
        told, _ = self.follow(self.begin("second", "u", "NONE", prefix="plain/")["ImportArn"])
        self.assertEqual(told["ImportedItemCount"], 3)

    def test_bad_items(self):
        good = {"Item": {"id": {"S": "good"}}}
        self.upload("1", {"Item": {"x": {"S": "no key"}}}, {"Item": {"id": {"S": ""}}},
                    {"Item": {"id": {"S": "large"}, "x": {"S": "y" * 410000}}}, good,
                    {"Item": {"id": {"S": "good"}, "again": {"BOOL": True}}})
        self.upload("2", {"id": {"S": "no Item"}}, {"Item": {"id": {"S": "not looked at"}}})
        self.upload("3", {"Item": {"id": {"S": "not gzip"}}}, compress=False)
        told, _ = self.follow(self.begin()["ImportArn"])
        self.assertEqual(told["ImportStatus"], "COMPLETED")
        self.assertEqual((told["ProcessedItemCount"], told["ImportedItemCount"], told["ErrorCount"]), (6, 2, 5))
        self.assertEqual(self.fake.items("imported"), [{"id": {"S": "good"}, "again": {"BOOL": True}}])

    def test_token(self):
        self.upload("1", {"Item": {"id": {"S": "a"}}})
        first = self.begin()
        self.assertEqual(self.begin()["ImportArn"], first["ImportArn"])
        self.refused("ImportConflictException", self.begin, 400, table="other")
        self.refused("ResourceInUseException", self.begin, 400, token="second")
        self.follow(first["ImportArn"])
        self.assertEqual(self.begin()["ImportStatus"], "COMPLETED")
        self.fake.advance(8 * 3600 + 1)
        self.refused("ResourceInUseException", self.begin, 400)

    def test_failures(self):
        self.fake.do("fail_import", table="imported", code="ItemValidationError", message="too many")
        self.upload("1", {"Item": {"id": {"S": "a"}}})
        told, _ = self.follow(self.begin()["ImportArn"])
        self.assertEqual((told["ImportStatus"], told["FailureCode"], told["FailureMessage"]),
                         ("FAILED", "ItemValidationError", "too many"))
        told, _ = self.follow(self.begin("second", "u", bucket="nothing")["ImportArn"])
        self.assertEqual((told["ImportStatus"], told["FailureCode"]), ("FAILED", "S3NoSuchBucket"))
        told, _ = self.follow(self.begin("third", "v", prefix="nothing/")["ImportArn"])
        self.assertEqual(told["ImportStatus"], "FAILED")
        self.refused("ImportNotFoundException", self.fake.dynamodb.describe_import, 400, ImportArn=told["ImportArn"] + "0")
        self.refused("ValidationException", self.begin, 400, table="fourth", token="w", compression="ZSTD")
        self.refused("ValidationException", self.begin, 400, table="fourth", token="w", form="CSV")
        self.refused("ValidationException", self.begin, 400, table="fourth", token="w", BillingMode="PROVISIONED")

    def test_indexes(self):
        index = {"IndexName": "by-who", "KeySchema": keys("who"), "Projection": {"ProjectionType": "ALL"}}
        self.upload("1", {"Item": {"id": {"S": "a"}, "who": {"N": "1"}}}, {"Item": {"id": {"S": "b"}, "who": {"S": "x"}}})
        begun = self.begin(AttributeDefinitions=attributes("id:S", "who:S"), GlobalSecondaryIndexes=[index])
        told, _ = self.follow(begun["ImportArn"])
        self.assertEqual((told["ImportedItemCount"], told["ErrorCount"]), (1, 1))
        table = self.fake.dynamodb.describe_table(TableName="imported")["Table"]
        self.assertEqual(table["GlobalSecondaryIndexes"][0]["IndexName"], "by-who")


if __name__ == "__main__":
    harness.main()
