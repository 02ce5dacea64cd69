"""
The rows of idleness, with TLS: what shards cost that have nothing to tell: processor time of the daemon, its requests a second, and
dollars a month for those of them that AWS charges for.

Each figure is of so many windows of a run, from when every shard has been found to be idle and the pace no longer changes.
"""
import json
import os
import ssl
import time
import urllib.request

import machine
import rows

SHARDS = (1, 100, 2000, 10000)
WINDOW_S, WINDOWS = 4, 5  # a whole number of poll_intervals
SETTLE_TIMEOUT_S = 90
# Amazon DynamoDB pricing, "DynamoDB Streams": each GetRecords call is one read request unit. Dollars; us-east-1.
PER_READ_UNIT = 0.02 / 100_000
MONTH_S = 30 * 24 * 3600


def figures(sink):
    # Of a certificate that nobody knows; for plain HTTP it means nothing.
    with urllib.request.urlopen(sink.url + "/figures", timeout=30, context=ssl._create_unverified_context()) as answer:
        return json.load(answer)


def cpu_s(pid):
    """Of all threads; /proc/PID/stat has no more than hundredths of a second."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def window(sink, client):
    """Per second: (processor seconds, all requests but ours, GetRecords)."""
    before, cpu, began = figures(sink), cpu_s(client.pid), time.monotonic()
    time.sleep(WINDOW_S)
    after, seconds = figures(sink), time.monotonic() - began
    requests = sum(after[k] - before[k] for k in ("s3", "dynamodb", "streams"))
    return (cpu_s(client.pid) - cpu) / seconds, requests / seconds, (after["reads"] - before["reads"]) / seconds


def settle(sink, client, shards):
    """Until two windows are alike, and each shard has been read several times."""
    until, before = time.monotonic() + SETTLE_TIMEOUT_S, 0
    while time.monotonic() < until:
        if client.poll() is not None:
            raise SystemExit(f"bench: ddb-streamd ended with {client.returncode}")
        reads = window(sink, client)[2]
        if figures(sink)["reads"] > 6 * shards and abs(reads - before) <= max(0.03 * reads, 0.3):
            return
        before = reads
    raise SystemExit(f"bench: {shards} idle shards are not at rest after {SETTLE_TIMEOUT_S} s")


def idle(bench, shards):
    with machine.Sink(bench, "-n", 0, "-s", shards, tls=True) as sink, bench.daemon(sink.url) as client:
        try:
            settle(sink, client, shards)
            windows = [window(sink, client) for _ in range(WINDOWS)]
            rss_kib = machine.ended(client)[1]
        finally:
            client.kill()
    which = f"{shards}-idle-shards"
    yield rows.alone(f"cpu-{which}-percent", "percent of a core", [w[0] * 100 for w in windows])
    yield rows.alone(f"requests-per-s-{which}", "requests/s", [w[1] for w in windows])
    yield rows.alone(f"usd-per-month-{which}", "dollars", [w[2] * MONTH_S * PER_READ_UNIT for w in windows])
    yield rows.alone("rss-idle-MiB" if shards == 1 else f"rss-{which}-MiB", "MiB", [rss_kib / 1024])


def groups():
    return {f"cpu-{n}-idle-shards-percent": lambda b, n=n: idle(b, n) for n in SHARDS}
