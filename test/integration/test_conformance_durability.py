"""
The daemon against test/fakeaws: each test is a case of how what was read becomes durable, with the case's name. What
happens to the checkpoint file is in test_conformance_disk.py.
"""
import shutil
import signal

import harness
from conformance import Case, iso, read_checkpoint


class Durability(Case):
    def test_put_3_fails_while_4_and_5_succeed_checkpoint_stays_at_2(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        rule = self.fake.fault(service="s3", op="PutObject", key=f"{table}/item-3", status=500, code="InternalError")
        for n in range(1, 6):
            self.fake.put(table, f"item-{n}")
        records = self.fake.records(table)
        shard = records[0]["shard"]
        daemon.wait(lambda: self.item_writes(table, "item-4") and self.item_writes(table, "item-5"), 20, "4 and 5")
        daemon.wait(lambda: self.saved_seq(daemon, table, shard) == records[1]["seq"], 20, "the checkpoint was at 2")
        # Time passes in tries, and in checkpoints that another record asks for.
        self.fake.put(table, "item-6")
        daemon.wait(lambda: self.item_writes(table, "item-6"), 20, "6")
        hits = self.fake.hits(rule)
        daemon.wait(lambda: self.fake.hits(rule) >= hits + 2, 30, "3 was tried again")
        self.assertEqual(self.saved_seq(daemon, table, shard), records[1]["seq"])
        # The file is told the truth: what a kill leaves is read again, and nothing is written twice.
        daemon.kill()
        self.assertEqual(self.saved_seq(daemon, table, shard), records[1]["seq"])
        self.assertFalse(read_checkpoint(daemon, table)["clean"])
        self.fake.do("clear_faults")
        daemon.start(ready=False)
        self.backed_up(daemon, table)

    def test_a_stop_with_a_hole_is_not_clean(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True, quick={"stop_timeout": "2s"})
        self.fake.fault(service="s3", op="PutObject", key=f"{table}/item-3", status=500, code="InternalError")
        for n in range(1, 6):
            self.fake.put(table, f"item-{n}")
        records = self.fake.records(table)
        daemon.wait(lambda: len(self.item_writes(table)) == 4, 20, "all but 3")
        daemon.stop()
        saved = read_checkpoint(daemon, table)
        self.assertFalse(saved["clean"])
        self.assertEqual(self.saved_seq(daemon, table, records[0]["shard"]), records[1]["seq"])
        self.fake.do("clear_faults")
        daemon.start(ready=False)
        self.backed_up(daemon, table)

    def test_the_shard_is_not_finished_while_a_put_is_pending(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        rule = self.fake.fault(service="s3", op="PutObject", key=f"{table}/late", status=503, code="SlowDown")
        self.fake.put(table, "late")
        parent = self.ids(table)[0]
        self.fake.do("rotate", table=table)
        child = self.ids(table)[1]
        self.fake.put(table, "after")
        daemon.wait(lambda: self.fake.hits(rule), 20, "the PUT was refused")
        reads = len(self.reads(parent))
        hits = self.fake.hits(rule)
        daemon.wait(lambda: self.fake.hits(rule) >= hits + 3, 60, "it was refused again")
        self.assertEqual(len(self.reads(parent)), reads, "the parent had been read to its end")
        self.assertEqual(self.iterators(child), [])
        daemon.kill()
        self.assertNotIn("finished", str(read_checkpoint(daemon, table)))
        daemon.start(ready=False)
        daemon.wait(lambda: self.fake.hits(rule) >= hits + 6, 60, "it was refused after a restart")
        self.assertEqual(self.iterators(child), [])
        self.fake.do("clear_faults")
        self.backed_up(daemon, table)
        self.assertEqual(self.check_lineage(table), 1)

    def test_sigterm_in_the_middle_of_everything(self):
        table = self.fake.new_table(shards=3, page_records=20)
        daemon = self.make(table)
        for n in range(8):
            for op, code in (("PutObject", "InternalError"), ("DeleteObject", "SlowDown")):
                self.fake.fault(service="s3", op=op, key=table, p=0.05, seed=n, status=503, code=code)
                self.fake.fault(service="s3", op=op, key=table, p=0.03, seed=n + 50, reset="after")
            self.fake.fault(op="GetRecords", p=0.1, seed=n, reset="after")
            self.fake.fault(service="s3", op="PutObject", key=table + "/", p=0.5, seed=n, delay_ms=20)
            self.fake.write(table, 300, keys=40, deletes=0.2)
            before = len(self.item_writes(table))
            daemon.start(ready=False)
            daemon.wait(lambda: len(self.item_writes(table)) > before + 20 * n, 30, "writing was under way")
            self.fake.do("split" if n % 3 else "rotate", table=table)
            self.fake.write(table, 50, keys=40, deletes=0.2)
            daemon.stop()
            self.fake.do("clear_faults")
            self.assertNotIn("repeated", self.fake.verify(table, self.bucket, bodies="0")["kinds"])
        daemon.start(ready=False)
        self.backed_up(daemon, table, 60)
        self.check_lineage(table)

    def test_a_second_sigterm_leaves_at_once_and_loses_nothing(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        rule = self.fake.fault(service="s3", op="PutObject", key=table + "/", never="after")
        self.fake.write(table, 30, keys=10)
        daemon.wait(lambda: self.fake.hits(rule), 20, "writes hung")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait(lambda: daemon.logged("stopping"), 20, "it was stopping")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.wait(10)
        self.assertEqual(daemon.ended(), 128 + signal.SIGTERM)
        self.fake.do("clear_faults")
        daemon.start(ready=False)
        self.backed_up(daemon, table)

    def test_a_lost_state_folder_resumes_from_the_buckets_watermark(self):
        table = self.fake.new_table(shards=2)
        daemon = self.start(table, ready=True)
        self.fake.write(table, 60, keys=20, deletes=0.2)
        self.backed_up(daemon, table)
        self.fake.do("split", table=table)
        self.fake.write(table, 60, keys=20, deletes=0.2)
        self.backed_up(daemon, table)
        daemon.wait(lambda: self.watermark(table)["saved"] > self.last_write(table), 20, "the watermark was written")
        # And what the watermark does not know of: it must be asked about.
        self.fake.fault(service="s3", op="PutObject", key=".ddb-streamd/" + table, status=403, code="AccessDenied")
        self.fake.write(table, 60, keys=20)
        self.backed_up(daemon, table)
        daemon.kill()
        self.fake.do("clear_faults")
        self.fake.write(table, 60, keys=20, deletes=0.2)
        shutil.rmtree(daemon.state_dir)
        daemon.start(ready=True)
        self.assertTrue(daemon.logged("resuming from the bucket's watermark"))
        self.backed_up(daemon, table)
        self.assertEqual(self.gaps(daemon), 0)
        for shard in self.fake.shards(table):
            self.assertLess(shard["iterators"]["TRIM_HORIZON"], 2, shard)

    def last_write(self, table):
        """When an item was last written, as RFC 3339 tells it."""
        return iso(max(w["real_ms"] for w in self.item_writes(table)))

    def test_a_lost_state_folder_before_the_first_record(self):
        table = self.fake.new_table()
        rule = self.fake.fault(service="s3", op="PutObject", key="watermark.json", status=503, code="SlowDown")
        self.fake.write(table, 30, keys=10)
        daemon = self.start(table)
        daemon.wait(lambda: self.fake.hits(rule) >= 2, 60, "the first watermark could not be written")
        # Nothing may be in the bucket that nobody could resume from.
        self.assertEqual(self.item_writes(table), [])
        self.fake.do("clear_faults")
        daemon.wait(lambda: self.item_writes(table), 60, "writing began")
        daemon.kill()
        shutil.rmtree(daemon.state_dir)
        daemon.start(ready=False)
        self.backed_up(daemon, table)


class LostAnswers(Case):
    """A stored PUT or DELETE whose answer was lost adds no second version or marker."""

    OPS = {"put": ("PutObject", "{}/gone"), "deletes": ("PutObject", "/deletes/gone"),
           "marker": ("DeleteObject", "{}/gone")}

    def lose(self, what, **fault):
        """The rule, set before the item is written and removed."""
        op, key = self.OPS[what]
        return self.fake.fault(service="s3", op=op, key=key.format(self.table), **fault)

    def change(self):
        self.fake.put(self.table, "gone", n={"N": "1"})
        self.fake.put(self.table, "stays", n={"N": "1"})
        self.fake.delete(self.table, "gone")

    def stored(self, what):
        """Did S3 store the write whose answer was lost?"""
        op, key = self.OPS[what]
        return [w for w in self.fake.writes(bucket=self.bucket)
                if w["key"].endswith(key.format(self.table)) and w["marker"] == (op == "DeleteObject")]

    def check_once(self):
        self.assertEqual([len(self.stored(what)) for what in self.OPS], [1, 1, 1])

    def in_the_process(self, what, **how):
        self.table = self.fake.new_table()
        daemon = self.start(self.table, ready=True)
        rule = self.lose(what, count=2, **how)
        self.change()
        self.backed_up(daemon, self.table, 60)
        self.assertGreaterEqual(self.fake.hits(rule), 1)
        self.check_once()

    def over_a_kill(self, what, end="kill"):
        self.table = self.fake.new_table()
        daemon = self.start(self.table, ready=True, quick={"stop_timeout": "1s"})
        rule = self.lose(what, never="after")
        self.change()
        daemon.wait(lambda: self.stored(what), 20, "S3 had stored it")
        self.assertEqual(self.fake.hits(rule), 1)
        getattr(daemon, end)()
        self.fake.do("clear_faults")
        daemon.start(ready=False)
        self.backed_up(daemon, self.table)
        self.check_once()

    def test_a_lost_answer_of_a_put(self):
        self.in_the_process("put", reset="after")

    def test_a_lost_answer_of_a_put_of_the_deletes_object(self):
        self.in_the_process("deletes", reset="after")

    def test_a_lost_answer_of_a_delete(self):
        self.in_the_process("marker", reset="after")

    def test_an_answer_of_a_put_that_is_cut_off(self):
        self.in_the_process("put", truncate=0)

    def test_an_answer_of_a_delete_that_is_cut_off(self):
        self.in_the_process("marker", truncate=0)

    def test_a_kill_after_a_stored_put(self):
        self.over_a_kill("put")

    def test_a_kill_after_a_stored_put_of_the_deletes_object(self):
        self.over_a_kill("deletes")

    def test_a_kill_after_a_stored_delete(self):
        self.over_a_kill("marker")

    def test_a_stop_after_a_stored_put(self):
        self.over_a_kill("put", "stop")

    def test_a_stop_after_a_stored_put_of_the_deletes_object(self):
        self.over_a_kill("deletes", "stop")

    def test_a_stop_after_a_stored_delete(self):
        self.over_a_kill("marker", "stop")

    def test_a_lost_answer_and_a_server_that_hides_markers(self):
        self.fake.s3_options(no_marker_header=True)
        self.in_the_process("marker", reset="after")


class Clocks(Case):
    """DynamoDB's clock 2 minutes ahead of or behind the host's."""

    def shifted(self, ms, everything):
        if everything:
            self.fake.do("clock", real_date=False, advance_ms=ms)
        else:
            self.fake.do("clock", real_date=False)
            self.fake.do("skew", service="dynamodb", ms=ms)
        table = self.fake.new_table(shards=2)
        self.fake.write(table, 60, keys=20, deletes=0.2)
        daemon = self.start(table, ready=True)
        self.backed_up(daemon, table)
        # Killed with writes beyond the checkpoint, which the next run must ask about although clocks differ.
        for _ in range(3):
            rule = self.fake.fault(service="s3", op="PutObject", key=f"{table}/item-3", never="after")
            self.fake.write(table, 60, keys=20, deletes=0.2)
            daemon.wait(lambda: self.fake.hits(rule), 20, "a write of item-3 hung")
            daemon.kill()
            self.fake.do("clear_faults")
            daemon.start(ready=True)
            self.backed_up(daemon, table)
        daemon.stop()
        self.fake.do("reset_audit")
        self.fake.write(table, 60, keys=20)
        daemon.start(ready=True)
        self.backed_up(daemon, table)
        self.check_complete_through(daemon, table)

    def check_complete_through(self, daemon, table):
        """What is claimed to be complete has happened by DynamoDB's clock, and comes near it."""
        def near():
            claimed = daemon.status()["tables"][0]["complete_through"]
            now = self.dynamodb_now_ms()
            assert claimed and iso(now - 20000) < claimed, f"{claimed} at {iso(now)}"
            return claimed
        claimed = daemon.wait(near, 30, "complete_through came near DynamoDB's clock")
        self.assertLess(claimed, iso(self.dynamodb_now_ms()))

    def dynamodb_now_ms(self):
        return self.fake.now_ms() + self.skew_ms

    def test_dynamodbs_clock_2_minutes_ahead(self):
        self.skew_ms = 120000
        self.shifted(120000, False)

    def test_dynamodbs_clock_2_minutes_behind(self):
        self.skew_ms = -120000
        self.shifted(-120000, False)

    def test_all_clocks_of_aws_2_minutes_ahead(self):
        self.skew_ms = 0
        self.shifted(120000, True)

    def test_all_clocks_of_aws_2_minutes_behind(self):
        self.skew_ms = 0
        self.shifted(-120000, True)


class Recreated(Case):
    """A table deleted and recreated under the same name."""

    def begin(self, running):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 40, keys=10, deletes=0.2)
        self.backed_up(daemon, table)
        if not running:
            daemon.stop()
        self.fake.write(table, 40, keys=10, deletes=0.2)
        self.fake.dynamodb.delete_table(TableName=table)
        return table, daemon

    def recreated(self, running):
        table, daemon = self.begin(running)
        self.fake.new_table(table)
        self.fake.write(table, 40, keys=10, deletes=0.2)
        if not running:
            daemon.start(ready=False)
        self.backed_up(daemon, table)
        daemon.wait(lambda: self.gaps(daemon) == 1, 20, "the new stream was counted as a gap")
        daemon.stop()
        self.fake.write(table, 40, keys=10)
        daemon.start(ready=False)
        self.backed_up(daemon, table)
        self.assertEqual(self.gaps(daemon), 1)

    def test_a_table_deleted_and_recreated_while_the_daemon_runs(self):
        self.recreated(True)

    def test_a_table_deleted_and_recreated_while_the_daemon_is_away(self):
        self.recreated(False)

    def another_schema(self, running):
        table, daemon = self.begin(running)
        old = self.fake.records(table)
        self.fake.dynamodb.create_table(
            TableName=table, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "N"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        for n in range(5):
            self.fake.dynamodb.put_item(TableName=table, Item={"name": {"N": str(n)}})
        if not running:
            daemon.start(ready=False)
        want = [r["seq"] for r in self.fake.records(table) if r["event"] != "REMOVE"]
        self.assertEqual(len(want), 5 + sum(r["event"] != "REMOVE" for r in old))

        def written():
            seqs = [w["meta"]["ddb-seq"] for w in self.item_writes(table) if not w["marker"]]
            assert len(seqs) >= len(want), f"{len(seqs)} of {len(want)} versions"
            return sorted(seqs, key=int)
        self.assertEqual(daemon.wait(written, 40, "both tables were written"), want)
        for n in range(5):
            self.assertEqual(len(self.item_writes(table, str(n))), 1)
        self.assertEqual(sum(w["marker"] for w in self.item_writes(table)), sum(r["event"] == "REMOVE" for r in old))

    def test_a_table_recreated_with_another_key_schema_while_the_daemon_runs(self):
        self.another_schema(True)

    def test_a_table_recreated_with_another_key_schema_while_the_daemon_is_away(self):
        self.another_schema(False)


if __name__ == "__main__":
    harness.main()
