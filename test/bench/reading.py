"""
The rows of ddb-streamctl: listing, restoring to a file, and a snapshot to a folder, beside a bare libcurl loop that asks
for the same pages and the same versions and does nothing with them.

Either side is measured from its start to its end, the loading of libraries and the last fsync included. Files go to
memory where there is /dev/shm. A snapshot compresses on threads of its own, so in its rows either client may use every
processor, the sink's, too.
"""
import json
import os
import shutil
import statistics
import tempfile

import timing

AT = "2026-06-01T00:00:00Z"  # after all that the sink has, and before its watermark's end
GETS, LISTINGS = 64, 8  # at a time, as SESSION_SLOTS and RANGES_MAX in cli/
LIST_ITEMS = 200_000
RSS_ITEMS = 1_000_000
RSS_LIST_ITEMS = 1_000_000


class Reading:
    def __init__(self, bench, sink, pinned, records):
        self.bench, self.sink, self.pinned, self.records = bench, sink, pinned, records
        self.folder = tempfile.mkdtemp(prefix="ddb-streamd-bench.",
                                       dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else bench.folder)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def timed(self, command, cpu=0):
        """Runs it to its end: (seconds, processor seconds, peak resident KiB, its last line as JSON)."""
        *figures, out = timing.run(command, self.pinned(cpu), self.bench.env)
        return (*figures, json.loads(out.splitlines()[-1]))

    def ours(self, verb, items, tls=False, latency_ms=0, cpu=0):
        conf = os.path.join(self.folder, "conf")
        target = os.path.join(self.folder, "target")
        with self.sink(self.bench, "-r", "-n", items, "-l", latency_ms, tls=tls) as sink:
            with open(conf, "w", encoding="ascii") as f:
                f.write(self.bench.configuration(sink.url))
            result = self.timed([os.path.join(self.bench.build, "ddb-streamctl"), "-c", conf, *verb, "-o", "json",
                                 "--table", "items", "--at", AT, "--to" if verb == ["snapshot"] else "--to-file",
                                 target], cpu)
        if os.path.isdir(target):
            shutil.rmtree(target)
        elif os.path.exists(target):
            os.unlink(target)
        if result[3]["items"] != items:
            raise SystemExit(f"bench: ddb-streamctl {' '.join(verb)} found {result[3]['items']} of {items} items")
        return result

    def bare(self, gets, items, tls=False, latency_ms=0, cpu=0):
        with self.sink(self.bench, "-r", "-n", items, "-l", latency_ms, tls=tls) as sink:
            command = [self.bench.program("bench_read"), "-u", sink.url, "-n", str(items), "-w", str(gets), "-p",
                       str(LISTINGS), "-l", os.environ.get("BENCH_BARE_LOOP", "poll")]
            if tls:
                command += ["-c", self.bench.certificate()]
            return self.timed(command, cpu)

    def pairs(self, name, unit, verb, gets, items, **how):
        """Two rows of the same runs: by the clock, and by the processor time that the client took."""
        pairs = []
        for i in range(self.bench.pairs):
            turn = [lambda: self.ours(verb, items, **how), lambda: self.bare(gets, items, **how)]
            got = [f() for f in (turn if i % 2 == 0 else reversed(turn))]
            ours, reference = got if i % 2 == 0 else reversed(got)
            pairs.append((items / ours[0], items / reference[0], items / ours[1], items / reference[1]))
        for row, of, a, b in ((name, unit, 0, 1), (name + "-cpu", unit + " of processor time", 2, 3)):
            ratios = [p[a] / p[b] for p in pairs]
            yield {"name": row, "unit": of, "ours": statistics.median(p[a] for p in pairs),
                   "reference": statistics.median(p[b] for p in pairs),
                   "ratio": {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}}

    def peak(self, name, verb, items):
        yield {"name": name, "unit": "MiB", "ours": self.ours(verb, items)[2] / 1024}


def groups(make):
    """Name of the first row: function of a Bench that yields its rows. make(bench) gives a Reading."""
    listing, restore, snapshot = ["restore", "--dry-run"], ["restore"], ["snapshot"]

    def group(run):
        def rows(bench):
            reading = make(bench)
            try:
                yield from run(reading)
            finally:
                reading.close()
        return rows

    result = {}
    for ending, how in (("", {}), ("-tls", {"tls": True}), ("-10ms", {"latency_ms": 10})):
        result["list" + ending] = group(lambda r, e=ending, h=how: r.pairs(
            "list" + e, "versions/s", listing, 0, LIST_ITEMS, **h))
        result["restore-file" + ending] = group(lambda r, e=ending, h=how: r.pairs(
            "restore-file" + e, "items/s", restore, GETS, r.records, **h))
        result["snapshot" + ending] = group(lambda r, e=ending, h=how: r.pairs(
            "snapshot" + e, "items/s", snapshot, GETS, r.records, cpu=None, **h))
    # A page of S3 takes longer than an object.
    result["list-100ms"] = group(lambda r: r.pairs("list-100ms", "versions/s", listing, 0, LIST_ITEMS, latency_ms=100))
    result["rss-restore-1M-MiB"] = group(lambda r: r.peak("rss-restore-1M-MiB", restore, RSS_ITEMS))
    result["rss-snapshot-1M-MiB"] = group(lambda r: r.peak("rss-snapshot-1M-MiB", snapshot, RSS_ITEMS))
    result["rss-list-1M-MiB"] = group(lambda r: r.peak("rss-list-1M-MiB", listing, RSS_LIST_ITEMS))
    return result
