#!/usr/bin/python3 -B
"""A fixed set of the histories of test/restore, each kind of them, and that the comparison sees what is wrong."""
import collections
import json
import os
import sys

import fake
import harness

sys.path.insert(0, os.path.join(harness.ROOT, "test", "restore"))
import bodies  # noqa: E402
import history  # noqa: E402
import model  # noqa: E402
import restores  # noqa: E402

TIMES = 8


class Histories(fake.TestCase):
    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()
        self.figures = collections.Counter()

    def play(self, seed, kind):
        one = restores.Restores(self.fake, self.bucket, history.History(seed, kind), self.figures)
        one.tell()
        for ask in one.choose(TIMES):
            differences = one.run(ask)
            if differences:
                self.fail(one.report(ask, differences))

    def kind(self, kind, count):
        first = 100 * list(history.KINDS).index(kind)
        for seed in range(first, first + count):
            self.play(seed, kind)
        self.assertGreaterEqual(self.figures["restores"], count * 3)
        self.assertGreater(self.figures["slots present"], count)
        self.assertGreater(self.figures["slots absent"], count)

    def test_plain(self):
        self.kind("plain", 12)

    def test_replays(self):
        self.kind("replays", 16)

    def test_late_requests(self):
        self.kind("late", 12)

    def test_expired_versions(self):
        self.kind("expired", 16)
        self.assertGreater(self.figures["slots named"], 16)

    def test_other_tools(self):
        self.kind("other tool", 8)

    def test_a_stream_behind_another_tool(self):
        self.kind("takeover", 8)

    def test_baselines(self):
        self.kind("baseline", 16)

    def test_null_versions(self):
        self.kind("null", 8)

    def test_markers_made_by_hand(self):
        self.kind("hand", 8)


class Told(fake.TestCase):
    """Histories of one item, each restored at every moment that could make a difference, and long after."""

    FIRST_MS = 1_750_000_000_000

    def play(self, facts, entries):
        """
        `facts`: (sequence number, second of the event, kind); `entries`: (what, sequence number, second of LastModified). What
        is not among the entries was lost.
        """
        one = history.History(1, "plain")
        one.key_format, one.tenant, one.prefix, one.names, one.types = "path", None, "", ("id", "range"), ("S", None)
        key = {"id": {"S": "a"}}
        slot = history.Slot("a", key, None)
        for seq, second, kind in facts:
            image = harness.canonical({**key, "n": {"N": str(seq)}})
            slot.facts.append(history.Fact(seq, self.FIRST_MS + second * 1000, kind, image))
        for what, seq, second in entries:
            fact = next(f for f in slot.facts if f.seq == seq)
            slot.entries.append(history.Entry(what, fact, None if what == "marker" else fact.body, 0))
            slot.entries[-1].modified_ms = self.FIRST_MS + second * 1000
        for fact in slot.facts:
            if not any(e.fact is fact for e in slot.entries):
                slot.entries.append(history.Entry("version", fact, fact.body, 0))
                slot.entries[-1].gone, slot.entries[-1].modified_ms = True, fact.ms
        one.slots, one.items = {slot.name: slot}, [(slot.name, key, [])]
        s3 = {"list_page": 1000, "list_random": False, **{name: False for name in restores.S3_OPTIONS}}
        rounds = restores.Restores(self.fake, self.fake.new_bucket(), one, None, s3=s3)
        rounds.covered = None
        rounds.tell()
        events, edges = rounds.candidates()
        for ms in sorted(events | edges | {max(edges) + 10_000_000}):
            ask = restores.Ask(model.Moment(ms), bodies.iso(ms), [slot])
            ask.options = ["--force"]
            differences = rounds.run(ask)
            if differences:
                self.fail(rounds.report(ask, differences))
        self.assertGreater(rounds.figures["slots compared"], 10)

    def test_nothing_is_left_to_ask_or_fetch(self):
        self.play([(1, 0, "INSERT"), (2, 10, "REMOVE")], [("version", 1, 0), ("deletes", 2, 10), ("marker", 2, 10)])

    def test_marker_written_twice(self):
        self.play([(1, 0, "INSERT"), (2, 100, "REMOVE")],
                  [("version", 1, 0), ("deletes", 2, 40), ("marker", 2, 40), ("marker", 2, 41), ("version", 1, 44),
                   ("marker", 2, 46)])

    def test_removal_and_no_insertion_behind_it(self):
        self.play([(1, 0, "INSERT"), (2, 100, "REMOVE"), (3, 1500, "INSERT"), (4, 3000, "MODIFY")],
                  [("version", 1, 0), ("deletes", 2, 100), ("marker", 2, 100), ("version", 4, 3000)])
        self.play([(1, 0, "INSERT"), (2, 100, "REMOVE"), (3, 1500, "INSERT"), (4, 3000, "REMOVE")],
                  [("deletes", 2, 100), ("deletes", 4, 3000)])

    def test_version_and_removal_that_arrive_late(self):
        self.play([(1, 0, "INSERT"), (2, 100, "REMOVE"), (3, 200, "INSERT")],
                  [("version", 1, 0), ("deletes", 2, 100), ("marker", 2, 100), ("version", 3, 200), ("version", 1, 300),
                   ("deletes", 2, 310)])

    def test_removals_that_were_stored_in_one_second(self):
        self.play([(1, 10, "INSERT"), (2, 20, "REMOVE"), (3, 30, "INSERT"), (4, 40, "REMOVE"), (5, 50, "INSERT")],
                  [("version", 1, 900), ("deletes", 2, 900), ("deletes", 2, 900), ("marker", 2, 900), ("version", 3, 900),
                   ("deletes", 4, 900), ("marker", 4, 900), ("version", 5, 900)])


class Seen(fake.TestCase):
    """What is wrong with an answer is seen."""

    def setUp(self):
        super().setUp()
        self.bodies = []
        seed = 0
        while len(self.bodies) < 2:
            seed += 1
            self.prepare(history.History(seed, "plain"))

    def prepare(self, one):
        self.rounds = restores.Restores(self.fake, "none", one, None)
        self.rounds.s3_told = {"list_page": 1000, "list_random": False}
        at = model.Moment(max(f.ms for s in one.slots.values() for f in s.facts))
        self.ask = restores.Ask(at, "", self.rounds.slots)
        self.bodies = []
        for slot in sorted(self.rounds.slots, key=lambda s: s.name.encode("utf-8")):
            (outcome,) = model.judge(slot, at, False).outcomes
            if isinstance(outcome, bytes):
                self.bodies.append(b'{"Item":' + outcome + b"}\n")

    def wrong(self, lines, status=0, err=""):
        self.ask.out, self.ask.status, self.ask.err = b"".join(lines), status, err
        return self.rounds.compare(self.ask)

    def test_answers(self):
        lines = self.bodies
        self.assertGreater(len(lines), 1)
        self.assertEqual(self.wrong(lines), [])
        self.assertTrue(self.wrong(lines[1:]))
        self.assertTrue(self.wrong(lines + lines[:1]))
        self.assertTrue(self.wrong(lines + [b'{"Item":{}}\n']))
        self.assertTrue(self.wrong(lines[::-1]))
        self.assertTrue(self.wrong(lines, status=3))
        self.assertTrue(self.wrong([lines[0][:-1]] + lines[1:]))
        spaced = json.dumps(json.loads(lines[0])).encode("utf-8") + b"\n"
        self.assertTrue(self.wrong([spaced] + lines[1:]))
        name = next(s.name for s in self.rounds.slots if self.rounds.is_of(s, lines[0]))
        named = f"ddb-streamctl: {self.rounds.history.table}/{name}: it is not there\n"
        self.assertTrue(self.wrong(lines[1:], status=3, err=named))


class Truth(harness.TestCase):
    """Where nothing is gone or lost and no other tool wrote, the model says what happened."""

    @classmethod
    def setUpClass(cls):
        cls.servers = None

    def test_model(self):
        compared = 0
        for kind in ("plain", "replays", "late", "baseline"):
            for seed in range(60):
                one = history.History(seed, kind)
                for slot in one.slots.values():
                    compared += self.compare(one, slot)
        self.assertGreater(compared, 3000)

    def compare(self, one, slot):
        if any(e.storage_class or e.gone for e in slot.entries):
            return 0
        compared = 0
        whole = {e.fact for e in slot.entries} >= set(slot.facts)
        for ms in sorted({f.ms + d for f in slot.facts for d in (-1, 0, 1)}):
            passed = [f for f in slot.facts if f.ms <= ms]
            if passed and not any(passed[-1] is e.fact or (e.found and e.found.fact is passed[-1] and e.found.ms <= ms)
                                  for e in slot.entries):
                continue
            outcomes = model.judge(slot, model.Moment(ms), one.tenant is not None).outcomes
            truth = passed[-1].body if passed and passed[-1].kind != "REMOVE" else model.ABSENT
            if whole or truth is not model.ABSENT:
                self.assertEqual(outcomes, {truth}, (one.kind, one.seed, ms))
            elif passed:
                # What follows may tell that something was lost in between, and does not tell when.
                self.assertLessEqual({truth}, outcomes, (one.kind, one.seed, ms))
            compared += 1
        return compared


if __name__ == "__main__":
    harness.main()
