#!/usr/bin/python3 -B
"""
Runs the tests that are built, and counts them.

usage: test/run.py [--build DIR] [--jobs N] [NAME...]
  NAME  unit, fuzz, integration, or one file of them: unit/test_sigv4, integration/test_basic

Unit and integration programs print TAP (https://testanything.org): each "ok" and "not ok" counts. A fuzz program
counts as one. A program that crashes, hangs, exits with an error after passing everything, or says less than its plan
promised, is one more failure. The last line is "N passed, N failed", and the exit status 1 when anything failed.
"""
import argparse
import atexit
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "servers"))
import serverlib  # noqa: E402

UNIT_SECONDS = 120
FUZZ_SECONDS = 120
INTEGRATION_SECONDS = 600
# They wait for servers and timers most of the time, so there are more of them than processors; the longest come first.
INTEGRATION_JOBS = 4
LONG = ("test_conformance", "test_baseline", "test_conformance_durability", "test_ctl_verify", "test_ctl_drill")
FUZZ_ROUNDS = "200000"
OUTPUT_LINES = 200

PLAN = re.compile(r"^1\.\.(\d+)", re.M)
RESULT = re.compile(r"^(not ok|ok)\b(.*)", re.M)


class Program:
    def __init__(self, name, argv, seconds, tap=True):
        self.name, self.argv, self.seconds, self.tap = name, argv, seconds, tap
        self.process = None

    def run(self, env):
        """Returns (passed, failed, text): text holds what to show when something failed."""
        if not os.path.exists(self.argv[0]):
            print(f"FAIL {self.name:<36} {1:>4} tests   (it is not built: {self.argv[0]})", flush=True)
            return 0, 1, ""
        began = time.monotonic()
        hung = False
        with tempfile.TemporaryFile() as out:
            # A group of its own, so that what it has started can be ended with it.
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                            env=env, start_new_session=True)
            try:
                self.process.wait(self.seconds)
            except subprocess.TimeoutExpired:
                hung = True
            self.kill()
            status = self.process.wait()
            out.seek(0)
            text = out.read().decode("utf-8", "replace")
        seconds = time.monotonic() - began
        passed, failed, why = self.count(text, status)
        if hung:
            failed, why = failed + (0 if why else 1), f"did not end within {self.seconds} s"
        mark = "FAIL" if failed else "ok  "
        print(f"{mark} {self.name:<36} {passed + failed:>4} tests {seconds:6.1f} s" + (f"  ({why})" if why else ""),
              flush=True)
        return passed, failed, text

    def count(self, text, status):
        if not self.tap:
            why = "" if status == 0 else describe(status)
            return (1, 0, why) if status == 0 else (0, 1, why)
        results = RESULT.findall(text)
        # A skipped test is a failure: nothing may be left out because a part is missing.
        good = sum(1 for word, rest in results if word == "ok" and not re.search(r"#\s*skip", rest, re.I))
        bad = len(results) - good
        planned = sum(int(n) for n in PLAN.findall(text))
        if status < 0 or (status != 0 and bad == 0):
            return good, bad + 1, describe(status)
        if planned == 0 or planned != len(results):
            return good, bad + 1, f"planned {planned} tests and told of {len(results)}"
        return good, bad, ""

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def describe(status):
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def find(build):
    """Every program that there is, by kind."""
    kinds = {"unit": [], "fuzz": [], "integration": []}
    for kind, prefix, seconds in (("unit", "test_", UNIT_SECONDS), ("fuzz", "fuzz_", FUZZ_SECONDS)):
        for source in sorted(os.listdir(os.path.join(HERE, kind)) if os.path.isdir(os.path.join(HERE, kind)) else []):
            stem, ext = os.path.splitext(source)
            if ext != ".c" or not stem.startswith(prefix):
                continue
            argv = [os.path.join(build, "test", kind, stem)]
            if kind == "fuzz":  # every file of its corpus, then inputs of its own making; see fuzz/driver.h
                argv += [os.path.join(HERE, "fuzz", "corpus", stem[len(prefix):]), os.environ.get("FUZZ_ROUNDS", FUZZ_ROUNDS)]
            kinds[kind].append(Program(f"{kind}/{stem}", argv, seconds, tap=kind == "unit"))
    for source in sorted(os.listdir(os.path.join(HERE, "integration"))):
        stem, ext = os.path.splitext(source)
        if stem.startswith("test_") and ext in (".py", ".sh"):
            path = os.path.join(HERE, "integration", source)
            argv = ["/usr/bin/python3", "-B", path] if ext == ".py" else ["/bin/bash", path]
            kinds["integration"].append(Program(f"integration/{stem}", argv, INTEGRATION_SECONDS))
    return kinds


def choose(kinds, names):
    if not names:
        return kinds
    chosen = {k: [] for k in kinds}
    for name in names:
        name = name.rstrip("/")
        name = name[len("test/"):] if name.startswith("test/") else name
        name = re.sub(r"\.(c|py|sh)$", "", name)
        found = [(k, p) for k, ps in kinds.items() for p in ps if name in (k, p.name)]
        if not found:
            known = ", ".join(p.name for ps in kinds.values() for p in ps)
            sys.exit(f"run.py: there is no test '{name}'; there are: {known}")
        for k, p in found:
            if p not in chosen[k]:
                chosen[k].append(p)
    return chosen


class Servers:
    """One pair of servers for all integration programs, told to them by the environment (see harness.py)."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ddb-streamd-test.")
        atexit.register(self.stop)

    def start(self):
        scripts = {n: os.path.join(HERE, "servers", n) for n in ("rgw", "dynamodb-local")}
        starts = [subprocess.Popen([s, "start", os.path.join(self.folder, n)]) for n, s in scripts.items()]
        if any([p.wait() for p in starts]):
            sys.exit("run.py: a server did not start; what it said is above")
        return {"DDB_TEST_SERVERS": self.folder}

    def stop(self):
        for name in ("rgw", "dynamodb-local"):
            subprocess.run([os.path.join(HERE, "servers", name), "stop", os.path.join(self.folder, name)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def run_all(programs, jobs, env, totals):
    failures = []
    pool = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        for program, future in [(p, pool.submit(p.run, env)) for p in programs]:
            passed, failed, text = future.result()
            totals[0] += passed
            totals[1] += failed
            if failed:
                failures.append((program, text))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for program in programs:
            if program.process:
                program.kill()
        raise
    for program, text in failures:
        lines = text.splitlines()
        print(f"\n--- {program.name}" + (f" (the last {OUTPUT_LINES} lines)" if len(lines) > OUTPUT_LINES else ""))
        print("\n".join(lines[-OUTPUT_LINES:]))
    sys.stdout.flush()


def interrupted(number, _frame):
    sys.exit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupted)

    build = os.path.abspath(args.build)
    chosen = choose(find(build), args.names)
    env = dict(os.environ)
    env[serverlib.OWNER] = os.environ[serverlib.OWNER] = f"{os.getpid()}:{serverlib.start_time(os.getpid())}"
    env.update({"CMOCKA_MESSAGE_OUTPUT": "TAP", "DDB_STREAMD_BUILD": build,
                "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1", "UBSAN_OPTIONS": "print_stacktrace=1"})
    totals = [0, 0]
    run_all(chosen["unit"] + chosen["fuzz"], args.jobs, env, totals)
    if chosen["integration"]:
        subprocess.run([os.path.join(HERE, "servers", "tidy")], check=False)
        env.update(Servers().start())
        programs = sorted(chosen["integration"], key=lambda p: p.name.partition("/")[2] not in LONG)
        run_all(programs, min(2 * args.jobs, INTEGRATION_JOBS), env, totals)
    print(f"{totals[0]} passed, {totals[1]} failed", flush=True)
    return 1 if totals[1] or not totals[0] else 0


sys.exit(main())
