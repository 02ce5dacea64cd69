"""ddb-streamctl diff: what differs between two times; and the sizes that ddb-streamctl tables counts."""
import datetime
import json
import random
import signal
import subprocess
import threading

import harness
from ctl import Ctl, EX_DATAERR, EX_NOINPUT, EX_USAGE, INCOMPLETE, T0, TABLE, iso
from harness import canonical
from test_ctl_history import Told, item

SAME, DIFFERENT = 0, 1


class Diff(Told):
    def setUp(self):
        super().setUp()
        self.watermark()
        self.schema()

    def diff(self, at_s, with_s, *more, code=DIFFERENT, **options):
        """The rows from `at_s` to `with_s` seconds after T0, by object name; and what was said."""
        out, err = self.ctl("diff", "--table", TABLE, "--at", iso(T0 + at_s * 1000), "--with",
                            iso(T0 + with_s * 1000), "-o", "json", *more, code=code, **options)
        return sorted(map(json.loads, out.splitlines()), key=lambda row: row["object"]), err

    def text(self, at_s, with_s, *more, code=DIFFERENT, **options):
        out, _ = self.ctl("diff", "--table", TABLE, "--at", iso(T0 + at_s * 1000), "--with",
                          iso(T0 + with_s * 1000), *more, code=code, **options)
        return out.splitlines()

    def story(self):
        """At 0: a, b, c. From 10 on: a changed, b gone, c as it was, d new. At 20 a is as it was at 0."""
        for name in "abc":
            self.change(name, "INSERT", item(name, n={"N": "1"}), 0)
        self.change("a", "MODIFY", item("a", n={"N": "2"}), 10)
        self.change("b", "REMOVE", item("b", n={"N": "1"}), 10)
        self.change("d", "INSERT", item("d"), 10)
        self.change("a", "MODIFY", item("a", n={"N": "1"}), 20)

    def test_json(self):
        self.story()
        rows, err = self.diff(5, 15)
        self.assertEqual(rows, [
            {"key": {"id": {"S": "a"}}, "object": f"{TABLE}/a", "change": "MODIFY", "old": item("a", n={"N": "1"}),
             "new": item("a", n={"N": "2"})},
            {"key": {"id": {"S": "b"}}, "object": f"{TABLE}/b", "change": "REMOVE", "old": item("b", n={"N": "1"}),
             "new": None},
            {"key": {"id": {"S": "d"}}, "object": f"{TABLE}/d", "change": "INSERT", "old": None, "new": item("d")}])
        self.assertIn("1 items added, 1 modified, 1 deleted, of 4 keys", err)
        rows, _ = self.diff(5, 15, "--detail")
        self.assertEqual([row["diff"] for row in rows], [
            {"added": {}, "removed": {}, "changed": {"n": {"old": {"N": "1"}, "new": {"N": "2"}}}},
            {"added": {}, "removed": item("b", n={"N": "1"}), "changed": {}},
            {"added": item("d"), "removed": {}, "changed": {}}])
        # What was changed and changed back is no difference; the way back is the other way round.
        self.assertEqual([row["object"] for row in self.diff(5, 25)[0]], [f"{TABLE}/b", f"{TABLE}/d"])
        self.assertEqual([row["change"] for row in self.diff(15, 5)[0]], ["MODIFY", "INSERT", "REMOVE"])
        self.assertEqual([row["change"] for row in self.diff(-5, 5)[0]], ["INSERT"] * 3)
        rows, err = self.diff(25, 30, code=SAME)
        self.assertEqual(rows, [])
        self.assertIn("0 items added, 0 modified, 0 deleted, of 4 keys", err)
        self.diff(5, 5, code=SAME)

    def test_text(self):
        self.story()
        self.assertEqual(sorted(self.text(5, 15)), ["A d", "D b", "M a"])
        lines = self.text(5, 15, "--detail")
        self.assertEqual(lines[lines.index("M a") + 1], "    ~ n  1 -> 2")
        self.assertEqual(lines[lines.index("D b") + 1:lines.index("D b") + 3], ['    - id  "b"', "    - n   1"])
        self.assertEqual(lines[lines.index("A d") + 1], '    + id  "d"')
        self.assertEqual(self.text(25, 30, code=SAME), [])

    def test_bodies(self):
        """Only what is there at both times is read to list keys."""
        self.story()
        self.fake.do("reset_audit")
        self.text(5, 15)
        self.assertEqual(self.fake.count("s3 GetObject"), 2 + 1 + 2)  # a; table.json; watermark.json for each time

    def test_narrow(self):
        self.story()
        for narrow, names in ((("--key-value", "a"), "a"), (("--key", '{"id":{"S":"b"}}'), "b"), (("--hash", "d"), "d"),
                              (("--prefix", "a"), "a"), (("--prefix", ""), "abd")):
            rows, _ = self.diff(5, 15, *narrow)
            self.assertEqual([row["key"]["id"]["S"] for row in rows], list(names), narrow)
        self.diff(5, 15, "--key-value", "c", code=SAME)
        self.diff(5, 15, "--key-value", "none", code=EX_NOINPUT)
        self.diff(5, 15, "--prefix", "none", code=SAME)
        self.diff(5, 15, "--prefix", "a", "--hash", "b", code=EX_USAGE)

    def test_hash_of_many(self):
        """With hashed names only the bodies tell who belongs to a partition key, and what a key is."""
        self.schema(range_name="r")
        for n, name in enumerate("aab"):
            self.change(f"hash-{n}", "INSERT", item(name, r={"S": str(n)}), 0)
        self.change("hash-1", "REMOVE", item("a", r={"S": "1"}), 10)
        self.change("hash-2", "REMOVE", item("b", r={"S": "2"}), 10)
        md5 = ("--key-format", "md5")
        rows, _ = self.diff(5, 15, "--hash", "a", *md5)
        self.assertEqual([row["key"] for row in rows], [{"id": {"S": "a"}, "r": {"S": "1"}}])
        self.assertEqual(sorted(self.text(5, 15, *md5)),
                         ['D hash-1  {"id":"a","r":"1"}', 'D hash-2  {"id":"b","r":"2"}'])
        self.assertEqual(self.text(5, 15, "--hash", "b", *md5), ['D hash-2  {"id":"b","r":"2"}'])

    def test_without_table_json(self):
        self.story()
        self.fake.version(self.bucket, f".ddb-streamd/{TABLE}/table.json", marker=True, modified_ms=T0)
        self.assertEqual([row["key"] for row in self.diff(5, 15)[0]], [None] * 3)
        self.assertEqual(sorted(self.text(5, 15)), ["A d", "D b", "M a"])
        self.assertEqual(sorted(self.text(5, 15, "--key-format", "md5")), ["A d", "D b", "M a"])

    def test_names_are_made_harmless(self):
        name = 'x"\x1b[2J\x9b\u202e'
        self.change(name, "INSERT", item(name), 0)
        self.assertEqual(self.text(-5, 5), ['A x"\\u001b[2J\\u009b\\u202e'])
        self.assertEqual(self.diff(-5, 5)[0][0]["object"], f"{TABLE}/{name}")

    def test_same_item_in_another_form(self):
        """The ETags differ, the items do not."""
        self.change("a", "INSERT", '{ "id": {"S": "a"}, "b": {"N": "1"} }', 0)
        self.change("a", "MODIFY", item("a", b={"N": "1"}), 10)
        self.change("b", "INSERT", item("b", n={"N": "1"}), 0)
        self.change("b", "MODIFY", item("b", n={"N": "1.0"}), 10)
        self.assertEqual(self.text(5, 15), ["M b"])
        self.assertEqual(self.diff(5, 15, "--key-value", "a", code=SAME)[0], [])

    def test_what_cannot_be_had(self):
        self.story()
        self.change("e", "MODIFY", item("e"), 10)  # what was before is not in the bucket
        self.change("f", "INSERT", item("f"), 0, storage_class="GLACIER")
        self.change("f", "MODIFY", item("f", n={"N": "1"}), 10)
        self.change("g", "INSERT", "no item", 0)
        self.change("g", "MODIFY", item("g"), 10)
        rows, err = self.diff(5, 15, code=INCOMPLETE)
        self.assertEqual([row["object"] for row in rows], [f"{TABLE}/{n}" for n in "abd"])
        for name, why in (("e", "not in the bucket"), ("f", "archived"), ("g", "not an item")):
            self.assertRegex(err, rf"{TABLE}/{name}: .*{why}")
        self.assertIn("3 items could not be compared", err)
        # Nothing else differs: it is still not known.
        self.diff(5, 15, "--key-value", "e", code=INCOMPLETE)

    def test_completeness(self):
        self.story()
        self.watermark(since=T0, through=T0 + 20_000)
        self.diff(5, 15)
        for at, other in ((-5, 15), (5, 25), (25, 5), (15, -5)):
            _, err = self.diff(at, other, code=EX_DATAERR)
            self.assertIn("--force", err)
            rows, err = self.diff(at, other, "--force")
            self.assertTrue(rows)
            self.assertIn("may lack changes", err)
        out, _ = self.ctl("diff", "--table", TABLE, "--at", iso(T0 + 5000), "--with", "latest", code=DIFFERENT)
        self.assertEqual(sorted(out.splitlines()), ["A d", "D b"])
        self.watermark(gaps=[{"reason": "trimmed", "from": iso(T0 + 8000), "to": iso(T0 + 9000),
                              "noticed": iso(T0 + 9000)}])
        self.assertIn("trimmed", self.diff(5, 15, code=EX_DATAERR)[1])
        self.diff(5, 6, code=SAME)

    def test_usage(self):
        at = ("--at", iso(T0), "--with", iso(T0))
        for wrong in ((), ("--at", iso(T0)), ("--with", iso(T0)), ("--at", "yesterday", "--with", "now"),
                      ("--at", "now", "--with", "then"), (*at, "--limit", "1"), (*at, "--output", "xml"),
                      (*at, "surplus"), (*at, "--key", "{}")):
            self.ctl("diff", "--table", TABLE, *wrong, code=EX_USAGE)
        self.ctl("diff", *at, code=EX_USAGE)
        self.assertIn("exit status", self.ctl("diff", "--help")[0])

    def test_full_disk(self):
        self.story()
        with open("/dev/full", "wb") as full:
            done = subprocess.run(self.command("diff", "--table", TABLE, "--at", iso(T0 + 5000), "--with",
                                               iso(T0 + 15000)), env=self.environment(), stdout=full,
                                  stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(done.returncode, 74, done.stderr)

    def test_against_a_model(self):
        """Random histories; every pair of times equals what the two states are."""
        rng = random.Random(5)
        states, now, told = [{}], {}, []
        for second in range(1, 60):
            now = dict(now)
            for _ in range(rng.randrange(3)):
                name = rng.choice("abcdefgh")
                old = now.get(name)
                if old is not None and rng.random() < 0.4:
                    del now[name]
                    self.change(name, "REMOVE", old, second, lag_ms=rng.choice([500, 3000, 900_000]))
                elif not any(n == name and s == second for n, s in told):
                    now[name] = item(name, n={"N": str(rng.randrange(3))})
                    if now[name] == old:
                        continue
                    self.change(name, "INSERT" if old is None else "MODIFY", now[name], second, lag_ms=1000)
                told.append((name, second))
            states.append(now)
        for _ in range(25):
            a, b = rng.randrange(60), rng.randrange(60)
            want = {n for n in states[a].keys() | states[b].keys() if states[a].get(n) != states[b].get(n)}
            rows, _ = self.diff(a, b, code=DIFFERENT if want else SAME)
            self.assertEqual({row["key"]["id"]["S"]: (row["old"], row["new"]) for row in rows},
                             {n: (states[a].get(n), states[b].get(n)) for n in want}, (a, b))


class Live(Told):
    """Against a live table."""

    def setUp(self):
        super().setUp()
        self.watermark()
        self.schema()
        self.fake.new_table(TABLE)

    def have(self, *items):
        for one in items:
            self.fake.dynamodb.put_item(TableName=TABLE, Item=one)

    def diff(self, *more, code=DIFFERENT, at_s=50, **options):
        out, err = self.ctl("diff", "--table", TABLE, "--at", iso(T0 + at_s * 1000), "--with", "live", "-o", "json",
                            *more, code=code, **options)
        rows = {row["object"][len(TABLE) + 1:]: (row["old"], row["new"]) for row in map(json.loads, out.splitlines())}
        self.assertEqual(len(rows), len(out.splitlines()))
        return rows, err

    def story(self):
        """same, changed, gone and new, as the names say; back was deleted before the time and is there again."""
        for name in ("same", "changed", "gone", "back"):
            self.change(name, "INSERT", item(name, n={"N": "1"}), 0)
        self.change("back", "REMOVE", item("back", n={"N": "1"}), 10)
        self.have(item("same", n={"N": "1"}), item("changed", n={"N": "2"}), item("new"), item("back"))

    WANT = {"changed": (item("changed", n={"N": "1"}), item("changed", n={"N": "2"})),
            "gone": (item("gone", n={"N": "1"}), None), "new": (None, item("new")), "back": (None, item("back"))}

    def test_json(self):
        self.story()
        rows, err = self.diff()
        self.assertEqual(rows, self.WANT)
        self.assertIn("to the live table: 2 items added, 1 modified, 1 deleted", err)
        self.assertRegex(err, r"took \d+ read units")
        self.assertEqual(self.diff(at_s=-5)[0], {
            name: (None, item(name, **({"n": {"N": n}} if n else {})))
            for name, n in (("same", "1"), ("changed", "2"), ("new", ""), ("back", ""))})

    def test_text(self):
        self.story()
        ask = ["diff", "--table", TABLE, "--at", iso(T0 + 50_000), "--with", "live"]
        self.assertEqual(sorted(self.ctl(*ask, code=DIFFERENT)[0].splitlines()),
                         ["A back", "A new", "D gone", "M changed"])
        self.assertIn("M changed\n    ~ n  1 -> 2\n", self.ctl(*ask, "--detail", code=DIFFERENT)[0])

    def test_same(self):
        """No body and no item is read when nothing differs."""
        for n in range(30):
            self.change(f"i{n}", "INSERT", item(f"i{n}", b={"BS": [b"\x01", b"\x00"]}), n)
            self.have(item(f"i{n}", b={"BS": [b"\x01", b"\x00"]}))
        self.fake.do("reset_audit")
        rows, err = self.diff(code=SAME)
        self.assertEqual(rows, {})
        self.assertIn("of 30 keys", err)
        self.assertEqual((self.fake.count("s3 GetObject"), self.fake.count("dynamodb GetItem")), (2, 0))
        # Once: there is nothing that the backup has not.
        self.assertEqual(self.fake.count("dynamodb Scan"), 4)

    def test_in_another_form(self):
        self.change("a", "INSERT", '{ "n": {"N": "1"}, "id": {"S": "a"} }', 0)
        self.have(item("a", n={"N": "1"}))
        self.assertEqual(self.diff(code=SAME)[0], {})
        self.assertEqual(self.fake.count("dynamodb GetItem"), 0)

    def test_one(self):
        """A single item takes no reading of the table."""
        self.story()
        for name in ("same", "changed", "gone", "new", "back", "none"):
            want = {name: self.WANT[name]} if name in self.WANT else {}
            code = EX_NOINPUT if name == "none" else DIFFERENT if want else SAME
            for which in (("--key-value", name), ("--key", json.dumps(item(name))), ("--hash", name)):
                self.assertEqual(self.diff(*which, code=code)[0], want, (name, which))
        self.assertEqual(self.fake.count("dynamodb Scan"), 0)

    def test_narrow(self):
        self.story()
        self.assertEqual(set(self.diff("--prefix", "n")[0]), {"new"})
        self.assertEqual(set(self.diff("--prefix", "g")[0]), {"gone"})
        self.assertEqual(self.diff("--prefix", "s", code=SAME)[0], {})

    def test_hashed_names(self):
        """Names tell nothing: keys come from bodies."""
        for name in ("a", "b"):
            self.change(harness.item_key(item(name), "md5"), "INSERT", item(name, n={"N": "1"}), 0)
        self.have(item("a", n={"N": "1"}), item("c"))
        rows, _ = self.diff("--key-format", "md5")
        self.assertEqual(sorted(map(str, rows.values())),
                         sorted(map(str, [(item("b", n={"N": "1"}), None), (None, item("c"))])))
        out, _ = self.ctl("diff", "--table", TABLE, "--at", iso(T0 + 50_000), "--with", "live", "--key-format", "md5",
                          code=DIFFERENT)
        self.assertEqual(sorted(line.split("  ")[1] for line in out.splitlines()), ['{"id":"b"}', '{"id":"c"}'])

    def test_tenants(self):
        """An item that has moved to another folder left the one and came to the other."""
        who = lambda name: {"who": {"S": name}}  # noqa: E731
        self.change("a", "INSERT", item("a", **who("anna")), 0, folder="anna/")
        self.change("b", "INSERT", item("b", **who("anna")), 0, folder="anna/")
        self.have(item("a", **who("ben")), item("b", **who("anna")))
        flags = ("--tenant-attribute", "who")
        self.assertEqual(self.diff(*flags)[0], {"anna/a": (item("a", **who("anna")), None),
                                                "ben/a": (None, item("a", **who("ben")))})
        self.assertEqual(set(self.diff(*flags, "--tenant", "ben")[0]), {"ben/a"})
        self.assertEqual(self.diff(*flags, "--tenant", "anna", "--key-value", "a")[0],
                         {"anna/a": (item("a", **who("anna")), None)})
        self.assertEqual(set(self.diff(*flags, "--tenant", "ben", "--key-value", "a")[0]), {"ben/a"})

    def test_what_cannot_be_had(self):
        """What is not known to differ is not called new."""
        self.story()
        self.change("late", "MODIFY", item("late"), 60)
        self.change("ice", "INSERT", item("ice"), 0, storage_class="GLACIER")
        self.have(item("late"), item("ice", n={"N": "5"}))
        rows, err = self.diff(code=INCOMPLETE)
        self.assertEqual(rows, self.WANT)
        self.assertRegex(err, f"{TABLE}/late: .*not in the bucket")
        self.assertRegex(err, f"{TABLE}/ice: .*archived")

    def test_refusals(self):
        self.story()
        self.watermark(through=T0)
        _, err = self.diff(code=EX_DATAERR)
        self.assertIn("--force", err)
        self.assertEqual(self.diff("--force")[0], self.WANT)
        self.watermark()
        self.schema("other")
        _, err = self.diff(code=harness.EX_CONFIG)
        self.assertIn("other", err)
        self.schema()
        self.fake.fault(service="dynamodb", op="DescribeTable", status=400, code="ResourceNotFoundException",
                        message="no such table")
        self.diff(code=EX_NOINPUT)
        for wrong in (("--rate", "0"), ("--rate", "x"), ("--at-seq", "1")):
            self.diff(*wrong, code=EX_USAGE)
        self.ctl("diff", "--table", TABLE, "--at", "live", "--with", "now", code=EX_USAGE)
        self.ctl("diff", "--table", TABLE, "--at", "now", "--with", "now", "--rate", "5", code=EX_USAGE)

    def test_faults(self):
        """Throttles and lost answers are waited for; what is denied ends it."""
        self.story()
        for op in ("Scan", "GetItem", "DescribeTable"):
            self.fake.fault(service="dynamodb", op=op, status=400, code="ProvisionedThroughputExceededException",
                            message="slow down", count=2)
            self.fake.fault(service="dynamodb", op=op, reset="before", skip=1, count=1)
        self.assertEqual(self.diff()[0], self.WANT)
        self.fake.do("clear_faults")
        self.fake.fault(service="dynamodb", op="GetItem", status=400, code="AccessDeniedException", message="no")
        self.diff(code=harness.EX_NOPERM)

    def test_changes_meanwhile(self):
        """The item is looked at once more: it is as it was at the time, or it is gone."""
        self.change("a", "INSERT", item("a", n={"N": "1"}), 0)
        self.have(item("a", n={"N": "2"}))
        rule = self.fake.fault(service="dynamodb", op="GetItem", delay_ms=1500, when="before")
        found = []
        thread = threading.Thread(target=lambda: found.append(self.diff(code=SAME)[0]))
        thread.start()
        harness.wait_until(lambda: self.fake.hits(rule) > 0, 20, "the item was asked for")
        self.have(item("a", n={"N": "1"}))
        thread.join()
        self.assertEqual(found, [{}])

    def test_interrupted(self):
        """At each of its steps."""
        self.story()
        for service, op in (("dynamodb", "Scan"), ("dynamodb", "GetItem"), ("s3", "ListObjectVersions")):
            rule = self.fake.fault(service=service, op=op, never="before")
            run = self.begin("diff", "--table", TABLE, "--at", iso(T0 + 50_000), "--with", "live")
            harness.wait_until(lambda: self.fake.hits(rule) > 0, 20, f"{op} was asked for")  # noqa: B023
            run.send_signal(signal.SIGTERM)
            self.assertEqual(run.wait(10), -signal.SIGTERM)
            self.fake.do("clear_faults")

    def test_many(self):
        self.fake.s3_options(list_page=100)
        names = [f"{n:04}" for n in range(1200)]
        told = [{"key": f"{TABLE}/{name}", "modified_ms": T0, "body": canonical(item(name)).decode("utf-8"),
                 "meta": {"ddb-event": "INSERT", "ddb-seq": str(n + 1), "ddb-time": iso(T0)}}
                for n, name in enumerate(names[:1000])]
        self.fake.versions(self.bucket, told)
        rows = [{"PutRequest": {"Item": item(name, **({"x": {"N": "1"}} if n % 3 == 0 else {}))}}
                for n, name in enumerate(names) if n >= 200]
        for at in range(0, len(rows), 25):
            self.fake.dynamodb.batch_write_item(RequestItems={TABLE: rows[at:at + 25]})
        rows, err = self.diff()
        self.assertIn("200 items added, 267 modified, 200 deleted, of 1000 keys", err)
        self.assertEqual({n for n, (old, new) in rows.items() if new is None}, set(names[:200]))
        self.assertEqual({n for n, (old, new) in rows.items() if old is None}, set(names[1000:]))


class Size(Told):
    def sizes(self, code=0):
        out, _ = self.ctl("tables", "--size", "-o", "json", code=code)
        return {row["table"]: row["size"] for row in map(json.loads, out.splitlines())}

    def test_counts(self):
        self.watermark()
        bodies = [canonical(item("a", n={"N": str(n)})) for n in range(3)]
        for n in range(2):
            self.change("a", "MODIFY", item("a", n={"N": str(n)}), n)
        self.change("a", "REMOVE", item("a"), 3)
        self.change("a", "INSERT", item("a", n={"N": "2"}), 4)
        self.change("b", "INSERT", item("b"), 0)
        self.change("b", "REMOVE", item("b"), 1)
        # Objects of another table, and of the backup itself, are not counted.
        self.put_object(f"{TABLE}2/x", "{}")
        size = self.sizes()[TABLE]
        self.assertGreater(size.pop("requests"), 0)
        one, other = canonical(item("a")), canonical(item("b"))
        self.assertEqual(size, {
            "items": 1, "bytes": len(bodies[2]), "older_versions": 3,
            "older_bytes": len(bodies[0]) + len(bodies[1]) + len(other), "delete_markers": 2, "removals": 2,
            "removals_bytes": len(one) + len(other)})
        out, _ = self.ctl("tables", "--size")
        self.assertIn("size: 1 items of", out)
        self.assertIn("3 older versions", out)
        self.assertNotIn("size", json.loads(self.ctl("tables", "-o", "json")[0]))
        self.ctl("history", "--size", code=EX_USAGE)

    def test_many(self):
        """Many versions of one item, of which few are held, and many items, in pages of any size."""
        self.watermark()
        self.fake.s3_options(list_page=97)
        versions = [{"key": f"{TABLE}/hot", "marker": True, "modified_ms": T0 - 1}]
        versions += [{"key": f"{TABLE}/hot", "body": "x" * 10, "modified_ms": T0 + n} for n in range(700)]
        removal = {"key": f".ddb-streamd/{TABLE}/deletes/hot", "body": "y" * 7, "modified_ms": T0}
        versions += [removal] * 300
        versions += [{"key": f"{TABLE}/{n:05}", "body": "z" * 3, "modified_ms": T0} for n in range(1500)]
        for at in range(0, len(versions), 1000):
            self.fake.versions(self.bucket, versions[at:at + 1000])
        size = self.sizes()[TABLE]
        size.pop("requests")
        self.assertEqual(size["items"], 1501)
        self.assertEqual((size["older_versions"], size["delete_markers"]), (699, 1))
        self.assertEqual((size["bytes"], size["older_bytes"]), (10 + 1500 * 3, 6990))
        self.assertEqual((size["removals"], size["removals_bytes"]), (300, 2100))

    def test_several_tables(self):
        self.watermark()
        self.put_object(".ddb-streamd/other/watermark.json", json.dumps(
            {"version": 1, "since": iso(T0), "complete_through": iso(T0), "gaps": [], "gap_count": 0}))
        self.change("a", "INSERT", item("a"), 0)
        self.put_object("other/x", "12345")
        self.put_object("other/y", "12345")
        sizes = self.sizes()
        self.assertEqual((sizes[TABLE]["items"], sizes["other"]["items"], sizes["other"]["bytes"]), (1, 2, 10))
        self.fake.fault(service="s3", op="ListObjectVersions", status=403, code="AccessDenied", message="no", skip=3)
        self.sizes(code=harness.EX_NOPERM)


class Real(Ctl):
    """On the real servers: two times of a live table, as its stream tells them."""

    def test_equals_the_stream(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        rng = random.Random(3)
        for n in range(150):
            name = f"item {rng.randrange(20)}/ä"
            if rng.random() < 0.3:
                self.delete(name)
            else:
                self.put(id={"S": name}, n={"N": str(rng.randrange(3))})
        self.wait_settled(daemon)
        daemon.stop()
        items, states = {}, [(None, {})]
        for record in self.servers.stream_records(self.table):
            change = record["dynamodb"]
            key = change["Keys"]["id"]["S"]
            if record["eventName"] == "REMOVE":
                items.pop(key, None)
            else:
                items[key] = harness.wire_item(change["NewImage"])
            if states[-1][0] == change["ApproximateCreationDateTime"]:
                states.pop()
            states.append((change["ApproximateCreationDateTime"], dict(items)))
        states[0] = (states[1][0] - datetime.timedelta(minutes=1), {})
        for (a, before), (b, after) in zip(states, states[1:]):
            out, _ = self.ctl("diff", "--table", self.table, "--at", iso(a), "--with", iso(b), "-o", "json",
                              "--force", code=SAME if before == after else DIFFERENT)
            rows = {row["key"]["id"]["S"]: (row["old"], row["new"]) for row in map(json.loads, out.splitlines())}
            self.assertEqual(rows, {key: (before.get(key), after.get(key)) for key in before.keys() | after.keys()
                                    if before.get(key) != after.get(key)})
        out, err = self.ctl("diff", "--table", self.table, "--at", "latest", "--with", "latest", config=daemon.config)
        self.assertEqual(out, "")
        size = json.loads(self.ctl("tables", "--size", "-o", "json")[0])["size"]
        self.assertEqual(size["items"], len(states[-1][1]))
        data = self.bucket.list(f"{self.table}/")
        self.assertEqual(size["older_versions"] + size["items"],
                         sum(not v.marker for versions in data.values() for v in versions))
        self.put(id={"S": "late"})
        out, _ = self.ctl("diff", "--table", self.table, "--at", "latest", "--with", "live", config=daemon.config,
                          code=DIFFERENT)
        self.assertEqual(out, "A late\n")
        self.assertEqual(size["delete_markers"], sum(v.marker for versions in data.values() for v in versions))


if __name__ == "__main__":
    harness.main()
