"""ddb-streamctl reads back what the daemon, and the older tools, have written."""
import datetime
import json
import os
import random
import re
import subprocess
import tempfile
import time

import harness
from ctl import Ctl, EX_CANTCREAT, EX_DATAERR, EX_NOINPUT, EX_USAGE, INCOMPLETE, iso, parse
from harness import canonical


class Restore(Ctl):
    def live(self, seed, count):
        """A table under random writes, all of it backed up; the records of its stream."""
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        rng = random.Random(seed)
        for n in range(count):
            name = f"item {rng.randrange(40)}/ä+%"
            if rng.random() < 0.3:
                self.delete(name)
            else:
                self.put(id={"S": name}, n={"N": str(n)}, b={"B": bytes([n % 256, 0])}, s={"SS": ["z", "a", str(n)]})
        self.wait_settled(daemon)
        daemon.stop()
        return self.servers.stream_records(self.table)

    def states(self, records):
        """{time of an event: what the table held then} from the stream's own records."""
        items, states = {}, {}
        for record in records:
            change = record["dynamodb"]
            key = canonical(change["Keys"])
            if record["eventName"] == "REMOVE":
                items.pop(key, None)
            else:
                items[key] = canonical(change["NewImage"])
            states[change["ApproximateCreationDateTime"]] = dict(items)
        return states

    def lines(self, at):
        out, err = self.ctl("restore", "--table", self.table, "--at", at, "--force", "--to-file", "-")
        self.assertRegex(err.splitlines()[-1], r"restored: \d+ items, [\d.]+ \w+ in [\d.]+ s$")
        return out.encode("utf-8").splitlines()

    def test_equals_the_stream_at_each_time(self):
        states = self.states(self.live(1, 300))
        for moment, items in states.items():
            want = sorted(b'{"Item":' + body + b"}" for body in items.values())
            self.assertEqual(sorted(self.lines(iso(moment))), want)
            self.assertEqual(len(self.lines(iso(moment - datetime.timedelta(days=1)))), 0)
        last = states[max(states)]
        live = self.servers.dynamodb.scan(TableName=self.table, ConsistentRead=True)["Items"]
        self.assertEqual(sorted(canonical(i) for i in live), sorted(last.values()))
        self.assertEqual(sorted(self.lines("now")), sorted(b'{"Item":' + body + b"}" for body in last.values()))

    def test_between_two_event_times(self):
        """DynamoDB Local tells whole minutes only, so versions are given event times of their own."""
        base = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) - datetime.timedelta(minutes=3)
        times = [base + datetime.timedelta(seconds=s) for s in (0, 0, 1, 2)]
        for n, (event, moment) in enumerate(zip(("INSERT", "MODIFY", "REMOVE", "INSERT"), times)):
            meta = {"ddb-event": event, "ddb-seq": str(98 + n), "ddb-time": iso(moment), "ddb-stream": "s",
                    "ddb-shard": "x"}
            body = canonical({"id": {"S": "a"}, "n": {"N": str(n)}})
            if event == "REMOVE":
                self.servers.s3.put_object(Bucket=self.bucket.name, Key=f".ddb-streamd/{self.table}/deletes/a",
                                           Body=body, Metadata=meta)
                self.servers.s3.delete_object(Bucket=self.bucket.name, Key=f"{self.table}/a")
            else:
                self.servers.s3.put_object(Bucket=self.bucket.name, Key=f"{self.table}/a", Body=body, Metadata=meta)
        second = datetime.timedelta(seconds=1)
        self.assertEqual(self.restore(iso(base - second)), [])
        self.assertEqual(self.restore(iso(base))[0]["n"], {"N": "1"})
        self.assertEqual(self.restore(iso(base + second)), [])
        self.assertEqual(self.restore(iso(base + 2 * second))[0]["n"], {"N": "3"})

    def test_refusals(self):
        daemon = self.daemon(self.bucket.name, [self.table], daemon={"watermark_interval": "1s"}).start()
        self.put(id={"S": "a"})
        self.wait_settled(daemon)
        daemon.stop()
        for at in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
            _, err = self.ctl("restore", "--table", self.table, "--at", at, "--to-file", "-", code=EX_DATAERR)
            self.assertIn("--force", err)
        self.assertEqual(self.restore("2020-01-01T00:00:00Z"), [])
        self.assertEqual(len(self.restore("2999-01-01T00:00:00Z")), 1)
        self.assertEqual(len(self.restore("latest", force=False)), 1)
        # A name that was mistyped is no empty table.
        for more in ([], ["--force"]):
            for verb in (["restore", "--to-file", "-"], ["snapshot", "--to", "/nowhere/x"], ["diff", "--with", "now"]):
                _, err = self.ctl(*verb, "--table", self.table + "x", "--at", "-1m", *more, code=EX_NOINPUT)
                self.assertIn(f"nothing of table {self.table}x", err)
        mark = f".ddb-streamd/{self.table}/watermark.json"
        told = json.loads(self.bucket.versions(mark)[-1].body)
        told["gaps"] = [{"reason": "trimmed", "from": told["since"], "to": told["complete_through"]}]
        told["gap_count"] = 1
        self.servers.s3.put_object(Bucket=self.bucket.name, Key=mark, Body=json.dumps(told))
        _, err = self.ctl("restore", "--table", self.table, "--at", "latest", "--to-file", "-", code=EX_DATAERR)
        self.assertIn("trimmed", err)

    def test_parts(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        for name in ("a", "a/b", "ab", "b"):
            self.put(id={"S": name})
        self.wait_settled(daemon)
        daemon.stop()

        def ids(*more, **options):
            return [item["id"]["S"] for item in self.restore("now", *more, **options)]
        self.assertEqual(ids("--key", '{"id":{"S":"a"}}'), ["a"])
        self.assertEqual(ids("--key-value", "a/b"), ["a/b"])
        self.assertEqual(ids("--prefix", "a"), ["a", "a/b", "ab"])
        self.assertEqual(ids("--key-value", "none", code=EX_NOINPUT), [])
        self.ctl("restore", "--table", self.table, "--at", "now", "--force", "--to-file", "-", "--key", "{}",
                 code=EX_USAGE)

    def test_file(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        self.put(id={"S": "a"})
        self.wait_settled(daemon)
        daemon.stop()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "items.json")
            ask = ["restore", "--table", self.table, "--at", "latest", "--to-file", path]
            self.ctl(*ask, config=daemon.config)
            with open(path, "rb") as f:
                self.assertEqual(f.read(), b'{"Item":{"id":{"S":"a"}}}\n')
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            self.ctl(*ask, code=EX_CANTCREAT)
            self.assertEqual(os.listdir(folder), ["items.json"])
            self.ctl("restore", "--table", "other", "--at", "latest", "--to-file", path, config=daemon.config,
                     code=EX_USAGE)

    def test_buckets_of_older_tools(self):
        """No metadata, no deletes objects, hashed names: LastModified counts."""
        s3, name = self.servers.s3, self.bucket.name
        key = f"{self.table}/ee2bdf43ab8f10ad6c66546714da218b"
        moments = []

        def stored(item):
            if item is None:
                s3.delete_object(Bucket=name, Key=key)
            else:
                s3.put_object(Bucket=name, Key=key, Body=json.dumps(item, indent=1))
            time.sleep(1.1)
            moments.append(iso(datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(milliseconds=100)))
            time.sleep(1.1)
        items = [{"id": {"S": "record-1"}, "n": {"N": "1"}}, {"id": {"S": "record-1"}, "n": {"N": "2"}}, None,
                 {"n": {"N": "3"}, "id": {"S": "record-1"}}]
        for item in items:
            stored(item)
        for moment, item in zip(moments, items):
            self.assertEqual(self.restore(moment, "--key-format", "md5"), [item] if item else [])
        self.assertEqual(self.restore("now", "--key-format", "md5", "--key", '{"id":{"S":"record-1"}}'), [items[-1]])
        s3.put_object(Bucket=name, Key=f"{self.table}/empty", Body=b"")
        s3.put_object(Bucket=name, Key=f"{self.table}/text", Body=b"no item")
        _, err = self.ctl("restore", "--table", self.table, "--at", "now", "--force", "--to-file", "-",
                          code=INCOMPLETE)
        self.assertIn(f"{self.table}/empty", err)
        self.assertIn(f"{self.table}/text", err)
        self.assertIn("2 items could not be had", err)

    def test_many_pages(self):
        """More keys and more versions of one key than a page has, some with markers only, names that need encoding."""
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        names = [f"{n:05} ä%+&/{n}" for n in range(1500)]
        rows = [{"PutRequest": {"Item": {"id": {"S": name}, "v": {"S": "x" * 200}}}} for name in names]
        for at in range(0, len(rows), 25):
            self.servers.dynamodb.batch_write_item(RequestItems={self.table: rows[at:at + 25]})
        for n in range(700):
            self.put(id={"S": names[500]}, n={"N": str(n)})
            self.delete(names[500])
        self.put(id={"S": names[500]}, n={"N": "700"})
        self.wait_settled(daemon)
        daemon.stop()
        items = self.restore("now")
        self.assertEqual([i["id"]["S"] for i in items], names)
        self.assertEqual(items[500]["n"], {"N": "700"})


class History(Ctl):
    def test_every_change(self):
        table = self.table = self.servers.new_table(range_type="N")
        daemon = self.daemon(self.bucket.name, [table]).start()
        key = {"id": {"S": "k"}, "range": {"N": "7"}}
        for n in range(2):
            self.put(**key, n={"N": str(n)})
            self.put(**key, n={"N": str(n)}, more={"BOOL": True})
            self.servers.dynamodb.delete_item(TableName=table, Key=key)
        self.wait_settled(daemon)
        daemon.stop()
        out, _ = self.ctl("history", "--table", table, "--key-value", "k", "7", "-o", "json", "--last")
        rows = [json.loads(line) for line in out.splitlines()]
        records = self.servers.stream_records(table)
        self.assertEqual([r["kind"] for r in rows], [r["eventName"] for r in records])
        self.assertEqual([r["sequence"] for r in rows], [r["dynamodb"]["SequenceNumber"] for r in records])
        self.assertEqual([parse(r["time"]) for r in rows],
                         [r["dynamodb"]["ApproximateCreationDateTime"] for r in records])
        self.assertEqual({r["time_is"] for r in rows}, {"event"})
        self.assertEqual({r["by"] for r in rows}, {"user"})
        self.assertEqual([r["latest"] for r in rows], [False] * 5 + [True])
        self.assertEqual([bool(r["marker_id"]) for r in rows], [r["kind"] == "REMOVE" for r in rows])
        for row, record in zip(rows, records):
            body = self.servers.s3.get_object(Bucket=self.bucket.name, Key=row["object"],
                                              VersionId=row["version_id"])["Body"].read()
            image = record["dynamodb"].get("NewImage") or record["dynamodb"]["OldImage"]
            self.assertEqual(body, canonical(image))
        out, _ = self.ctl("history", "--table", table, "--key", json.dumps(key))
        lines = out.splitlines()
        self.assertEqual(len(lines), 7)
        self.assertIn("REMOVE", lines[1])
        self.assertIn(records[-1]["dynamodb"]["SequenceNumber"], lines[1])
        self.ctl("history", "--table", table, "--key-value", "k", code=EX_USAGE)
        self.ctl("history", "--table", table, "--key-value", "k", "8", code=EX_NOINPUT)

    def test_of_another_tool(self):
        key = f"{self.table}/x"
        self.servers.s3.put_object(Bucket=self.bucket.name, Key=key, Body=b"{}")
        self.servers.s3.delete_object(Bucket=self.bucket.name, Key=key)
        out, _ = self.ctl("history", "--table", self.table, "--key", '{"id":{"S":"x"}}', "-o", "json")
        rows = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([r["kind"] for r in rows], ["REMOVE", "PUT"])
        self.assertEqual({r["time_is"] for r in rows}, {"stored"})
        self.assertEqual({r["sequence"] for r in rows}, {None})

    def test_tenants(self):
        daemon = self.daemon(self.bucket.name, [self.table], s3={"tenant_attribute": "who"}).start()
        self.put(id={"S": "x"}, who={"S": "anna"})
        self.put(id={"S": "x"}, who={"S": "ben"})
        self.wait_settled(daemon)
        daemon.stop()
        ask = ["history", "--table", self.table, "--key-value", "x", "-o", "json"]
        self.ctl(*ask, config=daemon.config, code=EX_USAGE)
        out, _ = self.ctl(*ask, "--tenant", "anna", config=daemon.config)
        self.assertEqual([json.loads(line)["kind"] for line in out.splitlines()], ["REMOVE", "INSERT"])
        out, _ = self.ctl("restore", "--table", self.table, "--at", "latest", "--to-file", "-", config=daemon.config)
        self.assertEqual([json.loads(line)["Item"]["who"]["S"] for line in out.splitlines()], ["ben"])


class Tables(Ctl):
    def test_tables(self):
        other = self.servers.new_table()
        self.ctl("tables", code=EX_NOINPUT)
        daemon = self.daemon(self.bucket.name, [self.table, other]).start()
        self.put(id={"S": "x"})
        self.wait_settled(daemon)
        daemon.stop()
        out, _ = self.ctl("tables", "-o", "json")
        rows = {row["table"]: row for row in map(json.loads, out.splitlines())}
        self.assertEqual(set(rows), {self.table, other})
        told = json.loads(self.bucket.versions(f".ddb-streamd/{self.table}/watermark.json")[-1].body)
        for name in ("since", "complete_through", "instance", "gap_count"):
            self.assertEqual(rows[self.table][name], told[name])
        out, _ = self.ctl("tables", config=daemon.config)
        self.assertEqual(len(out.splitlines()), 1 + sum(1 + len(row["gaps"]) for row in rows.values()))
        self.assertIn(self.table, out)
        self.ctl("tables", "--bucket-prefix", "elsewhere/", code=EX_NOINPUT)

    def test_usage(self):
        run = [os.path.join(harness.BUILD, "ddb-streamctl")]

        def said(*arguments):
            done = subprocess.run([*run, *arguments], capture_output=True, text=True, timeout=30, check=False)
            return done.returncode, done.stdout, done.stderr
        self.assertRegex(said("--version")[1], r"^ddb-streamctl \d+\.\d+\.\d+\n$")
        code, out, _ = said("--help")
        self.assertEqual(code, 0)
        for verb in ("tables", "history", "restore", "gaps"):
            self.assertIn(verb, out)
            code, more, _ = said(verb, "--help")
            self.assertEqual(code, 0)
            self.assertIn(f" {verb} ", more)
        for wrong in ((), ("nothing",), ("tables", "--at", "now"), ("restore",), ("history", "--table", "t"),
                      ("restore", "--table", "t", "--at", "yesterday", "--to-file", "-"),
                      ("--bucket", "B_", "tables"), ("-c", "/x", "--bucket", "abc", "tables"), ("tables", "surplus"),
                      ("restore", "--table", "t", "--at", "2026-11-23T00:00:00", "--to-file", "-")):
            code, out, err = said(*wrong)
            self.assertEqual((code, out), (EX_USAGE, ""), f"{wrong}: {err}")
            self.assertTrue(err)
        self.assertEqual(said("-c", "/nowhere.conf", "tables")[0], harness.EX_CONFIG)

    def test_every_option_is_told(self):
        """What the program takes, what its help and its manual tell, and what README.md shows, are the same options."""
        with open(os.path.join(harness.ROOT, "cli", "options.c"), encoding="utf-8") as f:
            source = f.read()
        with open(os.path.join(harness.ROOT, "cli", "options.h"), encoding="utf-8") as f:
            names = {m[1]: int(m[2]) for m in re.finditer(r"#define (OPTIONS_\w+) (\d+)U", f.read())}
        bits = dict(names)
        for m in re.finditer(r"#define (ALL|ITEMS) \((.*)\)", source):
            bits[m[1]] = eval(m[2].replace("0U", "0"), {}, bits)
        options = {}
        for m in re.finditer(r'\{"([a-z-]+)", (?:TEXT|FLAG)\(\w+\),\s*([^.}]+?)(?:, \.letter.*)?\}', source):
            options[m[1]] = options.get(m[1], 0) | eval(m[2], {}, bits)
        self.assertGreater(len(options), 40)
        common = {n for n, verbs in options.items() if verbs & names["OPTIONS_COMMON"]}
        told = set()
        with open(os.path.join(harness.ROOT, "cli", "main.c"), encoding="utf-8") as f:
            verbs = re.findall(r'\{"(\w+)",\s*(OPTIONS_\w+),', f.read())
        self.assertGreater(len(verbs), 6)
        for verb, bit in ((verb, names[name]) for verb, name in verbs):
            out, _ = self.ctl(verb, "--help")
            said = set(re.findall(r"--([a-z][a-z-]+)", out))
            takes = {n for n, verbs in options.items() if verbs & bit} | common - {"help", "version"}
            self.assertEqual(said, takes, verb)
            told |= takes
        self.assertEqual(told | {"help", "version"}, set(options))
        with open(os.path.join(harness.ROOT, "cli", "ddb-streamctl.1"), encoding="utf-8") as f:
            text = f.read()
        manual = set(re.findall(r"Fl -([a-z][a-z-]+)", text))
        described = {v for v, _ in verbs if f"\n.Cm {v}\n" in text}
        self.assertGreaterEqual(described, {"tables", "history", "diff", "restore", "snapshot", "gaps", "backfill"})
        wanted = {n for n, mask in options.items() for v, name in verbs if v in described and mask & names[name]}
        self.assertEqual(wanted - manual, set())
        self.assertEqual(manual - set(options), set())
        with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as f:
            lines = [line for line in f if "aws " not in line and "systemctl" not in line]
        shown = {n for line in lines for n in re.findall(r"--([a-z][a-z-]+)", line)}
        self.assertGreater(len(shown), 10)
        self.assertEqual(shown - set(options), set())

    def test_wrong_credentials(self):
        _, err = self.ctl("tables", code=harness.EX_NOPERM, extra={"AWS_SECRET_ACCESS_KEY": "wrong"})
        self.assertNotIn(self.servers.env["AWS_SECRET_ACCESS_KEY"], err)
        self.ctl("tables", code=harness.EX_UNAVAILABLE, extra={"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"})


if __name__ == "__main__":
    harness.main()
