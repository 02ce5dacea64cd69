"""ddb-streamctl restore --to-table: a new table is what the old one was, and holds what that held at a moment."""
import datetime
import json
import random

import harness
from ctl import Ctl, EX_CANTCREAT, EX_DATAERR, EX_NOINPUT, FakeCtl, Story, T0, TABLE, iso, items_of
from harness import canonical


def item(name, **attributes):
    return {"id": {"S": name}, **attributes}


def every_type(empty_texts):
    """Items with all attribute types, and what is at the edge of each. DynamoDB Local takes no empty texts."""
    number = "12345678901234567890123456789012345678"
    items = [
        item("scalars", s={"S": "ä\"\\\n\t😀 </&>"}, n={"N": number}, b={"B": bytes(range(256))}, t={"BOOL": True},
             f={"BOOL": False}, z={"NULL": True}),
        item("numbers", a={"N": "-" + number}, b={"N": "0.0000000000000000000000000000000000001"}, c={"N": "0"},
             d={"N": "1" + "0" * 37}, e={"N": "-0.5"}, f={"N": "3.1415926535897932384626433832795028841"}),
        item("sets", ss={"SS": ["z", "a", "ä", "A"]}, ns={"NS": ["3", "-1", number, "0.25"]},
             bs={"BS": [b"\x00", b"\xff\xfe", b"plain"]}),
        item("empty", l={"L": []}, m={"M": {}}, deep={"L": [{"M": {"l": {"L": [{"M": {}}, {"L": []}]}}}]}),
        item("nested", m={"M": {"b": {"L": [{"N": "1"}, {"S": "x"}, {"B": b"\x01"}, {"NULL": True}]},
                                "a": {"M": {"ns": {"NS": ["2", "1"]}, "€": {"S": "y"}}}, "\u0001": {"BOOL": True}}}),
        item("large", s={"S": "x" * 390_000}), item("large of two bytes", s={"S": "ä" * 190_000}),
        item("large of six", s={"S": "\u0001" * 390_000}), item("large and binary", b={"B": b"\xff" * 390_000}),
        item("odd /../%2F ~.&?# key"), item("."), item(".."), item("~tilde"), item("k" * 1500),
    ]
    if empty_texts:
        items.append(item("empty texts", s={"S": ""}, b={"B": b""}, m={"M": {"s": {"S": ""}}}))
    return items


class Definition(Ctl):
    def setUp(self):
        super().setUp()
        self.table = "t-def" + self.bucket.name[2:]
        self.target = self.table + ".restored"
        everything = {"ProjectionType": "ALL"}
        units = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 9}
        self.servers.dynamodb.create_table(
            TableName=self.table, ProvisionedThroughput=units,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t}
                                  for n, t in (("id", "S"), ("at", "N"), ("who", "S"), ("tag", "B"))],
            GlobalSecondaryIndexes=[{
                "IndexName": "by-who", "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x", "y"]},
                "KeySchema": [{"AttributeName": "who", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
                "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}}],
            LocalSecondaryIndexes=[{
                "IndexName": "by-tag", "Projection": everything,
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"},
                              {"AttributeName": "tag", "KeyType": "RANGE"}]}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.servers.dynamodb.update_time_to_live(
            TableName=self.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})

    def told(self, table):
        """What a description tells of the table itself, without names, times and counts."""
        d = self.servers.dynamodb.describe_table(TableName=table)["Table"]
        def index(i):
            return {k: i[k] for k in ("IndexName", "KeySchema", "Projection")} | {
                "units": {k: v for k, v in i.get("ProvisionedThroughput", {}).items() if k.endswith("Units")}}
        return {"keys": d["KeySchema"], "stream": d["StreamSpecification"],
                "attributes": sorted(d["AttributeDefinitions"], key=lambda a: a["AttributeName"]),
                "billing": d.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
                "units": {k: v for k, v in d["ProvisionedThroughput"].items() if k.endswith("Units")},
                "global": [index(i) for i in d.get("GlobalSecondaryIndexes", [])],
                "local": [index(i) for i in d.get("LocalSecondaryIndexes", [])],
                "ttl": self.servers.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]}

    def test_as_it_was(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        for n in range(30):
            self.put(id={"S": f"a{n % 7}"}, at={"N": str(n)}, who={"S": "anna"}, tag={"B": bytes([n, 255])})
        self.wait_settled(daemon)
        daemon.stop()
        ask = ["restore", "--table", self.table, "--at", "latest"]
        out, err = self.ctl(*ask, "--to-table", self.target, "-o", "json")
        self.assertEqual({k: json.loads(out)[k] for k in ("target", "items", "missing", "removed")},
                         {"target": self.target, "items": 30, "missing": 0, "removed": 0}, err)
        self.assertEqual(self.told(self.target), self.told(self.table))
        self.assertEqual(items_of(self.servers, self.target), items_of(self.servers, self.table))
        # The new stream tells of nothing but the items.
        self.assertEqual({r["eventName"] for r in self.servers.stream_records(self.target)}, {"INSERT"})
        # It has items now.
        _, err = self.ctl(*ask, "--to-table", self.target, code=EX_CANTCREAT)
        self.assertIn(self.target, err)
        self.assertIn("--in-place", err)
        # Its own table has items, too; and it is what --in-place alone means.
        self.ctl(*ask, "--to-table", self.table, code=EX_CANTCREAT)
        # A table in another region, whose name the server does not care for.
        self.ctl(*ask, "--to-table", self.target + "2", "--to-region", "eu-central-1")
        self.assertEqual(items_of(self.servers, self.target + "2"), items_of(self.servers, self.table))


class Items(Ctl):
    def test_every_type(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        items = every_type(False)
        for i in items:
            self.put(**i)
        self.wait_settled(daemon)
        daemon.stop()
        target = self.table + ".restored"
        self.ctl("restore", "--table", self.table, "--at", "latest", "--to-table", target)
        self.assertEqual(items_of(self.servers, target), sorted(canonical(i) for i in items))
        # And back over a table in which each of them is another one, or gone.
        for n, i in enumerate(items):
            if n % 3 == 0:
                self.put(id=i["id"], other={"N": "1"})
            elif n % 3 == 1:
                self.servers.dynamodb.delete_item(TableName=self.table, Key={"id": i["id"]})
        self.ctl("restore", "--table", self.table, "--at", "latest", "--in-place", "--yes")
        self.assertEqual(items_of(self.servers, self.table), sorted(canonical(i) for i in items))

    def test_ten_moments(self):
        """DynamoDB Local tells whole minutes only: a live table's changes are stored with event times of their own."""
        rng = random.Random(4)
        names = [f"item {n}/ä+%" for n in range(25)]
        base = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) - datetime.timedelta(hours=1)
        target = self.table + ".place"
        moments = []
        for n in range(10):
            for _ in range(12):
                name = rng.choice(names)
                if rng.random() < 0.3:
                    self.delete(name)
                else:
                    self.put(id={"S": name}, n={"N": str(rng.randrange(10**9))}, s={"SS": ["b", "a"]})
            moments.append((len(self.servers.stream_records(self.table)), items_of(self.servers, self.table)))
        times = self.store(self.servers.stream_records(self.table), base)
        self.servers.dynamodb.create_table(
            TableName=target, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
        told = self.servers.dynamodb.describe_table(TableName=target)["Table"]
        self.servers.s3.put_object(
            Bucket=self.bucket.name, Key=f".ddb-streamd/{self.table}/table.json", Body=json.dumps({"Table": {
                "KeySchema": told["KeySchema"], "AttributeDefinitions": told["AttributeDefinitions"],
                "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}}))
        rng.shuffle(moments)
        for n, (count, items) in enumerate(moments):
            ask = ["restore", "--table", self.table, "--at", iso(times[count - 1]), "--force"]
            self.ctl(*ask, "--to-table", f"{self.table}.{n}")
            self.assertEqual(items_of(self.servers, f"{self.table}.{n}"), items)
            self.ctl(*ask, "--to-table", target, "--in-place", "--yes")
            self.assertEqual(items_of(self.servers, target), items)

    def store(self, records, base):
        """As the daemon would, one change a second; the times."""
        s3, bucket, times = self.servers.s3, self.bucket.name, []
        for n, record in enumerate(records):
            change, event = record["dynamodb"], record["eventName"]
            times.append(base + datetime.timedelta(seconds=n))
            meta = {"ddb-event": event, "ddb-seq": change["SequenceNumber"], "ddb-time": iso(times[-1]),
                    "ddb-stream": "s", "ddb-shard": "x"}
            name = harness.item_key(change["Keys"])
            image = canonical(change["OldImage" if event == "REMOVE" else "NewImage"])
            if event == "REMOVE":
                s3.put_object(Bucket=bucket, Key=harness.deletes_key(self.table, name), Body=image, Metadata=meta)
                s3.delete_object(Bucket=bucket, Key=f"{self.table}/{name}")
            else:
                s3.put_object(Bucket=bucket, Key=f"{self.table}/{name}", Body=image, Metadata=meta)
        return times


class Live(FakeCtl):
    def test_ten_moments(self):
        """A table under random writes, with event times of seconds, and ten moments of it."""
        table = self.fake.new_table(shards=3)
        rng = random.Random(9)
        daemon = self.daemon(self.bucket, [table], daemon={"watermark_interval": "1s"}).start()
        moments = []
        for _ in range(10):
            for n in range(25):
                name = f"{rng.randrange(30)}/ä"
                if rng.random() < 0.3:
                    self.fake.delete(table, name)
                else:
                    self.fake.put(table, name, n={"N": str(rng.randrange(1000))}, b={"B": bytes([n])})
                self.fake.advance(rng.choice((0, 0.2, 0.5)))
            moments.append((self.fake.now_ms(), self.items(table)))
            self.fake.advance(1)
            self.fake.advance(rng.choice((0, 1, 400)))
            self.fake.do(rng.choice(("split", "rotate")), table=table)
        self.wait_backed_up(daemon, table, self.bucket)
        daemon.stop()
        self.fake.dynamodb.create_table(
            TableName="place", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
        rng.shuffle(moments)
        for n, (ms, items) in enumerate(moments):
            # Events have whole seconds, so that of a moment is at the end of its second.
            at = iso(ms)
            self.restore(at, "--force", "--to-table", f"new{n}", table=table)
            self.assertEqual(self.items(f"new{n}"), items)
            self.restore(at, "--force", "--to-table", "place", "--in-place", "--yes", table=table)
            self.assertEqual(self.items("place"), items)
            self.assertEqual(self.lines(at, "--force", table=table), items)


class New(FakeCtl):
    def setUp(self):
        super().setUp()
        self.ready()

    def story(self):
        story = Story(self)
        for n in range(40):
            story.put(n, item(f"i{n}", n={"N": str(n)}))
        story.tell()
        return story

    def create(self, name, hash_name="id", kind="S", range_name=None):
        names = [(hash_name, "HASH", kind)] + ([(range_name, "RANGE", "S")] if range_name else [])
        self.fake.dynamodb.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": n, "KeyType": k} for n, k, _ in names],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, _, t in names])

    def test_every_type(self):
        story = Story(self)
        for i in every_type(True):
            story.put(0, i)
        story.tell()
        self.restore(1, "--to-table", "new")
        self.assertEqual(self.items("new"), story.at(1))

    def test_an_empty_table_takes_it(self):
        story = self.story()
        self.create("there")
        self.restore(20, "--to-table", "there")
        self.assertEqual(self.items("there"), story.at(20))
        self.assertEqual(self.fake.count("dynamodb CreateTable"), 1)

    def test_time_to_live_comes_last(self):
        story = self.story()
        self.schema(TimeToLiveDescription={"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})
        self.fake.options("new", create_ms=1500)
        self.restore(50, "--to-table", "new")
        self.assertEqual(self.items("new"), story.at(50))
        told = self.fake.dynamodb.describe_time_to_live(TableName="new")["TimeToLiveDescription"]
        self.assertEqual(told["AttributeName"], "expires")
        order = [r["op"] for r in self.fake.requests(table="new") if r["status"] == 200]
        last = max(n for n, op in enumerate(order) if op == "BatchWriteItem")
        self.assertGreater(order.index("UpdateTimeToLive"), last)
        self.assertLess(order.index("CreateTable"), order.index("BatchWriteItem"))
        # One that was there keeps its own.
        self.create("there")
        _, err = self.restore(50, "--to-table", "there")
        self.assertIn("time to live is not on by expires", err)
        self.assertEqual(self.fake.dynamodb.describe_time_to_live(TableName="there")["TimeToLiveDescription"],
                         {"TimeToLiveStatus": "DISABLED"})

    def test_refusals(self):
        story = self.story()
        self.create("full")
        self.fake.put("full", "other")
        self.create("hash", "name")
        self.create("type", kind="N")
        self.create("range", range_name="at")
        self.fake.do("reset_audit")
        for table, words in (("full", ("has items", "--in-place")), ("hash", ("name (S)", "id (S)")),
                             ("type", ("id (N)", "id (S)")), ("range", ("at (S)",))):
            _, err = self.restore(50, "--to-table", table, code=EX_CANTCREAT)
            for word in (f"table {table} ", *words):
                self.assertIn(word, err)
            if table != "full":
                _, err = self.restore(50, "--to-table", table, "--in-place", "--yes", code=EX_CANTCREAT)
                self.assertIn(f"table {table} ", err)
        _, err = self.restore(50, "--to-table", "nothing", "--in-place", "--yes", code=EX_NOINPUT)
        self.assertIn("nothing", err)
        self.assertEqual(self.written(), {})
        self.assertEqual(len(self.fake.items("full")), 1)
        self.assertEqual(story.at(50), self.lines(50))

    def test_without_table_json(self):
        self.bucket = self.fake.new_bucket()
        self.watermark()
        story = self.story()
        _, err = self.restore(50, "--to-table", "new", code=EX_NOINPUT)
        for word in ("new", "table.json", "by hand"):
            self.assertIn(word, err)
        self.create("there")
        self.restore(50, "--to-table", "there")
        self.assertEqual(self.items("there"), story.at(50))
        for damage in ("", "{", "[]", '{"Table":{}}',
                       '{"Table":{"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}}'):
            self.put_object(f".ddb-streamd/{TABLE}/table.json", damage)
            _, err = self.restore(50, "--to-table", "new", code=EX_DATAERR)
            self.assertIn("table.json", err)
            self.assertIn("damaged", err)

    def test_not_complete(self):
        self.story()
        for at in (-2 * 10**6, 2 * 10**6):
            _, err = self.restore(at, "--to-table", "new", code=EX_DATAERR)
            self.assertIn("--force", err)
        self.watermark(gaps=[{"reason": "trimmed", "from": iso(T0 + 10000), "to": iso(T0 + 20000)}])
        _, err = self.restore(50, "--to-table", "new", code=EX_DATAERR)
        self.assertIn("trimmed", err)
        self.assertEqual(self.written(), {"s3 CreateBucket": 1, "s3 PutBucketVersioning": 1})
        self.restore(50, "--to-table", "new", "--force")

    def test_to_region(self):
        """The target's region signs; the bucket's stays."""
        story = self.story()
        code = harness.EX_NOPERM
        _, err = self.restore(50, "--to-table", "new", "--to-region", "eu-central-1", code=code)
        self.assertIn("region", err)
        self.restore(50, "--to-table", "new", "--to-region", "us-east-1")
        self.assertEqual(self.items("new"), story.at(50))


if __name__ == "__main__":
    harness.main()
