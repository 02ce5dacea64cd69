#!/usr/bin/python3 -B
"""
The daemon is killed at every system call in turn. A trial is a small story that is always the same: records lie there, the
daemon starts and catches up, more are written, a shard rotates, SIGTERM. At the N-th call the daemon dies, before the call
has its effect; then it is started again, must make the backup whole, and end with status 0. See RESULTS.md.

usage: test/chaos/sweep.py [--calls A,B,C] [--from N] [--to N] [--stride K] [--jobs J] [--seconds S] [--deaths D]
                           [--lose-state] [--count]
  --calls       fsync,rename,...; all: calls of every kind; by default all, then each kind that the story has, rare ones first
  --from, --to  the first and the last N; by default from 1 until the daemon has survived at two N in a row
  --deaths      so many starts in a row are killed at their N-th call, before the one that is let be
  --lose-state  the state folder is emptied after the death, as on a new host
  --count       only tells what the story has: calls by kind and thread
  A trial that fails prints how it comes again, and keeps its folder under build/chaos. With an even N the story's other
  changes come while the daemon is dead, with an odd N nothing comes then.
"""
import argparse
import collections
import concurrent.futures
import ctypes
import functools
import json
import multiprocessing
import os
import re
import signal
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import fake  # noqa: E402
import harness  # noqa: E402
import scene  # noqa: E402
import storms  # noqa: E402

# For each thing that is to come true; hundreds of times of what it takes.
WAIT_SECONDS = 30
FAILURES_MAX = 20  # of one call: then the rest of it is left
SETTINGS = {"checkpoint_interval": "100ms", "watermark_interval": "1s", "discovery_interval": "1s", "poll_interval": "250ms",
            "workers": 2}
HALF_DONE = {"missing", "top"}  # what verify may say of a backup whose daemon has just been killed

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long

# From <linux/ptrace.h>, <linux/prctl.h> and <linux/wait.h>.
PTRACE_SYSCALL, PTRACE_SEIZE, PTRACE_GET_SYSCALL_INFO = 24, 0x4206, 0x420e
TRACE_OPTIONS = 1 | 1 << 3 | 1 << 4 | 1 << 20  # TRACESYSGOOD, TRACECLONE, TRACEEXEC, EXITKILL
SYSCALL_STOP, EVENT_EXEC, EVENT_STOP = signal.SIGTRAP | 0x80, 4, 128
SYSCALL_INFO_ENTRY, INFO_BYTES = 1, 88
WALL = 0x40000000
PR_SET_PDEATHSIG = 1

# Waits for its tracer, then becomes the daemon. 0x59616d61: PR_SET_PTRACER, for systems on which only ancestors may trace.
STUB = ("import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_long(-1), 0, 0, 0);"
        "os.kill(os.getpid(), signal.SIGSTOP); os.execv(sys.argv[1], sys.argv[1:])")


class Lost(Exception):
    """The tracer has no process."""


@functools.cache
def numbers():
    """{name: number} of system calls."""
    done = subprocess.run([os.environ.get("CC", "cc"), "-E", "-dM", "-x", "c", "-include", "sys/syscall.h", "/dev/null"],
                          check=True, capture_output=True, text=True)
    return {name: int(number) for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.M)}


class Tracer:
    """
    A process that kills another at its N-th system call (of one kind, or of all), counted over all its threads. strace's
    when=N counts each kind in each thread for itself: neither calls of all kinds nor a pool's openat behind those of main
    can be told by it.
    """

    def __init__(self, pid, call, which):
        self.pid, self.which = pid, which
        self.number = None if call == "all" else numbers()[call]
        self.counts = collections.Counter()
        self.seen = 0
        self.threads, self.counting = [pid], False
        out, self.pipe = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            self.trace()
        os.close(self.pipe)
        self.answer = open(out, "rb")

    def end(self):
        """What happened: {"killed": [thread, call, n of all calls] or null, "counts": [[thread, call, n], ...]}."""
        with self.answer:
            text = self.answer.read()
        os.waitpid(self.child, 0)
        if not text:
            raise scene.Failure("the tracer broke; what it said is above")
        name = {number: name for name, number in numbers().items()}
        told = json.loads(text)
        if told["killed"]:
            told["killed"][1] = name[told["killed"][1]]
        told["counts"] = [[thread, name[number], n] for thread, number, n in told["counts"]]
        return told

    # In the child

    def trace(self):
        status = 1
        try:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            self.attach()
            killed = self.follow()
            counts = [[thread, number, n] for (thread, number), n in self.counts.items()]
            os.write(self.pipe, json.dumps({"killed": killed, "counts": counts}).encode())
            status = 0
        except BaseException as e:
            sys.stderr.write(f"tracer: {e!r}\n")
            os.kill(self.pid, signal.SIGKILL)
        finally:
            os._exit(status)

    def attach(self):
        until = time.monotonic() + WAIT_SECONDS
        while True:
            with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
                if f.read().rpartition(")")[2].split()[0] == "T":
                    break
            if time.monotonic() > until:
                raise Lost("the process does not wait for its tracer")
            time.sleep(0.001)
        self.ptrace(PTRACE_SEIZE, self.pid, 0, TRACE_OPTIONS)
        os.kill(self.pid, signal.SIGCONT)

    @staticmethod
    def ptrace(request, pid, address, data):
        result = libc.ptrace(request, pid, address, data)
        if result < 0:
            error = ctypes.get_errno()
            raise OSError(error, f"ptrace {request:#x}: {os.strerror(error)}")
        return result

    def follow(self):
        """Until the process has ended."""
        killed = None
        while True:
            try:
                pid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return killed
            if not os.WIFSTOPPED(status):
                continue
            if pid not in self.threads:
                self.threads.append(pid)
            stop, event, deliver = os.WSTOPSIG(status), status >> 16, 0
            if stop == SYSCALL_STOP:
                if killed is None and self.counting and self.is_it(pid):
                    killed = [self.threads.index(pid), self.last, sum(self.counts.values())]
                    os.kill(self.pid, signal.SIGKILL)
                    continue
            elif event == EVENT_EXEC:
                self.counting = True
            elif event == 0:
                deliver = stop
            try:
                self.ptrace(PTRACE_SYSCALL, pid, 0, deliver)
            except ProcessLookupError:  # killed in the meantime
                pass

    def is_it(self, pid):
        info = ctypes.create_string_buffer(INFO_BYTES)
        try:
            self.ptrace(PTRACE_GET_SYSCALL_INFO, pid, INFO_BYTES, ctypes.addressof(info))
        except ProcessLookupError:
            return False
        if info.raw[0] != SYSCALL_INFO_ENTRY:
            return False
        self.last = struct.unpack_from("=Q", info.raw, 24)[0]
        self.counts[self.threads.index(pid), self.last] += 1
        self.seen += self.number in (None, self.last)
        return self.seen == self.which and self.number in (None, self.last)


class Trial(scene.Round):
    """run() raises scene.Failure. `which` 0: nobody is killed."""

    def __init__(self, server, call, which, deaths=1, lose=False):
        super().__init__(which, collections.Counter(trials=1), 1, "calls")
        self.server, self.call, self.which, self.deaths, self.lose = server, call, which, deaths, lose
        self.writers = storms.Writers(server, [], 0, 0)  # never started: the story writes
        self.tables, self.told = [], []

    def run(self, keep):
        try:
            self.set_up()
            rest = self.story()
            for _ in range(self.deaths):
                rest = self.die(rest)
            if self.lose:
                self.lose_state()
            self.recover()
        except (scene.Failure, AssertionError, OSError, fake.Refused) as e:
            self.note("calls", told=self.told)
            self.keep(keep, e)
            raise scene.Failure(f"{type(e).__name__}: {e}") from e
        finally:
            if self.daemon:
                self.daemon.remove()

    @property
    def survived(self):
        """It came to its end although it was to be killed."""
        return not any(t["killed"] for t in self.told)

    # The story

    def set_up(self):
        server = self.server
        server.do("reset_audit")
        self.bucket, self.table = server.new_bucket(), server.new_table(shards=2, page_records=10)
        self.tables = [self.table]
        self.change(16, seed=1)
        for change in "pppdp":
            self.change_one(change)
        self.daemon = harness.Daemon(server, self.bucket, self.tables, daemon=SETTINGS)

    def story(self):
        """What happens to the table once the daemon has caught up, and what is waited for before the next."""
        return [(lambda: (self.change_one("d"), self.change_one("p"), self.change(6, seed=2)), self.is_stored),
                (lambda: (self.server.do("rotate", table=self.table), self.change(6, seed=3)), self.is_stored),
                (lambda: None, self.has_watermark),
                (lambda: (self.change(3, seed=4), self.change_one("d")), None)]

    def change(self, count, seed):
        self.server.write(self.table, count=count, keys=8, deletes=0.25, bytes=30, seed=seed)

    def change_one(self, what):
        """An item of a life of its own: it is deleted and made again."""
        if what == "p":
            self.server.put(self.table, "again", n={"N": str(len(self.events))})
        else:
            self.server.delete(self.table, "again")
        self.note("again " + what)

    def has_caught_up(self):
        """All may have been stored before a later life begins; /readyz is not asked in the first, whose calls are counted."""
        return self.is_stored() and (not self.told or self.daemon.is_ready())

    def is_stored(self):
        return not self.server.verify(self.table, self.bucket, bodies="0")["kinds"].get("missing", 0)

    def has_watermark(self):
        """The one of each second, not only that of the start."""
        return len(self.server.writes(bucket=self.bucket, key=f".ddb-streamd/{self.table}/watermark.json")) > 1

    # A life

    def die(self, story):
        """One traced life; gives what is left of the story."""
        python = (sys.executable, "-I", "-S", "-c", STUB)
        self.daemon.start(ready=False, under=python)
        process = self.daemon.process
        tracer = Tracer(process.pid, self.call, self.which)
        try:
            story = self.live(story)
            try:
                status = process.wait(WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                raise scene.Failure(f"still there {WAIT_SECONDS} s after SIGTERM") from None
            self.daemon.ended()
        except BaseException:
            process.kill()
            raise
        finally:
            self.told.append(tracer.end())
        killed = self.told[-1]["killed"]
        self.note("ended", status=status, killed=killed)
        if status != (-signal.SIGKILL if killed else 0):
            raise scene.Failure(f"ended with status {status}; killed: {killed}")
        # After a death a stop is clean only when the horizon of the dead has passed.
        self.check_checkpoints(clean=True if self.survived else None)
        if not killed:
            self.check_folder()
        self.check_half()
        if self.which % 2 == 0:
            for change, _ in story:
                change()
            story = []
        return story

    def live(self, story):
        process = self.daemon.process
        def wait(condition):
            if condition:
                harness.wait_until(lambda: process.poll() is not None or condition(), WAIT_SECONDS, "the story went on")
        wait(self.has_caught_up)
        while story and process.poll() is None:
            change, condition = story[0]
            change()
            story = story[1:]
            wait(condition)
        if process.poll() is None:
            process.terminate()
        return story

    def check_half(self):
        """Whatever is not done yet: nothing is in the bucket that does not belong there."""
        kinds = set(self.server.verify(self.table, self.bucket)["kinds"]) - HALF_DONE
        if kinds:
            raise scene.Failure(f"after its death: {sorted(kinds)}")

    def recover(self):
        self.daemon.start(ready=False)
        self.drain()
        self.verify()
        self.check_gaps()
        self.terminate((0,))
        self.check_checkpoints()
        self.check_folder()
        self.verify()

    def drain(self):
        """In calm weather: what has not come after WAIT_SECONDS never comes."""
        def calm():
            assert self.is_ready()
            samples = self.daemon.metrics()
            for name in ("buffered_records", "stuck_items"):
                n = samples["ddb_streamd_" + name, (("table", self.table),)]
                assert n == 0, f"{name}: {n:g}"
            missing = self.server.verify(self.table, self.bucket, bodies="0")["kinds"].get("missing", 0)
            assert not missing, f"{missing} versions are missing"
            return True
        self.daemon.wait(calm, WAIT_SECONDS, "everything was in S3")

    def check_folder(self):
        names = set(os.listdir(self.daemon.state_dir))
        if names != {"lock", "instance", self.table + ".checkpoint"}:
            raise scene.Failure(f"the state folder holds {sorted(names)}")
        with open(os.path.join(self.daemon.state_dir, "instance"), encoding="ascii") as f:
            if not re.fullmatch("[0-9a-f]{32}", f.read()):
                raise scene.Failure("the file instance is damaged")


# The sweep

_servers = []  # of the sweep; inherited, as clients cannot be sent
_server = None  # of this process


def take_server(numbers_left):
    """In each process that runs trials."""
    global _server
    _server = _servers[numbers_left.get()]


def trial(call, which, deaths, lose):
    """(survived, killed, why it failed)."""
    one = Trial(_server, call, which, deaths, lose)
    keep = os.path.join(harness.BUILD, "chaos", f"sweep-{call}-{which}")
    try:
        one.run(keep)
        return one.survived, [t["killed"] for t in one.told], None
    except scene.Failure as e:
        again = f"test/chaos/sweep.py --calls {call} --from {which} --to {which}"
        again += (f" --deaths {deaths}" if deaths != 1 else "") + (" --lose-state" if lose else "")
        return False, [t["killed"] for t in one.told], f"{e}\n     kept in {keep}; again: {again}"


class Call:
    """How far the sweep is with one kind of call."""

    def __init__(self, name, say):
        self.name, self.say = name, say
        self.trials = self.killed = self.highest = self.out = 0
        self.survived, self.failed, self.at = set(), [], collections.Counter()
        self.issued = self.told = self.exhausted = False

    def take(self, which, stride, result):
        survived, killed, failure = result
        self.out -= 1
        self.trials += 1
        for k in filter(None, killed):
            self.killed += 1
            self.highest = max(self.highest, which)
            self.at["main" if k[0] == 0 else "another thread"] += 1
        if survived:
            self.survived.add(which)
        if failure:
            self.failed.append(which)
            self.say(f"FAIL {self.name} {which}: {failure}")
        self.exhausted |= any(n + stride in self.survived for n in self.survived)

    def is_over(self):
        return self.exhausted or len(self.failed) >= FAILURES_MAX

    def tell(self, began):
        self.told = True
        mark = "FAIL" if self.failed else "ok  "
        where = ", ".join(f"{n} in {where}" for where, n in sorted(self.at.items()))
        self.say(f"{mark} {self.name:<16} {self.trials:>5} trials, {self.killed:>5} killed ({where or 'none'}), highest n "
                 f"{self.highest:>5}{', to the end' if self.exhausted else ''}; failures: {sorted(self.failed) or 'none'}; "
                 f"{time.monotonic() - began:.0f} s")

    def figures(self):
        return {"trials": self.trials, "killed": self.killed, "highest": self.highest, "to the end": self.exhausted,
                "failed": sorted(self.failed), **self.at}


class Sweep:
    """run() gives the figures by call."""

    def __init__(self, names, first=1, last=sys.maxsize, stride=1, jobs=1, seconds=float("inf"), deaths=1, lose=False,
                 say=functools.partial(print, flush=True)):
        self.calls = [Call(name, say) for name in names]
        self.first, self.last, self.stride, self.jobs = first, last, stride, jobs
        self.seconds, self.deaths, self.lose = seconds, deaths, lose
        self.began = time.monotonic()

    def turns(self):
        for call in self.calls:
            which = self.first
            while which <= self.last and not call.is_over() and time.monotonic() - self.began < self.seconds:
                yield call, which
                which += self.stride
            call.issued = True

    def run(self):
        context = multiprocessing.get_context("fork")
        numbers_left = context.SimpleQueue()
        try:
            for number in range(self.jobs):
                _servers.append(fake.Fake(seed=number + 1))
                numbers_left.put(number)
            pool = concurrent.futures.ProcessPoolExecutor(self.jobs, context, take_server, (numbers_left,))
            try:
                self.play(pool)
            finally:
                pool.shutdown(cancel_futures=True)
        finally:
            while _servers:
                _servers.pop().stop()
        return {call.name: call.figures() for call in self.calls if call.trials}

    def play(self, pool):
        turns, running = self.turns(), {}
        while True:
            while len(running) < self.jobs:
                call, which = next(turns, (None, 0))
                if call is None:
                    break
                call.out += 1
                running[pool.submit(trial, call.name, which, self.deaths, self.lose)] = call, which
            for call in self.calls:
                if call.issued and call.out == 0 and call.trials and not call.told:
                    call.tell(self.began)
            if not running:
                return
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                call, which = running.pop(future)
                call.take(which, self.stride, future.result())


def count():
    """{call: {thread: n}} of the story when nobody is killed."""
    server = fake.Fake()
    try:
        one = Trial(server, "all", 0)
        one.run(os.path.join(harness.BUILD, "chaos", "sweep-count"))
    finally:
        server.stop()
    found = collections.defaultdict(dict)
    for thread, name, n in one.told[0]["counts"]:
        found[name][thread] = n
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls")
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--to", type=int, default=sys.maxsize, dest="last")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="trials at the same time")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no trial after so long")
    parser.add_argument("--deaths", type=int, default=1)
    parser.add_argument("--lose-state", action="store_true")
    parser.add_argument("--count", action="store_true")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    if args.first < 1 or args.stride < 1 or args.jobs < 1 or args.deaths < 1:
        parser.error("--from, --stride, --jobs and --deaths are 1 at least")

    found = count() if args.count or not args.calls else {}
    if args.count:
        threads = sorted({thread for counts in found.values() for thread in counts})
        for name, counts in sorted(found.items(), key=lambda entry: -sum(entry[1].values())):
            print(f"{name:<20}" + "".join(f"{counts.get(t, 0):>8}" for t in threads))
        print(f"{'all':<20}" + "".join(f"{sum(c.get(t, 0) for c in found.values()):>8}" for t in threads))
        return 0
    names = args.calls.split(",") if args.calls else ["all", *sorted(found, key=lambda n: sum(found[n].values()))]
    unknown = [name for name in names if name != "all" and name not in numbers()]
    if unknown:
        parser.error("no such system call: " + ", ".join(unknown))
    sweep = Sweep(names, args.first, args.last, args.stride, args.jobs, args.seconds, args.deaths, args.lose_state)
    figures = sweep.run()
    trials, failed = (sum(f) for f in zip(*((f["trials"], len(f["failed"])) for f in figures.values()))) if figures else (0, 0)
    print(json.dumps({"calls": figures, "trials": trials, "killed": sum(f["killed"] for f in figures.values()),
                      "seconds": int(time.monotonic() - sweep.began)}, indent=1))
    print(f"{trials - failed} passed, {failed} failed", flush=True)
    return 1 if failed or not trials else 0


if __name__ == "__main__":
    sys.exit(main())
