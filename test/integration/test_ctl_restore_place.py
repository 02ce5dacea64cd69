"""ddb-streamctl restore --in-place: an existing table becomes what the backup says, without a needless write."""
import json
import random
import signal

import harness
from ctl import Ctl, EX_NOINPUT, EX_USAGE, FakeCtl, INCOMPLETE, Story, T0, TABLE, iso, items_of
from harness import canonical


def item(name, **attributes):
    return {"id": {"S": name}, **attributes}


class Place(FakeCtl):
    def setUp(self):
        super().setUp()
        self.ready()

    def create(self, name=TABLE):
        self.fake.new_table(name)

    def place(self, at_s, *more, target=TABLE, code=0, **options):
        """Its figures, and what it said."""
        target = ["--to-table", target] if target != TABLE else []
        out, err = self.restore(at_s, "--in-place", "--yes", "-o", "json", *target, *more, code=code, **options)
        told = json.loads(out)
        self.assertEqual(told["missing"] + told["unknown"] > 0, code == INCOMPLETE)
        return {k: told[k] for k in ("items", "removed", "same", "unknown", "missing")}, err

    def changed(self, before):
        """Of the table's records those after the first `before`: event and key, sorted."""
        return sorted((r["event"], json.loads(r["keys"])["id"]["S"]) for r in self.fake.records(TABLE)[before:])

    def random(self, seed, count, seconds=100, **options):
        """A story of changes at random, the states of it that are of interest."""
        rng = random.Random(seed)
        story = Story(self, **options)
        for n in range(count):
            key = item(f"{rng.choice('abc')}/{rng.randrange(8)}")
            if "range_name" in options:
                key[options["range_name"]] = {"N": str(rng.randrange(4))}
            if canonical(key) in story.now and rng.random() < 0.35:
                story.remove(n * seconds / count, key)
            else:
                key["n"] = {"N": str(rng.randrange(3))}
                if options.get("tenant"):
                    key["who"] = {"S": rng.choice(("anna", "ben/x", "..", "ä"))}
                    if rng.random() < 0.2:
                        del key["who"]
                story.put(n * seconds / count, key)
        story.tell()
        return story


class Differs(Place):
    def story(self):
        """At 0: same, other, gone. At 10: other changed, gone removed, late came."""
        story = Story(self)
        for name in ("same", "other", "gone"):
            story.put(0, item(name, n={"N": "1"}, s={"SS": ["a", "b"]}))
        story.put(10, item("other", n={"N": "2"}))
        story.remove(10, item("gone"))
        story.put(10, item("late"))
        story.tell()
        return story

    def test_only_what_differs(self):
        story = self.story()
        self.create()
        self.fill(TABLE, [json.loads(i) for i in story.at(10)])
        before = len(self.fake.records(TABLE))
        figures, _ = self.place(5)
        self.assertEqual(figures, {"items": 2, "removed": 1, "same": 1, "unknown": 0, "missing": 0})
        self.assertEqual(self.items(TABLE), story.at(5))
        self.assertEqual(self.changed(before), [("INSERT", "gone"), ("MODIFY", "other"), ("REMOVE", "late")])
        # Once more: nothing is to be done, so not one write is sent, and no body is read.
        self.fake.do("reset_audit")
        figures, _ = self.place(5)
        self.assertEqual(figures, {"items": 0, "removed": 0, "same": 3, "unknown": 0, "missing": 0})
        self.assertEqual(self.written(), {})
        self.assertLessEqual(self.fake.count("s3 GetObject"), 2)  # table.json and watermark.json
        # To a moment before there was anything.
        figures, _ = self.place(-10)
        self.assertEqual((figures["removed"], self.items(TABLE)), (3, []))

    def test_what_the_backup_does_not_know(self):
        story = self.story()
        self.create()
        strangers = [item(f"stranger {n}", n={"N": str(n)}) for n in range(7)]
        self.fill(TABLE, strangers)
        figures, err = self.place(5, code=INCOMPLETE)
        self.assertEqual(figures, {"items": 3, "removed": 0, "same": 0, "unknown": 7, "missing": 0})
        self.assertRegex(err, rf"7 items of table {TABLE} are not in the backup")
        self.assertEqual(self.items(TABLE), sorted(story.at(5) + [canonical(i) for i in strangers]))

    def test_tags_that_are_no_md5(self):
        """As with encryption by KMS, or uploads in parts: the bodies tell."""
        self.create()
        self.fake.s3_options(small_parts=True)
        items = [item(f"i{n}", n={"N": str(n)}) for n in range(6)]
        for n, i in enumerate(items):
            where = {"Bucket": self.bucket, "Key": f"{TABLE}/i{n}"}
            upload = self.fake.s3.create_multipart_upload(**where, Metadata={
                "ddb-event": "INSERT", "ddb-seq": str(100 + n), "ddb-time": iso(T0), "ddb-stream": "s",
                "ddb-shard": "x"})["UploadId"]
            body = canonical(i)
            parts = [{"PartNumber": p, "ETag": self.fake.s3.upload_part(
                **where, UploadId=upload, PartNumber=p, Body=b)["ETag"]} for p, b in ((1, body[:7]), (2, body[7:]))]
            self.fake.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        self.fill(TABLE, items[:4])
        self.fake.put(TABLE, "i4", n={"N": "40"})
        figures, _ = self.place(5)
        self.assertEqual((figures["items"], figures["same"]), (2, 4))
        self.assertEqual(self.items(TABLE), sorted(map(canonical, items)))
        self.fake.do("reset_audit")
        self.assertEqual(self.place(5)[0]["same"], 6)
        self.assertEqual(self.written(), {})

    def test_lost_and_archived(self):
        """They are named, and left alone; the rest is done."""
        story = Story(self)
        names = ("fine", "archived", "expired", "empty", "text", "late", "witness")
        for name in names[:5]:
            more = {"storage_class": "GLACIER"} if name == "archived" else {}
            story.put(0, item(name, n={"N": "1"}), **more)
        story.versions[3]["body"] = ""
        story.versions[4]["body"] = "no item"
        for name in names:
            story.put(1000, item(name, n={"N": "2"}), **({"storage_class": "GLACIER"} if name == "witness" else {}))
        ids = story.tell()
        self.fake.expire(self.bucket, f"{TABLE}/expired", ids[2])
        self.create()
        self.fill(TABLE, [item(name, n={"N": "2"}) for name in names])
        before = len(self.fake.records(TABLE))
        figures, err = self.place(5, code=INCOMPLETE)
        self.assertEqual(figures, {"items": 1, "removed": 1, "same": 0, "unknown": 0, "missing": 5})
        for name in ("archived", "expired", "empty", "text", "witness"):
            self.assertRegex(err, rf"{TABLE}/{name}: .")
        self.assertIn("5 items could not be had", err)
        self.assertEqual(self.changed(before), [("MODIFY", "fine"), ("REMOVE", "late")])
        # An archived version that says what the table has anyway is not in the way.
        self.fake.put(TABLE, "archived", n={"N": "1"})
        figures, err = self.place(5, code=INCOMPLETE)
        self.assertEqual((figures["same"], figures["missing"]), (2, 4))

    def test_lost_in_another_folder(self):
        """What was elsewhere then, and cannot be had, is not taken out of the folder where it is now."""
        story = Story(self, tenant="who")
        then, now = {"who": {"S": "anna"}, "n": {"N": "1"}}, {"who": {"S": "ben"}, "n": {"N": "2"}}
        story.put(0, item("archived", **then), storage_class="GLACIER")
        story.put(0, item("refused", **then, a={"S": "x" * 409_590}))
        story.put(0, item("moved", **then))
        for name in ("archived", "refused", "moved", "late"):
            story.put(1000, item(name, **now))
        story.tell()
        self.create()
        self.fill(TABLE, [item(name, **now) for name in ("archived", "refused", "moved", "late")])
        before = len(self.fake.records(TABLE))
        figures, err = self.place(5, "--tenant-attribute", "who", code=INCOMPLETE)
        self.assertEqual(self.changed(before), [("MODIFY", "moved"), ("REMOVE", "late")])
        self.assertEqual((figures["items"], figures["removed"], figures["unknown"]), (1, 1, 0))
        for name in ("archived", "refused"):
            self.assertRegex(err, rf"{TABLE}/anna/{name}: .")
            self.assertRegex(err, rf"{TABLE}/ben/{name}: .*from another folder")

    def test_asks_for_the_name(self):
        story = self.story()
        self.create()
        self.fake.put(TABLE, "late")
        ask = ["restore", "--table", TABLE, "--at", iso(T0 + 5000), "--in-place"]
        self.fake.do("reset_audit")
        _, err = self.ctl(*ask, code=EX_USAGE)
        self.assertIn("--yes", err)
        for typed in (b"y\n", b"order\n", b"\n", b"\x04"):
            code, said = self.type(*ask, typed=typed)
            self.assertEqual(code, EX_USAGE, said)
            self.assertIn("nothing was changed", said)
        code, said = self.type(*ask, number=signal.SIGINT)
        self.assertEqual(code, -signal.SIGINT, said)
        self.assertEqual(self.written(), {})
        code, said = self.type(*ask, typed=TABLE.encode() + b"\n")
        self.assertEqual(code, 0, said)
        self.assertIn(iso(T0 + 5000), said)
        self.assertEqual(self.items(TABLE), story.at(5))
        # Of another table that one's name.
        self.create("second")
        code, said = self.type(*ask, "--to-table", "second", typed=TABLE.encode() + b"\n")
        self.assertEqual(code, EX_USAGE, said)
        code, said = self.type(*ask, "--to-table", "second", typed=b"second\n")
        self.assertEqual(code, 0, said)
        self.assertEqual(self.items("second"), story.at(5))

    def test_usage(self):
        self.create()
        for wrong in (("--in-place", "--to-file", "x"), ("--in-place", "--via-import", "s3://b/p"), (),
                      ("--in-place", "--rate", "0"), ("--in-place", "--rate", "fast"),
                      ("--in-place", "--at-seq", "x"), ("--in-place", "--key", "{}", "--prefix", "a"),
                      ("--in-place", "--since", "yesterday"), ("--in-place", "--resume", "--dry-run")):
            _, err = self.restore(5, *wrong, "--yes", code=EX_USAGE)
            self.assertTrue(err)
        self.assertEqual(self.written().get("dynamodb BatchWriteItem"), None)


class Real(Ctl):
    def test_tenants_and_strangers(self):
        """On the real servers: items that moved between folders, and some that were there before the backup."""
        strangers = [item(f"stranger {n}", who={"S": "anna"}) for n in range(3)]
        for i in strangers:
            self.put(**i)
        rng = random.Random(3)
        daemon = self.daemon(self.bucket.name, {self.table: {"start": "latest"}}, s3={"tenant_attribute": "who"})
        daemon.start()

        def write(count):
            for _ in range(count):
                name = f"item {rng.randrange(30)}"
                if rng.random() < 0.2:
                    self.delete(name)
                else:
                    who = {"who": {"S": rng.choice(("anna", "ben/x"))}} if rng.random() < 0.9 else {}
                    self.put(id={"S": name}, n={"N": str(rng.randrange(5))}, s={"SS": ["b", "a"]}, **who)
        write(150)
        count = len(self.servers.stream_records(self.table)) - len(strangers)
        daemon.wait(lambda: sum(v for (name, _), v in daemon.metrics().items()
                                if name == "ddb_streamd_records_total") >= count, 60, "all was backed up")
        daemon.stop()
        want = items_of(self.servers, self.table)
        write(40)
        late = items_of(self.servers, self.table)
        before = len(self.servers.stream_records(self.table))
        form = ["--tenant-attribute", "who"]
        ask = ["restore", "--table", self.table, "--at", "now", "--force", "--in-place", "--yes", *form]
        _, err = self.ctl(*ask, code=INCOMPLETE)
        self.assertIn(f"3 items of table {self.table} are not in the backup", err)
        self.assertEqual(items_of(self.servers, self.table), want)
        # One record for each item that was another one, that was missing or that was too much; no other write.
        def by_id(items):
            return {json.loads(i)["id"]["S"]: i for i in items}
        is_late, wanted = by_id(late), by_id(want)
        differ = [name for name in {*is_late, *wanted} if is_late.get(name) != wanted.get(name)]
        self.assertEqual(len(self.servers.stream_records(self.table)) - before, len(differ))


class AnyMoment(Place):
    def check(self, story, seed, *more, rounds=6):
        rng = random.Random(seed)
        self.create("place")
        for _ in range(rounds):
            at = rng.uniform(-1, 101)
            self.place(at, *more, target="place")
            self.assertEqual(self.items("place"), story.at(at))
            # Noise of its own, in what the backup knows.
            for key in rng.sample(sorted(story.now), min(3, len(story.now))):
                self.fill("place", [{**story.key_of(json.loads(key)), "noise": {"BOOL": True}}])

    def test_path(self):
        self.check(self.random(1, 200), 2)

    def test_hashed(self):
        for n, name in enumerate(("md5", "sha256", "plain")):
            with self.subTest(name):
                self.bucket = self.fake.new_bucket()
                self.ready(range_name="at", range_type="N")
                story = self.random(n, 150, key_format=name, range_name="at")
                self.rounds(story, name)

    def rounds(self, story, name):
        target = f"place-{name}"
        self.fake.dynamodb.create_table(
            TableName=target, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"},
                                  {"AttributeName": "at", "AttributeType": "N"}])
        for at in (70, 20, -1, 99, 50):
            self.place(at, "--key-format", name, target=target)
            self.assertEqual(self.items(target), story.at(at))

    def test_tenants(self):
        """Items move between folders: an item may be gone in one and there in another at the same time."""
        story = self.random(5, 200, tenant="who")
        self.check(story, 6, "--tenant-attribute", "who", rounds=8)
        # What is equal already costs no write here, too.
        self.place(42, "--tenant-attribute", "who", target="place")
        self.fake.do("reset_audit")
        self.place(42, "--tenant-attribute", "who", target="place")
        self.assertEqual(self.written(), {})

    def test_since(self):
        self.undo(self.random(7, 150))
        self.assertEqual(self.fake.count("dynamodb Scan"), 1)  # is it empty?

    def test_since_of_tenants(self):
        self.undo(self.random(8, 150, tenant="who"), "--tenant-attribute", "who")

    def undo(self, story, *more):
        """Only what changed after a moment is brought back to it."""
        self.create()
        self.fill(TABLE, [json.loads(i) for i in story.at(200)])
        strangers = [item("stranger"), item("other stranger")]
        self.fill(TABLE, strangers)
        # Of an item that did not change since, whatever the table has stays.
        late = {k for ms, _, k, _ in story.changes if ms > T0 + 80_000}
        quiet = next(k for k in sorted(story.now) if k not in late)
        self.fill(TABLE, [{**json.loads(quiet), "mine": {"BOOL": True}}])
        figures, _ = self.place(80, "--since", iso(T0 + 80_000), *more)
        want = {canonical(story.key_of(json.loads(i))): i for i in story.at(80)}
        want[quiet] = canonical({**json.loads(quiet), "mine": {"BOOL": True}})
        self.assertEqual(self.items(TABLE), sorted([*want.values(), *map(canonical, strangers)]))
        self.assertEqual((figures["unknown"], figures["missing"]), (0, 0))


class Part(Place):
    def setUp(self):
        super().setUp()
        self.schema(range_name="at", range_type="N")
        self.story = self.random(11, 220, range_name="at")
        self.fake.dynamodb.create_table(
            TableName=TABLE, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"},
                                  {"AttributeName": "at", "AttributeType": "N"}])
        self.fill(TABLE, [json.loads(i) for i in self.story.at(200)])

    def check(self, at, chosen, *more, **options):
        """After a restore in place of a part: the part as it was then, the rest as it is."""
        before = [json.loads(i) for i in self.items(TABLE)]
        want = [i for i in before if not chosen(i)] + [i for i in map(json.loads, self.story.at(at)) if chosen(i)]
        figures, err = self.place(at, *more, **options)
        self.assertEqual(self.items(TABLE), sorted(map(canonical, want)))
        return figures, err

    def test_key(self):
        for key in sorted({k for _, _, k, _ in self.story.changes})[:12]:
            key = json.loads(key)
            for at in (30, 60):
                there = any(self.story.key_of(json.loads(i)) == key for i in self.story.at(at))
                figures, _ = self.check(at, lambda i: self.story.key_of(i) == key, "--key", json.dumps(key))
                self.assertEqual(figures["items"] + figures["removed"] + figures["same"], 1, (there, figures))
        _, err = self.restore(30, "--in-place", "--yes", "--key-value", "none", "7", code=EX_NOINPUT)
        self.assertIn("no such item", err)

    def test_hash(self):
        self.fill(TABLE, [{**item("a/3"), "at": {"N": "77"}}])
        figures, _ = self.check(30, lambda i: i["id"]["S"] == "a/3" and i["at"]["N"] != "77", "--hash", "a/3",
                                code=INCOMPLETE)
        self.assertEqual(figures["unknown"], 1)
        self.assertEqual(self.fake.count("dynamodb Scan"), 1)
        self.check(60, lambda i: i["id"]["S"] == "b/0", "--hash", "b/0")
        self.check(60, lambda i: i["id"]["S"] == "a", "--hash", "a")

    def test_prefix(self):
        self.check(30, lambda i: i["id"]["S"].startswith("b/"), "--prefix", "b%2F")
        self.check(60, lambda i: i["id"]["S"] == "c/1", "--prefix", "c%2F1/")
        self.check(60, lambda i: True, "--prefix", "")

    def test_since_and_hash(self):
        late = {k for ms, _, k, _ in self.story.changes if ms > T0 + 70_000}
        self.check(70, lambda i: i["id"]["S"] == "a/3" and canonical(self.story.key_of(i)) in late, "--since",
                   iso(T0 + 70_000), "--hash", "a/3")

    def test_hashed_names(self):
        for name in ("md5", "sha256", "plain"):
            with self.subTest(name):
                self.bucket = self.fake.new_bucket()
                self.ready(range_name="at", range_type="N")
                self.story = self.random(13, 150, range_name="at", key_format=name)
                for i in map(json.loads, self.items(TABLE)):
                    self.fake.dynamodb.delete_item(TableName=TABLE, Key=self.story.key_of(i))
                self.fill(TABLE, [json.loads(i) for i in self.story.at(200)])
                form = ["--key-format", name]
                self.check(30, lambda i: i["id"]["S"] == "a/3", "--hash", "a/3", *form)
                key = self.story.changes[50][2]
                self.check(60, lambda i: canonical(self.story.key_of(i)) == key, "--key", key.decode(), *form)
                self.check(80, lambda i: True, *form)

    def test_tenant(self):
        self.bucket = self.fake.new_bucket()
        self.ready(range_name="at", range_type="N")
        self.story = self.random(17, 150, range_name="at", tenant="who")
        for i in map(json.loads, self.items(TABLE)):
            self.fake.dynamodb.delete_item(TableName=TABLE, Key=self.story.key_of(i))
        form = ["--tenant-attribute", "who"]
        # Into an empty table: of each folder what it held then.
        for at, name in ((40, "anna"), (40, "ben/x"), (40, "ä")):
            before = set(self.items(TABLE))
            self.place(at, "--tenant", name, *form)
            want = {i for i in self.story.at(at) if json.loads(i).get("who") == {"S": name}}
            self.assertEqual(set(self.items(TABLE)) - before, want)
        self.place(40, *form)
        self.assertEqual(self.items(TABLE), self.story.at(40))
        self.check(70, lambda i: i["id"]["S"] == "a/3", "--hash", "a/3", *form)


if __name__ == "__main__":
    harness.main()
