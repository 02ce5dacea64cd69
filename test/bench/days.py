"""
The row of a long run: ten days of a table's life in a minute, on test/fakeaws with its virtual clock. Every four hours each of
four shards is closed and has a child; records, and shards, are trimmed after a day.
rss-growth-days-MiB: the median of the daemon's resident size in the last third less that of the third before.
"""
import os
import statistics
import sys

import machine
import memory
import rows

STEPS, STEP_S, WRITES = 60, 4 * 3600, 300


def days(bench):
    os.environ["DDB_STREAMD_BUILD"] = bench.build
    sys.path.insert(0, os.path.join(machine.ROOT, "test", "integration"))
    import fake
    import harness

    aws = fake.Fake()
    try:
        aws.do("clock", real_date=True)  # signatures go by the host's
        bucket, table = aws.new_bucket(), aws.new_table(shards=4)
        daemon = harness.Daemon(aws, bucket, [table], daemon={
            "discovery_interval": "1s", "poll_interval": "250ms", "checkpoint_interval": "100ms", "watermark_interval": "1s"})
        daemon.start()
        try:
            samples = [step(aws, daemon, table) for _ in range(STEPS)]
        finally:
            daemon.kill()
    finally:
        aws.stop()
    third = STEPS // 3
    yield rows.alone("rss-growth-days-MiB", "MiB",
                     [statistics.median(samples[-third:]) - statistics.median(samples[third:-third])])


def step(aws, daemon, table):
    """Four hours: the resident size at their end."""
    aws.write(table, WRITES, keys=100, bytes=1000, deletes=0.1)
    aws.do("rotate", table=table, all=True)
    aws.advance(STEP_S)
    records = len(aws.records(table))

    def stored():
        told = daemon.status()["tables"][0]["records"]
        return told["insert"] + told["modify"] + told["remove"] >= records
    daemon.wait(stored, 60, "four hours were stored")
    return memory.rss_mib(daemon.process.pid)


def groups():
    return {"rss-growth-days-MiB": days}
