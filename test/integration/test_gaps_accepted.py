"""
A gap keeps the daemon from being ready until an operator has accepted it; across a restart, too. What an operator cannot have
looked at stays open, whatever the word says.
"""
import json
import os
import shutil
import subprocess

import harness
from conformance import Case, iso, read_checkpoint

HOUR_MS = 3600 * 1000


class Gaps(Case):
    def new_daemon(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 20, keys=50)
        self.backed_up(daemon, table)
        return table, daemon

    def lose(self, table, daemon, count=1):
        """Records are missed: they are trimmed while reading is throttled. So many gaps are open then."""
        rule = self.fake.fault(op="GetRecords", status=400, code="ThrottlingException")
        daemon.wait(lambda: self.fake.hits(rule), 20, "reading stopped")
        self.fake.write(table, 40, keys=50)
        self.fake.do("trim", table=table)
        self.fake.do("clear_faults")
        daemon.wait(lambda: self.metric(daemon, "gaps_open") == count, 20, "the gap was noticed")
        # What is read next gives the shard a position that a restart finds again.
        self.fake.write(table, 5, keys=50)
        self.backed_up(daemon, table, allow_trimmed=1)
        self.wait_saved(daemon, table)

    def with_gap(self):
        table, daemon = self.new_daemon()
        self.lose(table, daemon)
        return table, daemon

    def put_word(self, table, body):
        self.fake.s3.put_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/gaps-accepted.json", Body=body)

    def accept(self, table, through, at=None):
        word = {"version": 1, "accepted_through": through, "by": "tester@here", **({"at": at} if at else {})}
        self.put_word(table, json.dumps(word).encode())

    def ctl(self, *arguments):
        done = subprocess.run([os.path.join(harness.BUILD, "ddb-streamctl"), "--bucket", self.bucket, *arguments],
                              env={"PATH": os.environ["PATH"], "no_proxy": "*", **self.fake.env}, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def noticed(self, daemon, table, count=1):
        gaps = daemon.wait(lambda: [g for g in [self.watermark(table)["gaps"]] if len(g) == count], 20,
                           "the gaps were in the watermark")[0]
        return gaps[-1]["noticed"]

    def looks(self, daemon, table, times=2):
        """The daemon has looked for a word, and has been answered, so often again."""
        def count():
            return sum("gaps-accepted" in r["key"] for r in self.fake.requests(op="GetObject"))
        before = count()
        daemon.wait(lambda: count() >= before + times, 20, "the daemon looked")

    def reason(self, daemon):
        status, _, text = daemon.get("/readyz")
        return text if status == 503 else ""


class Accepted(Gaps):
    def test_not_ready_until_accepted(self):
        table, daemon = self.with_gap()
        daemon.wait(lambda: "gap in the history" in self.reason(daemon), 20, "the reason in /readyz")
        self.assertIn(table, self.reason(daemon))
        noticed = self.noticed(daemon, table)
        self.assertNotIn("closed", self.watermark(table)["gaps"][0])
        # A word about an earlier time changes nothing.
        self.accept(table, "2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z")
        self.looks(daemon, table)
        self.assertEqual(self.metric(daemon, "gaps_open"), 1)
        self.accept(table, noticed, noticed)
        daemon.wait(lambda: daemon.is_ready(), 20, "the daemon was ready")
        self.assertEqual((self.metric(daemon, "gaps_open"), self.gaps(daemon)), (0, 1))
        daemon.wait(lambda: "closed" in self.watermark(table)["gaps"][0], 20, "the closed gap in the watermark")
        # Closed is closed, after a restart as well.
        daemon.stop()
        self.assertIn("closed", read_checkpoint(daemon, table)["position"]["gaps"][0])
        daemon.start()
        self.assertEqual((self.metric(daemon, "gaps_open"), self.gaps(daemon)), (0, 1))

    def test_an_open_gap_survives_a_restart_and_a_lost_state_folder(self):
        table, daemon = self.with_gap()
        self.noticed(daemon, table)
        daemon.kill()
        daemon.start(ready=False)
        daemon.wait(lambda: "gap in the history" in self.reason(daemon), 20, "the reason in /readyz")
        daemon.stop()
        shutil.rmtree(daemon.state_dir)
        os.mkdir(daemon.state_dir, 0o700)
        daemon.start(ready=False)
        daemon.wait(lambda: "gap in the history" in self.reason(daemon), 20, "the reason in /readyz")

    def test_by_ddb_streamctl(self):
        table, daemon = self.with_gap()
        self.noticed(daemon, table)
        self.ctl("gaps", "--table", table, "--accept", "--yes")
        daemon.wait(lambda: daemon.is_ready(), 20, "the daemon was ready")
        # What comes afterwards is another gap, and open.
        closed = daemon.wait(lambda: self.watermark(table)["gaps"][0].get("closed"), 20, "the gap was closed")
        self.lose(table, daemon)
        self.looks(daemon, table)
        self.assertEqual((self.metric(daemon, "gaps_open"), self.gaps(daemon)), (1, 2))
        self.noticed(daemon, table, 2)
        first, second = self.watermark(table)["gaps"]
        self.assertEqual(first["closed"], closed)
        self.assertNotIn("closed", second)
        self.ctl("gaps", "--table", table, "--accept", "--yes")
        daemon.wait(lambda: daemon.is_ready(), 20, "the daemon was ready")

    def test_what_makes_a_gap_wider_after_the_word_keeps_it_open(self):
        """The operator has looked at less than that."""
        table, daemon = self.with_gap()
        noticed = self.noticed(daemon, table)
        rule = self.fake.fault(op="GetObject", key="gaps-accepted.json", status=503, code="SlowDown")
        daemon.wait(lambda: self.fake.hits(rule), 20, "the daemon cannot look")
        self.accept(table, noticed)
        held = self.fake.fault(op="GetRecords", status=400, code="ThrottlingException")
        daemon.wait(lambda: self.fake.hits(held), 20, "reading stopped")
        self.fake.write(table, 10, keys=50)
        self.fake.do("trim", table=table)
        self.fake.do("clear_faults")
        daemon.wait(lambda: (self.gaps(daemon), self.watermark(table)["gaps"][-1]["noticed"] > noticed) in
                    ((1, True), (2, True)), 20, "more was lost")
        self.looks(daemon, table)
        self.assertEqual(self.metric(daemon, "gaps_open"), 1)


class NotYet(Gaps):
    """A word about times that were still to come when it was given."""

    FUTURE = "2999-01-01T00:00:00Z"
    IGNORED = "still to come"

    def ignored(self, daemon, table, count=1):
        """The gap stays open, which the log tells once."""
        daemon.wait(lambda: daemon.logged(self.IGNORED), 20, "the log told of it")
        self.looks(daemon, table, 3)
        self.assertEqual(self.metric(daemon, "gaps_open"), count)
        (line,) = daemon.logged(self.IGNORED)
        for text in ("level=warn", f"table={table}", "gaps-accepted.json", "ddb-streamctl gaps --accept"):
            self.assertIn(text, line)
        return line

    def wait_a_moment(self):
        """Longer than clocks may differ."""
        until = self.fake.now_ms() + 4000
        harness.wait_until(lambda: self.fake.now_ms() > until, 10, "a moment passed")

    def test_a_gap_that_comes_later_stays_open(self):
        """S3 tells when the word was put."""
        table, daemon = self.new_daemon()
        self.accept(table, self.FUTURE)
        self.wait_a_moment()
        self.lose(table, daemon)
        line = self.ignored(daemon, table)
        self.assertIn("accepted_through=2999-01-01T00:00:00.000Z", line)
        # A new word closes it; and that one, too, ends where it was put.
        self.accept(table, self.FUTURE)
        daemon.wait(lambda: self.metric(daemon, "gaps_open") == 0, 20, "the gap was closed")
        self.wait_a_moment()
        self.lose(table, daemon)
        self.ignored(daemon, table)

    def test_after_a_restart(self):
        table, daemon = self.with_gap()
        self.accept(table, self.FUTURE, self.FUTURE)
        daemon.wait(lambda: self.metric(daemon, "gaps_open") == 0, 20, "the gap was closed")
        self.wait_a_moment()
        daemon.stop()
        self.fake.write(table, 20, keys=50)
        self.fake.do("trim", table=table)
        daemon.start(ready=False)
        daemon.wait(lambda: self.gaps(daemon) == 2, 20, "the gap was noticed")
        self.ignored(daemon, table)

    def test_the_words_own_time_counts_when_it_is_earlier(self):
        """As in a copy of a bucket, where everything was put today."""
        table, daemon = self.with_gap()
        self.accept(table, self.FUTURE, iso(self.fake.now_ms() - HOUR_MS))
        self.ignored(daemon, table)
        daemon.stop()  # which writes out what the log has only counted so far
        self.assertEqual(len(daemon.logged(self.IGNORED)), 1)

    def test_a_word_of_the_right_time_is_not_told_of(self):
        table, daemon = self.with_gap()
        noticed = self.noticed(daemon, table)
        self.accept(table, noticed, noticed)
        daemon.wait(lambda: self.metric(daemon, "gaps_open") == 0, 20, "the gap was closed")
        self.wait_a_moment()
        self.lose(table, daemon)
        self.looks(daemon, table)
        self.assertEqual(self.metric(daemon, "gaps_open"), 1)
        self.assertEqual(daemon.logged(self.IGNORED), [])


class Unreadable(Gaps):
    CANNOT = "gaps-accepted.json in the bucket cannot be read"
    UNSEEN = "it cannot be seen whether a gap was accepted"

    def test_damaged(self):
        table, daemon = self.with_gap()
        noticed = self.noticed(daemon, table)
        self.put_word(table, b"yes")
        daemon.wait(lambda: daemon.logged(self.CANNOT), 20, "the warning")
        # It is told of once, however often it is looked at, and whatever else is wrong with it later.
        for body in (b"", b"{", b"[]", b"null", b"7", b'{"version":1}', b'{"version":1,"accepted_through":7}',
                     b'{"version":1,"accepted_through":"tomorrow"}', b"\xff" * 100,
                     b'{"version":2,"accepted_through":"%s"}' % noticed.encode()):
            self.put_word(table, body)
            self.looks(daemon, table)
            self.assertEqual(self.metric(daemon, "gaps_open"), 1, body)
        self.assertIn("ddb-streamctl gaps", self.reason(daemon))
        daemon.stop()  # which writes out what the log has only counted so far
        (line,) = daemon.logged(self.CANNOT)
        for text in ("level=warn", f"table={table}", "ddb-streamctl gaps --accept"):
            self.assertIn(text, line)
        self.accept(table, noticed)
        daemon.start(ready=False)
        daemon.wait(lambda: self.metric(daemon, "gaps_open") == 0, 20, "the gap was closed")

    def test_told_of_again_when_it_begins_again(self):
        table, daemon = self.with_gap()
        self.put_word(table, b"yes")
        daemon.wait(lambda: daemon.logged(self.CANNOT), 20, "the warning")
        self.accept(table, "2000-01-01T00:00:00Z")
        self.looks(daemon, table)
        self.put_word(table, b"no")
        self.looks(daemon, table)
        daemon.stop()
        self.assertEqual(len(daemon.logged(self.CANNOT)), 2)

    def test_no_permission(self):
        table, daemon = self.with_gap()
        rule = self.fake.fault(op="GetObject", key="gaps-accepted.json", status=403, code="AccessDenied")
        self.accept(table, self.noticed(daemon, table))
        daemon.wait(lambda: self.fake.hits(rule) >= 4, 20, "the daemon looked four times")
        self.assertEqual(self.metric(daemon, "gaps_open"), 1)
        daemon.stop()
        (line,) = daemon.logged(self.UNSEEN)
        self.assertIn("AccessDenied", line)
        self.fake.do("clear_faults")
        daemon.start(ready=False)
        daemon.wait(lambda: self.metric(daemon, "gaps_open") == 0, 20, "the gap was closed")


if __name__ == "__main__":
    harness.main()
