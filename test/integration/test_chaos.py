#!/usr/bin/python3 -B
"""A few rounds of test/chaos with fixed seeds: the daemon is killed at random moments, at system calls, and stopped."""
import collections
import os
import sys

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "test", "chaos"))
import scene  # noqa: E402


class Chaos(harness.TestCase):
    servers = None

    @classmethod
    def setUpClass(cls):
        cls.servers = None

    def round(self, seed, kind):
        figures = collections.Counter()
        keep = os.path.join(harness.BUILD, "chaos", f"seed-{seed}")
        try:
            scene.Round(seed, figures, 6, kind).run(keep)
        except scene.Failure as e:
            self.fail(f"{e}; kept in {keep}; again: test/chaos/chaos.py --seed {seed} --rounds 1 --lives 6 --kind {kind}")
        self.assertGreater(figures["records"], 0)
        self.assertGreater(figures["SIGKILL"] + figures["SIGKILL at a system call"], 0)

    def test_storm_of_seed_3(self):
        self.round(3, "storm")

    def test_storm_of_seed_4(self):
        self.round(4, "storm")

    def test_killed_at_system_calls_of_seed_5(self):
        self.round(5, "calls")

    def test_killed_at_system_calls_of_seed_2(self):
        self.round(2, "calls")


if __name__ == "__main__":
    harness.main()
