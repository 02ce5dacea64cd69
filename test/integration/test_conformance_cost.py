"""
The daemon against test/fakeaws: what exactly-once costs (questions to S3 after a crash, none after a clean stop), and
that a hole in the history is told of with its bounds, in checkpoint, watermark and metric.
"""
import os
import shutil

import harness
from conformance import Case, checkpoint_path, iso, read_checkpoint

HOUR = 3600


class Cost(Case):
    def put_all(self, table, names):
        for name in names:
            self.fake.put(table, name)

    def run_and_write(self):
        table = self.fake.new_table(shards=2)
        daemon = self.start(table, ready=True)
        self.fake.write(table, 100, keys=30, deletes=0.2)
        self.backed_up(daemon, table)
        return table, daemon

    def test_a_running_daemon_asks_nothing(self):
        table, daemon = self.run_and_write()
        self.fake.do("split", table=table)
        self.fake.write(table, 100, keys=30, deletes=0.2)
        self.backed_up(daemon, table)
        self.assertEqual(self.questions(table), [])

    def test_a_clean_restart_asks_nothing(self):
        table, daemon = self.run_and_write()
        for _ in range(2):
            daemon.stop()
            self.assertTrue(read_checkpoint(daemon, table)["clean"])
            # Of items that were written before the stop, too, and within the horizon of the last run.
            self.fake.write(table, 100, keys=30, deletes=0.2)
            daemon.start(ready=True)
            self.backed_up(daemon, table)
        self.assertEqual(self.questions(table), [])

    def crash(self):
        """A daemon that was killed with writes beyond its checkpoint: (table, daemon, names beyond it)."""
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.put_all(table, [f"old-{n}" for n in range(20)])
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)
        rule = self.fake.fault(service="s3", op="PutObject", key=f"{table}/open-0", never="before")
        beyond = [f"open-{n}" for n in range(10)]
        self.put_all(table, beyond)
        daemon.wait(lambda: self.fake.hits(rule) and len(self.item_writes(table)) == 29, 20, "all but one were written")
        daemon.kill()
        self.fake.do("clear_faults")
        return table, daemon, beyond

    def test_after_a_crash_only_records_from_before_it_are_asked_about(self):
        table, daemon, beyond = self.crash()
        self.fake.do("reset_audit")
        # Past the horizon that the last run had saved: a minute, and the clocks' difference.
        self.fake.advance(600)
        later = [f"later-{n}" for n in range(30)]
        self.put_all(table, later)
        daemon.start(ready=True)
        self.backed_up(daemon, table)
        self.assertEqual(sorted(set(self.questions(table))), beyond)
        # One HEAD each; of what is not there also one of the deletes object.
        self.assertLessEqual(len(self.questions(table)), len(beyond) + 1)
        self.assertEqual(self.metric(daemon, "records_skipped_total"), len(beyond) - 1)

    def test_when_the_questions_are_over_a_stop_is_clean_again(self):
        table, daemon, _ = self.crash()
        self.fake.advance(600)
        self.put_all(table, ["later"])
        daemon.start(ready=True)
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)
        daemon.stop()
        self.assertTrue(read_checkpoint(daemon, table)["clean"])
        self.fake.do("reset_audit")
        self.put_all(table, ["last"])
        daemon.start(ready=True)
        self.backed_up(daemon, table)
        self.assertEqual(self.questions(table), [])

    def test_a_stop_before_the_questions_are_over_is_not_clean(self):
        table, daemon, beyond = self.crash()
        rule = self.fake.fault(op="GetRecords", status=400, code="ThrottlingException")
        daemon.start(ready=False)
        daemon.wait(lambda: self.fake.hits(rule), 20, "reading was throttled")
        daemon.stop()
        self.assertFalse(read_checkpoint(daemon, table)["clean"])
        self.fake.do("clear_faults")
        daemon.start(ready=True)
        self.backed_up(daemon, table)
        self.assertEqual(sorted(set(self.questions(table))), beyond)

    def crash_before_empty_pages(self):
        """What was written beyond the checkpoint lies behind pages without records, and time has passed."""
        table, daemon, beyond = self.crash()
        self.fake.do("clock", real_date=False, advance_ms=600000)
        self.fake.do("shard", table=table, empty_pages=12)
        self.fake.do("reset_audit")
        daemon.start(ready=False)
        shard = self.ids(table)[0]
        daemon.wait(lambda: len(self.reads(shard)) >= 8, 30, "eight pages had nothing")
        return table, daemon, beyond

    def test_empty_pages_do_not_end_the_questions(self):
        table, daemon, beyond = self.crash_before_empty_pages()
        self.backed_up(daemon, table)
        self.assertEqual(sorted(set(self.questions(table))), beyond)

    def test_a_stop_after_empty_pages_is_not_clean(self):
        table, daemon, beyond = self.crash_before_empty_pages()
        daemon.stop()
        self.assertFalse(read_checkpoint(daemon, table)["clean"])
        daemon.start(ready=False)
        self.backed_up(daemon, table)
        self.assertEqual(sorted(set(self.questions(table))), beyond)

    def test_an_idle_crash_costs_nothing_later(self):
        table, daemon = self.run_and_write()
        self.wait_saved(daemon, table)
        daemon.kill()
        self.fake.advance(600)
        self.fake.do("reset_audit")
        self.fake.write(table, 100, keys=30, deletes=0.2)
        daemon.start(ready=True)
        self.backed_up(daemon, table)
        self.assertEqual(self.questions(table), [])


class Gaps(Case):
    def setUp(self):
        super().setUp()
        # AWS's Date is DynamoDB's virtual clock here: the daemon takes it for the time when it moves by a day.
        self.fake.do("clock", real_date=False)

    def first_run(self, hours_ago=0):
        if hours_ago:
            self.fake.advance(-hours_ago * HOUR)
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 30, keys=100)
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)
        return table, daemon

    def check_gap(self, daemon, table, lost, reason):
        """A gap, everywhere where it must be seen, whose bounds hold what was lost."""
        daemon.wait(lambda: self.gaps(daemon) >= 1, 20, "the gap was counted")
        self.backed_up(daemon, table, allow_trimmed=1)
        count = self.gaps(daemon)

        def told(position):
            if position["gap_count"] != count:
                return None
            return [g for g in position["gaps"] if reason in g["reason"]]
        saved = daemon.wait(lambda: told(read_checkpoint(daemon, table)["position"]), 20, "the checkpoint told of it")
        self.assertEqual(daemon.wait(lambda: told(self.watermark(table)), 20, "the watermark told of it"), saved)
        self.assertTrue(daemon.logged("gap in the history"))
        self.assertEqual(daemon.status()["tables"][0]["gaps"], count)
        (gap,) = saved
        self.assertLess(gap["from"], gap["to"])
        times = [r["time_ms"] // 1000 * 1000 for r in lost]  # as the stream would have told them
        if lost:
            self.assertLessEqual(gap["from"], iso(min(times)))
            self.assertGreaterEqual(gap["to"], iso(max(times)))
        # It is history: a restart neither forgets it nor counts it again.
        self.fake.write(table, 5, keys=100)
        self.backed_up(daemon, table, allow_trimmed=1)
        daemon.stop()
        daemon.start(ready=False)
        # Nor is the daemon ready before somebody has looked at it.
        daemon.wait(lambda: daemon.get("/readyz")[0] == 503 and "in the history" in daemon.get("/readyz")[2], 20,
                    "/readyz named the gap")
        self.assertEqual(self.gaps(daemon), count)
        self.assertEqual(told(read_checkpoint(daemon, table)["position"]), saved)

    def lose(self, table, **trim):
        """Records that are trimmed before anybody reads them."""
        before = {r["seq"] for r in self.fake.records(table)}
        self.fake.write(table, 30, keys=100)
        lost = [r for r in self.fake.records(table) if r["seq"] not in before]
        if trim:
            self.fake.do("trim", table=table, **trim)
        return lost

    def test_a_trim(self):
        table, daemon = self.first_run()
        daemon.stop()
        lost = self.lose(table, shard=0)
        daemon.start(ready=False)
        self.check_gap(daemon, table, lost, "records trimmed")

    def test_a_trimmed_shard(self):
        table, daemon = self.first_run()
        daemon.stop()
        lost = self.lose(table)
        self.fake.do("rotate", table=table)
        self.fake.do("trim", table=table, shard=0, gone=True)
        daemon.start(ready=False)
        self.check_gap(daemon, table, lost, "trimmed")

    def off_and_on(self, table):
        self.fake.set_stream(table, False)
        self.fake.write(table, 10, keys=100)
        self.fake.set_stream(table, True)

    def test_a_stream_recreated_while_the_daemon_runs(self):
        table, daemon = self.first_run()
        self.off_and_on(table)
        self.fake.write(table, 30, keys=100)
        self.check_gap(daemon, table, [], "recreated")

    def test_a_stream_recreated_while_the_daemon_is_away(self):
        table, daemon = self.first_run()
        daemon.stop()
        self.off_and_on(table)
        self.fake.write(table, 30, keys=100)
        daemon.start(ready=False)
        self.check_gap(daemon, table, [], "recreated")

    def away(self, end, lose_state, hours=30):
        table, daemon = self.first_run(hours)
        daemon.wait(lambda: read_checkpoint(daemon, table)["position"]["complete_through"] <=
                    self.watermark(table).get("complete_through", ""), 20, "the watermark was written")
        getattr(daemon, end)()
        lost = self.lose(table)
        self.fake.advance(hours * HOUR)
        self.fake.write(table, 30, keys=100)
        if lose_state:
            shutil.rmtree(daemon.state_dir)
        daemon.start(ready=False)
        return table, daemon, lost

    def test_away_for_more_than_24_hours(self):
        table, daemon, lost = self.away("stop", False)
        self.check_gap(daemon, table, lost, "away")

    def test_lost_state_beyond_24_hours(self):
        table, daemon, lost = self.away("kill", True)
        self.check_gap(daemon, table, lost, "away")

    def test_away_for_20_hours_is_no_gap(self):
        table, daemon, _ = self.away("stop", False, 20)
        self.backed_up(daemon, table)
        self.assertEqual(self.gaps(daemon), 0)
        self.assertEqual(read_checkpoint(daemon, table)["position"]["gaps"], [])

    def test_lost_state_within_24_hours_is_no_gap(self):
        table, daemon, _ = self.away("kill", True, 20)
        self.backed_up(daemon, table)
        self.assertEqual(self.gaps(daemon), 0)

    def test_lost_state_and_lost_watermark_is_a_new_beginning(self):
        """Nothing tells of the time before: "since" is when this backup began, and a restore before it is none of its."""
        table, daemon = self.first_run()
        daemon.stop()
        os.unlink(checkpoint_path(daemon, table))
        self.fake.s3.delete_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/watermark.json")
        last = self.fake.records(table)[-1]["seq"]
        self.fake.do("trim", table=table)
        self.fake.write(table, 30, keys=100)
        daemon.start(ready=True)
        self.backed_up(daemon, table, allow_trimmed=1)
        self.wait_saved(daemon, table)
        began = min(r["time_ms"] for r in self.fake.records(table) if int(r["seq"]) > int(last))
        self.assertGreater(read_checkpoint(daemon, table)["position"]["since"], iso(began - 1000))


if __name__ == "__main__":
    harness.main()
