"""ddb-streamctl backfill asks the daemon for a baseline and follows it; and what a watermark says of one."""
import json
import signal
import time

import harness
from ctl import EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_USAGE, INCOMPLETE, FakeCtl, TABLE, T0, iso

EX_NOPERM = 77
REQUEST = f".ddb-streamd/{TABLE}/baseline-request.json"


class Marks(FakeCtl):
    """The daemon's part is played by the test, through watermark.json."""

    def mark(self, saved_s=0, **baseline):
        """As a daemon wrote it `saved_s` seconds ago."""
        now = int(time.time() * 1000)
        told = {"version": 1, "table": TABLE, "since": iso(T0), "complete_through": iso(now),
                "saved": iso(now - saved_s * 1000), "host": "h", "instance": "i", "data_path": f"{TABLE}/",
                "streams": [], "gap_count": 0, "gaps": [], **({"baseline": baseline} if baseline else {})}
        self.fake.s3.put_object(Bucket=self.bucket, Key=f".ddb-streamd/{TABLE}/watermark.json", Body=json.dumps(told))

    def requests(self):
        return [w for w in self.fake.writes(bucket=self.bucket, key=REQUEST)]

    def request(self):
        return json.loads(self.fake.s3.get_object(Bucket=self.bucket, Key=REQUEST)["Body"].read())

    def looked(self):
        """Until the watermark that is there now was read, and no answer from before it is under way any more."""
        count = self.fake.count("s3 GetObject")
        harness.wait_until(lambda: self.fake.count("s3 GetObject") >= count + 2, 30, "the watermark was read")

    def asked(self, *more, **options):
        """A run that has put its request: (the process, the request)."""
        run = self.begin("backfill", "--table", TABLE, *more, **options)
        harness.wait_until(self.requests, 30, "the request was put")
        return run, self.request()

    def said(self, run):
        with open(run.said, encoding="utf-8") as f:
            return f.read()


class Backfill(Marks):
    def test_usage(self):
        self.ctl("backfill", code=EX_USAGE)
        for rate in ("0", "-1", "x", "1e10", "nan", ""):
            self.ctl("backfill", "--table", TABLE, "--rate", rate, code=EX_USAGE)
        self.ctl("backfill", "--table", TABLE, "--cancel", "--no-wait", code=EX_USAGE)
        self.ctl("backfill", "--table", TABLE, "--cancel", "--rate", "5", code=EX_USAGE)
        self.assertEqual(self.requests(), [])

    def test_without_a_daemon(self):
        _, err = self.ctl("backfill", "--table", TABLE, code=EX_NOINPUT)
        self.assertIn("start it with this table", err)
        self.mark(saved_s=200)
        _, err = self.ctl("backfill", "--table", TABLE, code=EX_UNAVAILABLE)
        self.assertIn("has written nothing since", err)
        self.assertEqual(self.requests(), [])

    def test_to_its_end(self):
        self.mark()
        run, request = self.asked("--rate", "12.5")
        self.assertEqual((request["version"], request["rate"], request["cancel"]), (1, 12.5, False))
        self.assertRegex(request["id"], "^[0-9a-f]{32}$")
        self.assertRegex(request["by"], "^.+@.+$")
        self.assertRegex(request["at"], "^20..-..-..T..:..:..")
        took = {"reason": "request", "request": request["id"], "began": iso(T0 + 1000)}
        self.mark(state="scanning", items=5, total=9, written=1, removed=0, **took)
        self.looked()
        self.assertIsNone(run.poll(), self.said(run))
        self.mark(state="done", items=9, equal=6, written=2, removed=1, left_to_stream=1, foreign=3, units=4.5,
                  ended=iso(T0 + 2000), complete_since=iso(T0 + 2000), **took)
        self.assertEqual(run.wait(30), 0)
        err = self.said(run)
        self.assertIn("9 items: 6 were there, 2 written, 1 removed, 1 left to the stream", err)
        self.assertIn("3 objects below the table's folder are no items of it", err)
        self.assertIn(f"whole table since {iso(T0 + 2000)}", err)
        self.assertEqual(len(self.requests()), 1)

    def test_no_wait_and_behind_another(self):
        self.mark(state="scanning", reason="first", began=iso(T0), items=5)
        _, err = self.ctl("backfill", "--table", TABLE, "--no-wait")
        self.assertIn("another baseline of table orders is under way (first)", err)
        self.assertEqual(len(self.requests()), 1)

    def test_cancelled(self):
        self.mark()
        run, request = self.asked()
        self.mark(state="cancelled", reason="request", request=request["id"], began=iso(T0), ended=iso(T0 + 1))
        self.assertEqual(run.wait(30), INCOMPLETE)
        self.assertIn("was cancelled", self.said(run))

    def test_overtaken(self):
        self.mark()
        run, request = self.asked()
        self.mark(state="scanning", reason="request", request=request["id"], began=iso(T0))
        self.looked()
        self.mark(state="scanning", reason="request", request="ff" * 16, began=iso(T0 + 1))
        self.assertEqual(run.wait(30), INCOMPLETE)
        self.assertIn("another baseline of table orders was asked for", self.said(run))

    def test_cancel(self):
        self.mark()
        _, err = self.ctl("backfill", "--table", TABLE, "--cancel", code=INCOMPLETE)
        self.assertIn("nothing to cancel", err)
        self.mark(state="scanning", reason="gap", began=iso(T0))
        _, err = self.ctl("backfill", "--table", TABLE, "--cancel", code=INCOMPLETE)
        self.assertIn("begun by the daemon itself (gap)", err)
        self.assertEqual(self.requests(), [])
        self.mark(state="scanning", reason="request", request="ab12", began=iso(T0))
        self.ctl("backfill", "--table", TABLE, "--cancel")
        request = self.request()
        self.assertEqual((request["id"], request["cancel"]), ("ab12", True))

    def test_interrupt(self):
        self.mark()
        run, request = self.asked()
        self.looked()
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(30), -signal.SIGINT)
        self.assertIn("goes on in the daemon", self.said(run))
        self.assertEqual([w["key"] for w in self.requests()], [REQUEST])
        self.assertEqual(self.request(), request)

    def test_daemon_dies(self):
        self.mark()
        run, request = self.asked()
        self.mark(saved_s=200, state="scanning", reason="request", request=request["id"], began=iso(T0))
        self.assertEqual(run.wait(30), EX_UNAVAILABLE)
        self.assertIn("goes on when it is there again", self.said(run))

    def test_denied(self):
        self.mark()
        self.fake.fault(service="s3", op="PutObject", status=403, code="AccessDenied")
        _, err = self.ctl("backfill", "--table", TABLE, code=EX_NOPERM)
        self.assertIn("allow s3:PutObject on it", err)
        self.assertIn(REQUEST, err)

    def test_json(self):
        self.mark()
        run, request = self.asked("-o", "json", "--no-wait")
        self.assertEqual(run.wait(30), 0)
        with self.subTest("tables"):
            self.mark(state="removing", reason="request", request=request["id"], began=iso(T0), items=4,
                      complete_since=iso(T0 + 5))
            out, _ = self.ctl("tables", "-o", "json")
            told = json.loads(out)["baseline"]
            self.assertEqual((told["state"], told["items"], told["complete_since"], told["ended"]),
                             ("removing", 4, iso(T0 + 5), None))
            out, _ = self.ctl("tables")
            self.assertIn(f"    baseline: whole since {iso(T0 + 5)}; removing since {iso(T0)} (request): 4 items, "
                          "0 written, 0 removed\n", out)


class Shown(Marks):
    def test_tables(self):
        self.mark()
        self.assertIsNone(json.loads(self.ctl("tables", "-o", "json")[0])["baseline"])
        self.assertNotIn("baseline", self.ctl("tables")[0])
        self.mark(state="waiting", reason="first")
        self.assertIn("    baseline: the first one is not complete; waiting (first)\n", self.ctl("tables")[0])
        self.mark(state="cancelled", reason="request", ended=iso(T0), complete_since=iso(T0 - 5))
        self.assertIn(f"    baseline: whole since {iso(T0 - 5)}; the last one was cancelled at {iso(T0)}\n",
                      self.ctl("tables")[0])

    def test_restores_are_refused(self):
        """Until a first baseline is complete no time is covered; then only times after it."""
        self.schema()
        self.mark(state="scanning", reason="first", began=iso(T0))
        _, err = self.restore(10, "--to-file", "-", code=EX_DATAERR)
        self.assertIn("first baseline is not complete (scanning)", err)
        self.assertIn("wait for its end", err)
        self.restore("latest", "--to-file", "-", code=EX_DATAERR)
        _, err = self.restore(10, "--to-file", "-", "--force")
        self.assertIn("may lack changes", err)
        self.mark(state="done", reason="first", began=iso(T0), ended=iso(T0 + 20000), complete_since=iso(T0 + 20000))
        _, err = self.restore(19, "--to-file", "-", code=EX_DATAERR)
        self.assertIn(f"first baseline was complete only at {iso(T0 + 20000)}", err)
        self.restore(20, "--to-file", "-")
        self.restore("latest", "--to-file", "-")


if __name__ == "__main__":
    harness.main()
