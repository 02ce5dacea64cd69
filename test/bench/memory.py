"""
The rows of memory: the most of it that the daemon has.

rss-64w-MiB: a backlog that is always ahead of the workers, with a memory_limit of 16 MiB and, -default, of 64 MiB.
rss-2000-shards-MiB: 2,000 shards with 10,000,000 records of 1 KB together, which the sink makes as they are asked for, and an
S3 that takes the PUT of an item and never answers; memory_limit is 64 MiB. -buffered-: what the daemon itself says that it
holds of records. -300KB-: the same with 1,000,000 items of 300 KB, which fill memory_limit; the rest is the process's own.
rss-growth-MiB: 500,000 records of 200 B, their event times over a year and a half: the median of the last third of the run less that
of the first, a warm-up left out.
"""
import json
import socket
import statistics
import time
import urllib.request

import idle
import machine
import rows
import throughput

RUNS = 3
BACKLOG_SHARDS, BACKLOG, BACKLOG_LARGE = 2000, ("-n", 10_000_000), ("-n", 1_000_000, "-b", 307200, "-p", 3)
STALL_S, STALL_TIMEOUT_S = 6, 90
GROWTH_RECORDS, GROWTH_TIMEOUT_S, SAMPLE_S, WARM = 500_000, 240, 0.1, 0.1


def behind(bench):
    for name, limit in (("rss-64w-MiB", "16MiB"), ("rss-64w-default-MiB", "64MiB")):
        load = throughput.Load(tls=False, memory=limit)
        yield rows.alone(name, "MiB", [throughput.ours(bench, load)[2] / 1024 for _ in range(RUNS)])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_still(sink, client):
    """Until nothing has been read for a while: then all memory that may be had is in use."""
    until, reads, since = time.monotonic() + STALL_TIMEOUT_S, 0, time.monotonic()
    while time.monotonic() < until:
        if client.poll() is not None:
            raise SystemExit(f"bench: ddb-streamd ended with {client.returncode}")
        now = idle.figures(sink)["reads"]
        if now != reads:
            reads, since = now, time.monotonic()
        elif reads > 0 and time.monotonic() - since > STALL_S:
            return
        time.sleep(0.2)
    raise SystemExit(f"bench: ddb-streamd reads on and on while S3 does not answer, {reads} pages by now")


def stalled(bench, name, *load):
    port, rss, buffered = free_port(), [], []
    for _ in range(RUNS):
        with machine.Sink(bench, "-s", BACKLOG_SHARDS, "-a", "-x", *load) as sink, \
                bench.daemon(sink.url, more=f"listen = 127.0.0.1:{port}\nstop_timeout = 1s\n") as client:
            try:
                wait_still(sink, client)
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=30) as answer:
                    buffered.append(json.load(answer)["buffered_bytes"] / 2**20)
                rss.append(machine.peak_kib(client.pid) / 1024)
            finally:
                client.kill()
    yield rows.alone(f"rss-{name}-MiB", "MiB", rss)
    yield rows.alone(f"rss-{name}-buffered-MiB", "MiB", buffered)


def rss_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmRSS:")).split()[1]) / 1024


def growth(bench):
    samples, until = [], time.monotonic() + GROWTH_TIMEOUT_S
    with machine.Sink(bench, "-n", GROWTH_RECORDS, "-s", 64, "-b", 200, "-a", "-g", 6000) as sink, \
            bench.daemon(sink.url) as client:
        try:
            while idle.figures(sink)["items"] < GROWTH_RECORDS:
                if client.poll() is not None or time.monotonic() > until:
                    raise SystemExit("bench: ddb-streamd did not write all records")
                samples.append(rss_mib(client.pid))
                time.sleep(SAMPLE_S)
            machine.ended(client)
        finally:
            client.kill()
    samples = samples[int(len(samples) * WARM):]
    third = len(samples) // 3
    yield rows.alone("rss-growth-MiB", "MiB", [statistics.median(samples[-third:]) - statistics.median(samples[:third])])


def groups():
    return {
        "rss-64w-MiB": behind,
        "rss-2000-shards-MiB": lambda b: stalled(b, "2000-shards", *BACKLOG),
        "rss-2000-shards-300KB-MiB": lambda b: stalled(b, "2000-shards-300KB", *BACKLOG_LARGE),
        "rss-growth-MiB": growth,
    }
