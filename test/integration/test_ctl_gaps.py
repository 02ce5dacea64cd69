"""ddb-streamctl shows the gaps of a watermark.json, writes an operator's word about them, and restores across none."""
import datetime
import getpass
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

import harness
from harness import Bucket

EX_USAGE, EX_DATAERR = 64, 65
SINCE, THROUGH = "2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"


def jan(day, clock="00:00:00.000"):
    return f"2026-01-{day:02}T{clock}Z"


def gap(start, noticed, closed=None, reason="records trimmed before they were read", **more):
    g = {"reason": reason, "from": start, "to": noticed, "noticed": noticed, "stream": "s", "shard": "x", **more}
    return {**g, "closed": closed} if closed else g


class Gaps(harness.TestCase):
    def setUp(self):
        self.bucket = Bucket(self.servers, self.servers.new_bucket())
        self.table = "orders"
        self.prefix = ""
        self.env = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), "no_proxy": "*", **self.servers.env}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def command(self, *arguments):
        where = ["--bucket", self.bucket.name, "--bucket-prefix", self.prefix] if self.prefix else \
            ["--bucket", self.bucket.name]
        return [os.path.join(harness.BUILD, "ddb-streamctl"), *where, *arguments]

    def ctl(self, *arguments, code=0, extra=None):
        done = subprocess.run(self.command(*arguments), env={**self.env, **(extra or {})}, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout[-500:]}{done.stderr[-1500:]}")
        return done.stdout, done.stderr

    def gaps(self, *arguments, **options):
        return self.ctl("gaps", "--table", self.table, *arguments, **options)

    def rows(self, *arguments):
        return [json.loads(line) for line in self.gaps("-o", "json", *arguments)[0].splitlines()]

    def meta(self, name):
        return f"{self.prefix}.ddb-streamd/{self.table}/{name}"

    def watermark(self, *gaps, count=None):
        """As the daemon writes it."""
        told = {"version": 1, "table": self.table, "since": SINCE, "complete_through": THROUGH, "saved": THROUGH,
                "host": "h", "instance": "i", "data_path": f"{self.prefix}{self.table}/", "streams": [],
                "gap_count": len(gaps) if count is None else count, "gaps": list(gaps)}
        self.servers.s3.put_object(Bucket=self.bucket.name, Key=self.meta("watermark.json"), Body=json.dumps(told))

    def words(self):
        return [json.loads(v.body) for v in self.bucket.versions(self.meta("gaps-accepted.json"))]

    def type(self, *arguments, typed=None, number=None):
        """Runs it on a terminal; types, or sends a signal, when it asks. (exit status, standard output, what it said)"""
        master, slave = pty.openpty()
        try:
            process = subprocess.Popen(self.command("gaps", "--table", self.table, *arguments), env=self.env,
                                       stdin=slave, stdout=subprocess.PIPE, stderr=slave)
            os.close(slave)
            said = b""
            until = time.monotonic() + 60
            while b"to go on: " not in said:
                self.assertTrue(time.monotonic() < until, f"it did not ask: {said}")
                if select.select([master], [], [], 1)[0]:
                    said += os.read(master, 4096)
            if typed is not None:
                os.write(master, typed)
            else:
                process.send_signal(number)
            out = process.communicate(timeout=60)[0].decode()
            while select.select([master], [], [], 0)[0]:
                try:
                    said += os.read(master, 4096)
                except OSError:  # Linux's way to say that the other end is closed
                    break
            return process.returncode, out, said.decode()
        finally:
            os.close(master)


class Shown(Gaps):
    def test_without_any(self):
        _, err = self.gaps(code=harness.EX_NOINPUT)
        self.assertIn("watermark.json", err)
        self.watermark()
        out, err = self.gaps()
        self.assertEqual(out, "")
        self.assertIn("no gaps", err)
        self.assertEqual(self.rows(), [])
        out, err = self.gaps("--accept")
        self.assertIn("nothing to accept", err)
        self.assertEqual((out, self.words()), ("", []))

    def test_list(self):
        self.watermark(gap(jan(3), jan(4), jan(5)), gap(None, jan(8), reason="stream gone before it was read"))
        want = [{"table": "orders", "reason": "records trimmed before they were read", "from": jan(3), "to": jan(4),
                 "noticed": jan(4), "closed": jan(5)},
                {"table": "orders", "reason": "stream gone before it was read", "from": None, "to": jan(8),
                 "noticed": jan(8), "closed": None}]
        self.assertEqual(self.rows(), want)
        head, first, second = self.gaps()[0].splitlines()
        self.assertEqual(head.split(), ["FROM", "TO", "NOTICED", "CLOSED", "REASON"])
        self.assertEqual(first.split()[:5], [jan(3), jan(4), jan(4), jan(5), "records"])
        self.assertEqual(second.split()[:5], ["-", jan(8), jan(8), "open", "stream"])
        self.assertEqual(self.words(), [])

    def test_forgotten(self):
        self.watermark(gap(jan(3), jan(4)), count=101)
        self.assertIn("100 older gaps", self.gaps()[1])

    def test_tables(self):
        self.watermark(gap(jan(3), jan(4), jan(5)), gap(jan(7), jan(8)), gap(jan(9), jan(10)), count=12)
        out, _ = self.ctl("tables", "-o", "json")
        row = json.loads(out)
        self.assertEqual((row["gap_count"], row["gaps_open"]), (12, 2))
        self.assertEqual([g["closed"] for g in row["gaps"]], [jan(5), None, None])
        head, first, *gaps = self.ctl("tables")[0].splitlines()
        for title, value in (("GAPS", "12"), ("OPEN", "2")):
            end = head.index(title) + len(title)
            self.assertEqual(first[end - 4:end].strip(), value)
        self.assertEqual(len(gaps), 3)
        self.assertTrue(gaps[0].endswith(f"closed {jan(5)}") and gaps[1].endswith("open"), gaps)

    def test_usage(self):
        for wrong in (("gaps",), ("gaps", "--table", "t", "--yes"), ("gaps", "--table", "t", "--at", "now"),
                      ("gaps", "--table", "t", "-o", "xml"), ("tables", "--accept"), ("gaps", "--table", "t", "more")):
            out, err = self.ctl(*wrong, code=EX_USAGE)
            self.assertEqual(out, "")
            self.assertTrue(err)


class Accepted(Gaps):
    def test_word(self):
        self.prefix = "some/where/"
        self.watermark(gap(jan(3), jan(9), jan(10)), gap(jan(5), jan(6)), gap(None, jan(8)))
        # By the server's clock, which its Date tells in whole seconds.
        before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)
        out, err = self.gaps("--accept", "--yes")
        after = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
        self.assertEqual([line.split()[2] for line in out.splitlines()], ["NOTICED", jan(6), jan(8)])
        for text in ("2 open gaps", "missing", "stale", "--force", "accepted"):
            self.assertIn(text, err)
        self.assertNotIn("future", err)
        (version,) = self.bucket.versions(self.meta("gaps-accepted.json"))
        self.assertEqual(version.content_type, "application/json")
        word = json.loads(version.body)
        at = datetime.datetime.strptime(word.pop("at").replace("Z", "+0000"), "%Y-%m-%dT%H:%M:%S.%f%z")
        self.assertTrue(before <= at <= after, at)
        self.assertEqual(word, {"version": 1, "accepted_through": jan(8),
                                "by": f"{getpass.getuser()}@{socket.gethostname()}"})
        # The word changes nothing until the daemon has closed the gaps.
        self.assertEqual([g["closed"] for g in self.rows()], [jan(10), None, None])

    def test_json(self):
        self.watermark(gap(jan(3), jan(4), jan(5)), gap(jan(5), jan(6)))
        self.assertEqual([g["noticed"] for g in self.rows("--accept", "--yes")], [jan(6)])
        self.assertEqual([w["accepted_through"] for w in self.words()], [jan(6)])

    def test_all_closed(self):
        self.watermark(gap(jan(3), jan(4), jan(5)), count=9)
        out, err = self.gaps("--accept", "--yes")
        self.assertIn("nothing to accept", err)
        self.assertEqual((out, self.words()), ("", []))

    def test_forgotten_ones_are_told(self):
        self.watermark(gap(jan(3), jan(4)), count=9)
        _, err = self.gaps("--accept", "--yes")
        self.assertIn("9 open gaps", err)
        self.assertIn("8 are older", err)

    def test_noticed_in_the_future(self):
        """A clock is wrong: the word would close what comes until then, and nobody has seen."""
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)
        for noticed in ("2999-01-01T00:00:00.000Z", soon.strftime("%Y-%m-%dT%H:%M:%S.000Z")):
            self.watermark(gap(jan(3), jan(4)), gap(jan(5), noticed))
            out, err = self.gaps("--accept", "--yes", code=EX_DATAERR)
            self.assertEqual([line.split()[2] for line in out.splitlines()], ["NOTICED", jan(4), noticed])
            self.assertIn(noticed, err)
            self.assertIn("clock", err)
            self.assertIn("nothing was accepted", err)
            self.assertNotIn("to go on", self.gaps("--accept", code=EX_DATAERR)[1])
        self.assertEqual(self.words(), [])

    def test_noticed_a_moment_ago(self):
        noticed = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        self.watermark(gap(jan(3), noticed))
        self.gaps("--accept", "--yes")
        self.assertEqual([w["accepted_through"] for w in self.words()], [noticed])

    def test_unknown_time(self):
        self.watermark(gap(jan(3), None))
        self.gaps("--accept", "--yes", code=EX_DATAERR)
        self.assertEqual(self.words(), [])

    def test_asks(self):
        self.watermark(gap(jan(3), jan(4)))
        _, err = self.gaps("--accept", code=EX_USAGE)
        self.assertIn("--yes", err)
        for wrong in (b"\n", b"order\n", b"orders!\n", b"ORDERS\n", b"yes\n", b"\x04"):
            code, _, said = self.type("--accept", typed=wrong)
            self.assertEqual(code, EX_USAGE, said)
            self.assertIn("nothing was changed", said)
        self.assertEqual(self.words(), [])
        code, out, said = self.type("--accept", typed=b"orders\n")
        self.assertEqual(code, 0, said)
        self.assertIn(jan(4), out)
        self.assertIn("missing", said)
        self.assertEqual([w["accepted_through"] for w in self.words()], [jan(4)])

    def test_signal_while_asking(self):
        self.watermark(gap(jan(3), jan(4)))
        self.assertEqual(self.type("--accept", number=signal.SIGINT)[0], -signal.SIGINT)
        self.assertEqual(self.words(), [])

    def test_without_permission(self):
        self.watermark(gap(jan(3), jan(4)))
        self.servers.s3.put_bucket_policy(Bucket=self.bucket.name, Policy=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{self.bucket.name}/{self.meta('gaps-accepted.json')}"}]}))
        _, err = self.gaps("--accept", "--yes", code=harness.EX_NOPERM)
        self.assertIn("s3:PutObject", err)
        self.assertIn("no gap was accepted", err)
        self.assertEqual(self.words(), [])


class Restored(Gaps):
    def restore(self, at, *more, code=0):
        return self.ctl("restore", "--table", self.table, "--at", at, "--to-file", "-", *more, code=code)

    def setUp(self):
        super().setUp()
        meta = {"ddb-event": "INSERT", "ddb-seq": "1", "ddb-time": jan(2), "ddb-stream": "s", "ddb-shard": "x"}
        self.servers.s3.put_object(Bucket=self.bucket.name, Key=f"{self.table}/a", Body=b'{"id":{"S":"a"}}',
                                   Metadata=meta)

    def covered(self, *times):
        for at in times:
            out, err = self.restore(at)
            self.assertEqual(out, '{"Item":{"id":{"S":"a"}}}\n')
            self.assertNotIn("warning", err)

    def refused(self, why, *times):
        """The message names what is wrong (texts that it must have, in this order) and the flag; --force says it, too."""
        texts = [why] if isinstance(why, str) else why
        for at in times:
            out, err = self.restore(at, code=EX_DATAERR)
            self.assertEqual(out, "")
            self.assertRegex(err, ".*".join(map(re.escape, [self.table, *texts, "--force"])))
            out, err = self.restore(at, "--force")
            self.assertEqual(out, '{"Item":{"id":{"S":"a"}}}\n')
            self.assertRegex(err, ".*".join(map(re.escape, ["warning", *texts])))

    def test_open(self):
        self.watermark(gap(jan(10), jan(11)))
        self.covered(jan(9, "23:59:59.999"))
        self.refused([jan(10), jan(11), "records trimmed", "is open"], jan(10), jan(20), "latest")

    def test_open_for_every_reason(self):
        for reason in ("records trimmed before they were read", "shard trimmed before it was read to its end",
                       "stream gone before it was read", "stream recreated", "stream recreated while the daemon was away",
                       "away for longer than the stream keeps records"):
            self.watermark(gap(jan(10), jan(11), reason=reason))
            self.covered(jan(9))
            self.refused([jan(10), jan(11), reason, "is open"], jan(10), "latest")

    def test_open_from_unknown(self):
        """As when a stream that nothing was known of is gone: nothing before it is sure."""
        self.watermark(gap(None, jan(11), reason="stream gone before it was read"))
        self.refused([f"until {jan(11)}", "stream gone", "is open"], jan(2), jan(20), "latest")

    def test_to_a_file(self):
        """Nothing is made when it is refused."""
        self.watermark(gap(jan(10), jan(11)))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "items")
            for where in (["--prefix", "a"], ["--key", '{"id":{"S":"a"}}'], []):
                self.ctl("restore", "--table", self.table, "--at", jan(20), "--to-file", path, *where, code=EX_DATAERR)
                self.assertEqual(os.listdir(folder), [])
            self.ctl("restore", "--table", self.table, "--at", jan(20), "--to-file", path, "--force")
            self.assertEqual(os.listdir(folder), ["items"])

    def test_without_a_watermark(self):
        """State and watermark are lost: nothing tells what is complete."""
        self.refused("there is no", jan(20))
        self.restore("latest", code=EX_DATAERR)
        self.restore("latest", "--force", code=EX_DATAERR)

    def test_history_shows_what_there_is(self):
        """A list of what was stored claims nothing of what was not."""
        for gaps in ([gap(jan(10), jan(11))], [gap(None, jan(11), reason="stream recreated")], []):
            self.watermark(*gaps)
            out, err = self.ctl("history", "--table", self.table, "--key", '{"id":{"S":"a"}}', "-o", "json")
            self.assertEqual([json.loads(line)["time"] for line in out.splitlines()], [jan(2)])
            self.assertEqual(err, "")

    def test_closed(self):
        self.watermark(gap(jan(10), jan(11), jan(15)))
        self.covered(jan(9, "23:59:59.999"), jan(15), jan(20), "latest")
        self.refused([jan(10), jan(11), f"closed only at {jan(15)}"], jan(10), jan(11, "12:00:00.000"), jan(14, "23:59:59.999"))

    def test_from_unknown(self):
        self.watermark(gap(None, jan(11), jan(15)))
        self.refused("closed only", jan(2), jan(14))
        self.covered(jan(15))

    def test_several(self):
        self.watermark(gap(jan(5), jan(6), jan(8)), gap(jan(10), jan(11), jan(20)), gap(jan(25), jan(26)))
        self.covered(jan(4), jan(8), jan(9), jan(20), jan(24))
        self.refused("closed only", jan(5), jan(7), jan(12))
        self.refused("is open", jan(25), "latest")

    def test_forgotten(self):
        self.watermark(gap(jan(10), jan(11), jan(15)), count=5)
        self.covered(jan(15), "latest")
        self.refused("no longer known", jan(2))
        self.watermark(gap(jan(10), jan(11), jan(15)), gap(jan(25), jan(26)), count=5)
        self.refused("no longer known", jan(20))
        self.watermark(count=5)
        self.refused("no longer known", jan(20))


if __name__ == "__main__":
    harness.main()
