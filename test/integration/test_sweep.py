#!/usr/bin/python3 -B
"""A part of test/chaos/sweep.py: the daemon is killed at every fsync and rename in turn, and at some calls of every kind."""
import os
import signal
import subprocess
import sys
import tempfile

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "test", "chaos"))
import sweep  # noqa: E402

BEFORE_MAIN = 500  # calls that the dynamic linker makes, and some more


class Sweep(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = None

    def sweep(self, *calls, **options):
        said = []
        figures = sweep.Sweep(calls, jobs=4, say=said.append, **options).run()
        for call in calls:
            self.assertEqual(figures[call]["failed"], [], "\n".join(said))
            self.assertTrue(figures[call]["to the end"], call)
        return figures

    def test_killed_at_every_fsync_and_rename(self):
        figures = self.sweep("fsync", "rename")
        # In main: the file "instance". Each checkpoint takes a rename and two fsyncs, and there is a first and a last one.
        for call, files in (("fsync", 2), ("rename", 1)):
            self.assertEqual(figures[call]["main"], files)
            self.assertGreaterEqual(figures[call]["another thread"], 2 * files)

    def test_killed_at_every_97th_call(self):
        figures = self.sweep("all", first=BEFORE_MAIN, stride=97)
        self.assertGreaterEqual(figures["all"]["killed"], 3)

    def trace(self, call, which):
        """/bin/echo under the tracer: (status, what it wrote, what the tracer tells)."""
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen([sys.executable, "-I", "-S", "-c", sweep.STUB, "/bin/echo", "here"], stdout=out)
            told = sweep.Tracer(process.pid, call, which).end()
            status = process.wait(30)
            out.seek(0)
            return status, out.read(), told

    def test_the_tracer_kills_before_the_call_has_its_effect(self):
        status, wrote, told = self.trace("write", 1)
        self.assertEqual((status, wrote, told["killed"][:2]), (-signal.SIGKILL, b"", [0, "write"]))

    def test_the_tracer_lets_live_what_makes_fewer_calls(self):
        status, wrote, told = self.trace("write", 2)
        self.assertEqual((status, wrote, told["killed"]), (0, b"here\n", None))
        calls = sum(n for _, _, n in told["counts"])
        self.assertEqual(self.trace("all", calls)[2]["killed"], [0, "exit_group", calls])
        self.assertIsNone(self.trace("all", calls + 1)[2]["killed"])


if __name__ == "__main__":
    harness.main()
