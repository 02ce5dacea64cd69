"""ddb-streamctl restore that is stopped, and goes on with --resume as if nothing had been."""
import glob
import json
import os
import random
import signal

import harness
from ctl import (Ctl, EX_CANTCREAT, EX_DATAERR, EX_NOINPUT, EX_USAGE, FakeCtl, INCOMPLETE, Story, T0, TABLE, iso,
                 items_of)
from harness import canonical, wait_until

EX_OSERR = 71


def item(name, **attributes):
    return {"id": {"S": name}, **attributes}


def noted(path):
    """How many items a journal tells of."""
    try:
        with open(path, encoding="ascii") as f:
            return json.load(f)["items"]
    except FileNotFoundError:
        return -1


class Resume(FakeCtl):
    COUNT = 1500

    def setUp(self):
        super().setUp()
        self.ready()
        self.fake.s3_options(list_page=100)

    def story(self, count=COUNT, seed=1, **options):
        """At 10 every item is there, and a third is not the one that it was at 0; some are gone."""
        rng = random.Random(seed)
        story = Story(self, **options)
        names = [f"{rng.choice(('a', 'b/long prefix', 'ä'))}/{n}" for n in range(count)]
        for n, name in enumerate(names):
            story.put(0, item(name, n={"N": str(n)}, **({"who": {"S": f"t{n % 7}"}} if options.get("tenant") else {})))
        for n, name in enumerate(names):
            if n % 5 == 0:
                story.remove(10, item(name, who={"S": f"t{n % 7}"}))
            elif n % 5 == 1:
                moved = {"who": {"S": "other"}} if options.get("tenant") else {}
                story.put(10, item(name, n={"N": str(-n)}, **moved))
        story.tell()
        return story

    def hold(self, op, after, when="before", table=None):
        """From the `after`-th such request on there is no answer. The rule's number."""
        return self.fake.fault(op=op, skip=after, never=when, **({"table": table} if table else {}))

    def stop(self, arguments, op, after, how=signal.SIGINT, when="before", journal=None):
        """Begins a run, and stops it at its `after`-th request. What it said; None when it was done before."""
        rule = self.hold(op, after, when)
        run = self.begin(*arguments)
        wait_until(lambda: self.fake.hits(rule) > 0 or run.poll() is not None, 60, "the run came so far")
        if journal and run.poll() is None:  # it is saved once a second
            wait_until(lambda: noted(journal) >= min(after // 2, 100), 30, "the journal told so")
        run.send_signal(how)
        code = run.wait(60)
        with open(run.said, encoding="utf-8") as f:
            said = f.read()
        self.fake.do("clear_faults")
        if code == 0:
            return None
        self.assertEqual(code, -how, said)
        return said

    def ask(self, at_s, *target):
        return ["restore", "--table", TABLE, "--at", iso(T0 + at_s * 1000), *target]

    def journals(self):
        return glob.glob(self.file(".local/state/ddb-streamctl/*"))


class File(Resume):
    def setUp(self):
        super().setUp()
        self.path = self.file("items.json")
        self.told = self.story()

    def read(self, path=None):
        with open(path or self.path, "rb") as f:
            return sorted(line[len(b'{"Item":'):-2] for line in f)

    def finish(self, ask, at_s):
        _, err = self.ctl(*ask, "--resume")
        self.assertEqual(self.read(), self.told.at(at_s))
        self.assertFalse(os.path.exists(self.path + ".journal") or os.path.exists(self.path + ".part"))
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        os.unlink(self.path)
        return err

    def test_interrupted(self):
        rng = random.Random(2)
        ask = self.ask(5, "--to-file", self.path)
        for how in (signal.SIGINT, signal.SIGTERM):
            # Far enough that something is written: a run that is stopped before that leaves nothing to go on from.
            said = self.stop(ask, "GetObject", rng.randrange(400, 1300), how, journal=self.path + ".journal")
            self.assertIn("--resume", said)
            self.assertFalse(os.path.exists(self.path))
            self.assertEqual(os.stat(self.path + ".journal").st_mode & 0o777, 0o600)
            # Begun anew it would write over what is there.
            _, err = self.ctl(*ask, code=EX_CANTCREAT)
            self.assertIn("--resume", err)
            # Interrupted again and again, each time where it was.
            for after in (1, 0, 300):
                self.stop([*ask, "--resume"], "GetObject", after)
            err = self.finish(ask, 5)
            self.assertRegex(err, rf"restored: {len(self.told.at(5))} items")

    def test_killed(self):
        rng = random.Random(3)
        ask = self.ask(15, "--to-file", self.path)
        self.stop(ask, "GetObject", rng.randrange(600, 1000), signal.SIGKILL, journal=self.path + ".journal")
        before = self.fake.count("s3 GetObject")
        # What it had written after its last word is written again, and nothing twice.
        with open(self.path + ".part", "ab") as f:
            f.write(b'{"Item":{"id":{"S":"a/0"}}}\n{"It')
        self.stop([*ask, "--resume"], "GetObject", 150, signal.SIGKILL)
        self.finish(ask, 15)
        # It did not begin anew.
        self.assertLess(self.fake.count("s3 GetObject") - before, len(self.told.at(15)))

    def test_killed_at_once(self):
        ask = self.ask(15, "--to-file", self.path)
        self.stop(ask, "GetObject", 8, signal.SIGKILL)
        self.finish(ask, 15)

    def test_disk_full(self):
        """A limit of the file's size stands for it. What the file could not take is not left out later."""
        ask = self.ask(5, "--to-file", self.path)
        for limit in (20_000, 4096, 1):
            run = ["prlimit", f"--fsize={limit}", "env", "--ignore-signal=XFSZ"]
            command, self.command = self.command, lambda *a, **o: run + command(*a, **o)
            _, err = self.ctl(*ask, code=EX_OSERR)
            self.command = command
            self.assertIn(self.path, err)
            if "--resume" in err:
                self.finish(ask, 5)
            else:
                self.assertEqual(os.listdir(os.path.dirname(self.path)), [])

    def test_another_run(self):
        """What differs is named; nothing is touched."""
        ask = self.ask(5, "--to-file", self.path)
        self.stop([*ask, "--since", iso(T0 - 5000), "--prefix", "a", "--journal", self.file("j")], "GetObject", 200)
        journal = self.file("j")
        with open(journal, "rb") as f:
            was = f.read()
        part = os.stat(self.path + ".part").st_size
        base = {"--table": TABLE, "--at": iso(T0 + 5000), "--to-file": self.path, "--since": iso(T0 - 5000),
                "--prefix": "a", "--journal": journal}
        for name, value in (("--at", iso(T0 + 6000)), ("--since", iso(T0)), ("--since", None), ("--prefix", "b"),
                            ("--prefix", None), ("--at-seq", "17"), ("--table", "x"),
                            ("--key-format", "md5"), ("--tenant-attribute", "who")):
            told = {k: v for k, v in {**base, name: value}.items() if v is not None}
            _, err = self.ctl("restore", "--resume", *[x for pair in told.items() for x in pair], code=EX_USAGE)
            self.assertIn({"--key-format": "key_format", "--tenant-attribute": "tenant_attribute"}.get(name, name), err)
            self.assertIn(journal, err)
        for name in ("--hash", "--key-value"):
            told = {k: v for k, v in base.items() if k != "--prefix"}
            _, err = self.ctl("restore", "--resume", name, "b", *[x for p in told.items() for x in p], code=EX_USAGE)
            self.assertIn(name, err)
        with open(journal, "rb") as f:
            self.assertEqual(f.read(), was)
        self.assertEqual(os.stat(self.path + ".part").st_size, part)
        self.ctl("restore", "--resume", *[x for pair in base.items() for x in pair])
        self.assertEqual(self.read(), [i for i in self.told.at(5) if i.startswith(b'{"id":{"S":"a/')])

    def test_no_journal(self):
        ask = self.ask(5, "--to-file", self.path, "--resume")
        _, err = self.ctl(*ask, code=EX_NOINPUT)
        self.assertIn(self.path + ".journal", err)
        _, err = self.ctl(*self.ask(5, "--to-table", "new", "--resume"), code=EX_NOINPUT)
        self.assertIn("--resume", err)
        self.assertEqual(self.written(), {"s3 CreateBucket": 1, "s3 PutBucketVersioning": 1})

    def test_damaged(self):
        ask = self.ask(5, "--to-file", self.path)
        self.stop(ask, "GetObject", 500)
        journal = self.path + ".journal"
        with open(journal, encoding="ascii") as f:
            text = f.read()
        right = json.loads(text)
        wrong = ["", "{", text[:len(text) // 2], "[]", "null", "x" * 2_000_000, text.replace('"', "'")]
        for name, value in (("version", 2), ("items", -1), ("bytes", "7"), ("bytes", -1), ("ranges", {}),
                            ("ranges", [{}]), ("ranges", [{"after": "0", "through": ""}]), ("what", []),
                            ("ranges", [{"after": "zz", "through": ""}]), ("ranges", [{"after": 1, "through": 2}]),
                            ("ranges", [{"after": "", "through": ""}] * 9), ("at_ms", "now"), ("missing", None),
                            ("ranges", [{"after": "61" * 2049, "through": ""}])):
            wrong.append(json.dumps({**right, name: value}))
            wrong.append(json.dumps({k: v for k, v in right.items() if k != name}))
        for damage in wrong:
            with open(journal, "w", encoding="ascii") as f:
                f.write(damage)
            _, err = self.ctl(*ask, "--resume", code=EX_DATAERR)
            self.assertIn(journal, err, damage[:300])
        with open(journal, "w", encoding="ascii") as f:
            f.write(text)
        os.truncate(self.path + ".part", 10)
        _, err = self.ctl(*ask, "--resume", code=EX_CANTCREAT)
        self.assertIn(self.path + ".part", err)
        os.unlink(self.path + ".part")
        _, err = self.ctl(*ask, "--resume", code=EX_CANTCREAT)
        self.assertIn(self.path + ".part", err)

    def test_a_relative_time(self):
        """It is the first run's moment."""
        target = ["--at", "-30m", "--to-file", self.path, "--force"]
        self.stop(["restore", "--table", TABLE, *target], "GetObject", 200)
        with open(self.path + ".journal", encoding="ascii") as f:
            ms = json.load(f)["at_ms"]
        out, _ = self.ctl("restore", "--table", TABLE, *target, "--resume", "-o", "json")
        self.assertEqual(json.loads(out)["at"], iso(ms))
        self.assertEqual(self.read(), self.told.at(15))


class Table(Resume):
    def finish(self, ask, table, want):
        out, err = self.ctl(*ask, "--resume", "-o", "json")
        self.assertEqual(self.items(table), want)
        self.assertEqual(self.journals(), [])
        return json.loads(out)

    def test_new_table(self):
        told = self.story()
        self.schema(TimeToLiveDescription={"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})
        rng = random.Random(4)
        for n, how in enumerate((signal.SIGINT, signal.SIGKILL)):
            ask = self.ask(5, "--to-table", f"new{n}")
            said = self.stop(ask, "BatchWriteItem", rng.randrange(2, 50), how, rng.choice(("before", "after")))
            if how == signal.SIGINT:
                self.assertIn("--resume", said)
            _, err = self.ctl(*ask, code=EX_CANTCREAT)
            self.assertIn("has items", err)
            self.stop([*ask, "--resume"], "GetObject", 150, how)
            self.finish(ask, f"new{n}", told.at(5))
            # What comes last comes also when another run had made the table.
            ttl = self.fake.dynamodb.describe_time_to_live(TableName=f"new{n}")["TimeToLiveDescription"]
            self.assertEqual(ttl.get("AttributeName"), "expires")

    def test_it_goes_on_where_it_was(self):
        told = self.story()
        ask = self.ask(5, "--to-table", "new")
        self.stop(ask, "BatchWriteItem", 40)
        before = self.fake.count("s3 GetObject")
        self.finish(ask, "new", told.at(5))
        self.assertLess(self.fake.count("s3 GetObject") - before, 1000)

    def test_stopped_while_the_table_is_made(self):
        """Its time to live still comes in the end."""
        told = self.story(200)
        self.schema(TimeToLiveDescription={"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})
        self.fake.options("new", create_ms=3_600_000)
        ask = self.ask(5, "--to-table", "new")
        for how, resume in ((signal.SIGKILL, []), (signal.SIGINT, ["--resume"]), (signal.SIGTERM, ["--resume"])):
            before = self.fake.count("dynamodb DescribeTable")
            run = self.begin(*ask, *resume)
            wait_until(lambda: self.fake.count("dynamodb DescribeTable") > before + 2 or run.poll() is not None, 30,
                       "it waited")
            run.send_signal(how)
            self.assertEqual(run.wait(30), -how)
            if how != signal.SIGKILL:
                with open(run.said, encoding="utf-8") as f:
                    self.assertIn("--resume", f.read())
        self.fake.advance(3600)
        self.finish(ask, "new", told.at(5))
        ttl = self.fake.dynamodb.describe_time_to_live(TableName="new")["TimeToLiveDescription"]
        self.assertEqual(ttl.get("AttributeName"), "expires")

    def test_journal_that_cannot_be_written(self):
        """Nothing is made then."""
        self.story(50)
        for more, extra in ((("--journal", "/nowhere/j"), {}), ((), {"HOME": "/proc/nothing"})):
            _, err = self.ctl(*self.ask(5, "--to-table", "new"), *more, extra=extra, code=EX_OSERR)
            self.assertIn("--journal", err)
        self.ctl(*self.ask(5, "--to-file", self.file("x")), "--journal", "/nowhere/j", code=EX_OSERR)
        self.assertEqual(os.listdir(self.home()), [])
        self.assertEqual(self.fake.dynamodb.list_tables()["TableNames"], [])
        # A refused run leaves none.
        self.fake.new_table("full")
        self.fake.put("full", "x")
        self.ctl(*self.ask(5, "--to-table", "full"), code=EX_CANTCREAT)
        self.assertEqual(self.journals(), [])

    def place(self, told, *more):
        self.fake.new_table(TABLE)
        self.fill(TABLE, [json.loads(i) for i in told.at(15)][::2])
        rng = random.Random(6)
        ask = [*self.ask(5, "--in-place", "--yes"), *more]
        for op, how in (("GetObject", signal.SIGKILL), ("BatchWriteItem", signal.SIGINT),
                        ("BatchWriteItem", signal.SIGKILL), ("Scan", signal.SIGINT), ("GetObject", signal.SIGINT)):
            resume = ["--resume"] if self.journals() else []
            self.stop([*ask, *resume], op, rng.randrange(2, 12), how, rng.choice(("before", "after")))
        return ask

    def test_in_place(self):
        told = self.story(800)
        ask = self.place(told)
        if not self.journals():
            self.stop(ask, "BatchWriteItem", 1)
        figures = self.finish(ask, TABLE, told.at(5))
        self.assertEqual((figures["unknown"], figures["missing"]), (0, 0))

    def test_unknown_and_missing_are_told_at_the_end(self):
        told = self.story(300)
        self.fake.version(self.bucket, f"{TABLE}/!", body="no item", modified_ms=T0)
        self.fake.new_table(TABLE)
        self.fill(TABLE, [item("stranger"), item("stranger 2")])
        ask = self.ask(5, "--in-place", "--yes")
        self.stop(ask, "BatchWriteItem", 3)
        self.stop([*ask, "--resume"], "BatchWriteItem", 1)
        out, err = self.ctl(*ask, "--resume", "-o", "json", code=INCOMPLETE)
        figures = json.loads(out)
        self.assertEqual((figures["unknown"], figures["missing"]), (2, 1))
        self.assertIn(f"{TABLE}/!", err)
        self.assertEqual(self.items(TABLE), sorted([*told.at(5), canonical(item("stranger")),
                                                    canonical(item("stranger 2"))]))

    def test_in_place_of_tenants(self):
        """Between its two passes, too: the deletes are still to come then."""
        told = self.story(300, tenant="who")
        ask = [*self.ask(5, "--in-place", "--yes"), "--tenant-attribute", "who"]
        for seed, how in enumerate((signal.SIGKILL, signal.SIGINT)):
            target = f"place{seed}"
            self.fake.new_table(target)
            late = json.loads(told.at(15)[0])
            self.fill(target, [json.loads(i) for i in told.at(15)])
            self.fill(target, [{**late, "who": {"S": "other"}}])
            run = [*ask, "--to-table", target]
            scans = self.fake.count("dynamodb Scan")
            self.stop(run, "Scan", 2, how)  # the first looks whether it is empty
            self.assertGreater(self.fake.count("dynamodb Scan"), scans)
            resume = ["--resume"] if self.journals() else []
            self.stop([*run, *resume], "Scan", 6, how)  # four segments, then the second pass
            self.finish(run, target, told.at(5))


class Real(Ctl):
    def test_killed(self):
        """On the real servers, at any moment after it has begun."""
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        rows = [{"PutRequest": {"Item": item(f"i {n}/ä", n={"N": str(n)})}} for n in range(400)]
        for at in range(0, len(rows), 25):
            self.servers.dynamodb.batch_write_item(RequestItems={self.table: rows[at:at + 25]})
        self.wait_settled(daemon)
        daemon.stop()
        want = items_of(self.servers, self.table)
        target, path = self.table + ".again", self.file("items")
        journal = ["--journal", self.file("journal")]
        ask = ["restore", "--table", self.table, "--at", "latest"]

        def stop(how, *more):
            """With the rate that it has it is hardly done before; when it is, there is nothing to go on with."""
            path = self.file("journal")
            before = noted(path)
            run = self.begin(*ask, *more, *journal, *(["--resume"] if before >= 0 else []))
            wait_until(lambda: noted(path) > max(before, 0) or run.poll() is not None, 60, "it was noted")
            run.send_signal(how)
            self.assertIn(run.wait(30), (-how, 0))

        def finish(table, *more):
            self.ctl(*ask, *more, *journal, code=0 if noted(self.file("journal")) >= 0 else EX_NOINPUT)
            self.assertEqual(items_of(self.servers, table), want)
        for how in (signal.SIGKILL, signal.SIGINT):
            stop(how, "--to-table", target, "--rate", "100")
        finish(target, "--to-table", target, "--resume")
        rng = random.Random(8)
        for n, row in enumerate(rng.sample(rows, 120)):
            self.put(**row["PutRequest"]["Item"], new={"N": str(n)})
        stop(signal.SIGKILL, "--in-place", "--yes", "--rate", "50")
        finish(self.table, "--in-place", "--yes", "--resume")
        self.ctl(*ask, "--to-file", path)
        with open(path, "rb") as f:
            self.assertEqual(sorted(line[len(b'{"Item":'):-2] for line in f), want)


if __name__ == "__main__":
    harness.main()
