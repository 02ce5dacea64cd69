"""
One loss is one gap, with bounds that hold all that was lost, wherever it is told of: checkpoint, watermark, metric. Two are two.
"""
import shutil

import harness
from conformance import Case, iso, read_checkpoint

HOUR = 3600


class Gaps(Case):
    def setUp(self):
        super().setUp()
        # AWS's Date is DynamoDB's virtual clock here: the daemon takes it for the time when it moves by a day.
        self.fake.do("clock", real_date=False)

    def first_run(self, hours_ago=0, **options):
        self.fake.advance(-hours_ago * HOUR)
        table = self.fake.new_table(**options)
        daemon = self.start(table, ready=True)
        self.write(table)
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)
        return table, daemon

    def write(self, table):
        """Records in every shard; what came of it."""
        before = {r["seq"] for r in self.fake.records(table)}
        self.fake.write(table, 60, keys=500)
        return [r for r in self.fake.records(table) if r["seq"] not in before]

    def complete(self, daemon, table):
        return read_checkpoint(daemon, table)["position"]["complete_through"]

    def told(self, daemon, table, count):
        """The gaps, which checkpoint, watermark and metric must agree on."""
        def agreed():
            saved, mark = read_checkpoint(daemon, table)["position"], self.watermark(table)
            found = {"metric": self.gaps(daemon), "checkpoint": saved["gap_count"], "watermark": mark["gap_count"],
                     "listed": len(mark["gaps"])}
            assert set(found.values()) == {count}, f"{found}, expected {count}: {mark['gaps']}"
            assert saved["gaps"] == mark["gaps"], f"{saved['gaps']} and {mark['gaps']}"
            return mark["gaps"]
        gaps = daemon.wait(agreed, 20, f"{count} gaps were told of")
        # Each was logged; a second one within 30 s only when these are over.
        self.assertIn(daemon.log(last_start=False).count("gap in the history: changes"), range(min(count, 1), count + 1))
        return gaps

    def holds(self, gap, lost):
        times = [r["time_ms"] // 1000 * 1000 for r in lost]  # as the stream would have told them
        self.assertLessEqual(gap["from"], iso(min(times)))
        self.assertGreaterEqual(gap["to"], iso(max(times)))


class Away(Gaps):
    """For longer than the stream keeps its records."""

    def away(self, hours=30, meanwhile=lambda table: None, lose_state=False, **options):
        table, daemon = self.first_run(hours, **options)
        daemon.stop()
        complete = self.complete(daemon, table)
        lost = self.write(table)
        meanwhile(table)
        self.fake.advance(hours * HOUR - (self.fake.now_ms() - lost[0]["time_ms"]) / 1000)
        self.write(table)
        if lose_state:
            shutil.rmtree(daemon.state_dir)
        began = self.fake.now_ms()
        daemon.start(ready=False)
        self.backed_up(daemon, table, allow_trimmed=1)
        return table, daemon, complete, lost, began

    def one(self, *answer):
        """One gap, from the time that was complete to the oldest record that a stream still had."""
        table, daemon, complete, lost, began = answer
        (gap,) = self.told(daemon, table, 1)
        self.assertIn("away", gap["reason"])
        self.assertEqual(gap["from"], complete)
        self.holds(gap, lost)
        self.assertGreaterEqual(gap["to"], iso(began - 24 * HOUR * 1000))
        self.assertLess(gap["to"], iso(self.fake.now_ms() - 24 * HOUR * 1000 + 90000))
        return gap

    def test_one_shard(self):
        self.one(*self.away())

    def test_four_shards(self):
        self.one(*self.away(shards=4))

    def test_a_lost_state_folder(self):
        self.one(*self.away(lose_state=True, shards=2))

    def test_shards_that_are_gone(self):
        """Some were read in part, of others nothing was known."""
        def meanwhile(table):
            for shard in (0, 1):
                self.fake.do("rotate", table=table, shard=shard)
            self.write(table)
            for shard in (0, 1):
                self.fake.do("trim", table=table, shard=shard, gone=True)
        self.one(*self.away(meanwhile=meanwhile, shards=2))

    def test_counted_again_by_no_restart(self):
        """Before anything new was read, too."""
        table, daemon = self.first_run(30, shards=2)
        daemon.stop()
        self.write(table)
        self.fake.advance(30 * HOUR)
        self.fake.fault(op="GetRecords", status=400, code="ThrottlingException")
        for end in (daemon.kill, daemon.stop, daemon.kill):
            daemon.start(ready=False)
            (gap,) = self.told(daemon, table, 1)
            end()
        self.fake.do("clear_faults")
        daemon.start(ready=False)
        self.backed_up(daemon, table, allow_trimmed=1)
        (again,) = self.told(daemon, table, 1)
        self.assertEqual((again["from"], again["reason"]), (gap["from"], gap["reason"]))

    def test_a_recreated_stream(self):
        """Changes while the stream was off are lost, however late that was: not only what is older than a day."""
        off = []

        def meanwhile(table):
            self.fake.advance(25 * HOUR)
            self.fake.set_stream(table, False)
            off.append(self.fake.now_ms())
            self.write(table)
            self.fake.advance(1 * HOUR)
            off.append(self.fake.now_ms())
            self.fake.set_stream(table, True)
        table, daemon, complete, lost, _ = self.away(meanwhile=meanwhile)
        (gap,) = self.told(daemon, table, 1)
        self.assertIn("recreated", gap["reason"])
        self.assertEqual(gap["from"], complete)
        self.holds(gap, lost)
        self.assertGreaterEqual(gap["to"], iso(off[1]))
        self.assertLess(gap["to"], iso(off[1] + HOUR * 1000))


class Running(Gaps):
    def throttled(self, daemon):
        rule = self.fake.fault(op="GetRecords", status=400, code="ThrottlingException")
        daemon.wait(lambda: self.fake.hits(rule), 20, "reading stopped")

    def lose(self, daemon, table):
        self.throttled(daemon)
        lost = self.write(table)
        self.fake.do("trim", table=table)
        self.fake.do("clear_faults")
        return lost

    def test_shards_that_are_trimmed_together(self):
        table, daemon = self.first_run(shards=4)
        lost = self.lose(daemon, table)
        self.assertEqual(len({r["shard"] for r in lost}), 4)
        self.backed_up(daemon, table, allow_trimmed=1)
        (gap,) = self.told(daemon, table, 1)
        self.holds(gap, lost)

    def test_two_losses_are_two_gaps(self):
        table, daemon = self.first_run()
        lost = self.lose(daemon, table)
        (first,) = self.told(daemon, table, 1)
        self.fake.advance(60)
        self.write(table)
        self.backed_up(daemon, table, allow_trimmed=1)
        daemon.wait(lambda: self.complete(daemon, table) > first["to"], 20, "complete after the first gap")
        later = self.lose(daemon, table)
        self.backed_up(daemon, table, allow_trimmed=1)
        gaps = self.told(daemon, table, 2)
        for gap, records in zip(gaps, (lost, later)):
            self.holds(gap, records)
        self.assertLess(gaps[0]["to"], gaps[1]["from"])

    def test_a_stream_recreated_and_its_old_shards_gone(self):
        """One cause: what the old stream still held is lost with what changed while it was off."""
        table, daemon = self.first_run(shards=4)
        self.throttled(daemon)
        self.write(table)
        old = self.fake.stream_arn(table)
        self.fake.set_stream(table, False)
        self.write(table)
        self.fake.set_stream(table, True)
        self.fake.do("trim", stream=old)
        self.fake.do("stream", stream=old, gone=True)
        self.fake.do("clear_faults")
        self.backed_up(daemon, table, allow_trimmed=1)
        (gap,) = self.told(daemon, table, 1)
        self.assertLess(gap["from"], gap["to"])

    def test_a_child_whose_turn_comes_too_late(self):
        """A stream trims silently what nobody has asked for yet: a child waits for its parent, which S3 holds up."""
        table, daemon = self.first_run(23)
        daemon.stop()
        self.write(table)
        self.fake.do("rotate", table=table)
        lost = self.write(table)
        self.fake.advance(23 * HOUR - (self.fake.now_ms() - lost[0]["time_ms"]) / 1000)
        rule = self.fake.fault(service="s3", op="PutObject", key=table + "/", status=503, code="SlowDown")
        daemon.start(ready=False)
        daemon.wait(lambda: self.fake.hits(rule), 20, "writing was held up")
        self.assertEqual(self.gaps(daemon), 0)
        self.fake.advance(2 * HOUR)
        self.fake.do("clear_faults")
        self.write(table)
        self.backed_up(daemon, table, 60, allow_trimmed=1)
        (gap,) = self.told(daemon, table, 1)
        self.holds(gap, lost)


if __name__ == "__main__":
    harness.main()
