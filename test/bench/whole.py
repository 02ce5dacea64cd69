"""
The rows of reading a whole table: a first baseline, a baseline of a table that the bucket has already, and verify, beside
a bare libcurl loop that asks for the same pages of a parallel Scan of the same table and does nothing with them. In rows
that end in -parsed its answers go through jansson. In rows that end in -50ms each answer comes so much later: a page of
DynamoDB, or of S3's listing, takes longer still. And the memory of a restore in place, which reads the table first, and
then puts every item, or finds every one equal (-same).

A baseline is measured by the daemon's own log, from the beginning of the listing until everything is read and written; what
follows until it is done is waiting, for the stream to pass the last read, and a row of its own. Verify, and the reference
beside it, are measured from start to end, the loading of libraries included.
"""
import datetime
import json
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request

import timing

FIRST_ITEMS = 50_000  # each of them is written
ITEMS = 200_000
LATE_ITEMS = 50_000  # in the rows with a latency
PLACE_ITEMS = 1_000_000  # of which all are put, or none
AT = "2026-06-01T00:00:00Z"  # after all that the sink has, and before its watermark's end
SEGMENTS = 4  # as baseline_segments, and LIVE_SCAN_SEGMENTS in cli/
MEMORY = "64MiB"
TIMEOUT_S = 300


def seconds_between(earlier, later):
    return (datetime.datetime.fromisoformat(later) - datetime.datetime.fromisoformat(earlier)).total_seconds()


class Whole:
    def __init__(self, bench, sink, pinned):
        self.bench, self.sink, self.pinned = bench, sink, pinned
        # The list of the bucket's objects lies there: a disk is not measured.
        self.folder = tempfile.mkdtemp(prefix="ddb-streamd-bench.",
                                       dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else bench.folder)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def configure(self, url):
        conf = os.path.join(self.folder, "conf")
        text = self.bench.configuration(url, f"listen = off\nmemory_limit = {MEMORY}\n", "auto")
        text = re.sub(r"(?m)^state_dir = .*$", f"state_dir = {os.path.join(self.folder, 'state')}", text)
        with open(conf, "w", encoding="ascii") as f:
            f.write(text + f"baseline_rate = 10000000\nbaseline_segments = {SEGMENTS}\n")
        return conf

    def figures(self, sink):
        with urllib.request.urlopen(sink.url + "/figures", timeout=30) as answer:
            return json.load(answer)

    def states(self, client):
        """{state: when it began}, with "figures" of its end, from the log of a daemon whose baseline goes to its end."""
        seen, text, until = {}, "", time.monotonic() + TIMEOUT_S
        while time.monotonic() < until:
            if not select.select([client.stderr], [], [], 1)[0]:
                continue
            part = os.read(client.stderr.fileno(), 65536).decode()
            if not part:
                break
            text += part
            *lines, text = text.split("\n")
            for line in lines:
                found = re.match(r"ts=(\S+)Z level=info msg=baseline .*state=(\w+)", line)
                if found:
                    seen[found[2]] = found[1]
                elif "level=warn" in line or "level=error" in line:
                    raise SystemExit(f"bench: ddb-streamd: {line}")
                elif 'msg="baseline done"' in line:
                    seen["figures"] = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)(?= |$)", line)}
                    return seen
        raise SystemExit("bench: the baseline of ddb-streamd came to no end")

    def baseline(self, items, stored, latency_ms=0):
        """One first run of a daemon without a state."""
        shutil.rmtree(os.path.join(self.folder, "state"), ignore_errors=True)
        with self.sink(self.bench, "-n", items, "-l", latency_ms, "-w", "all" if stored else "none") as sink:
            command = [os.path.join(self.bench.build, "ddb-streamd"), "-c", self.configure(sink.url)]
            with subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=self.pinned(0),
                                  env=self.bench.env) as client:
                try:
                    seen = self.states(client)
                    requests = self.figures(sink)
                    client.send_signal(signal.SIGTERM)
                    _, status, usage = os.wait4(client.pid, 0)
                    client.returncode = os.waitstatus_to_exitcode(status)
                finally:
                    client.kill()
        figures = seen["figures"]
        if client.returncode != 0 or figures["items"] != items or figures["equal" if stored else "written"] != items:
            raise SystemExit(f"bench: ddb-streamd ended with {client.returncode}: {figures}")
        return {"seconds": seconds_between(seen["listing"], seen["removing"]),
                "tail_s": seconds_between(seen["removing"], seen["done"]),
                "cpu_s": usage.ru_utime + usage.ru_stime, "rss_kib": usage.ru_maxrss, "requests": requests}

    def run(self, command):
        """To its end: (seconds, processor seconds, peak resident KiB, its output as JSON)."""
        *figures, out = timing.run(command, self.pinned(0), {**self.bench.env, "TMPDIR": self.folder})
        return (*figures, json.loads(out))

    def verify(self, items, latency_ms=0):
        with self.sink(self.bench, "-n", items, "-l", latency_ms, "-w", "all", "-r") as sink:
            seconds, cpu_s, rss_kib, told = self.run(
                [os.path.join(self.bench.build, "ddb-streamctl"), "-c", self.configure(sink.url), "verify", "--table",
                 "items", "-o", "json"])
            requests = self.figures(sink)
        if (told["outcome"], told["items"], told["objects"]) != ("equal", items, items):
            raise SystemExit(f"bench: ddb-streamctl verify: {told}")
        return {"seconds": seconds, "cpu_s": cpu_s, "rss_kib": rss_kib, "requests": requests}

    def in_place(self, items, table):
        """A restore in place of a table that has all items as the bucket has them, or each with other contents."""
        with self.sink(self.bench, "-n", items, "-w", table, "-r") as sink:
            *figures, told = self.run(
                [os.path.join(self.bench.build, "ddb-streamctl"), "-c", self.configure(sink.url), "restore", "--table",
                 "items", "--at", AT, "--in-place", "--yes", "-o", "json"])
        if told["items" if table == "changed" else "same"] != items or told["items"] + told["same"] != items:
            raise SystemExit(f"bench: ddb-streamctl restore --in-place: {told}")
        return figures

    def bare(self, items, whole_process, latency_ms=0, parse=False):
        with self.sink(self.bench, "-n", items, "-l", latency_ms, "-w", "none") as sink:
            seconds, cpu_s, _, told = self.run(
                [self.bench.program("bench_scan"), "-u", sink.url, "-n", str(items), "-s", str(SEGMENTS), "-l",
                 os.environ.get("BENCH_BARE_LOOP", "poll")] + ["-j"] * parse)
        return {"seconds": seconds if whole_process else told["seconds"], "cpu_s": cpu_s}

    def pairs(self, name, items, ours, reference):
        """By the clock, and by the processor time that the client took; and all of our runs."""
        pairs = []
        for i in range(self.bench.pairs):
            turn = [ours, reference]
            got = [f() for f in (turn if i % 2 == 0 else reversed(turn))]
            pairs.append(tuple(got) if i % 2 == 0 else tuple(reversed(got)))
        rows = []
        for row, unit, of in ((name, "items/s", "seconds"), (name + "-cpu", "items/s of processor time", "cpu_s")):
            ratios = [b[of] / a[of] for a, b in pairs]
            rows.append({"name": row, "unit": unit, "ours": items / statistics.median(a[of] for a, _ in pairs),
                         "reference": items / statistics.median(b[of] for _, b in pairs),
                         "ratio": {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}})
        return rows, [a for a, _ in pairs]

    def requests(self, name, items, runs):
        """Everything from start to end but the reading of the stream, which goes by time."""
        for server in ("s3", "dynamodb"):
            yield {"name": f"requests-per-1000-items-{name}-{server}", "unit": "requests",
                   "ours": statistics.median(r["requests"][server] for r in runs) * 1000 / items}

    def baselines(self):
        tails, rss_kib = [], 0
        for name, items, stored in (("baseline", FIRST_ITEMS, False), ("baseline-unchanged", ITEMS, True)):
            rows, runs = self.pairs(name, items, lambda n=items, s=stored: self.baseline(n, s),
                                    lambda n=items: self.bare(n, False))
            yield from rows
            yield from self.requests(name, items, runs)
            tails += [r["tail_s"] for r in runs]
            rss_kib = max([rss_kib] + [r["rss_kib"] for r in runs])
        yield {"name": "baseline-tail-s", "unit": "seconds", "ours": statistics.median(tails)}
        yield {"name": "rss-baseline-MiB", "unit": "MiB", "ours": rss_kib / 1024}

    def baseline_beside(self, name, items, latency_ms=0, **how):
        yield from self.pairs(name, items, lambda: self.baseline(items, True, latency_ms),
                              lambda: self.bare(items, False, latency_ms, **how))[0]

    def verifies(self):
        rows, runs = self.pairs("verify", ITEMS, lambda: self.verify(ITEMS), lambda: self.bare(ITEMS, True))
        yield from rows
        yield from self.requests("verify", ITEMS, runs)
        yield {"name": "rss-verify-MiB", "unit": "MiB", "ours": max(r["rss_kib"] for r in runs) / 1024}

    def places(self):
        for name, table in (("rss-in-place-1M-MiB", "changed"), ("rss-in-place-same-1M-MiB", "all")):
            yield {"name": name, "unit": "MiB", "ours": self.in_place(PLACE_ITEMS, table)[2] / 1024}

    def verify_beside(self, name, items, latency_ms=0, **how):
        yield from self.pairs(name, items, lambda: self.verify(items, latency_ms),
                              lambda: self.bare(items, True, latency_ms, **how))[0]


def groups(make):
    """Name of the first row: function of a Bench that yields its rows. make(bench) gives a Whole."""
    def group(run):
        def rows(bench):
            whole = make(bench)
            try:
                yield from run(whole)
            finally:
                whole.close()
        return rows

    result = {"baseline": group(Whole.baselines), "verify": group(Whole.verifies),
              "rss-in-place-1M-MiB": group(Whole.places)}
    for verb, run in (("baseline-unchanged", Whole.baseline_beside), ("verify", Whole.verify_beside)):
        for ending, items, how in (("-parsed", ITEMS, {"parse": True}), ("-50ms", LATE_ITEMS, {"latency_ms": 50})):
            result[verb + ending] = group(
                lambda w, f=run, name=verb + ending, n=items, h=how: f(w, name, n, **h))
    return result
