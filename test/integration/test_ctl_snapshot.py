"""ddb-streamctl snapshot: exports that other tools take for DynamoDB's own, whole or not there at all."""
import base64
import datetime
import gzip
import json
import os
import random
import re
import shutil
import subprocess
import time
import zlib

import exportcheck
import harness
from ctl import Ctl, EX_CANTCREAT, EX_DATAERR, EX_NOINPUT, EX_USAGE, FakeCtl, INCOMPLETE, Story, T0, TABLE, iso
from ctl import items_of, parse, unwire
from harness import EX_NOPERM, canonical
from test_ctl_restore_table import every_type


def item(name, **attributes):
    return {"id": {"S": name}, **attributes}


class Real(Ctl):
    def snapshot(self, *arguments, table=None, **options):
        out, err = self.ctl("snapshot", "--table", table or self.table, *arguments, **options)
        return out or err

    def place(self, bucket, prefix=""):
        return exportcheck.Place(self.servers.s3, bucket, prefix)

    def complete(self, daemon):
        """Waits until the bucket says that all is there which was so far; through when it is."""
        now = datetime.datetime.now(datetime.timezone.utc)
        self.wait_settled(daemon)
        mark = f".ddb-streamd/{self.table}/watermark.json"

        def told():
            through = json.loads(self.place(self.bucket.name).read(mark))["complete_through"]
            return through if parse(through) > now else None
        return daemon.wait(told, 30, "the watermark was saved")

    def test_a_live_table_at_two_moments(self):
        table = self.table = self.servers.new_table(range_type="B")
        description = self.servers.dynamodb.describe_table(TableName=table)["Table"]
        daemon = self.daemon(self.bucket.name, [table], daemon={"watermark_interval": "1s"}).start()
        items = [{**i, "range": {"B": bytes([n, 0, 255])}} for n, i in enumerate(every_type(False))]
        items += [{"id": {"S": "many"}, "range": {"B": bytes([n])}, "n": {"N": str(n)}} for n in range(200)]
        for i in items:
            self.put(**i)
        dest, exports, states = self.servers.new_bucket(versioning=None), {}, []
        for n in range(2):
            at = self.complete(daemon)
            states.append(items_of(self.servers, table))
            for name, to in (("folder", self.file(f"new/{n}")), ("bucket", f"s3://{dest}/of {n}/ä+%&'/")):
                out = json.loads(self.snapshot("--at", at, "--to", to, "-o", "json"))
                place = (exportcheck.Folder(to) if name == "folder" else self.place(dest, f"of {n}/ä+%&'"))
                x = exports[name, n] = exportcheck.Export(place)
                self.assertEqual(sorted(x.items()), states[n])
                self.assertEqual(out, {
                    "verb": "snapshot", "table": table, "at": at, "items": len(states[n]), "files": len(x.entries),
                    "bytes": sum(len(i) + len('{"Item":}\n') for i in x.items()), "missing": 0,
                    "stored_bytes": sum(len(place.read(k)) for k in x.keys),
                    "manifest": os.path.join(to, "AWSDynamoDB", x.id, "manifest-summary.json")})
                self.assertEqual([x.summary[k] for k in ("exportTime", "tableArn", "tableId")],
                                 [at, description["TableArn"], description.get("TableId")])
            for i in items[:20] + items[30:60]:
                self.servers.dynamodb.delete_item(TableName=table, Key={k: i[k] for k in ("id", "range")})
            for i in items[20:25] + items[190:]:
                self.put(**{**i, "n": {"N": "-1.5"}})
        daemon.stop()
        self.assertNotEqual(states[0], states[1])
        self.assertGreater(len(exports["bucket", 0].entries), 1)
        self.read_back(exports["bucket", 0], states[0])
        for shown in (self.file("new/0"), self.file("new/0/AWSDynamoDB")):
            self.assertEqual(os.stat(shown).st_mode & 0o077, 0)

    def read_back(self, export, state):
        """boto3 makes a table of it that equals the original."""
        target = self.servers.new_table(range_type="B", view=None)
        rows = [{"PutRequest": {"Item": {k: unwire(v) for k, v in json.loads(line).items()}}}
                for line in export.items()]
        for at in range(0, len(rows), 10):
            self.servers.dynamodb.batch_write_item(RequestItems={target: rows[at:at + 10]})
        self.assertEqual(items_of(self.servers, target), state)

    def test_multipart(self):
        """Parts on the real gateway: the ETag that it gives is the one in the manifest."""
        base = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
        rng = random.Random(6)
        want = []
        for n in range(72):
            body = canonical(item(f"i{n}", b={"B": rng.randbytes(300_000)}))
            want.append(body)
            self.servers.s3.put_object(Bucket=self.bucket.name, Key=f"{self.table}/i{n}", Body=body, Metadata={
                "ddb-event": "INSERT", "ddb-seq": str(n + 1), "ddb-time": iso(base), "ddb-stream": "s",
                "ddb-shard": "x"})
        dest = self.servers.new_bucket()
        self.snapshot("--at", "-1m", "--force", "--to", f"s3://{dest}")
        x = exportcheck.Export(self.place(dest))
        self.assertEqual(sorted(x.items()), sorted(want))
        self.assertIn("-2", [e["etag"][-2:] for e in x.entries])
        self.snapshot("--at", "-1m", "--force", "--to", f"s3://{dest}/r.gz", "--format", "replicator")
        stored = self.servers.s3.get_object(Bucket=dest, Key="r.gz")
        self.assertRegex(stored["ETag"], r'-[2-9]"$')
        self.assertEqual(sorted(gzip.decompress(stored["Body"].read()).splitlines()), sorted(want))
        self.assertNotIn("Uploads", self.servers.s3.list_multipart_uploads(Bucket=dest))

    def test_refused(self):
        self.servers.s3.put_object(Bucket=self.bucket.name, Key=f"{self.table}/a", Body=canonical(item("a")))
        dest = self.servers.new_bucket()
        for to, code, word in ((f"s3://{dest}x/", EX_NOINPUT, f"{dest}x"), ("s3://-/", EX_USAGE, "'-'")):
            self.assertIn(word, self.snapshot("--at", "now", "--force", "--to", to, code=code))
        self.snapshot("--at", "now", "--to", f"s3://{dest}/", code=EX_DATAERR)
        self.snapshot("--at", "now", "--force", "--to", f"s3://{dest}/", code=EX_NOPERM,
                      extra={"AWS_SECRET_ACCESS_KEY": "wrong"})
        self.assertEqual(self.place(dest).names(), [])


class Snapshot(FakeCtl):
    def setUp(self):
        super().setUp()
        self.ready()

    def snapshot(self, *arguments, code=0, at=None, **options):
        if at is not None:
            arguments += ("--at", iso(T0 + int(at * 1000)))
        return self.ctl("snapshot", "--table", TABLE, *arguments, code=code, **options)

    def export(self, *arguments, at=None, code=0, **options):
        """Of a new folder."""
        to = self.file(f"export{len(os.listdir(self.home()))}")
        self.snapshot("--to", to, *arguments, at=at, code=code, **options)
        return exportcheck.Export(exportcheck.Folder(to))

    def place(self, bucket, prefix=""):
        return exportcheck.Place(self.fake.s3, bucket, prefix)

    def story(self, count=600, **options):
        story = Story(self, **options)
        for n in range(count):
            story.put(n / 100, item(f"i{n:05}", n={"N": str(n)}, who={"S": f"t{n % 3}"}))
        for n in range(0, count, 7):
            story.remove(20, item(f"i{n:05}", who={"S": f"t{n % 3}"}))
        story.tell()
        return story

    def left(self, bucket=None):
        """What lies outside the backup."""
        names = self.place(bucket or self.bucket).names()
        return [n for n in names if bucket or not n.startswith((f"{TABLE}/", f".ddb-streamd/{TABLE}/"))]


class Content(Snapshot):
    def test_every_type(self):
        story = Story(self)
        for i in every_type(True):
            story.put(0, i)
        story.tell()
        self.assertEqual(sorted(self.export(at=1).items()), story.at(1))

    def test_a_live_table_at_any_second(self):
        table = self.fake.new_table(shards=2)
        daemon = self.daemon(self.bucket, [table], daemon={"watermark_interval": "1s"}).start()
        moments = []
        for _ in range(2):
            self.fake.write(table, 150, keys=60, deletes=0.3)
            moments.append((self.fake.now_ms(), self.items(table)))
            self.fake.advance(90)
        self.wait_backed_up(daemon, table, self.bucket)
        for n, (ms, items) in enumerate(moments):
            self.ctl("snapshot", "--table", table, "--at", iso(ms), "--force", "--to", self.file(f"live{n}"))
            x = exportcheck.Export(exportcheck.Folder(self.file(f"live{n}")))
            self.assertEqual(sorted(x.items()), items)
            self.assertEqual(x.summary["tableArn"], f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}")
        self.assertNotEqual(moments[0][1], moments[1][1])

    def test_the_check_can_fail(self):
        """Each of these is no export any more."""
        self.story(20)
        whole, broken = self.file("whole"), self.file("broken")
        self.snapshot("--to", whole, at=10)
        key = sorted(exportcheck.Export(exportcheck.Folder(whole)).keys)[0]
        root = os.path.dirname(os.path.dirname(key))

        def again(data, old, new):
            return gzip.compress(gzip.decompress(data).replace(old, new))
        for name, change in ((f"{root}/_started", lambda d: b"x"), (f"{root}/surplus", lambda d: b""),
                             (key, lambda d: d[:-1]), (key, lambda d: d + b"\0"), (key, lambda d: gzip.compress(b"")),
                             (key, lambda d: again(d, b":", b": ")), (f"{root}/data/surplus", lambda d: b""),
                             *((f"{root}/manifest-{n}.{e}", lambda d: d + b" ") for n in ("files", "summary")
                               for e in ("json", "checksum", "md5"))):
            shutil.copytree(whole, broken)
            with open(os.path.join(broken, name), "ab+") as f:
                f.seek(0)
                data = change(f.read())
                f.truncate(0)
                f.write(data)
            with self.assertRaises((AssertionError, OSError, EOFError, zlib.error)):
                exportcheck.Export(exportcheck.Folder(broken))
            shutil.rmtree(broken)

    def test_random_order_and_several_files(self):
        """Keys that follow each other hit one partition of the table that is written; so they must not be together."""
        story, names = self.story(3000), []
        for _ in range(2):
            x = self.export(at=40)
            self.assertEqual(sorted(x.items()), story.at(40))
            self.assertGreater(len(x.lines), 2)
            self.assertTrue(all(len(f) > 300 for f in x.lines))
            self.assertLess(exportcheck.neighbours(x.lines, story.at(40)), 30)
            for f in x.lines:  # each file holds keys from everywhere
                ids = sorted(json.loads(i)["id"]["S"] for i in f)
                self.assertTrue(ids[0] < "i00300" and ids[-1] > "i02700", f"{ids[0]} to {ids[-1]}")
            names.append(set(x.keys))
        self.assertFalse(names[0] & names[1])

    def test_two_in_one_place(self):
        story = self.story()
        dest = self.fake.new_bucket()
        for at in (1, 30):
            self.snapshot("--to", f"s3://{dest}/a/b", at=at)
        ids = sorted({name.split("/")[3] for name in self.place(dest).names()})
        self.assertEqual(len(ids), 2)
        for at, number in zip((1, 30), ids):
            x = exportcheck.Export(self.place(dest, "a/b"), number)
            self.assertEqual(sorted(x.items()), story.at(at))
        self.assertEqual(len(self.place(dest).names()), sum(len(self.place(dest, f"a/b/AWSDynamoDB/{i}").names())
                                                            for i in ids))

    def test_nothing_to_export(self):
        """The guide: a partition that is empty gives an empty file."""
        x = self.export()
        self.assertEqual((x.lines, x.summary["itemCount"]), ([[]], 0))

    def test_replicator(self):
        """incremental-snapshot stores a gzip of each object's body and a line feed; readers split lines."""
        story = self.story()
        dest = self.fake.new_bucket()
        self.snapshot("--to", self.file("r.gz"), "--format", "replicator", at=30)
        self.snapshot("--to", f"s3://{dest}/p/r", "--format", "replicator", "-o", "json", at=30)
        self.assertEqual(self.place(dest).names(), ["p/r"])
        with open(self.file("r.gz"), "rb") as f:
            stored = f.read()
        self.assertEqual(os.stat(self.file("r.gz")).st_mode & 0o777, 0o600)
        for data in (stored, self.place(dest).read("p/r")):
            self.assertEqual(sorted(exportcheck.json_lines(exportcheck.gunzip(data))), story.at(30))
        self.assertEqual(subprocess.run(["gzip", "-t"], input=stored, check=False).returncode, 0)
        for to in (self.file("r.gz"), f"s3://{dest}/p/r"):
            _, err = self.snapshot("--to", to, "--format", "replicator", at=30, code=EX_CANTCREAT)
            self.assertIn(to, err)
        with open(self.file("r.gz"), "rb") as f:
            self.assertEqual(f.read(), stored)
        for to in (self.home(), f"s3://{dest}/p/", f"s3://{dest}"):
            self.snapshot("--to", to, "--format", "replicator", code=EX_USAGE)
        self.assertEqual(self.place(dest).names(), ["p/r"])

    def test_parts_of_the_table(self):
        story = self.story(tenant="who")
        more = ["--tenant-attribute", "who"]

        def some(*arguments):
            return sorted(json.loads(i)["id"]["S"] for i in self.export(*more, *arguments, at=30).items())
        ids = {json.loads(i)["id"]["S"]: json.loads(i)["who"]["S"] for i in story.at(30)}
        self.assertEqual(some(), sorted(ids))
        self.assertEqual(some("--tenant", "t1"), sorted(n for n, who in ids.items() if who == "t1"))
        self.assertEqual(some("--prefix", "t1/i0001"), sorted(
            n for n, who in ids.items() if who == "t1" and n.startswith("i0001")))
        self.bucket = self.fake.new_bucket()
        self.ready(range_name="range", range_type="N")
        story = Story(self)
        for n in range(90):
            story.put(0, item(f"h{n % 9}", range={"N": str(n)}))
        story.tell()
        x = self.export("--hash", "h4")
        self.assertEqual(sorted(x.items()), [i for i in story.at(0) if b'"h4"' in i])
        self.assertEqual(x.summary["itemCount"], 10)

    def test_items_that_cannot_be_had(self):
        story = self.story(20)
        self.fake.version(self.bucket, f"{TABLE}/bad", body="no item", modified_ms=T0)
        self.fake.version(self.bucket, f"{TABLE}/cold", body='{"id":{"S":"cold"}}', modified_ms=T0,
                          storage_class="GLACIER")
        to = self.file("some")
        out, err = self.snapshot("--to", to, "-o", "json", at=10, code=INCOMPLETE)
        self.assertEqual((json.loads(out)["items"], json.loads(out)["missing"]), (20, 2))
        for word in (f"{TABLE}/bad", f"{TABLE}/cold", "2 items"):
            self.assertIn(word, err)
        self.assertEqual(sorted(exportcheck.Export(exportcheck.Folder(to)).items()), story.at(10))

    def test_memory(self):
        """100,000 items, of which few are held at a time."""
        self.fake.s3_options(list_page=1000)
        rng, count = random.Random(1), 100_000
        for at in range(0, count, 10_000):
            self.fake.versions(self.bucket, [
                {"key": f"{TABLE}/{n:06}", "modified_ms": T0, "meta": {
                    "ddb-event": "INSERT", "ddb-seq": str(n + 1), "ddb-time": iso(T0), "ddb-stream": "s",
                    "ddb-shard": "x"}, "body": f'{{"b":{{"B":"{base64.b64encode(rng.randbytes(240)).decode()}"}},'
                f'"id":{{"S":"{n:06}"}}}}'} for n in range(at, at + 10_000)])
        dest = self.fake.new_bucket()
        run = self.begin("snapshot", "--table", TABLE, "--to", f"s3://{dest}/")
        most_kb = 0
        while run.poll() is None:
            with open(f"/proc/{run.pid}/status", encoding="ascii") as f:
                most_kb = max([most_kb] + [int(n) for n in re.findall(r"VmHWM:\s+(\d+) kB", f.read())])
            time.sleep(0.01)
        with open(run.said, encoding="utf-8") as f:
            self.assertEqual(run.returncode, 0, f.read())
        x = exportcheck.Export(self.place(dest))
        self.assertEqual(x.summary["itemCount"], count)
        self.assertEqual(len({json.loads(i)["id"]["S"] for i in x.items()}), count)
        if "ASAN_OPTIONS" not in os.environ:
            self.assertLess(most_kb, 64 * 1024)
            self.assertGreater(most_kb, 1024)


if __name__ == "__main__":
    harness.main()
