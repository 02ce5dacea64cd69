"""ddb-streamctl snapshot that is refused, fails, meets faults, or is interrupted: then nothing of it is there."""
import gzip
import os
import random
import signal
import subprocess

import exportcheck
import harness
from ctl import EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_USAGE, Story, T0, TABLE, iso
from harness import EX_NOPERM, wait_until
from test_ctl_snapshot import Snapshot, item

EX_OSERR = 71
MULTIPART = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")


def large(story, count, size=300_000, at_s=0):
    """Items that gzip cannot make smaller than `size`."""
    rng = random.Random(count)
    for n in range(count):
        story.put(at_s, item(f"i{n:04}", b={"B": rng.randbytes(size)}))
    story.tell()
    return story


class Refused(Snapshot):
    def test_not_complete(self):
        story = self.story(20)
        self.watermark(since=T0 - 1000, through=T0 + 100_000,
                       gaps=[{"reason": "trimmed", "from": iso(T0 + 40_000), "to": iso(T0 + 50_000)}])
        for at in (-5, 60, 200):
            for form in ((), ("--format", "replicator")):
                _, err = self.snapshot("--to", self.file("no"), *form, at=at, code=EX_DATAERR)
                self.assertIn("--force", err)
        self.assertFalse(os.path.exists(self.file("no")))
        self.assertEqual(sorted(self.export("--force", at=200).items()), story.at(200))
        self.snapshot("--to", self.file("no"), "--at", "yesterday", code=EX_USAGE)

    def test_inside_the_backup(self):
        self.story(20)
        below = f"s3://{self.bucket}"
        for to in (f"{TABLE}/", f"{TABLE}/x", TABLE, ".ddb-streamd", ".ddb-streamd/", f".ddb-streamd/{TABLE}/x",
                   ".ddb-streamd/other/"):
            for form in ((), ("--format", "replicator")):
                _, err = self.snapshot("--to", f"{below}/{to}", *form, at=10, code=EX_USAGE)
                self.assertIn("backup", err, to)
        self.assertEqual(self.left(), [])
        # Beside it is no harm.
        self.snapshot("--to", f"{below}/{TABLE}-exports/", at=10)
        x = exportcheck.Export(self.place(self.bucket, f"{TABLE}-exports"))
        self.assertEqual(len(x.items()), 20)
        # What a configuration knows of.
        conf = self.file("conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f'[aws]\nregion = us-east-1\n[s3]\nbucket = {self.bucket}\nprefix = p/\n[table "{TABLE}"]\n'
                    '[table "other"]\n[table "third"]\nprefix = q/\n')
        for to in ("p/other/", "p/other", "q/third/x", "p/.ddb-streamd/x", "q/.ddb-streamd"):
            self.snapshot("--to", f"{below}/{to}", "--force", config=conf, at=10, code=EX_USAGE)

    def test_usage(self):
        for more in ((), ("--to", ""), ("--to", self.file("x"), "--format", "csv"), ("--to", "s3://"),
                     ("--to", self.file("x"), "--in-place"), ("--to", "s3://B_/")):
            _, err = self.snapshot(*more, code=EX_USAGE)
            self.assertTrue(err)
        self.assertEqual(os.listdir(self.home()), [])

    def test_permissions(self):
        self.story(20)
        dest = self.fake.new_bucket()
        self.fake.do("credentials", id="weak", secret="weaksecret", denied="PutObject")
        weak = {"AWS_ACCESS_KEY_ID": "weak", "AWS_SECRET_ACCESS_KEY": "weaksecret"}
        _, err = self.snapshot("--to", f"s3://{dest}/", at=10, code=EX_NOPERM, extra=weak)
        for word in (dest, "s3:PutObject", "s3:AbortMultipartUpload"):
            self.assertIn(word, err)
        _, err = self.snapshot("--to", "s3://not-there/", at=10, code=EX_NOINPUT)
        self.assertIn("not-there", err)
        self.assertNotIn("[s3]", err)
        self.assertEqual(self.left(dest), [])

    def under(self, *words):
        """Further runs are started by this command."""
        command = self.command
        self.command = lambda *a, **o: [*words, *command(*a, **o)]

    def test_no_folder(self):
        self.story(20)
        with open(self.file("file"), "wb"):
            pass
        os.mkdir(self.file("closed"), 0o500)
        if os.getuid() == 0:  # root may write everywhere
            self.under("setpriv", "--bounding-set=-dac_override")
        for to in ("file", "file/below", "closed", "closed/new"):
            for form in ((), ("--format", "replicator")):
                if to == "file" and form:
                    continue
                _, err = self.snapshot("--to", self.file(to) + ("/r" if form else ""), *form, at=10, code=EX_OSERR)
                self.assertIn(self.file(to), err)
        self.assertEqual(sorted(os.listdir(self.home())), ["closed", "file"])
        self.assertEqual((os.path.getsize(self.file("file")), os.listdir(self.file("closed"))), (0, []))

    def test_disk_full(self):
        """In the data, in the files that come last, and at once. Without root a limit of sizes stands for it."""
        large(Story(self), 16, 100_000)
        to = self.file("disk")
        os.mkdir(to)
        if os.getuid() == 0:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "ddb-streamd-test", to], check=True)
            self.addCleanup(subprocess.run, ["umount", to], check=True)
        else:
            self.under("prlimit", "--fsize=300000", "env", "--ignore-signal=XFSZ")
        for form in ((), ("--format", "replicator")):
            _, err = self.snapshot("--to", to + ("/r" if form else ""), *form, at=10, code=EX_OSERR)
            self.assertIn(to, err)
            self.assertEqual(os.listdir(to), [])
        if os.getuid() == 0:
            with open(os.path.join(to, "filler"), "wb") as f:
                f.write(b"x" * (1024 * 1024))
            self.snapshot("--to", to, "--hash", "none", at=10, code=EX_OSERR)
            self.assertEqual(os.listdir(to), ["filler"])


class Trouble(Snapshot):
    def setUp(self):
        super().setUp()
        self.told = large(Story(self), 20)  # 6 MB: two parts of one file
        self.dest = self.fake.new_bucket()

    def one(self, name, code=0):
        return self.snapshot("--to", f"s3://{self.dest}/{name}", "--format", "replicator", at=1, code=code)[1]

    def check(self, name):
        self.assertEqual(sorted(gzip.decompress(self.place(self.dest).read(name)).splitlines()), self.told.at(1))

    def nothing(self):
        self.assertEqual((self.left(self.dest), self.fake.uploads()), ([], []))

    def test_faults(self):
        """Each kind of request fails in each manner, more than once; the file is whole, and no upload is left."""
        trouble = {"error": {"status": 500, "code": "InternalError"}, "slow": {"status": 503, "code": "SlowDown"},
                   "before": {"reset": "before"}, "after": {"reset": "after"}, "cut": {"truncate": 7}}
        for name, fault in trouble.items():
            lost = name in ("after", "cut")
            rules = [self.fake.fault(op=op, skip=int(lost and op == "UploadPart"), count=1 if lost else 2, **fault)
                     for op in MULTIPART if not (lost and op == "CreateMultipartUpload")]
            self.one(name)
            self.assertTrue(all(self.fake.hits(r) for r in rules), name)
            self.check(name)
            self.assertEqual(self.fake.uploads(), [])
            self.fake.do("clear_faults")
        self.fake.fault(op="CompleteMultipartUpload", status=200, code="InternalError", count=2)
        self.one("inside")
        self.check("inside")
        # An upload whose id was lost is said: nobody can end it but an operator.
        self.fake.fault(op="CreateMultipartUpload", reset="after", count=1)
        err = self.one("unknown")
        self.check("unknown")
        self.assertEqual([u["key"] for u in self.fake.uploads()], ["unknown"])
        self.assertIn("abort-multipart-upload", err)

    def test_faults_of_a_whole_export(self):
        large(self.told, 72, at_s=1)  # one of four files at least has two parts
        for n, op in enumerate((*MULTIPART, "PutObject", "PutObject", "PutObject", "GetObject", "ListObjectVersions")):
            self.fake.fault(op=op, skip=n, count=2, status=500 if n % 2 else 503, code="InternalError" if n % 2 else
                            "SlowDown")
        self.fake.fault(op="PutObject", skip=2, count=1, reset="after")
        self.snapshot("--to", f"s3://{self.dest}/", at=1)
        x = exportcheck.Export(self.place(self.dest))
        self.assertEqual(sorted(x.items()), self.told.at(1))
        self.assertIn("-2", [e["etag"][-2:] for e in x.entries])
        self.assertEqual(self.fake.uploads(), [])

    def test_what_fails_for_good(self):
        denied, error = {"status": 403, "code": "AccessDenied"}, {"status": 500, "code": "InternalError"}
        for op, fault, code in (("UploadPart", denied, EX_NOPERM), ("CompleteMultipartUpload", denied, EX_NOPERM),
                                ("UploadPart", error, EX_UNAVAILABLE)):
            rule = self.fake.fault(op=op, skip=int(op == "UploadPart"), **fault)
            err = self.one("gone", code=code)
            self.assertGreater(self.fake.hits(rule), 0)
            self.assertIn(op, err)
            self.fake.do("clear_faults")
            self.nothing()
        # The last word is not said: nothing is said. But all that comes before it is there to be gone on with.
        self.fake.fault(op="PutObject", key="manifest-summary.json", status=403, code="AccessDenied")
        ask = ["--to", f"s3://{self.dest}/", "--hash", "i0007"]
        _, err = self.snapshot(*ask, at=1, code=EX_NOPERM)
        self.assertIn("--resume", err)
        self.assertFalse([n for n in self.left(self.dest) if n.endswith("manifest-summary.json")])
        self.snapshot(*ask, "--clean-up", at=1)
        self.nothing()

    def interrupt(self, to, how, op, skip, *more):
        rule = self.fake.fault(op=op, skip=skip, never="before")
        run = self.begin("snapshot", "--table", TABLE, "--to", to, "--at", iso(T0 + 1000), *more)
        wait_until(lambda: self.fake.hits(rule) > 0 or run.poll() is not None, 60, f"{op} was asked")
        return self.end(run, how)

    def test_interrupted(self):
        bucket, folder = f"s3://{self.dest}/x/", self.file("folder")
        for how, to, op, skip, *more in (
                (signal.SIGINT, bucket, "PutObject", 1), (signal.SIGTERM, bucket, "PutObject", 3),
                (signal.SIGINT, bucket + "r", "UploadPart", 1, "--format", "replicator"),
                (signal.SIGTERM, bucket + "r", "CompleteMultipartUpload", 0, "--format", "replicator"),
                (signal.SIGINT, bucket, "GetObject", 10),
                (signal.SIGINT, folder, "GetObject", 15), (signal.SIGTERM, folder, "ListObjectVersions", 0),
                (signal.SIGINT, folder + "/r", "GetObject", 19, "--format", "replicator")):
            said = self.interrupt(to, how, op, skip, *more)
            self.assertRegex(said, "interrupted|cancelled")
            self.nothing()
            self.assertEqual([names for _, _, names in os.walk(folder) if names], [])


if __name__ == "__main__":
    harness.main()
