"""table.json follows the table: what the daemon reads of it, when it writes it anew, and what it does without."""
import json

import conformance
import fake
import harness
from harness import wait_until

DAEMON = {**conformance.QUICK, "settings_interval": "1s"}
TARGET = "dynamodb:table:WriteCapacityUnits"


class Schema(fake.TestCase):
    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()
        self.scaling = self.fake.client("application-autoscaling")
        self.table = "orders"
        self.fake.dynamodb.create_table(
            TableName=self.table, BillingMode="PROVISIONED", Tags=[{"Key": "team", "Value": "a"}],
            ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            GlobalSecondaryIndexes=[{"IndexName": "by-id", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                                     "Projection": {"ProjectionType": "ALL"},
                                     "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.arn = self.fake.dynamodb.describe_table(TableName=self.table)["Table"]["TableArn"]
        self.key = f".ddb-streamd/{self.table}/table.json"

    def written(self):
        """Every table.json so far."""
        ids = [w["version"] for w in self.fake.writes(bucket=self.bucket, key=self.key)]
        return [json.loads(self.fake.s3.get_object(Bucket=self.bucket, Key=self.key, VersionId=i)["Body"].read())
                for i in ids]

    def wait_for(self, number):
        """The `number`-th table.json, when it is the last one."""
        wait_until(lambda: len(self.written()) >= number, what=f"table.json {number}")
        found = self.written()
        self.assertEqual(len(found), number, found[-2:])
        return found[-1]

    def scale(self, least, most, resource="table/orders", dimension=TARGET):
        where = {"ServiceNamespace": "dynamodb", "ResourceId": resource, "ScalableDimension": dimension}
        self.scaling.register_scalable_target(MinCapacity=least, MaxCapacity=most, **where)
        self.scaling.put_scaling_policy(PolicyName=f"p:{resource}", PolicyType="TargetTrackingScaling", **where,
                                        TargetTrackingScalingPolicyConfiguration={"TargetValue": 70.0})

    def rounds(self, n=2):
        """Waits until the daemon has looked at everything once more."""
        for op in ("dynamodb DescribeTable", "application-autoscaling DescribeScalableTargets"):
            before = self.fake.count(op)
            wait_until(lambda: self.fake.count(op) >= before + n, what=op)  # pylint: disable=cell-var-from-loop

    def test_every_setting(self):
        self.scale(1, 10)
        daemon = self.daemon(self.bucket, [self.table], daemon=DAEMON).start()
        first = self.wait_for(1)
        self.assertEqual(first["Tags"], [{"Key": "team", "Value": "a"}])
        self.assertEqual(first["TimeToLiveDescription"], {"TimeToLiveStatus": "DISABLED"})
        self.assertEqual([(t["ResourceId"], t["MinCapacity"], t["MaxCapacity"]) for t in first["ScalableTargets"]],
                         [("table/orders", 1, 10)])
        self.assertEqual([p["PolicyName"] for p in first["ScalingPolicies"]], ["p:table/orders"])
        self.assertNotIn("ItemCount", json.dumps(first))
        # What changes by itself makes no version: items, and capacity that auto scaling sets.
        self.fake.write(self.table, 20)
        self.fake.dynamodb.update_table(
            TableName=self.table, ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 9})
        self.scale(1, 10)
        self.rounds()
        self.assertEqual(len(self.written()), 1)
        # A person's changes do: each one version.
        tags = [{"Key": f"k{n}", "Value": "v"} for n in range(25)]
        self.fake.dynamodb.tag_resource(ResourceArn=self.arn, Tags=tags)
        self.assertEqual(len(self.wait_for(2)["Tags"]), 26)
        self.fake.dynamodb.update_time_to_live(
            TableName=self.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "x"})
        self.assertEqual(self.wait_for(3)["TimeToLiveDescription"]["AttributeName"], "x")
        self.scale(2, 20, "table/orders/index/by-id", "dynamodb:index:ReadCapacityUnits")
        wait_until(lambda: len(self.written()[-1]["ScalingPolicies"]) == 2)
        n = len(self.written())  # target and policy came one after the other
        self.fake.dynamodb.update_table(
            TableName=self.table, ProvisionedThroughput={"ReadCapacityUnits": 50, "WriteCapacityUnits": 9})
        self.assertEqual(self.wait_for(n + 1)["Table"]["ProvisionedThroughput"],
                         {"ReadCapacityUnits": 50, "WriteCapacityUnits": 9})
        self.fake.dynamodb.update_table(TableName=self.table, TableClass="STANDARD_INFREQUENT_ACCESS")
        self.assertEqual(self.wait_for(n + 2)["Table"]["TableClassSummary"]["TableClass"],
                         "STANDARD_INFREQUENT_ACCESS")
        daemon.stop()
        # Neither a start does, with whatever changed by itself meanwhile.
        self.fake.dynamodb.update_table(
            TableName=self.table, ProvisionedThroughput={"ReadCapacityUnits": 50, "WriteCapacityUnits": 2})
        daemon.start()
        self.rounds(1)
        daemon.stop()
        self.assertEqual(len(self.written()), n + 2)

    def test_what_cannot_be_read(self):
        """It is said once, and left out; what an earlier run could read stays."""
        self.scale(1, 10)
        self.fake.dynamodb.update_time_to_live(
            TableName=self.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "x"})
        rules = [self.fake.fault(op="DescribeTimeToLive", status=400, code="AccessDeniedException"),
                 self.fake.fault(op="ListTagsOfResource", status=400, code="UnknownOperationException"),
                 self.fake.fault(op="DescribeScalableTargets", reset="before")]
        daemon = self.daemon(self.bucket, [self.table], daemon=DAEMON).start()
        first = self.wait_for(1)
        self.assertEqual(set(first), {"Table"})
        self.assertTrue(daemon.is_ready())
        wait_until(lambda: self.fake.hits(rules[1]) >= 3)
        said = daemon.logged("a setting of the table cannot be read")
        self.assertEqual(len(said), 3, said)
        for word in ("time to live", "tags", "auto scaling"):
            self.assertEqual(sum(f'"{word}"' in line or f"={word}" in line for line in said), 1, said)
        self.assertEqual(len(self.written()), 1)
        self.fake.do("clear_faults")
        daemon.stop()
        daemon.start()
        whole = self.wait_for(2)
        self.assertEqual(set(whole), {"Table", "Tags", "TimeToLiveDescription", "ScalableTargets", "ScalingPolicies"})
        daemon.stop()
        for op in ("DescribeTimeToLive", "ListTagsOfResource", "DescribeScalingPolicies"):
            self.fake.fault(op=op, status=400, code="AccessDeniedException")
        daemon.start()
        self.fake.dynamodb.update_table(TableName=self.table, TableClass="STANDARD_INFREQUENT_ACCESS")
        kept = self.wait_for(3)
        self.assertEqual({k: v for k, v in kept.items() if k != "Table"},
                         {k: v for k, v in whole.items() if k != "Table"})
        daemon.stop()

    def test_what_cannot_be_written(self):
        """The bucket refuses: that is said, tried again, and holds nobody up."""
        rule = self.fake.fault(op="PutObject", key="table.json", status=503, code="SlowDown", count=2)
        daemon = self.daemon(self.bucket, [self.table], daemon=DAEMON).start()
        self.wait_for(1)
        self.assertEqual(self.fake.hits(rule), 2)
        rule = self.fake.fault(op="PutObject", key="table.json", status=403, code="AccessDenied")
        self.fake.dynamodb.tag_resource(ResourceArn=self.arn, Tags=[{"Key": "a", "Value": "b"}])
        wait_until(lambda: self.fake.hits(rule) >= 2)
        self.assertTrue(daemon.is_ready())
        self.fake.put(self.table, "a")
        self.wait_backed_up(daemon, self.table, self.bucket)
        self.assertEqual(len(daemon.logged("table.json cannot be written")), 1)
        self.fake.do("clear_faults")
        self.assertIn({"Key": "a", "Value": "b"}, self.wait_for(2)["Tags"])
        daemon.stop()

    def test_damaged_table_json(self):
        self.fake.version(self.bucket, self.key, body="{ damaged")
        daemon = self.daemon(self.bucket, [self.table], daemon=DAEMON).start()
        wait_until(lambda: len(self.fake.writes(bucket=self.bucket, key=self.key)) == 2)
        daemon.stop()
        body = self.fake.s3.get_object(Bucket=self.bucket, Key=self.key)["Body"].read()
        self.assertEqual(json.loads(body)["Table"]["TableName"], "orders")

    def test_table_of_the_same_name(self):
        """What could be read of the table before it says nothing of it."""
        former = {"Table": {"TableName": "orders", "TableId": "another"}, "Tags": [{"Key": "old", "Value": "x"}]}
        self.fake.version(self.bucket, self.key, body=json.dumps(former))
        self.fake.fault(op="ListTagsOfResource", status=400, code="AccessDeniedException")
        daemon = self.daemon(self.bucket, [self.table], daemon=DAEMON).start()
        wait_until(lambda: len(self.fake.writes(bucket=self.bucket, key=self.key)) == 2)
        daemon.stop()
        self.assertNotIn("Tags", self.written()[-1])

    def test_auto_scaling_that_is_silent(self):
        """The backup does not wait for it."""
        self.fake.fault(op="DescribeScalableTargets", never="before")
        daemon = self.daemon(self.bucket, [self.table], daemon=DAEMON).start(seconds=5)
        self.fake.put(self.table, "a")
        self.wait_backed_up(daemon, self.table, self.bucket, 5)
        daemon.stop(10)

    def test_table_on_demand(self):
        table = self.fake.new_table()
        daemon = self.daemon(self.bucket, [table], daemon=DAEMON).start()
        wait_until(lambda: self.fake.writes(bucket=self.bucket, key=f".ddb-streamd/{table}/table.json"))
        daemon.stop()
        self.assertEqual(self.fake.count("application-autoscaling DescribeScalableTargets"), 0)


if __name__ == "__main__":
    harness.main()
