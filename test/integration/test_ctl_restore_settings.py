"""ddb-streamctl restore makes a table equal: tags and auto scaling, where they were readable, and where they are refused."""
import json

import harness
from conformance import QUICK, iso
from ctl import FakeCtl, INCOMPLETE, Story
from harness import wait_until

WRITES, READS = "dynamodb:table:WriteCapacityUnits", "dynamodb:index:ReadCapacityUnits"
TRACKING = {"TargetValue": 70.0, "PredefinedMetricSpecification": {
    "PredefinedMetricType": "DynamoDBWriteCapacityUtilization"}, "ScaleInCooldown": 60}


def target(resource, dimension, least, most):
    return {"ServiceNamespace": "dynamodb", "ResourceId": resource, "ScalableDimension": dimension,
            "MinCapacity": least, "MaxCapacity": most}


def policy(name, resource, dimension):
    return {"ServiceNamespace": "dynamodb", "ResourceId": resource, "ScalableDimension": dimension, "PolicyName": name,
            "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": TRACKING}


class Settings(FakeCtl):
    def setUp(self):
        super().setUp()
        self.scaling = self.fake.client("application-autoscaling")

    def tags(self, table):
        arn = self.fake.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
        pages = self.fake.dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
        return {t["Key"]: t["Value"] for page in pages for t in page["Tags"]}

    def scaled(self, table):
        """What is registered of the table, without what is its own."""
        resources = [f"table/{table}", f"table/{table}/index/by-id"]
        targets = self.scaling.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=resources)
        policies = [p for r in resources for p in self.scaling.describe_scaling_policies(
            ServiceNamespace="dynamodb", ResourceId=r)["ScalingPolicies"]]
        own = ("CreationTime", "ScalableTargetARN", "PolicyARN", "Alarms", "RoleARN")
        plain = json.dumps([[{k: v for k, v in o.items() if k not in own} for o in found]
                            for found in (targets["ScalableTargets"], policies)], sort_keys=True)
        return json.loads(plain.replace(f"table/{table}", "table/T"))

    def described(self, table):
        told = self.fake.dynamodb.describe_table(TableName=table)["Table"]
        own = ("TableArn", "TableName", "TableId", "CreationDateTime", "LatestStreamArn", "LatestStreamLabel",
               "ItemCount", "TableSizeBytes")
        told = {k: v for k, v in told.items() if k not in own}
        told["AttributeDefinitions"].sort(key=str)
        told["ttl"] = self.fake.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        return json.loads(json.dumps(told, default=str).replace(table, "T"))

    def told(self, **more):
        """A backup whose table.json tells of tags and auto scaling."""
        self.watermark()
        story = Story(self)
        story.put(0, {"id": {"S": "a"}})
        story.tell()
        settings = {"Tags": [{"Key": "team", "Value": "a b"}, {"Key": "aws:cloudformation:stack-name", "Value": "s"}],
                    "ScalableTargets": [target("table/old", WRITES, 1, 10)],
                    "ScalingPolicies": [policy("DynamoDBWriteCapacityUtilization:table/old", "table/old", WRITES)]}
        self.schema(**{**settings, **more})

    def check(self, tags=True, scaled=True):
        self.assertEqual(len(self.items("new")), 1)
        self.assertEqual(self.tags("new"), {"team": "a b"} if tags else {})
        targets, policies = self.scaled("new")
        self.assertEqual([(t["MinCapacity"], t["MaxCapacity"]) for t in targets], [(1, 10)] if scaled else [])
        self.assertEqual([p["PolicyName"] for p in policies],
                         ["DynamoDBWriteCapacityUtilization:table/T"] if scaled else [])

    def test_equal(self):
        """By way of the daemon: what AWS tells of the new table is what it tells of the old one."""
        self.fake.dynamodb.create_table(
            TableName="orders", BillingMode="PROVISIONED", TableClass="STANDARD_INFREQUENT_ACCESS",
            ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 6},
            Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(23)],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            GlobalSecondaryIndexes=[{"IndexName": "by-id", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                                     "Projection": {"ProjectionType": "ALL"},
                                     "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2}}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.fake.dynamodb.update_time_to_live(
            TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "x"})
        for resource, dimension in (("table/orders", WRITES), ("table/orders/index/by-id", READS)):
            self.scaling.register_scalable_target(**target(resource, dimension, 2, 20), SuspendedState={
                "DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": False,
                "ScheduledScalingSuspended": False})
            self.scaling.put_scaling_policy(**policy(f"utilization:{resource}", resource, dimension))
        daemon = self.daemon(self.bucket, ["orders"], daemon=QUICK).start()
        self.fake.put("orders", "a")
        self.wait_backed_up(daemon, "orders", self.bucket)
        wait_until(lambda: self.fake.writes(bucket=self.bucket, key=".ddb-streamd/orders/table.json"))
        self.restore(iso(self.fake.now_ms() + 60000), "--force", "--to-table", "copy", table="orders")
        daemon.stop()
        self.assertEqual(len(self.items("copy")), 1)
        self.assertEqual(self.described("copy"), self.described("orders"))
        self.assertEqual(self.tags("copy"), self.tags("orders"))
        self.assertEqual(len(self.tags("copy")), 23)
        self.assertEqual(self.scaled("copy"), self.scaled("orders"))
        self.assertEqual(len(self.scaled("copy")[1]), 2)
        self.assertEqual(self.fake.count("dynamodb TagResource"), 0)

    def test_tags_that_may_not_be_made(self):
        """Some may not make a table with tags, and may tag it; some may not do either."""
        self.told()
        self.fake.fault(op="CreateTable", status=400, code="AccessDeniedException", count=1)
        self.restore(1, "--to-table", "new")
        self.check()
        self.fake.dynamodb.delete_table(TableName="new")
        self.fake.fault(op="CreateTable", status=400, code="ValidationException", count=1)
        self.fake.fault(op="TagResource", status=400, code="AccessDeniedException", message="not you")
        _, err = self.restore(1, "--to-table", "new", code=INCOMPLETE)
        for word in ("not you", "tag-resource", "table new"):
            self.assertIn(word, err)
        self.check(tags=False)

    def test_auto_scaling_that_is_refused(self):
        self.told()
        for op in ("RegisterScalableTarget", "PutScalingPolicy"):
            rule = self.fake.fault(op=op, status=400, code="AccessDeniedException", message="not you")
            _, err = self.restore(1, "--to-table", "new", code=INCOMPLETE)
            for word in ("not you", "register-scalable-target", "table new", op):
                self.assertIn(word, err)
            self.assertEqual((len(self.items("new")), self.tags("new")), (1, {"team": "a b"}))
            self.fake.do("clear_faults", id=rule)
            self.fake.dynamodb.delete_table(TableName="new")

    def test_faults_that_pass(self):
        self.told()
        for op in ("RegisterScalableTarget", "PutScalingPolicy"):
            self.fake.fault(op=op, reset="after", count=1)
        self.restore(1, "--to-table", "new")
        self.check()

    def test_damaged_settings(self):
        self.told(Tags=[{"Key": 7}, "x", {"Key": "team", "Value": "a b"}], ScalingPolicies=[{"PolicyName": "p"}])
        _, err = self.restore(1, "--to-table", "new", code=INCOMPLETE)
        for word in ("table.json", "damaged", "ScalingPolicies[].ResourceId"):
            self.assertIn(word, err)
        self.check(scaled=False)

    def test_a_table_that_was_there_keeps_its_own(self):
        self.told()
        self.fake.new_table("new", view=None)
        self.restore(1, "--to-table", "new")
        self.check(tags=False, scaled=False)

    def test_beside_another_dynamodb(self):
        """Nobody asks AWS for the auto scaling of a table that lies elsewhere."""
        self.told()
        services = {f"AWS_ENDPOINT_URL_{s}": self.fake.url for s in ("S3", "DYNAMODB", "STS")}
        _, err = self.restore(1, "--to-table", "new", extra={"AWS_ENDPOINT_URL": "", **services})
        self.assertIn("without the auto scaling", err)
        self.check(scaled=False)

    def test_by_import(self):
        self.told()
        dest = self.fake.new_bucket()
        self.restore(1, "--to-table", "new", "--via-import", f"s3://{dest}/imports/")
        self.check()
        self.assertEqual(self.fake.count("dynamodb TagResource"), 1)


if __name__ == "__main__":
    harness.main()
