"""
The rows of catching up: a stream that holds much more than the daemon has read of it.

catch-up-1-shard: the reference is no run, but what the API lets a reader have: five pages a second of a shard, of 1,000
records each. catch-up-20h-hours: from the rate of the same runs, how long it takes to reach the tip of one shard after 20
hours at 500 records a second, 36,000,000 records, while 500 more come each second.

catch-up-fresh-*: 100 shards with a backlog, and one to which 200 records a second come: how long those are in the stream until
they are durable, with the pace of polling, from when each shard has been read once.

hot-item: one item with many changes in the first shard, beside items with one. An item's changes are written one after the
other, so it takes its time; the reference is the same load without it, and the row says how fast the other items are written.
hot-item-10ms-64w: 350 changes, as many as can be written meanwhile when one follows the other at once; the rate is that of all.
hot-backlog-2ms-64w: more changes than memory_limit holds; the rate is that of the other items.
"""
import dataclasses

import machine
import rows
import throughput

CALLS_PER_S, PAGE_RECORDS = 5, 1000  # GetRecords, for one shard
BEHIND_S, PER_S = 20 * 3600, 500
FRESH_SHARDS, FRESH_PER_S, FRESH_RECORDS = 100, 200, 5000
FRESH_RUNS = 2


def one_shard(bench):
    load = throughput.Load(shards=1, records=36000, item_bytes=200)
    rates = [load.records / throughput.ours(bench, load)[0]["seconds"] for _ in range(bench.pairs)]
    yield rows.paired("catch-up-1-shard", "records/s", [(rate, CALLS_PER_S * PAGE_RECORDS) for rate in rates])
    yield rows.alone("catch-up-20h-hours", "hours",
                     [BEHIND_S * PER_S / (rate - PER_S) / 3600 for rate in rates])


def fresh_run(bench):
    with machine.Sink(bench, "-n", (FRESH_SHARDS + 1) * FRESH_RECORDS, "-s", FRESH_SHARDS + 1, "-b", 200, "-R", FRESH_PER_S,
                      "-F", tls=True) as sink, bench.daemon(sink.url) as client:
        try:
            seen = sink.result(client)
            machine.ended(client)
        finally:
            client.kill()
    return seen["in_stream_ms"]


def fresh(bench):
    times = [fresh_run(bench) for _ in range(FRESH_RUNS)]
    for p in ("p50", "p99"):
        yield rows.alone(f"catch-up-fresh-{p}-ms", "milliseconds", [t[p] for t in times])


def hot(bench, name, load, changes, of_all):
    """The rate of all writes, or of the items that are not hot."""
    def rate(changes):
        seen = throughput.ours(bench, dataclasses.replace(load, hot=changes))[0]
        return (load.records + changes) / seen["seconds"] if of_all else load.records / seen["items_seconds"]

    pairs = rows.in_turn(bench.pairs, lambda: rate(changes), lambda: rate(0))
    yield rows.paired(name, "records/s", pairs)


def groups():
    load = throughput.Load(tls=False, latency_ms=10, records=24000, when_asked=True)
    return {
        "catch-up-1-shard": one_shard,
        "catch-up-fresh-p50-ms": fresh,
        "hot-item-10ms-64w": lambda b: hot(b, "hot-item-10ms-64w", load, 350, True),
        "hot-backlog-2ms-64w": lambda b: hot(
            b, "hot-backlog-2ms-64w", dataclasses.replace(load, latency_ms=2, shards=5, records=60000, memory="16MiB", until_items=True), 60000, False),
    }
