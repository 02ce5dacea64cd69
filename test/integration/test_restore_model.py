#!/usr/bin/python3 -B
"""A fixed set of the histories of test/restore, each kind of them, and that the comparison sees what is wrong."""
import collections
import json
import os
import sys

import fake
import harness

sys.path.insert(0, os.path.join(harness.ROOT, "test", "restore"))
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
        self.kind("baseline", 8)

    def test_null_versions(self):
        self.kind("null", 8)

    def test_markers_made_by_hand(self):
        self.kind("hand", 8)


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
    """Where nothing is gone and no other tool wrote, the model says what happened."""

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
        compared = 0
        known = min((e.fact.ms if e.fact else e.event_ms for e in slot.entries), default=None)
        for ms in sorted({f.ms + d for f in slot.facts for d in (-1, 0, 1)}):
            if any(e.storage_class for e in slot.entries) or known is None or ms < known:
                continue
            verdict = model.judge(slot, model.Moment(ms), one.tenant is not None)
            passed = [f for f in slot.facts if f.ms <= ms]
            there = passed and passed[-1].kind != "REMOVE"
            self.assertEqual(verdict.outcomes, {passed[-1].body if there else model.ABSENT}, (one.kind, one.seed, ms))
            compared += 1
        return compared


if __name__ == "__main__":
    harness.main()
