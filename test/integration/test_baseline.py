#!/usr/bin/python3 -B
"""The baseline against fakeaws: tables that are older than their stream, tables that lost changes, and what a run costs."""
import json
import os
import secrets
import shutil

import harness
from conformance import QUICK, Case, checkpoint_path, read_checkpoint

REQUEST = "baseline-request.json"


class Baseline(Case):
    def old_table(self, count, name=None, **options):
        """A table with `count` items that no stream tells of."""
        table = self.fake.new_table(name, view=None, **options)
        self.fill(table, range(count))
        self.fake.set_stream(table, True)
        return table

    def fill(self, table, numbers, **more):
        numbers = list(numbers)
        for at in range(0, len(numbers), 25):
            self.fake.dynamodb.batch_write_item(RequestItems={table: [
                {"PutRequest": {"Item": {"id": {"S": f"item-{i}"}, "n": {"N": str(i)}, **more}}}
                for i in numbers[at:at + 25]]})

    def begin(self, table, ready=False, quick=None, **settings):
        return self.start(table, ready=ready, quick=quick, baseline="auto", **settings)

    def told(self, daemon, table):
        """What the checkpoint says of the baseline; None when there was none."""
        return ((read_checkpoint(daemon, table) or {}).get("position") or {}).get("baseline")

    def done(self, daemon, table, seconds=60, request=None):
        """Waits for the end of the run (of that request), and returns what it says of itself."""
        def ended():
            b = self.told(daemon, table)
            assert b and b["state"] == "done" and b.get("request") == request, f"baseline: {b}"
            return b
        return daemon.wait(ended, seconds, "the baseline was done")

    def ask(self, table, **members):
        ident = secrets.token_hex(16)
        self.fake.s3.put_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/{REQUEST}",
                                Body=json.dumps({"version": 1, "id": ident, "at": "2026-01-01T00:00:00Z", **members}))
        return ident

    def same(self, table, **options):
        """The latest version of each key is the table's item, and there are no others."""
        found = self.fake.verify(table, self.bucket, state=1, **options)
        self.assertEqual((found["kinds"], found["differences"]), ({}, []))

    def settled(self, daemon, table, seconds=40):
        """Every record that the stream has is in the bucket."""
        self.wait_backed_up(daemon, table, self.bucket, seconds)

    def leave_behind(self, table, items):
        """Deletes items that no stream tells of from the table, and puts them into the bucket as if they were there still."""
        for key, attributes in items.items():
            self.fake.delete(table, key)
            self.fake.s3.put_object(Bucket=self.bucket, Key=f"{table}/{key}", Metadata={"ddb-event": "BASELINE"},
                                    Body=json.dumps({"id": {"S": key}, **attributes}, separators=(",", ":")))

    def versions(self, table, key=None):
        return [w for w in self.item_writes(table) if key is None or w["key"] == f"{table}/{key}"]

    def held(self, daemon, rule):
        daemon.wait(lambda: self.fake.do("held", id=rule)["held"] > 0, 60, "the request was held")


class Whole(Baseline):
    def test_items_older_than_the_stream(self):
        table = self.old_table(300)
        self.fake.put(table, "item-new", n={"N": "1"})
        daemon = self.begin(table)
        b = self.done(daemon, table)
        self.assertEqual((b["items"], b["written"], b["reason"], b["removed"]), (301, 300, "first", 0))
        self.assertEqual(b["complete_since"], b["ended"])
        self.same(table)
        events = [w["meta"]["ddb-event"] for w in self.versions(table)]
        self.assertEqual((events.count("BASELINE"), events.count("INSERT")), (300, 1))
        for w in self.versions(table):
            if w["meta"]["ddb-event"] == "BASELINE":
                self.assertNotIn("ddb-seq", w["meta"])
                self.assertRegex(w["meta"]["ddb-time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        daemon.wait(daemon.is_ready, 20, "the daemon was ready")
        daemon.stop()

    def test_not_ready_until_it_has_ended(self):
        table = self.old_table(10)
        rule = self.fake.fault(op="Scan", hold="before")
        daemon = self.begin(table)
        self.held(daemon, rule)
        status, _, why = daemon.get("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("its first baseline has not ended", why)
        self.fake.do("release", id=rule)
        self.fake.do("clear_faults", id=rule)
        self.done(daemon, table)
        daemon.wait(daemon.is_ready, 20, "the daemon was ready")

    def test_a_second_run_costs_listings_only(self):
        table = self.old_table(1500)
        daemon = self.begin(table)
        self.done(daemon, table)
        self.fake.do("reset_audit")
        ident = self.ask(table)
        b = self.done(daemon, table, request=ident)
        self.assertEqual((b["items"], b["equal"], b["written"], b["reason"]), (1500, 1500, 0, "request"))
        asked = [r for r in self.fake.requests() if f"{table}/item" in (r.get("key") or "")]
        self.assertEqual(asked, [])
        self.assertEqual(self.fake.count("s3 ListObjectsV2"), 2)
        self.assertEqual(len(self.versions(table)), 1500)

    def test_nothing_is_known_of_an_etag_that_is_no_md5(self):
        """As with SSE-KMS: only the bytes tell, and they are read once an item."""
        table = self.old_table(20)
        daemon = self.begin(table)
        self.done(daemon, table)
        for w in self.versions(table):
            self.fake.do("change_version", bucket=self.bucket, key=w["key"], etag="0123456789abcdef0123456789abcdef")
        b = self.done(daemon, table, request=self.ask(table))
        self.assertEqual((b["equal"], b["written"]), (20, 0))
        self.assertEqual(len(self.versions(table)), 20)

    def test_what_is_not_ours_is_left_alone(self):
        table = self.old_table(5)
        put = self.fake.s3.put_object
        put(Bucket=self.bucket, Key=f"{table}/README", Body=b"not an item")
        put(Bucket=self.bucket, Key=f"{table}/other", Body=b'{"id":{"S":"item-3"},"n":{"N":"3"}}')
        daemon = self.begin(table)
        b = self.done(daemon, table)
        self.assertEqual((b["written"], b["foreign"], b["removed"]), (5, 2, 0))
        names = [o["Key"] for o in self.fake.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{table}/")["Contents"]]
        self.assertEqual(len(names), 7)

    def test_throttled_and_with_little_capacity(self):
        table = self.old_table(400, read_units_per_s=40)
        rule = self.fake.fault(op="Scan", count=3, status=400, code="ProvisionedThroughputExceededException")
        daemon = self.begin(table, baseline_rate="20", baseline_segments="2")
        b = self.done(daemon, table, 90)
        self.assertEqual(self.fake.hits(rule), 3)
        self.assertEqual(b["written"], 400)
        self.assertGreaterEqual(b["throttles"], 3)
        self.same(table)

    def test_items_of_every_size(self):
        table = self.fake.new_table(view=None)
        for i, size in enumerate((1, 1000, 100_000, 390_000, 390_000, 390_000, 390_000, 390_000, 390_000)):
            self.fake.put(table, f"item-{i}", fat={"S": "\x01" * (size // 2) + "x" * (size // 2)})
        self.fake.set_stream(table, True)
        daemon = self.begin(table, quick={"memory_limit": "16MiB"})
        self.assertEqual(self.done(daemon, table, 90)["written"], 9)
        self.same(table)

    def test_folders_of_tenants(self):
        table = self.fake.new_table(view=None)
        for i in range(30):
            self.fake.put(table, f"item-{i}", tenant={"S": f"t{i % 3}"})
        self.fake.set_stream(table, True)
        daemon = self.begin(table, tenant_attribute="tenant")
        self.assertEqual(self.done(daemon, table)["written"], 30)
        self.fake.options(table, lose_records=True)
        self.fake.put(table, "item-0", tenant={"S": "moved"})  # from t0, and no stream tells of it
        self.fake.delete(table, "item-1")
        self.fake.options(table, lose_records=False)
        b = self.done(daemon, table, request=self.ask(table))
        self.assertEqual((b["written"], b["removed"]), (1, 2))
        names = {o["Key"] for o in self.fake.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{table}/")["Contents"]}
        self.assertIn(f"{table}/moved/item-0", names)
        self.assertNotIn(f"{table}/t0/item-0", names)
        self.assertEqual(len(names), 29)

    def test_many_tables_take_turns(self):
        """With little memory one run at a time; each table's comes."""
        tables = [self.old_table(40) for _ in range(6)]
        daemon = self.daemon(self.bucket, {t: {"baseline": "auto"} for t in tables},
                             daemon={**QUICK, "memory_limit": "16MiB"})
        daemon.start(ready=False)
        for table in tables:
            self.assertEqual(self.done(daemon, table, 90)["written"], 40)
            self.same(table)
        # Runs do not overlap: a Scan of one table ends before that of another begins.
        scans = [r["table"] for r in self.fake.requests(op="Scan")]
        self.assertEqual(sum(a != b for a, b in zip(scans, scans[1:])), len(tables) - 1)
        daemon.stop()

    def test_cancelled_by_request(self):
        table = self.old_table(50)
        daemon = self.begin(table)
        self.done(daemon, table)
        rule = self.fake.fault(op="Scan", hold="before")
        ident = self.ask(table)
        self.held(daemon, rule)
        self.fake.s3.put_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/{REQUEST}",
                                Body=json.dumps({"version": 1, "id": ident, "cancel": True}))
        daemon.wait(lambda: self.told(daemon, table)["state"] == "cancelled", 30, "it was cancelled")
        self.fake.do("clear_faults", id=rule)
        self.fake.do("release", id=rule)
        self.assertTrue(self.told(daemon, table)["complete_since"])
        self.fake.put(table, "item-1", n={"N": "2"})
        self.settled(daemon, table)
        daemon.stop()


class Healing(Baseline):
    """What no stream told of is mended."""

    def lose(self, table, change):
        self.fake.options(table, lose_records=True)
        change()
        self.fake.options(table, lose_records=False)

    def change(self, table):
        self.fill(table, range(0, 20), state={"S": "changed"})
        for i in range(20, 40):
            self.fake.delete(table, f"item-{i}")
        self.fill(table, range(1000, 1020))

    def test_a_gap_of_thirty_hours(self):
        self.fake.do("clock", real_date=False)
        self.fake.advance(-30 * 3600)
        table = self.fake.new_table()
        self.fill(table, range(100))
        daemon = self.begin(table)
        first = self.done(daemon, table)
        daemon.stop()
        self.change(table)
        self.fake.advance(30 * 3600)
        self.fake.do("trim", table=table)
        daemon.start(ready=False)

        def healed():
            b = self.told(daemon, table)
            assert b["state"] == "done" and b["reason"] == "gap", b
            return b
        b = daemon.wait(healed, 60, "the gap was mended")
        self.assertEqual((b["written"], b["removed"]), (40, 20))
        self.assertEqual(b["complete_since"], first["complete_since"])
        self.same(table)
        daemon.wait(daemon.is_ready, 20, "the daemon was ready")
        gaps = read_checkpoint(daemon, table)["position"]["gaps"]
        self.assertTrue(gaps and all("closed" in g for g in gaps), gaps)
        # Removals have their deletes objects, with the image that the bucket had, and a marker behind it.
        gone = [w for w in self.fake.writes(bucket=self.bucket, prefix=f".ddb-streamd/{table}/deletes/")]
        self.assertEqual({w["meta"]["ddb-event"] for w in gone}, {"BASELINE"})
        self.assertEqual(len(gone), 20)
        body = self.fake.s3.get_object(Bucket=self.bucket, Key=gone[0]["key"])["Body"].read()
        self.assertIn(b'"id"', body)

    def test_an_old_position_does_not_cover_what_was_mended(self):
        """A replay of changes from before the baseline: none of their images comes to lie on top of it."""
        table = self.fake.new_table()
        daemon = self.begin(table)
        self.done(daemon, table)
        self.fill(table, range(30), state={"S": "first"})
        for i in range(10, 20):
            self.fake.delete(table, f"item-{i}")
        self.settled(daemon, table)
        daemon.stop()
        old = checkpoint_path(daemon, table) + ".old"
        daemon.start(ready=True)
        daemon.wait(lambda: not read_checkpoint(daemon, table)["clean"], 20, "the running daemon had saved its position")
        shutil.copy(checkpoint_path(daemon, table), old)
        self.fill(table, range(40), state={"S": "second"})
        for i in range(25, 30):
            self.fake.delete(table, f"item-{i}")
        self.settled(daemon, table)
        self.lose(table, lambda: self.fill(table, range(5, 35), state={"S": "third"}))
        b = self.done(daemon, table, request=self.ask(table))
        self.assertEqual(b["written"], 30)
        self.same(table)
        before = len(self.versions(table))
        daemon.kill()
        # As after the loss of this host: the state is that of an older snapshot of its disk. And all is read again.
        shutil.copy(old, checkpoint_path(daemon, table))
        saved = read_checkpoint(daemon, table)
        self.assertFalse(saved["clean"])
        self.fake.s3.delete_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/watermark.json")
        daemon.start(ready=True)
        self.fake.put(table, "item-last", n={"N": "0"})
        daemon.wait(lambda: len(self.versions(table)) > before, 30, "the last item was written")
        self.same(table)
        self.assertEqual(len(self.versions(table)), before + 1)
        # All of it was there to be repeated.
        self.assertGreaterEqual(daemon.metrics()["ddb_streamd_records_skipped_total", (("table", table),)], 45)


class Between(Baseline):
    """Items change at every point of their own baseline; on stores with conditional writes, and without."""

    KEYS = ("change", "delete", "again", "twice")

    def table_of(self, name):
        table = self.fake.new_table(name, view=None)
        for key in self.KEYS:
            self.fake.put(table, key, n={"N": "0"})
        return table

    def disturb(self, table):
        self.fake.put(table, "change", n={"N": "1"})
        self.fake.delete(table, "delete")
        self.fake.delete(table, "again")
        self.fake.put(table, "again", n={"N": "2"})
        self.fake.put(table, "twice", n={"N": "3"})
        self.fake.put(table, "twice", n={"N": "0"})

    def hold(self, rule, table):
        """The rules that hold the requests of one point: one an item, where it names items."""
        told = [{k: v.format(table=table, key=key) if isinstance(v, str) else v for k, v in rule.items()}
                for key in self.KEYS]
        return [self.fake.fault(**r) for i, r in enumerate(told) if r not in told[:i]]

    def go_through(self, prepare, points, honoured):
        """A daemon with a table for each point: there its baseline is held, its items change, and it goes on."""
        self.fake.s3_options(ignore_conditions=not honoured)
        tables = {point: prepare(point) for point in points}
        rules = {point: self.hold(rule, tables[point]) for point, rule in points.items()}
        daemon = self.daemon(self.bucket, {t: {"baseline": "auto"} for t in tables.values()},
                             daemon={**QUICK, "memory_limit": "512MiB"})
        daemon.start(ready=False)
        for point, table in tables.items():
            for rule in rules[point]:
                self.held(daemon, rule)
            self.disturb(table)
        for rule in sum(rules.values(), []):
            self.fake.do("clear_faults", id=rule)
            self.fake.do("release", id=rule)
        for point, table in tables.items():
            with self.subTest(point=point, honoured=honoured):
                b = self.done(daemon, table)
                self.assertEqual(b["reason"], "first")
                self.settled(daemon, table)
                self.same(table)
        daemon.stop()

    def old(self, point):
        table = self.table_of(point)
        self.fake.set_stream(table, True)
        return table

    PUTS = {
        "scan-asked": {"op": "Scan", "table": "{table}", "hold": "before"},
        "scan-read": {"op": "Scan", "table": "{table}", "hold": "after"},
        "put-sent": {"op": "PutObject", "key": "{table}/{key}", "hold": "before"},
        "put-stored": {"op": "PutObject", "key": "{table}/{key}", "hold": "after"},
    }

    def test_puts_with_conditions(self):
        self.go_through(self.old, self.PUTS, True)

    def test_puts_without_conditions(self):
        heads = {"head-asked": {"op": "HeadObject", "key": "{table}/{key}", "hold": "before"},
                 "head-told": {"op": "HeadObject", "key": "{table}/{key}", "hold": "after"}}
        self.go_through(self.old, {**self.PUTS, **heads}, False)

    def test_while_the_stream_is_behind(self):
        """What was read waits for the stream: for a change from before the read, and for one that comes after it."""
        table = self.old("behind")
        scans = self.fake.fault(op="Scan", hold="before")
        daemon = self.begin(table)
        daemon.wait(lambda: self.fake.do("held", id=scans)["held"] == 4, 60, "all segments were held")
        deaf = self.fake.fault(op="GetRecords", status=500, code="InternalServerError")
        self.fake.put(table, "late", n={"N": "1"})
        self.fake.put(table, "late", n={"N": "2"})
        self.fake.do("clear_faults", id=scans)
        self.fake.do("release", id=scans)
        daemon.wait(lambda: sum(r["status"] == 200 for r in self.fake.requests(op="Scan")) == 4, 30, "the table was read")
        before = self.fake.hits(deaf)
        daemon.wait(lambda: self.fake.hits(deaf) >= before + 3, 60, "the stream was asked in vain")
        self.assertEqual(self.versions(table), [])
        self.disturb(table)
        self.fake.do("clear_faults", id=deaf)
        b = self.done(daemon, table)
        self.settled(daemon, table)
        self.same(table)
        self.assertEqual((b["written"], b["left_to_stream"]), (0, len(self.KEYS) + 1))
        daemon.stop()

    def lost(self, point):
        """The bucket has the items, and the table has lost them without a word: the baseline is to remove them."""
        table = self.table_of(point)
        self.leave_behind(table, {key: {"n": {"N": "0"}} for key in self.KEYS})
        self.fake.set_stream(table, True)
        return table

    REMOVALS = {
        "object-told": {"op": "GetObject", "key": "{table}/{key}", "hold": "after"},
        "item-asked": {"op": "GetItem", "table": "{table}", "hold": "before"},
        "item-told": {"op": "GetItem", "table": "{table}", "hold": "after"},
        "victim-told": {"op": "HeadObject", "key": "{table}/{key}", "hold": "after"},
        "deletes-sent": {"op": "PutObject", "key": "{table}/deletes/{key}", "hold": "before"},
        "deletes-stored": {"op": "PutObject", "key": "{table}/deletes/{key}", "hold": "after"},
        "marker-sent": {"op": "DeleteObject", "key": "{table}/{key}", "hold": "before"},
        "marker-stored": {"op": "DeleteObject", "key": "{table}/{key}", "hold": "after"},
    }

    def test_removals_with_conditions(self):
        self.go_through(self.lost, self.REMOVALS, True)

    def test_removals_without_conditions(self):
        self.go_through(self.lost, self.REMOVALS, False)


class Broken(Baseline):
    def test_lost_answers_add_nothing(self):
        for honoured in (True, False):
            with self.subTest(honoured=honoured):
                self.fake.s3_options(ignore_conditions=not honoured)
                table = self.old_table(60)
                rules = [self.fake.fault(op="PutObject", key=f"{table}/item", reset="after", nth=5),
                         self.fake.fault(op="PutObject", key=f"{table}/item", reset="before", nth=9),
                         self.fake.fault(op="PutObject", key=f"{table}/item", status=500, code="InternalError", nth=20),
                         self.fake.fault(op="Scan", table=table, reset="after", nth=1),
                         self.fake.fault(op="ListObjectsV2", status=503, code="SlowDown", nth=1)]
                daemon = self.begin(table)
                b = self.done(daemon, table)
                self.assertEqual([self.fake.hits(r) for r in rules[:4]], [1, 1, 1, 1])
                self.assertEqual((b["written"], b["equal"]), (60, 0))
                self.assertEqual(len(self.versions(table)), 60)
                self.same(table)
                self.fake.do("clear_faults")
                daemon.stop()

    def test_killed_again_and_again(self):
        items = int(os.environ.get("BASELINE_ITEMS", "3000"))
        table = self.fake.new_table(view=None)
        self.fill(table, range(items))
        self.leave_behind(table, {f"gone-{i}": {} for i in range(30)})
        self.fake.set_stream(table, True)
        daemon = self.make(table, quick={"memory_limit": "16MiB"}, baseline="auto", baseline_rate=str(items // 15),
                           baseline_segments="2")
        kills = 0
        for goal in range(items // 10, items + 1, items // 10):
            daemon.start(ready=False)
            daemon.wait(lambda g=goal: len(self.versions(table)) >= g, 60 + items // 100, f"{goal} items were written")
            self.fake.write(table, 20, keys=items)
            daemon.kill()
            kills += 1
        daemon.start(ready=False)
        b = self.done(daemon, table, 90 + items // 100)
        self.settled(daemon, table)
        self.same(table)
        # None was written twice: a baseline that is there is equal.
        baselines = [w["key"] for w in self.versions(table) if "ddb-time" in w["meta"] and "ddb-seq" not in w["meta"]]
        self.assertEqual(len(baselines), len(set(baselines)))
        self.assertEqual(b["reason"], "first")
        self.assertEqual(kills, 10)
        gone = self.fake.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{table}/gone-")
        self.assertEqual(gone["KeyCount"], 0)
        daemon.stop()

    def test_no_room_on_disk_for_the_list(self):
        """The list of the bucket's objects is a file of its own; without it each item is asked about."""
        table = self.old_table(40)
        daemon = self.begin(table)
        self.done(daemon, table)
        daemon.stop()
        self.fake.put(table, "item-3", n={"N": "33"})
        # A limit of the size of files, too small for the list and large enough for the checkpoint.
        daemon.start(ready=True, under=("prlimit", "--fsize=100000"))
        self.settled(daemon, table)
        b = self.done(daemon, table, request=self.ask(table))
        self.assertEqual((b["equal"], b["written"]), (40, 0))
        self.assertIn("list of the bucket's objects cannot be kept on disk", daemon.log())


if __name__ == "__main__":
    harness.main()
