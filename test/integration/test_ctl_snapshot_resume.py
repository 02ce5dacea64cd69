"""ddb-streamctl snapshot and restore --via-import that are stopped, and go on with --resume as if nothing had been."""
import glob
import gzip
import json
import os
import random
import re
import shutil
import signal
import time

import exportcheck
import harness
from ctl import Ctl, EX_CANTCREAT, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_USAGE, INCOMPLETE, Story, T0, TABLE, iso
from harness import EX_NOPERM, canonical, wait_until
from test_ctl_import import ARN, ViaImport
from test_ctl_restore_resume import Resume
from test_ctl_snapshot import Snapshot
from test_ctl_snapshot_trouble import large

EX_OSERR, EX_TEMPFAIL = 71, 75
SMALL = ("--file-size", "64KiB")
COUNT = 1200  # of about 1 KB: five cuts with SMALL


class Stopped(Resume, Snapshot):
    """A table of COUNT items at 10, of which a fifth is gone then; what a run of it has left."""

    def setUp(self):
        super().setUp()
        self.dest = self.fake.new_bucket()
        self.url = f"s3://{self.dest}/a/b/"

    def tell(self, count=COUNT, pad=1000, **options):
        rng = random.Random(count)
        story = Story(self, **options)
        items = [{"id": {"S": f"{rng.choice(('a', 'b/long prefix', 'ä'))}/{n}"}, "n": {"N": str(n)},
                  "pad": {"S": rng.randbytes(pad // 2).hex()}, "who": {"S": f"t{n % 3}"}} for n in range(count)]
        for i in items:
            story.put(0, i)
        for i in items[::5]:
            story.remove(5, i)
        story.tell()
        return story

    def ask(self, *more, to=None, at=10):
        at = iso(T0 + at * 1000) if isinstance(at, int) else at
        return ["snapshot", "--table", TABLE, "--to", to or self.url, "--at", at, *SMALL, *more]

    def journal(self, to=None):
        """What the run has noted, or None."""
        found = [j for j in self.journals() if j.endswith(".journal")] + glob.glob(os.path.join(to or "/nowhere", "*.journal"))
        if not found:
            return None
        self.assertEqual(len(found), 1)
        with open(found[0], encoding="ascii") as f:
            return json.load(f)

    def kept_files(self, to=None):
        """Names of the data files that are kept."""
        told = self.journal(to)
        return [f.split()[-1] for f in told["more"]["export"]["files"]] if told else []

    def kept(self, to=None):
        return len(self.kept_files(to))

    def stop(self, arguments, op, after, how=signal.SIGINT, when="before", more=None, to=None):
        """As Resume's; but not before more files are kept than so many. Requests run ahead of what is written."""
        rule = self.hold(op, after, when)
        run = self.begin(*arguments)
        wait_until(lambda: self.fake.hits(rule) > 0 or run.poll() is not None, 60, "the run came so far")
        if more is not None:
            wait_until(lambda: self.kept(to) > more, 30, "files were kept")
        return self.end(run, how)

    def data(self):
        """How often each data file was written, or removed."""
        times = {}
        for w in self.fake.writes(bucket=self.dest):
            if "/data/" in w["key"]:
                name = w["key"].split("/")[-1]
                times[name] = times.get(name, 0) + 1
        return times

    def check(self, want, prefix="a/b"):
        """All rules of AWS's documents; the items; and nothing is left of runs that were stopped."""
        x = exportcheck.Export(self.place(self.dest, prefix))
        self.assertEqual(sorted(x.items()), want)
        self.assertEqual((self.fake.uploads(), self.journals()), ([], []))
        return x

    def stop_often(self, ask, how, moments, to=None):
        """Stopped at each (op, number) in turn; files that were kept stay."""
        kept = set()
        for op, after, more in moments:
            resume = ["--resume"] if self.journal(to) else []
            self.stop([*ask, *resume], op, after, how, more=more)
            self.assertLessEqual(kept, set(self.kept_files(to)))
            kept = set(self.kept_files(to))


class Bucket(Stopped):
    def test_stopped_again_and_again(self):
        """As by Ctrl-C, systemd, and kill -9: no item is missing or there twice, no file is uploaded a second time."""
        told = self.tell()
        for how, seed in ((signal.SIGINT, 1), (signal.SIGTERM, 2), (signal.SIGKILL, 3)):
            self.dest = self.fake.new_bucket()
            self.url = f"s3://{self.dest}/a/b/"
            rng = random.Random(seed)
            before = self.fake.count("s3 GetObject")
            moments = [("GetObject", rng.randrange(450, 600), 3), ("PutObject", rng.randrange(1, 5), None),
                       ("ListObjectVersions", 0, None), ("GetObject", rng.randrange(10, 100), None)]
            self.stop_often(self.ask(), how, moments)
            kept = set(self.kept_files())
            self.assertGreater(len(kept), 3)
            _, err = self.ctl(*self.ask("--resume"))
            x = self.check(told.at(10))
            self.assertRegex(err, f"written: {len(told.at(10))} items")
            # What is in the manifest was stored once, and never removed; all that was kept is in it.
            names = {k.split("/")[-1] for k in x.keys}
            self.assertEqual({self.data()[n] for n in names}, {1})
            self.assertLessEqual(kept, names)
            self.assertLess(self.fake.count("s3 GetObject") - before, 2.5 * len(told.at(10)))
            _, err = self.ctl(*self.ask("--resume"), code=EX_NOINPUT)
            self.assertIn("come to its end", err)

    def test_killed_at_any_moment(self):
        """Wherever it is: also when no request is out."""
        told = self.tell()
        rng, finished = random.Random(9), False
        for _ in range(12):
            run = self.begin(*self.ask(*(["--resume"] if self.journal() else [])))
            time.sleep(rng.uniform(0.01, 0.25))
            run.kill()
            run.wait(30)
            # The journal goes when all is done.
            finished = not self.journal() and any(n.endswith("summary.json") for n in self.left(self.dest))
            if finished:
                break
        if not finished:
            self.ctl(*self.ask(*(["--resume"] if self.journal() else [])))
        # Of a beginning that nobody was told of there may be an upload, which has no parts.
        self.assertEqual([u for u in self.fake.uploads() if u["parts"]], [])
        x = exportcheck.Export(self.place(self.dest, "a/b"))
        self.assertEqual(sorted(x.items()), told.at(10))

    def test_at_the_very_end(self):
        """Killed while each of the last files is put: nothing is read again, and the manifest is whole."""
        told = self.tell(200)
        for name in ("manifest-files.json", "manifest-files.md5", "manifest-summary.checksum", "manifest-summary.json"):
            for when in ("before", "after"):
                rule = self.fake.fault(op="PutObject", key=name, never=when)
                run = self.begin(*self.ask(*(["--resume"] if self.journal() else [])))
                wait_until(lambda r=rule: self.fake.hits(r) > 0, 30, f"{name} was put")
                run.kill()
                run.wait(30)
                self.fake.do("clear_faults")
        self.fake.s3_options(list_page=2)  # of the files' listing, too
        before = self.fake.count("s3 GetObject")
        out, _ = self.ctl(*self.ask("--resume", "-o", "json"))
        self.assertLess(self.fake.count("s3 GetObject") - before, 5)
        self.assertEqual(json.loads(out)["items"], len(told.at(10)))
        self.check(told.at(10))

    def test_parts(self):
        """Uploads of a killed run are ended by the next one, and so they are when it is given up."""
        told = large(Story(self), 100)  # 30 MB
        size = ["--file-size", "8MiB"]
        ask = ["snapshot", "--table", TABLE, "--to", self.url, "--at", iso(T0), *size]
        self.stop(ask, "UploadPart", 2, signal.SIGKILL, "after")
        self.assertGreater(len(self.journal()["more"]["export"]["uploads"]), 0)
        self.assertGreater(len(self.fake.uploads()), 0)
        self.ctl(*ask, "--resume")
        x = self.check(told.at(0))
        self.assertIn("-2", [e["etag"][-2:] for e in x.entries])
        self.stop([*ask, "--prefix", "i"], "CompleteMultipartUpload", 0, signal.SIGKILL)
        self.assertGreater(len(self.fake.uploads()), 0)
        self.ctl(*ask, "--prefix", "i", "--clean-up")
        self.check(told.at(0))

    def test_network_lost(self):
        """Requests fail until it gives up; then the network is back."""
        told = self.tell()
        self.fake.fault(op="GetObject", skip=600, reset="before")
        _, err = self.ctl(*self.ask(), code=EX_UNAVAILABLE)
        self.assertIn("not finished; the same command and --resume go on", err)
        kept = self.kept()
        self.assertGreater(kept, 3)
        # Only what is kept is there.
        self.assertEqual(len([n for n in self.left(self.dest) if "/data/" in n]), kept)
        self.fake.do("clear_faults")
        self.ctl(*self.ask("--resume"))
        self.check(told.at(10))

    def test_parts_of_the_table(self):
        """Narrowed, with folders, in each key format: it begins exactly where it was."""
        for key_format in ("path", "md5", "sha256", "plain"):
            for tenant in ((), ("--tenant-attribute", "who", "--tenant", "t1")):
                self.bucket, self.dest = self.fake.new_bucket(), self.fake.new_bucket()
                self.url = f"s3://{self.dest}/a/b/"
                self.ready()
                told = self.tell(1500, 1000, key_format=key_format,
                                 **({"tenant": "who"} if tenant else {}))
                more = ["--key-format", key_format, *tenant]
                want = [i for i in told.at(10) if not tenant or b'"t1"' in i]
                if key_format == "path" and not tenant:
                    more += ["--prefix", "b"]
                    want = [i for i in want if b'"b/long' in i]
                self.stop(self.ask(*more), "GetObject", 9 * len(want) // 10, signal.SIGKILL, more=0)
                self.ctl(*self.ask(*more, "--resume"))
                self.check(want)

    def test_ranges_in_parallel(self):
        """The table is divided while it is listed; each range goes on where it was."""
        self.fake.s3_options(list_page=20)
        told = self.tell(2000, 500)
        positions = []
        for how in (signal.SIGKILL, signal.SIGINT):
            self.stop(self.ask(*(["--resume"] if self.journal() else [])), "GetObject", 750, how, more=self.kept())
            positions.append(len(self.journal()["ranges"]))
        self.assertGreater(max(positions), 1)
        self.ctl(*self.ask("--resume"))
        self.check(told.at(10))

    def test_a_relative_time(self):
        """It is the first run's moment."""
        told = self.tell()
        ask = self.ask("--force", at="-30m")
        self.stop(ask, "GetObject", 600, signal.SIGKILL, more=0)
        ms = self.journal()["at_ms"]
        out, _ = self.ctl(*ask, "--resume", "-o", "json")
        self.assertEqual(json.loads(out)["at"], iso(ms))
        self.assertEqual(json.loads(out)["bytes"], sum(len(b'{"Item":}\n') + len(i) for i in told.at(10)))
        x = self.check(told.at(10))
        self.assertEqual(x.summary["exportTime"], iso(ms))

    def test_missing_items_are_counted(self):
        told = self.tell()
        self.fake.version(self.bucket, f"{TABLE}/!", body="no item", modified_ms=T0)
        self.stop(self.ask(), "GetObject", 600, signal.SIGKILL, more=0)
        self.assertEqual(self.journal()["missing"], 1)
        out, err = self.ctl(*self.ask("--resume", "-o", "json"), code=INCOMPLETE)
        self.assertEqual((json.loads(out)["missing"], json.loads(out)["items"]), (1, len(told.at(10))))
        self.assertIn("1 items", err)
        self.check(told.at(10))

    def test_permissions(self):
        told = self.tell()
        self.stop(self.ask(), "GetObject", 600, signal.SIGKILL)
        self.fake.fault(op="ListObjectsV2", status=403, code="AccessDenied")
        _, err = self.ctl(*self.ask("--resume"), code=EX_NOPERM)
        self.assertIn("s3:ListBucket", err)
        self.fake.do("clear_faults")
        self.ctl(*self.ask("--resume"))
        self.check(told.at(10))


class Refused(Stopped):
    def setUp(self):
        super().setUp()
        self.told = self.tell()
        self.stop(self.ask(), "GetObject", 600, signal.SIGKILL, more=3)

    def finish(self):
        self.ctl(*self.ask("--resume"))
        self.check(self.told.at(10))

    def test_begun_anew(self):
        """Nobody but the journal knows of what the other run has left."""
        before = self.left(self.dest)
        _, err = self.ctl(*self.ask(), code=EX_CANTCREAT)
        for word in ("--resume", "--clean-up"):
            self.assertIn(word, err)
        self.assertEqual(self.left(self.dest), before)
        self.finish()

    def test_given_up(self):
        self.ctl(*self.ask("--clean-up"))
        self.assertEqual((self.left(self.dest), self.fake.uploads(), self.journals()), ([], [], []))
        self.ctl(*self.ask("--clean-up"), code=EX_NOINPUT)
        self.ctl(*self.ask())
        self.check(self.told.at(10))

    def test_another_run(self):
        """What differs is named; nothing is touched."""
        journal = self.file("j")
        shutil.move(self.journals()[0], journal)
        with open(journal, "rb") as f:
            was = f.read()
        base = {"--table": TABLE, "--at": iso(T0 + 10_000), "--to": self.url, "--journal": journal, SMALL[0]: SMALL[1]}
        for name, value in (("--at", iso(T0 + 6000)), ("--at", "now"), ("--to", f"s3://{self.dest}/a/"),
                            ("--format", "replicator"), ("--prefix", "b"), ("--hash", "b"), ("--table", "x"),
                            ("--key-format", "md5"), ("--tenant-attribute", "who")):
            if name == "--format":
                base["--to"] = f"s3://{self.dest}/a/b"
            told = {**base, name: value}
            base["--to"] = self.url
            _, err = self.ctl("snapshot", "--resume", *[x for p in told.items() for x in p], code=EX_USAGE)
            self.assertRegex(err, {"--key-format": "key_format", "--tenant-attribute": "tenant_attribute",
                                   "--format": "--to|--format"}.get(name, name))
            self.assertIn(journal, err)
        with open(journal, "rb") as f:
            self.assertEqual(f.read(), was)
        self.ctl("snapshot", "--resume", *[x for p in base.items() for x in p])
        self.assertFalse(os.path.exists(journal))
        self.check(self.told.at(10))

    def test_no_journal(self):
        os.unlink(self.journals()[0])
        before = self.left(self.dest)
        for how in ("--resume", "--clean-up"):
            _, err = self.ctl(*self.ask(how), code=EX_NOINPUT)
            self.assertIn("there is no journal", err)
        self.assertEqual(self.left(self.dest), before)
        for more in (("--resume", "--clean-up"), ("--resume", "--dry-run")):
            self.ctl(*self.ask(*more), code=EX_USAGE)
        for size in ("64", "1KiB", "5GiB", "x"):
            _, err = self.ctl("snapshot", "--table", TABLE, "--to", self.url, "--file-size", size, code=EX_USAGE)
            self.assertIn("--file-size", err)

    def test_damaged(self):
        journal = self.journals()[0]
        with open(journal, encoding="ascii") as f:
            text = f.read()
        right = json.loads(text)
        export = right["more"]["export"]
        wrong = ["", text[:len(text) // 2], "x" * 2_000_000, json.dumps({**right, "more": {}}),
                 json.dumps({**right, "more": []}), json.dumps({k: v for k, v in right.items() if k != "more"})]
        for name, value in (("id", "../../../../../../../x"), ("id", ""), ("id", 1), ("files", {}),
                            ("files", [1]), ("files", ["1 2 3 4 5"]), ("files", [export["files"][0] + " x"]),
                            ("files", ["x" + export["files"][0]]), ("uploads", [{}]), ("uploads", None),
                            ("start_ms", ""), ("bytes", -1)):
            wrong.append(json.dumps({**right, "more": {"export": {**export, name: value}}}))
        before = self.left(self.dest)
        for damage in wrong:
            with open(journal, "w", encoding="ascii") as f:
                f.write(damage)
            _, err = self.ctl(*self.ask("--resume"), code=EX_DATAERR)
            for word in (journal, self.url):
                self.assertIn(word, err, damage[:300])
        self.assertEqual(self.left(self.dest), before)
        with open(journal, "w", encoding="ascii") as f:
            f.write(text)
        self.finish()

    def test_files_that_vanished(self):
        """Or are not what they were."""
        first = next(n for n in self.left(self.dest) if n.endswith(self.kept_files()[0]))
        body = self.place(self.dest).read(first)
        for change, word in ((lambda: self.fake.s3.delete_object(Bucket=self.dest, Key=first), "not there any more"),
                             (lambda: self.fake.s3.put_object(Bucket=self.dest, Key=first, Body=body[:-1] + b"x"),
                              "not what it was"),
                             (lambda: self.fake.s3.put_object(Bucket=self.dest, Key=first, Body=body + b"x"),
                              "not what it was")):
            change()
            before = self.left(self.dest)
            _, err = self.ctl(*self.ask("--resume"), code=EX_CANTCREAT)
            for text in (first, word, "--clean-up"):
                self.assertIn(text, err)
            self.assertEqual(self.left(self.dest), before)
        self.fake.s3.put_object(Bucket=self.dest, Key=first, Body=body)
        self.finish()

    def test_two_at_a_time(self):
        """While one goes on, another one is kept from it."""
        self.hold("GetObject", 5)
        before = self.fake.count("s3 GetObject")
        run = self.begin(*self.ask("--resume"))
        wait_until(lambda: self.fake.count("s3 GetObject") > before + 3, 30, "it read")
        for more in ("--resume", "--clean-up", "--dry-run"):
            if more == "--dry-run":
                _, err = self.ctl(*self.ask(), code=EX_TEMPFAIL)
            else:
                _, err = self.ctl(*self.ask(more), code=EX_TEMPFAIL)
            self.assertIn("still goes on", err)
        run.kill()
        run.wait(30)
        self.fake.do("clear_faults")
        self.finish()


class Folder(Stopped):
    def test_folder(self):
        told = self.tell()
        to = self.file("out")
        ask = self.ask(to=to)
        for how in (signal.SIGKILL, signal.SIGINT):
            self.stop([*ask, *(["--resume"] if self.journal(to) else [])], "GetObject", 450, how, more=self.kept(to), to=to)
        self.assertGreater(self.kept(to), 3)
        _, err = self.ctl(*ask, code=EX_CANTCREAT)
        self.assertIn("--resume", err)
        self.ctl(*ask, "--resume")
        x = exportcheck.Export(exportcheck.Folder(to))
        self.assertEqual(sorted(x.items()), told.at(10))
        self.ctl(*ask, "--resume", code=EX_NOINPUT)
        # A file that is gone, one that was changed; and the way out.
        ask = self.ask(to=to, at=4)
        self.stop(ask, "GetObject", 600, signal.SIGKILL, more=0, to=to)
        names = glob.glob(f"{to}/AWSDynamoDB/*/data/{self.kept_files(to)[0]}")
        os.truncate(names[0], 10)
        _, err = self.ctl(*ask, "--resume", code=EX_CANTCREAT)
        self.assertIn(names[0], err)
        os.unlink(names[0])
        _, err = self.ctl(*ask, "--resume", code=EX_CANTCREAT)
        self.assertIn(names[0], err)
        self.ctl(*ask, "--clean-up")
        self.assertEqual(os.listdir(to), ["AWSDynamoDB"])
        exportcheck.Export(exportcheck.Folder(to))

    def test_the_one_file(self):
        """It is begun anew, at the same moment; nothing of the other run is left."""
        told = self.tell(300)
        large(told, 20, at_s=1)
        for to in (self.file("r.gz"), f"s3://{self.dest}/r.gz"):
            ask = ["snapshot", "--table", TABLE, "--to", to, "--at", iso(T0 + 10_000), "--format", "replicator"]
            op, after = ("UploadPart", 0) if to.startswith("s3:") else ("GetObject", 200)
            self.stop(ask, op, after, signal.SIGKILL)
            _, err = self.ctl(*ask, code=EX_CANTCREAT)
            self.assertIn("--resume", err)
            self.ctl(*ask, "--resume")
            self.assertEqual((self.fake.uploads(), self.journals(), glob.glob(self.file("r.gz.*"))), ([], [], []))
            self.ctl(*ask, "--resume", code=EX_NOINPUT)
        with open(self.file("r.gz"), "rb") as f:
            stored = f.read()
        for data in (stored, self.place(self.dest).read("r.gz")):
            self.assertEqual(sorted(gzip.decompress(data).splitlines()), told.at(10))
        # Somebody else has put it there meanwhile.
        ask = ["snapshot", "--table", TABLE, "--to", self.file("s.gz"), "--at", iso(T0), "--format", "replicator"]
        self.stop(ask, "GetObject", 100, signal.SIGKILL)
        with open(self.file("s.gz"), "wb") as f:
            f.write(b"x")
        _, err = self.ctl(*ask, "--resume", code=EX_CANTCREAT)
        self.assertIn("s.gz exists", err)
        self.ctl(*ask, "--clean-up")
        self.assertEqual(glob.glob(self.file("s.gz*")), [self.file("s.gz")])

    def test_journal_that_cannot_be_written(self):
        """Nothing is made then."""
        self.tell(50)
        for extra, more in (({"HOME": "/proc/nothing"}, ()), ({}, ("--journal", "/nowhere/j"))):
            _, err = self.ctl(*self.ask(*more), extra=extra, code=EX_OSERR)
            self.assertIn("--journal", err)
        self.assertEqual(self.left(self.dest), [])

    def test_journal_that_cannot_be_written_any_more(self):
        """As on a full disk: what it said before is what stays, and what it tells of."""
        told = self.tell()
        rule = self.fake.fault(op="GetObject", skip=600, hold="before")
        run = self.begin(*self.ask())
        wait_until(lambda: self.fake.held(rule) > 0 and self.kept() > 0, 30, "files were kept")
        kept = set(self.kept_files())
        new = self.journals()[0] + ".new"
        os.mkdir(new)
        self.fake.do("clear_faults")
        self.fake.release(rule)
        self.assertEqual(run.wait(60), EX_OSERR)
        with open(run.said, encoding="utf-8") as f:
            said = f.read()
        for word in (new, "--resume go on"):
            self.assertIn(word, said)
        os.rmdir(new)
        self.assertEqual(set(self.kept_files()), kept)
        self.assertEqual({n.split("/")[-1] for n in self.left(self.dest) if "/data/" in n}, kept)
        self.ctl(*self.ask("--resume"))
        self.check(told.at(10))


class Import(ViaImport):
    COUNT = 300

    def journals(self):
        return glob.glob(self.file(".local/state/ddb-streamctl/*"))

    def setUp(self):
        super().setUp()
        for n in range(self.COUNT):
            self.told.put(50, {"id": {"S": f"x{n}"}, "range": {"N": "1"}, "who": {"S": "w"}, "pad": {
                "S": random.Random(n).randbytes(1000).hex()}})
        self.told.tell()

    def ask(self, table, *more, **options):
        return super().ask(table, *SMALL, *more, **options)

    def finish(self):
        out, err = self.run_import("new", "--resume", "-o", "json")
        self.assertEqual(json.loads(out)["items"], len(self.told.at(100)))
        self.assertEqual(len(self.exports()), 1)
        self.check("new")
        d, ttl = self.describe("new")
        self.assertTrue(d["StreamSpecification"]["StreamEnabled"])
        self.assertEqual((ttl["TimeToLiveStatus"], self.journals()), ("ENABLED", []))
        self.run_import("new", "--resume", code=EX_NOINPUT)
        return err

    def test_while_it_is_written(self):
        for how in (signal.SIGKILL, signal.SIGINT):
            self.interrupt("GetObject", how, *(["--resume"] if self.journals() else []), skip=200)
        _, err = self.run_import("new", code=EX_CANTCREAT)
        self.assertIn("--resume", err)
        self.finish()
        self.assertEqual(self.fake.count("dynamodb ImportTable"), 1)

    def test_given_up(self):
        self.interrupt("GetObject", signal.SIGKILL, skip=200)
        self.assertEqual(len(self.exports()), 1)
        self.run_import("new", "--clean-up")
        self.assertEqual((self.exports(), self.journals(), self.fake.uploads()), ([], [], []))
        self.run_import("new")
        self.check("new")

    def test_at_its_beginning(self):
        """Whether its import has begun is not known: no second one begins."""
        for when in ("before", "after"):
            self.interrupt("ImportTable", signal.SIGKILL, *(["--resume"] if self.journals() else []), when=when)
        _, err = self.run_import("new", "--clean-up", code=EX_CANTCREAT)
        self.assertIn("may have begun", err)
        before = self.fake.count("s3 GetObject")
        self.finish()
        self.assertLessEqual(self.fake.count("s3 GetObject"), before + 1)  # table.json

    def in_the_way(self):
        _, err = self.run_import("new", "--resume", code=EX_CANTCREAT)
        for word in ("table new", "8 hours", "list-imports", "--resume"):
            self.assertIn(word, err)

    def test_not_noted_for_hours(self):
        """A token counts for eight hours: after that no second table is made."""
        self.interrupt("ImportTable", signal.SIGKILL, when="after")
        self.fake.advance(9 * 3600)
        self.in_the_way()

    def test_a_table_is_there(self):
        self.interrupt("ImportTable", signal.SIGKILL)
        keys = [{"AttributeName": "k", "KeyType": "HASH"}]
        self.fake.dynamodb.create_table(TableName="new", BillingMode="PAY_PER_REQUEST", KeySchema=keys, AttributeDefinitions=[
            {"AttributeName": "k", "AttributeType": "S"}])
        self.in_the_way()
        self.fake.dynamodb.delete_table(TableName="new")
        self.finish()

    def test_while_it_is_followed(self):
        for how in (signal.SIGKILL, signal.SIGTERM):
            said = self.interrupt("DescribeImport", how, *(["--resume"] if self.journals() else []))
            if how == signal.SIGTERM:
                self.assertIn("--resume", said.splitlines()[-1])
        self.finish()
        self.assertEqual(self.fake.count("dynamodb ImportTable"), 1)

    def test_after_its_end(self):
        """It ended while nobody looked: that is said, and what it leaves out is given to the table."""
        self.interrupt("DescribeImport", signal.SIGKILL)
        with open(self.journals()[0], encoding="ascii") as f:
            arn = json.load(f)["more"]["import"]["arn"]
        self.assertRegex(arn, ARN)
        wait_until(lambda: self.fake.dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"][
            "ImportStatus"] == "COMPLETED", 10, "the import was over")
        self.assertIn("imported:", self.finish())
        self.assertEqual(self.fake.count("dynamodb ImportTable"), 1)

    def test_refused_and_tried_again(self):
        self.fake.fault(op="ImportTable", status=400, code="AccessDeniedException")
        _, err = self.run_import("new", code=EX_NOPERM)
        self.assertIn("--resume", err)
        self.fake.do("clear_faults")
        self.finish()


class Real(Ctl):
    def test_killed(self):
        """On the real gateway: ETags and listings are its own."""
        told = []
        rng = random.Random(5)
        for n in range(150):
            body = canonical({"id": {"S": f"i {n}/ä"}, "b": {"B": rng.randbytes(100_000)}})
            told.append(body)
            self.servers.s3.put_object(Bucket=self.bucket.name, Key=f"{self.table}/i%20{n}%2F%C3%A4", Body=body, Metadata={
                "ddb-event": "INSERT", "ddb-seq": str(n + 1), "ddb-time": iso(T0), "ddb-stream": "s", "ddb-shard": "x"})
        dest, journal = self.servers.new_bucket(), self.file("journal")
        ask = ["snapshot", "--table", self.table, "--at", iso(T0 + 1000), "--force", "--to", f"s3://{dest}/x/",
               "--file-size", "1MiB", "--journal", journal]

        def kept():
            try:
                with open(journal, encoding="ascii") as f:
                    return len(json.load(f)["more"]["export"]["files"])
            except FileNotFoundError:
                return -1
        for how in (signal.SIGKILL, signal.SIGINT):
            before = kept()
            run = self.begin(*ask, *(["--resume"] if before >= 0 else []))
            wait_until(lambda b=before: kept() > max(b, 0) or run.poll() is not None, 60, "a file was kept")
            run.send_signal(how)
            self.assertIn(run.wait(30), (-how, 0))
            if kept() < 0:  # it was faster
                break
        if kept() >= 0:
            self.ctl(*ask, "--resume")
        x = exportcheck.Export(exportcheck.Place(self.servers.s3, dest, "x"))
        self.assertEqual(sorted(x.items()), sorted(told))
        self.assertNotIn("Uploads", self.servers.s3.list_multipart_uploads(Bucket=dest))


if __name__ == "__main__":
    harness.main()
