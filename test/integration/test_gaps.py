"""A gap keeps the daemon from being ready until an operator has accepted it; across a restart, too."""
import json
import os
import shutil

import harness
from conformance import Case, read_checkpoint


class Gaps(Case):
    def with_gap(self):
        """A daemon that missed records: they were trimmed while reading was throttled."""
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 20, keys=50)
        self.backed_up(daemon, table)
        rule = self.fake.fault(op="GetRecords", status=400, code="ThrottlingException")
        daemon.wait(lambda: self.fake.hits(rule), 20, "reading stopped")
        self.fake.write(table, 40, keys=50)
        self.fake.do("trim", table=table, records=40)
        self.fake.do("clear_faults")
        daemon.wait(lambda: self.metric(daemon, "gaps_open") == 1, 20, "the gap was noticed")
        return table, daemon

    def accept(self, table, through):
        word = {"version": 1, "accepted_through": through, "by": "tester@here", "at": through}
        self.fake.s3.put_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/gaps-accepted.json",
                                Body=json.dumps(word).encode())

    def reason(self, daemon):
        status, _, text = daemon.get("/readyz")
        return text if status == 503 else ""

    def test_not_ready_until_accepted(self):
        table, daemon = self.with_gap()
        daemon.wait(lambda: "gap in the history" in self.reason(daemon), 20, "the reason in /readyz")
        self.assertIn(table, self.reason(daemon))
        (gap,) = daemon.wait(lambda: self.watermark(table)["gaps"], 20, "the gap in the watermark")
        self.assertNotIn("closed", gap)
        # A word about an earlier time changes nothing.
        looks = len(self.fake.requests(op="GetObject"))
        self.accept(table, "2000-01-01T00:00:00Z")
        daemon.wait(lambda: len(self.fake.requests(op="GetObject")) >= looks + 2, 20, "the daemon looked")
        self.assertEqual(self.metric(daemon, "gaps_open"), 1)
        self.accept(table, gap["noticed"])
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
        daemon.wait(lambda: self.watermark(table)["gaps"], 20, "the gap in the watermark")
        daemon.kill()
        daemon.start(ready=False)
        daemon.wait(lambda: "gap in the history" in self.reason(daemon), 20, "the reason in /readyz")
        daemon.stop()
        shutil.rmtree(daemon.state_dir)
        os.mkdir(daemon.state_dir, 0o700)
        daemon.start(ready=False)
        daemon.wait(lambda: "gap in the history" in self.reason(daemon), 20, "the reason in /readyz")

    def test_a_word_that_cannot_be_read(self):
        table, daemon = self.with_gap()
        self.fake.s3.put_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/gaps-accepted.json", Body=b"yes")
        daemon.wait(lambda: daemon.logged("gaps-accepted.json in the bucket cannot be read"), 20, "the warning")
        self.assertEqual(self.metric(daemon, "gaps_open"), 1)


if __name__ == "__main__":
    harness.main()
