"""
A restore across a gap that the daemon has noticed is refused, unless it is forced, and until the gap is closed: after a trim,
a recreated stream, and state that was lost for too long.
"""
import json
import os
import shutil
import subprocess

import harness
from conformance import Case, iso

HOUR = 3600
EX_DATAERR = 65


class Restored(Case):
    def setUp(self):
        super().setUp()
        # AWS's Date is DynamoDB's virtual clock here: the daemon takes it for the time when it moves by a day.
        self.fake.do("clock", real_date=False)

    def ctl(self, *arguments, code=0):
        env = {"PATH": os.environ["PATH"], "no_proxy": "*", **self.fake.env}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        done = subprocess.run([os.path.join(harness.BUILD, "ddb-streamctl"), "--bucket", self.bucket, *arguments],
                              env=env, timeout=60, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout[-500:]}{done.stderr[-1500:]}")
        return done.stdout, done.stderr

    def restore(self, table, at, *more, code=0):
        out, err = self.ctl("restore", "--table", table, "--at", at, "--to-file", "-", *more, code=code)
        return {json.loads(line)["Item"]["id"]["S"] for line in out.splitlines()}, err

    def put(self, table, *names):
        for name in names:
            self.fake.put(table, name)

    def begin(self):
        """A backup of "old", and a time at which it was whole."""
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.advance(10)
        self.put(table, "old")
        self.backed_up(daemon, table)
        whole = iso(self.fake.now_ms())
        self.fake.advance(10)
        self.complete(daemon, table, whole)
        return table, daemon, whole

    def complete(self, daemon, table, through):
        daemon.wait(lambda: self.watermark(table).get("complete_through", "") > through, 30, f"complete past {through}")

    def covered(self, table, at, want):
        found, err = self.restore(table, at)
        self.assertEqual(found, want)
        self.assertNotIn("warning", err)

    def check(self, table, daemon, whole, reason):
        """Of "old", "lost" and "new" the second is missing."""
        daemon.wait(lambda: self.gaps(daemon) == 1, 20, "the gap was noticed")
        self.put(table, "new")
        self.backed_up(daemon, table, allow_trimmed=1)
        now = iso(self.fake.now_ms())
        self.fake.advance(10)
        self.complete(daemon, table, now)
        (gap,) = self.watermark(table)["gaps"]
        self.assertIn(reason, gap["reason"])
        self.assertLess(whole, gap["from"])
        self.covered(table, whole, {"old"})
        for at in (gap["from"], gap["to"], now, "latest"):
            found, err = self.restore(table, at, code=EX_DATAERR)
            self.assertEqual(found, set())
            for text in (table, gap["from"], gap["to"], reason, "is open", "--force"):
                self.assertIn(text, err)
        found, err = self.restore(table, "latest", "--force")
        self.assertEqual(found - {"off"}, {"old", "new"})
        for text in ("warning", table, gap["from"], gap["to"], "is open"):
            self.assertIn(text, err)
        out, err = self.ctl("history", "--table", table, "--key-value", "new", "-o", "json")
        self.assertEqual(([json.loads(line)["kind"] for line in out.splitlines()], err), (["INSERT"], ""))
        # The operator's word: what lies between the gap and the word stays refused for ever.
        self.ctl("gaps", "--table", table, "--accept", "--yes")
        closed = daemon.wait(lambda: self.watermark(table)["gaps"][0].get("closed"), 20, "the gap was closed")
        after = iso(self.fake.now_ms() + 1000)
        self.fake.advance(10)
        self.complete(daemon, table, after)
        self.covered(table, after, found)
        _, err = self.restore(table, now, code=EX_DATAERR)
        for text in (gap["from"], gap["to"], f"closed only at {closed}", "--force"):
            self.assertIn(text, err)

    def test_a_trim(self):
        table, daemon, whole = self.begin()
        daemon.stop()
        self.put(table, "lost")
        self.fake.do("trim", table=table)
        daemon.start(ready=False)
        self.check(table, daemon, whole, "trimmed")

    def test_a_recreated_stream(self):
        table, daemon, whole = self.begin()
        self.fake.set_stream(table, False)
        self.put(table, "lost")
        self.fake.set_stream(table, True)
        self.check(table, daemon, whole, "stream recreated")

    def test_a_stream_recreated_while_the_daemon_was_away(self):
        table, daemon, whole = self.begin()
        daemon.stop()
        self.fake.set_stream(table, False)
        self.put(table, "lost")
        self.fake.set_stream(table, True)
        daemon.start(ready=False)
        self.check(table, daemon, whole, "stream recreated")

    def test_lost_state(self):
        """The host is gone, and another one takes over after a day and a half."""
        table, daemon, whole = self.begin()
        daemon.kill()
        shutil.rmtree(daemon.state_dir)
        self.put(table, "lost")
        self.fake.advance(36 * HOUR)
        daemon.start(ready=False)
        self.check(table, daemon, whole, "away")

    def test_lost_state_and_lost_watermark(self):
        """A new beginning: what was before it is not covered, and that is said."""
        table, daemon, whole = self.begin()
        daemon.kill()
        shutil.rmtree(daemon.state_dir)
        self.fake.s3.delete_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/watermark.json")
        _, err = self.restore(table, whole, code=EX_DATAERR)
        self.assertIn("watermark.json", err)
        self.fake.advance(36 * HOUR)
        daemon.start(ready=True)
        self.complete(daemon, table, iso(self.fake.now_ms()))
        _, err = self.restore(table, whole, code=EX_DATAERR)
        self.assertIn(f"began only at {self.watermark(table)['since']}", err)
        self.assertIn("--force", err)
        self.assertEqual(self.restore(table, whole, "--force")[0], {"old"})


if __name__ == "__main__":
    harness.main()
