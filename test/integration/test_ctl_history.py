"""ddb-streamctl history: what each version of an item changed, and how much of it is asked for."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import time

import harness
from ctl import Ctl, EX_USAGE, FakeCtl, T0, TABLE, iso
from harness import canonical


class Told(FakeCtl):
    """Single changes told to a fake, in any order and form."""

    def setUp(self):
        super().setUp()
        self.seq = 100

    def change(self, key, event, image, at_s, lag_ms=1000, folder="", meta=True, **more):
        """One change, `at_s` seconds after T0; of a REMOVE `image` is the old image. Ids of what was stored."""
        self.seq += 1
        at = T0 + at_s * 1000
        told = {"ddb-event": event, "ddb-seq": str(self.seq), "ddb-time": iso(at), "ddb-stream": "s", "ddb-shard": "x"}
        body = image if isinstance(image, str) else canonical(image).decode("utf-8")
        if event != "REMOVE":
            return self.fake.version(self.bucket, f"{TABLE}/{folder}{key}", body=body, modified_ms=at + lag_ms,
                                     **({"meta": told} if meta else {}), **more)
        ids = []
        if meta:
            ids.append(self.fake.version(self.bucket, f".ddb-streamd/{TABLE}/deletes/{folder}{key}", body=body,
                                         modified_ms=at + lag_ms, meta=told, **more))
        return ids + [self.fake.version(self.bucket, f"{TABLE}/{folder}{key}", marker=True, modified_ms=at + lag_ms)]


def item(name, **attributes):
    return {"id": {"S": name}, **attributes}


class Diff(Told):
    def setUp(self):
        super().setUp()
        self.schema()

    def rows(self, *more, key="a", **options):
        out, _ = self.ctl("history", "--table", TABLE, "--key-value", key, "-o", "json", *more, **options)
        return [json.loads(line) for line in out.splitlines()]

    def text(self, *more, key="a"):
        return self.ctl("history", "--table", TABLE, "--key-value", key, *more)[0].splitlines()[1:]

    def story(self):
        self.change("a", "INSERT", item("a", n={"N": "1"}), 0)
        self.change("a", "MODIFY", item("a", n={"N": "2"}, tags={"SS": ["x", "y"]}), 10)
        self.change("a", "MODIFY", item("a", n={"N": "2"}, tags={"SS": ["y", "z"]}), 20)
        self.change("a", "REMOVE", item("a", n={"N": "2"}, tags={"SS": ["y", "z"]}), 30)
        self.change("a", "INSERT", item("a", m={"M": {"city": {"S": "ä"}}}), 40)

    DIFFS = [
        {"added": {"id": {"S": "a"}, "n": {"N": "1"}}, "removed": {}, "changed": {}},
        {"added": {"tags": {"SS": ["x", "y"]}}, "removed": {},
         "changed": {"n": {"old": {"N": "1"}, "new": {"N": "2"}}}},
        {"added": {}, "removed": {}, "changed": {"tags": {
            "old": {"SS": ["x", "y"]}, "new": {"SS": ["y", "z"]}, "added": {"SS": ["z"]}, "removed": {"SS": ["x"]}}}},
        {"added": {}, "removed": {"id": {"S": "a"}, "n": {"N": "2"}, "tags": {"SS": ["y", "z"]}}, "changed": {}},
        {"added": {"id": {"S": "a"}, "m": {"M": {"city": {"S": "ä"}}}}, "removed": {}, "changed": {}},
    ]

    def test_json(self):
        self.story()
        self.assertEqual([r["diff"] for r in self.rows("--diff", "--last")], self.DIFFS)
        rows = self.rows("--diff")
        self.assertEqual([r["diff"] for r in rows], self.DIFFS[::-1])
        self.assertEqual([r["kind"] for r in rows], ["INSERT", "REMOVE", "MODIFY", "MODIFY", "INSERT"])
        # Without --diff the rows are the same.
        for row in rows:
            del row["diff"]
        self.assertEqual(self.rows(), rows)
        self.assertEqual(self.rows("--last"), rows[::-1])

    def test_text(self):
        self.story()
        lines = self.text("--diff", "--last")
        self.assertEqual([line for line in lines if line.startswith("    ")], [
            '    + id  "a"', "    + n   1",
            "    ~ n     1 -> 2", '    + tags  {"x","y"}',
            '    ~ tags  +{"z"} -{"x"}',
            '    - id    "a"', "    - n     2", '    - tags  {"y","z"}',
            '    + id  "a"', '    + m   {"city":"ä"}'])
        self.assertEqual(len(self.text()), 5)

    def test_limit(self):
        self.story()
        for n in range(1, 8):
            self.assertEqual([r["diff"] for r in self.rows("--diff", "--limit", str(n))], self.DIFFS[::-1][:n])
            self.assertEqual([r["diff"] for r in self.rows("--diff", "--last", "--limit", str(n))], self.DIFFS[-n:])
            self.assertEqual(len(self.rows("--limit", str(n))), min(n, 5))
        for wrong in ("0", "-1", "x", "1.5", ""):
            self.ctl("history", "--table", TABLE, "--key-value", "a", "--limit", wrong, code=EX_USAGE)
        self.ctl("restore", "--diff", code=EX_USAGE)

    def test_requests(self):
        """One GET tells of both who and what; a limit asks for no more than it shows, and one before that."""
        self.story()
        self.fake.do("reset_audit")
        self.rows("--diff", "--limit", "2")
        counts = self.fake.counts()
        self.assertEqual(counts.get("s3 HeadObject", {}).get("n", 0), 0)
        self.assertEqual(counts["s3 GetObject"]["n"], 3 + 1)  # and table.json
        self.fake.do("reset_audit")
        self.rows("--limit", "2")
        self.assertEqual(self.fake.count("s3 HeadObject"), 2)

    def test_first_version_is_not_the_first(self):
        """The older versions have expired: a MODIFY and a REMOVE say that there was something before."""
        self.change("a", "MODIFY", item("a", n={"N": "2"}), 0)
        self.change("b", "REMOVE", item("b", n={"N": "2"}), 0)
        self.change("c", "BASELINE", item("c"), 0)
        row, = self.rows("--diff")
        self.assertIsNone(row["diff"])
        self.assertIn("not in the bucket", row["diff_unknown"])
        self.assertIn("    ? the version before it is not in the bucket", self.text("--diff"))
        self.assertEqual(self.rows("--diff", key="b")[0]["diff"]["removed"], item("b", n={"N": "2"}))
        self.assertEqual(self.rows("--diff", key="c")[0]["diff"]["added"], item("c"))

    def test_archived(self):
        self.change("a", "INSERT", item("a"), 0, storage_class="DEEP_ARCHIVE")
        self.change("a", "MODIFY", item("a", n={"N": "1"}), 10)
        self.change("a", "MODIFY", item("a", n={"N": "2"}), 20)
        rows = self.rows("--diff")
        self.assertEqual([r["kind"] for r in rows], ["MODIFY", "MODIFY", "INSERT"])
        self.assertEqual(rows[0]["diff"]["changed"], {"n": {"old": {"N": "1"}, "new": {"N": "2"}}})
        self.assertEqual([r["diff"] for r in rows[1:]], [None, None])
        self.assertIn("the version before it: it is archived", rows[1]["diff_unknown"])
        self.assertIn("this version: it is archived", rows[2]["diff_unknown"])
        self.assertEqual(self.rows("--diff", "--last"), rows[::-1])

    def test_archived_without_a_word(self):
        """An archive tier that a listing does not tell of: the GET is refused, who and when are still told."""
        first = self.change("a", "INSERT", item("a"), 0)
        self.change("a", "MODIFY", item("a", n={"N": "1"}), 10)
        self.fake.fault(service="s3", op="GetObject", key=f"{TABLE}/a", status=403, code="InvalidObjectState",
                        message="not in this tier")
        rows = self.rows("--diff")
        self.assertEqual([r["kind"] for r in rows], ["MODIFY", "INSERT"])
        self.assertEqual(rows[1]["version_id"], first)
        self.assertEqual([r["diff"] for r in rows], [None, None])
        self.assertIn("InvalidObjectState", rows[1]["diff_unknown"])

    def test_gone(self):
        """It expires while it is being looked at."""
        self.change("a", "INSERT", item("a"), 0)
        self.change("a", "MODIFY", item("a", n={"N": "1"}), 10)
        self.fake.fault(service="s3", op="GetObject", key=f"{TABLE}/a", count=1, status=404, code="NoSuchVersion",
                        message="gone")
        rows = self.rows("--diff")
        self.assertIsNone(rows[0]["diff"])
        if rows[0]["kind"] == "GONE":  # both are asked for at the same time
            self.assertRegex(rows[0]["diff_unknown"], "^this version: it is gone")
            self.assertEqual(rows[1]["diff"]["added"], item("a"))
        else:
            self.assertEqual([r["kind"] for r in rows], ["MODIFY", "GONE"])
            self.assertRegex(rows[0]["diff_unknown"], "^the version before it: it is gone")
            self.assertRegex(rows[1]["diff_unknown"], "^this version: it is gone")

    def test_of_other_tools(self):
        """No metadata, another form, no item at all, markers alone."""
        self.change("a", "INSERT", '{ "n": {"N": "1"}, "id": {"S": "a"} }', 0, meta=False)
        self.change("a", "MODIFY", '{"id":{"S":"a"},"n":{"N":"1"}}', 10, meta=False)
        self.fake.version(
            self.bucket, f"{TABLE}/a", marker=True, modified_ms=T0 + 21000)
        self.change("a", "INSERT", "", 30, meta=False)
        self.change("a", "INSERT", "no item", 40, meta=False)
        self.change("a", "INSERT", item("a"), 50, meta=False)
        rows = self.rows("--diff", "--last")
        self.assertEqual([r["kind"] for r in rows], ["PUT", "PUT", "REMOVE", "PUT", "PUT", "PUT"])
        self.assertEqual(rows[0]["diff"]["added"], item("a", n={"N": "1"}))
        self.assertEqual(rows[1]["diff"], {"added": {}, "removed": {}, "changed": {}})
        self.assertEqual(rows[2]["diff"]["removed"], item("a", n={"N": "1"}))
        self.assertIn("empty", rows[3]["diff_unknown"])
        self.assertIn("not an item", rows[4]["diff_unknown"])
        self.assertIn("not an item", rows[5]["diff_unknown"])
        self.assertIn("    = nothing changed", self.text("--diff"))

    def test_removal_without_old_image(self):
        """A stream of new images: the deletes object has the key alone, and the version before it tells the rest."""
        self.change("a", "INSERT", item("a", n={"N": "1"}), 0)
        self.change("a", "REMOVE", item("a"), 10)
        self.assertEqual(self.rows("--diff")[0]["diff"]["removed"], item("a", n={"N": "1"}))
        # Where that is not there, the key is what is known.
        self.change("b", "REMOVE", item("b"), 10)
        self.assertEqual(self.rows("--diff", key="b")[0]["diff"]["removed"], item("b"))
        # An item that was no more than its key.
        self.change("c", "INSERT", item("c"), 0)
        self.change("c", "REMOVE", item("c"), 10)
        self.assertEqual(self.rows("--diff", key="c")[0]["diff"]["removed"], item("c"))

    def tell_many(self, count, pad):
        for at in range(0, count, 100):
            self.fake.versions(self.bucket, [
                {"key": f"{TABLE}/a", "modified_ms": T0 + n * 1000,
                 "body": json.dumps({"id": {"S": "a"}, "n": {"N": str(n)}, "pad": {"B": "A" * pad}}),
                 "meta": {"ddb-event": "MODIFY" if n else "INSERT", "ddb-seq": str(1000 + n),
                          "ddb-time": iso(T0 + n * 1000)}} for n in range(at, min(at + 100, count))])

    def test_many(self):
        """More than a window, and more than a page."""
        count = 1100
        self.tell_many(count, 8)
        for order in ((), ("--last",)):
            rows = self.rows("--diff", *order)
            self.assertEqual(len(rows), count)
            rows = rows if order else rows[::-1]
            for n, row in enumerate(rows[1:], 1):
                self.assertEqual(row["diff"]["changed"], {"n": {"old": {"N": str(n - 1)}, "new": {"N": str(n)}}})

    def test_memory(self):
        """120 MB of bodies, of which a few are held at a time."""
        self.tell_many(300, 400_000)
        for order in ("--first", "--last"):
            run = subprocess.Popen(self.command("history", "--table", TABLE, "--key-value", "a", "--diff", order),
                                   env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            self.addCleanup(self._end, run)
            most_kb = 0
            while run.poll() is None:  # what wait4() tells would count this process before its exec, too
                with open(f"/proc/{run.pid}/status", encoding="ascii") as f:
                    most_kb = max([most_kb] + [int(n) for n in re.findall(r"VmHWM:\s+(\d+) kB", f.read())])
                time.sleep(0.005)
            self.assertEqual(run.returncode, 0)
            if "ASAN_OPTIONS" not in os.environ:
                self.assertLess(most_kb, 64 * 1024)
                self.assertGreater(most_kb, 1024)

    def test_terminal(self):
        """Lines fit the terminal, and nothing in an item steers it."""
        self.change("a", "INSERT", item("a", v={"S": "x" * 500}), 0)
        self.change("a", "MODIFY", item("a", v={"S": "x" * 250 + "\x1b[2J\x9b" + "x" * 250}), 10)
        master, slave = pty.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
            process = subprocess.Popen(
                self.command("history", "--table", TABLE, "--key-value", "a", "--diff"), env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
            os.close(slave)
            said = b""
            while True:
                try:
                    piece = os.read(master, 65536)
                except OSError:
                    break
                if not piece:
                    break
                said += piece
            self.assertEqual(process.wait(60), 0)
        finally:
            os.close(master)
        text = said.decode("utf-8").replace("\r\n", "\n")
        self.assertFalse(re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), text)
        details = [line for line in text.splitlines() if line.startswith("    ")]
        self.assertEqual(len(details), 3)
        self.assertTrue(all(len(line) <= 90 for line in details))
        self.assertIn("\\u001b[2J", details[0])


class Real(Ctl):
    """Against the stream of a live table, on the real servers."""

    def test_equals_the_stream(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        images = [{"n": {"N": "1"}, "l": {"L": [{"S": "a"}]}},
                  {"n": {"N": "1.50"}, "l": {"L": [{"S": "b"}, {"NULL": True}]}},
                  None, {"b": {"B": b"\x00\x01"}, "m": {"M": {"x.y": {"BOOL": False}}}}, {"b": {"BS": [b"\x01"]}}]
        for image in images:
            if image is None:
                self.delete("k")
            else:
                self.put(id={"S": "k"}, **image)
        self.wait_settled(daemon)
        daemon.stop()
        out, _ = self.ctl("history", "--table", self.table, "--key-value", "k", "--diff", "--last", "-o", "json")
        rows = [json.loads(line) for line in out.splitlines()]
        records = self.servers.stream_records(self.table)
        self.assertEqual(len(rows), len(records))
        for row, record in zip(rows, records):
            old = harness.wire_item(record["dynamodb"].get("OldImage", {}))
            new = harness.wire_item(record["dynamodb"].get("NewImage", {}))
            diff = row["diff"]
            top = {re.split(r"[.\[]", path)[0] for group in diff.values() for path in group}
            self.assertEqual(top, {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)})
            for path, value in diff["added"].items():
                if path in new:
                    self.assertEqual(value, new[path])
            if record["eventName"] == "REMOVE":
                self.assertEqual(diff, {"added": {}, "removed": old, "changed": {}})
        self.assertEqual(rows[1]["diff"], {
            "added": {"l[1]": {"NULL": True}}, "removed": {},
            "changed": {"l[0]": {"old": {"S": "a"}, "new": {"S": "b"}}, "n": {"old": {"N": "1"}, "new": {"N": "1.5"}}}})


if __name__ == "__main__":
    harness.main()
