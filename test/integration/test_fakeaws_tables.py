"""test/fakeaws: DynamoDB's tables and items."""
import harness
from fakeaws_case import Case, ClientError


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


if __name__ == "__main__":
    harness.main()
