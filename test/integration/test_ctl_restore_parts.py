"""
ddb-streamctl restore of a part: up to a sequence number, since a time, by keys; from buckets of older tools; in many
pages; and --dry-run.
"""
import hashlib
import json
import os
import random
import shutil

import harness
from ctl import EX_CANTCREAT, EX_NOINPUT, EX_USAGE, FakeCtl, INCOMPLETE, Story, T0, TABLE, iso, unwire
from harness import canonical


def item(name, **attributes):
    return {"id": {"S": name}, **attributes}


class Part(FakeCtl):
    def setUp(self):
        super().setUp()
        self.ready()

    def create(self, name, range_type=None):
        keys = [("id", "HASH", "S")] + ([("at", "RANGE", range_type)] if range_type else [])
        self.fake.dynamodb.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": n, "KeyType": k} for n, k, _ in keys],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, _, t in keys])

    def every_way(self, at_s, want, *more, name="new", in_place=(), known=()):
        """To a file, a new table, and in place over another state (`in_place`); `want` is what must be there then."""
        self.assertEqual(self.lines(at_s, *more), want)
        self.restore(at_s, "--to-table", name, *more)
        self.assertEqual(self.items(name), want)
        self.create(name + ".place", "N" if "at" in json.loads(want[0] if want else "{}") else None)
        self.fill(name + ".place", [json.loads(i) for i in in_place])
        self.restore(at_s, "--to-table", name + ".place", "--in-place", "--yes", *more)
        self.assertEqual(self.items(name + ".place"), want)


class Moments(Part):
    def test_at_seq(self):
        """Several changes in one second, which two items share: after each of them."""
        story = Story(self)
        for name in ("a", "b"):
            story.put(0, item(name))
        first = story.seq
        for n in range(3):
            story.put(7, item("a", n={"N": str(n)}))
            story.put(7, item("b", n={"N": str(n)}))
            story.remove(7, item("a"))
            story.put(7, item("c", n={"N": str(n)}))
        story.put(8, item("d"))
        story.tell()
        last = story.at(100)
        for seq in range(first, story.seq + 1):
            want = story.at(7, min(seq, story.seq - 1))
            at = ["--at-seq", str(seq)]
            self.every_way(7, want, *at, name=f"n{seq}", in_place=last if seq % 2 else story.at(0))
        self.assertEqual(self.lines(7, "--at-seq", "1"), story.at(6))
        self.assertEqual(self.lines(7, "--at-seq", "9" * 40), story.at(7))
        self.assertEqual(self.lines(7.5, "--at-seq", str(first + 2)), story.at(7, first + 2))
        self.assertEqual(self.lines(7, "--at-seq", "000" + str(first + 2)), story.at(7, first + 2))
        _, err = self.restore(7, "--at-seq", "x1", "--to-file", "-", code=EX_USAGE)
        self.assertIn("--at-seq", err)

    def test_fractions_of_a_second(self):
        """A second that is told in milliseconds is one, too."""
        story = Story(self)
        for n in range(6):
            story.put(7 + n / 10, item("a", n={"N": str(n)}))
        story.tell()
        for n in range(6):
            self.assertEqual(self.lines(7 + n / 10), [canonical(item("a", n={"N": str(n)}))])
            self.assertEqual(self.lines(7, "--at-seq", str(1001 + n)), [canonical(item("a", n={"N": str(n)}))])

    def test_since(self):
        rng = random.Random(1)
        story = Story(self)
        for n in range(200):
            key = item(f"i{rng.randrange(40)}")
            if canonical(key) in story.now and rng.random() < 0.3:
                story.remove(n, key)
            else:
                story.put(n, {**key, "n": {"N": str(n)}})
        story.tell()
        for number, (since, at) in enumerate(((50, 150), (150, 199), (0, 100), (180, 250), (199, 250), (100, 100))):
            late = {k for ms, _, k, _ in story.changes if ms > T0 + since * 1000}
            want = [i for i in story.at(at) if canonical(story.key_of(json.loads(i))) in late]
            more = ["--since", iso(T0 + since * 1000)]
            self.assertEqual(self.lines(at, *more), want)
            self.restore(at, "--to-table", f"new{number}", *more)
            self.assertEqual(self.items(f"new{number}"), want)


class Keys(Part):
    def test_values(self):
        """Keys of all types, in all formats of names."""
        values = {"S": ["a", "a/b", "ä %", "~x", "k" * 600], "N": ["7", "-1.5", "12345678901234567890"],
                  "B": [b"\x00\xff", b"plain", b"x" * 500]}
        for form in ("path", "md5", "sha256", "plain"):
            for kind, hashes in values.items():
                table = f"t-{form}-{kind}"
                self.schema(hash_type=kind, range_name="at", range_type="S", table=table)
                self.watermark(table=table)
                story = Story(self, table=table, key_format=form, range_name="at")
                for n, value in enumerate(hashes):
                    for at in ("1", "b/c", "z" * 500):
                        story.put(0, {"id": {kind: value}, "at": {"S": at}, "n": {"N": str(n)}})
                story.tell()
                more = ["--key-format", form]
                everything = [json.loads(i) for i in story.at(1)]
                for value in hashes:
                    shown = harness.wire({kind: value})[kind]
                    want = sorted(canonical(i) for i in map(self.native, everything) if i["id"] == {kind: value})
                    self.assertEqual(self.lines(1, "--hash", shown, *more, table=table), want)
                    key = {"id": harness.wire({kind: value}), "at": {"S": "b/c"}}
                    one = [i for i in want if json.loads(i)["at"] == {"S": "b/c"}]
                    self.assertEqual(self.lines(1, "--key", json.dumps(key), *more, table=table), one)
                    self.assertEqual(self.lines(1, "--key-value", shown, "b/c", *more, table=table), one)
                self.assertEqual(self.lines(1, "--hash", "AAAA" if kind == "B" else "9", *more, table=table), [])
                self.assertEqual(self.lines(1, *more, table=table), story.at(1))

    def native(self, wired):
        return {k: unwire(v) for k, v in wired.items()}

    def test_hash_alone_is_the_key(self):
        story = Story(self)
        for name in ("a", "a/b", "ab"):
            story.put(0, item(name))
        story.tell()
        self.assertEqual(self.lines(1, "--hash", "a"), [canonical(item("a"))])
        self.assertEqual(self.lines(1, "--hash", "none", code=EX_NOINPUT), [])
        self.assertEqual(self.lines(-1, "--hash", "a", code=EX_NOINPUT), [])
        self.assertEqual(self.lines(1, "--prefix", "a"), story.at(1))
        self.assertEqual(self.lines(1, "--prefix", "none"), [])
        for wrong in (("--hash", "a", "--prefix", "a"), ("--tenant", "x"), ("--key", '{"x":{"S":"a"}}'),
                      ("--key-value", "a", "b")):
            self.restore(1, "--to-file", "-", *wrong, code=EX_USAGE)

    def test_tenant_and_similar_names(self):
        """In place, one item of a folder: those whose names begin like its are nobody's business."""
        form = ["--tenant-attribute", "who"]
        story = Story(self, tenant="who")
        for name in ("a", "ab", "b"):
            story.put(0, item(name, who={"S": "anna"}))
        story.put(10, item("a", who={"S": "anna"}, n={"N": "1"}))
        story.put(10, item("ab", who={"S": "anna"}, n={"N": "1"}))
        story.tell()
        self.create("place")
        self.fill("place", [json.loads(i) for i in story.at(10)] + [item("abc", who={"S": "anna"})])
        self.restore(5, "--to-table", "place", "--in-place", "--yes", "--key-value", "a", "--tenant", "anna", *form)
        got = {i["id"]["S"]: "n" in i for i in self.fake.items("place")}
        self.assertEqual(got, {"a": False, "ab": True, "abc": False, "b": False})
        self.assertEqual(self.lines(5, "--tenant", "anna", *form), story.at(5))
        self.assertEqual(self.lines(5, "--tenant", "ann", *form), [])


class OlderTools(Part):
    """No metadata and no deletes objects: LastModified counts."""

    def story(self, form, tenant=None):
        rng = random.Random(form)
        # They wrote JSON as it came: members in any order, with white space or without.
        story = Story(self, key_format=form, meta=False, range_name="at", tenant=tenant, lag_ms=0)
        for n in range(120):
            key = {"at": {"N": str(rng.randrange(3))}, **item(f"i{rng.randrange(12)}")}
            if canonical(key) in story.now and rng.random() < 0.3:
                story.remove(2 * n, story.now[canonical(key)])
            else:
                if tenant:
                    key[tenant] = {"S": "x y" if json.dumps(key).count("1") else "z"}
                story.put(2 * n, {**key, "n": {"N": str(n)}, "b": {"B": bytes([n])}, "s": {"SS": ["z", "a"]}})
        for v in story.versions:
            if "body" in v:
                members = list(json.loads(v["body"]).items())
                rng.shuffle(members)
                v["body"] = json.dumps(dict(members), indent=rng.choice((None, 1)))
        story.tell()
        return story

    def test_to_table_and_in_place(self):
        self.schema(range_name="at", range_type="N")
        for form, tenant in (("md5", None), ("sha256", None), ("plain", None), ("plain", "who"), ("md5", "who")):
            self.bucket = self.fake.new_bucket()
            self.ready(range_name="at", range_type="N")
            story = self.story(form, tenant)
            more = ["--key-format", form] + (["--tenant-attribute", tenant] if tenant else [])
            for at in (161, 300):
                self.every_way(at, story.at(at), *more, name=f"{form}.{tenant}.{at}", in_place=story.at(101))
            # Equal items are not written again, although their objects are other bytes.
            self.fake.do("reset_audit")
            self.restore(300, "--in-place", "--yes", "--to-table", f"{form}.{tenant}.300", *more)
            self.assertEqual(self.written(), {})

    def test_versioning_came_later(self):
        """Null versions from before versioning, and from while it was suspended."""
        bucket = self.bucket = self.fake.new_bucket(versioning=None)
        name = f"{TABLE}/{hashlib.md5(canonical(item('a'))).hexdigest()}"
        states = []

        def versioning(status):
            self.fake.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

        def store(at_s, n):
            body = canonical(item("a", n={"N": str(n)})).decode()
            self.fake.version(bucket, name, body=body, modified_ms=T0 + at_s * 1000)
            states.append((at_s, [body.encode()]))
        self.ready()
        store(0, 0)
        versioning("Enabled")
        store(10, 1)
        store(20, 2)
        versioning("Suspended")
        store(30, 3)  # takes the place of the first one
        more = ["--key-format", "md5"]
        self.assertEqual(self.lines(5, *more), [])
        for at, want in states[1:]:
            self.assertEqual(self.lines(at + 5, *more), want)
        self.fake.version(bucket, name, marker=True, modified_ms=T0 + 40_000)
        self.assertEqual(self.lines(50, *more), [])
        versioning("Enabled")
        store(60, 4)
        self.every_way(65, states[-1][1], *more)


class Pages(Part):
    def story(self, count, seed=1):
        rng = random.Random(seed)
        story = Story(self)
        heads = ["", "p" * 300 + "/", "order-2026-11-", "ä" * 20, "~", "0" * 8]
        names = sorted({rng.choice(heads) + str(rng.randrange(10**rng.choice((1, 4, 9)))) for _ in range(count)})
        for n, name in enumerate(names):
            story.put(0, item(name, n={"N": str(n)}))
        for n, name in enumerate(names):
            if n % 4 == 0 or 300 < n < 420:  # a long stretch of nothing but markers
                story.remove(10, item(name))
            elif n % 4 == 1:
                for m in range(rng.randrange(4)):
                    story.put(10 + m, item(name, n={"N": str(-m)}))
        for n, name in enumerate(names[::8]):
            story.put(20, item(name, again={"BOOL": True}))
        story.tell()
        return story

    def check(self, story, ats=(5, 11, 25)):
        for at in ats:
            self.assertEqual(self.lines(at), story.at(at))

    def test_pages_of_one_to_three(self):
        story = self.story(1000)
        for size in (1, 2, 3):
            self.fake.s3_options(list_page=size)
            self.check(story, ats=(11,) if size == 1 else (5, 25))
        self.fake.s3_options(list_page=5, list_random=True)
        self.check(story, ats=(11, 25))

    def test_many(self):
        story = self.story(6000, seed=2)
        self.assertGreater(len(story.at(25)), 3000)
        for size in (1000, 40):
            self.fake.s3_options(list_page=size)
            self.check(story, ats=(5, 25) if size == 1000 else (11,))
        self.assertGreater(self.fake.count("s3 ListObjectVersions"), 100)
        self.restore(11, "--to-table", "new")
        self.assertEqual(self.items("new"), story.at(11))
        figures, _ = self.restore(25, "--to-table", "new", "--in-place", "--yes", "-o", "json")
        self.assertEqual(self.items("new"), story.at(25))
        was, now = set(story.at(11)), set(story.at(25))
        figures = json.loads(figures)
        self.assertEqual((figures["items"], figures["same"]), (len(now - was), len(now & was)))

    def test_part_of_many(self):
        story = self.story(2500, seed=3)
        self.fake.s3_options(list_page=20)
        for prefix in ("order", "p" * 300, "~", "%7E", "%C3%A4", "1", "0000"):
            text = prefix.replace("%7E", "~").replace("%C3%A4", "ä")
            want = [i for i in story.at(11) if json.loads(i)["id"]["S"].startswith(text) and prefix != "~"]
            self.assertEqual(self.lines(11, "--prefix", prefix), want, prefix)


class DryRun(Part):
    def dry(self, at_s, *more, code=0):
        self.fake.do("reset_audit")
        before = os.listdir(self.home())
        out, err = self.restore(at_s, *more, "--dry-run", "-o", "json", code=code)
        self.assertEqual(self.written(), {})
        self.assertEqual(os.listdir(self.home()), before)
        text, _ = self.restore(at_s, *more, "--dry-run", code=code)
        self.assertIn("cost", text)
        return json.loads(out), {name: c["n"] for name, c in self.fake.counts().items()}, err

    def story(self, count):
        self.fake.s3_options(list_page=100)
        story = Story(self)
        for n in range(count):
            story.put(0, item(f"i/{n}", n={"N": str(n)}))
        for n in range(0, count, 5):
            story.put(10, item(f"i/{n}", n={"N": str(-n)}))
            story.remove(10, item(f"i/{n + 1}"))
        story.tell()
        return story

    def test_numbers(self):
        told = self.story(700)
        want = told.at(15)
        figures, _, _ = self.dry(15, "--to-file", self.file("x"))
        self.assertEqual((figures["items"], figures["bytes"], figures["missing"]), (len(want), sum(map(len, want)), 0))
        self.assertEqual(figures["write_units"], 0)
        figures, _, _ = self.dry(15, "--to-table", "new")
        self.assertEqual(self.fake.dynamodb.list_tables()["TableNames"], [])
        self.assertEqual((figures["items"], figures["write_units"]), (len(want), len(want)))
        self.fake.do("reset_audit")
        self.restore(15, "--to-table", "new")
        # table.json and watermark.json are read, too.
        self.assertEqual(self.fake.count("s3 GetObject"), figures["get_requests"] + 2)
        self.assertEqual(self.fake.count("s3 HeadObject"), figures["head_requests"])
        lists = self.fake.count("s3 ListObjectVersions")
        self.assertTrue(abs(lists - figures["list_requests"]) <= 0.2 * lists + 4, (lists, figures))
        # In place: an upper bound.
        self.fake.new_table(TABLE)
        self.fill(TABLE, [json.loads(i) for i in want[:300]])
        figures, counts, _ = self.dry(15, "--in-place")
        self.assertGreaterEqual(figures["write_units"], len(want) + 140)
        self.assertEqual((figures["items"], figures["deletes"]), (len(want), 140))
        self.assertGreater(figures["read_units"], 0)
        self.assertEqual(len(self.fake.items(TABLE)), 300)
        self.assertNotIn("dynamodb CreateTable", counts)

    def test_what_would_be_refused(self):
        self.story(20)
        _, err = self.restore(15, "--in-place", "--dry-run", code=EX_NOINPUT)
        self.assertIn(f"no table {TABLE}", err)
        self.fake.new_table("full")
        self.fake.put("full", "x")
        _, err = self.restore(15, "--to-table", "full", "--dry-run", code=EX_CANTCREAT)
        self.assertIn("has items", err)
        _, err = self.restore(15, "--to-table", "full", "--via-import", f"s3://{self.fake.new_bucket()}/x/", "--dry-run",
                              code=EX_CANTCREAT)
        self.assertIn("exists", err)
        out, _ = self.restore(15, "--to-table", "new", "--dry-run")
        self.assertIn("which is made", out)

    def test_snapshot(self):
        want = self.story(700).at(15)
        for to, puts in ((self.file("x"), False), (f"s3://{self.fake.new_bucket()}/x/", True)):
            what = ["snapshot", "--table", TABLE, "--at", iso(T0 + 15_000), "--to", to]
            self.fake.do("reset_audit")
            out, _ = self.ctl(*what, "--dry-run", "-o", "json")
            told = json.loads(out)
            self.assertEqual([told[k] for k in ("verb", "dry_run", "items", "write_units", "missing")],
                             ["snapshot", True, len(want), 0, 0])
            self.assertEqual(self.written(), {})
            self.assertEqual(told["put_requests"] > 0, puts)
            out, _ = self.ctl(*what, "--dry-run")
            self.assertIn(f"{len(want)} items into {to}", out)
            self.assertFalse(os.path.exists(self.file("x")))
            self.fake.do("reset_audit")
            self.ctl(*what)
            shutil.rmtree(self.file("x"), ignore_errors=True)
            self.assertLessEqual(sum(self.written().values()), told["put_requests"])

    def test_lost_ones_are_named(self):
        self.story(50)
        gone = self.fake.version(self.bucket, f"{TABLE}/z", body=json.dumps(item("z")), modified_ms=T0,
                                 storage_class="DEEP_ARCHIVE")
        self.assertTrue(gone)
        figures, _, err = self.dry(15, "--to-table", "new", code=INCOMPLETE)
        self.assertEqual(figures["missing"], 1)
        self.assertIn(f"{TABLE}/z", err)


if __name__ == "__main__":
    harness.main()
