"""ddb-streamctl restore into tables that throttle and fail, out of a bucket that does: equal in the end, or said."""
import json
import random
import time

import harness
from ctl import EX_NOINPUT, EX_UNAVAILABLE, FakeCtl, INCOMPLETE, Story, TABLE
from harness import canonical


def item(name, **attributes):
    return {"id": {"S": name}, **attributes}


class Faults(FakeCtl):
    def setUp(self):
        super().setUp()
        self.ready()

    def story(self, count=500, width=10):
        """At 0 the items; at 10 a third is another one, and some are gone."""
        rng = random.Random(count)
        story = Story(self)
        for n in range(count):
            story.put(0, item(f"{n:04}", x={"S": "x" * rng.randrange(1, 2 * width)}, n={"N": str(n)}))
        for n in range(count):
            if n % 3 == 0:
                story.put(10, item(f"{n:04}", n={"N": str(-n)}))
            elif n % 7 == 0:
                story.remove(10, item(f"{n:04}"))
        story.tell()
        return story

    def both(self, story, name, table=None, **faults):
        """Into a new table, and in place, while it is so."""
        if table:
            self.fake.options(name, **table)
        rules = [self.fake.fault(table=name, **{**faults, "skip": 1, "count": 2, "p": 1})] if faults else []
        if faults:
            self.fake.fault(table=name, **faults)
        self.restore(5, "--to-table", name)
        self.assertEqual(self.items(name), story.at(5))
        self.restore(15, "--to-table", name, "--in-place", "--yes")
        self.assertEqual(self.items(name), story.at(15))
        for rule in rules:
            self.assertGreater(self.fake.hits(rule), 0)
            self.fake.do("clear_faults")


class Writes(Faults):
    def test_unprocessed(self):
        story = self.story(90)
        self.both(story, "nth", table={"unprocessed_nth": 7})
        self.both(story, "percent", table={"unprocessed_percent": 50})

    def test_capacity(self):
        """More than the table takes a second: whole requests are throttled, too."""
        story = self.story(700)
        self.both(story, "small", table={"write_units_per_s": 400, "read_units_per_s": 300})

    def test_failing(self):
        story = self.story(200)
        for n, fault in enumerate((
                {"status": 500, "code": "InternalServerError"}, {"status": 400, "code": "ThrottlingException"},
                {"reset": "before"}, {"reset": "after"}, {"truncate": 20}, {"garbage": True}, {"crc": "wrong"})):
            self.both(story, f"bad{n}", op="BatchWriteItem", p=0.1, seed=n, **fault)

    def test_one_that_cannot_be_written(self):
        """It is named; the others of its batch are written."""
        story = self.story(60)
        self.fake.version(self.bucket, f"{TABLE}/0007x", body=json.dumps(item("0007x", x={"S": "y" * 420_000})),
                          modified_ms=0)
        self.fake.version(self.bucket, f"{TABLE}/0008x", body=json.dumps({"id": {"N": "8"}}), modified_ms=0)
        self.fake.version(self.bucket, f"{TABLE}/0009x", body=json.dumps({"other": {"S": "no key"}}), modified_ms=0)
        out, err = self.restore(5, "--to-table", "new", "-o", "json", code=INCOMPLETE)
        self.assertEqual(json.loads(out)["missing"], 3)
        for name in ("0007x", "0008x", "0009x"):
            self.assertIn(f"{TABLE}/{name}: ", err)
        self.assertNotIn("yyyy", err)
        self.assertEqual(self.items("new"), story.at(5))

    def test_table_goes_away(self):
        self.story(300)
        self.fake.fault(op="BatchWriteItem", skip=3, status=400, code="ResourceNotFoundException", message="not found")
        _, err = self.restore(5, "--to-table", "new", code=EX_NOINPUT)
        self.assertIn("new", err)

    def test_permission(self):
        """What fails for good leaves a journal."""
        story = self.story(300)
        self.fake.fault(op="BatchWriteItem", skip=3, status=400, code="AccessDeniedException", message="no")
        _, err = self.restore(5, "--to-table", "new", code=harness.EX_NOPERM)
        self.assertIn("BatchWriteItem", err)
        self.assertIn("--resume", err)
        self.fake.do("clear_faults")
        self.restore(5, "--to-table", "new", "--resume")
        self.assertEqual(self.items("new"), story.at(5))
        self.fake.fault(op="CreateTable", status=400, code="AccessDeniedException", message="no")
        _, err = self.restore(5, "--to-table", "newer", code=harness.EX_NOPERM)
        self.assertIn("newer", err)

    def test_rate(self):
        """Its first second's units come at once, the rest not before its time."""
        story = self.story(700)
        began = time.monotonic()
        self.restore(5, "--to-table", "new", "--rate", "300")
        self.assertGreater(time.monotonic() - began, (700 - 300) / 300)
        self.assertEqual(self.items("new"), story.at(5))
        began = time.monotonic()
        self.restore(15, "--to-table", "new", "--rate", "100", "--in-place", "--yes")
        self.assertGreater(time.monotonic() - began, (234 - 100) / 100)
        self.assertEqual(self.items("new"), story.at(15))

    def test_answer_of_create_is_lost(self):
        story = self.story(50)
        for n, fault in enumerate(({"reset": "after"}, {"reset": "before"},
                                   {"status": 500, "code": "InternalServerError"})):
            self.fake.fault(op="CreateTable", count=1, **fault)
            self.restore(5, "--to-table", f"new{n}")
            self.assertEqual(self.items(f"new{n}"), story.at(5))
        for n, op in enumerate(("DescribeTable", "Scan")):
            self.fake.fault(op=op, p=0.5, status=500, code="InternalServerError")
            self.fake.options(f"newer{n}", create_ms=300)
            self.restore(5, "--to-table", f"newer{n}")
            self.assertEqual(self.items(f"newer{n}"), story.at(5))


class Reads(Faults):
    def test_failing_bucket(self):
        story = self.story(250)
        self.fake.s3_options(list_page=50)
        for n, fault in enumerate(({"status": 500, "code": "InternalError"}, {"status": 503, "code": "SlowDown"},
                                   {"reset": "before"}, {"truncate": 10})):
            self.fake.fault(service="s3", p=0.1, seed=n, **fault)
            self.restore(5, "--to-table", f"new{n}")
            self.assertEqual(self.items(f"new{n}"), story.at(5))
            self.assertEqual(self.lines(15), story.at(15))
            self.fake.do("clear_faults")

    def test_a_bucket_that_is_gone(self):
        self.story(100)
        self.fake.fault(op="GetObject", skip=30, status=500, code="InternalError")
        _, err = self.restore(5, "--to-table", "new", code=EX_UNAVAILABLE)
        self.assertIn("--resume", err)
        self.fake.do("clear_faults")
        self.restore(5, "--to-table", "new", "--resume")
        self.fake.fault(op="ListObjectVersions", status=403, code="AccessDenied", message="no")
        _, err = self.restore(5, "--to-table", "newer", code=harness.EX_NOPERM)
        self.assertIn("AccessDenied", err)

    def test_failing_scan(self):
        """In place, the table is read whole although reading fails, and has pages without items."""
        story = self.story(400, width=4000)
        self.fake.new_table(TABLE)
        self.fill(TABLE, [json.loads(i) for i in story.at(15)][::2] + [item(f"stranger {n}") for n in range(9)])
        self.fake.options(TABLE, read_empty_nth=2)
        self.fake.fault(op="Scan", p=0.3, status=400, code="ProvisionedThroughputExceededException")
        self.fake.fault(op="Scan", p=0.2, truncate=100)
        out, _ = self.restore(5, "--in-place", "--yes", "-o", "json", code=INCOMPLETE)
        self.assertEqual(json.loads(out)["unknown"], 9)
        self.assertEqual(self.items(TABLE), sorted(story.at(5) + [canonical(item(f"stranger {n}")) for n in range(9)]))


if __name__ == "__main__":
    harness.main()
