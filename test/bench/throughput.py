"""
The rows of throughput: records from GetRecords to S3's answer to the checkpoint, beside a bare libcurl multi loop with as
many slots, which only PUTs the same signed bodies to the same sink. Both sides are timed by the sink, from the first request
to the last item.

One row is the middle of it all: items of 1 KB in 64 shards, 64 workers, with TLS. The others differ from it in what their
names say. Pages hold what DynamoDB's do, 1,000 records or 1 MB.

The reference signs each request as it sends it; in rows ending in -ahead it had signed all of them before its clock
started. BENCH_BARE_LOOP=epoll has it use libcurl's multi-socket interface in the place of curl_multi_poll. Rows ending in
-cpu come from the same runs, by the processor time that the client took. In rows ending in -ceiling the reference is no
run but what cannot be surpassed: workers / latency.
"""
import dataclasses
import json
import os
import subprocess

import machine
import rows

PAGE_RECORDS, PAGE_BYTES = 1000, 1 << 20


@dataclasses.dataclass(frozen=True)
class Load:
    item_bytes: int = 1024
    shards: int = 64
    workers: int = 64
    tls: bool = True
    latency_ms: int = 0
    records: int = 48000
    mode: str = "inline"  # of the reference
    memory: str = "64MiB"
    hot: int = 0  # changes of one further item
    until_items: bool = False  # and not until its changes, too, are written
    when_asked: bool = False  # pages are made as they are asked for

    def sink(self, bench):
        page = max(1, min(PAGE_RECORDS, PAGE_BYTES // self.item_bytes))
        return machine.Sink(bench, "-n", self.records, "-s", self.shards, "-p", page, "-b", self.item_bytes, "-l",
                            self.latency_ms, "-h", self.hot, *["-a"] * self.when_asked,
                            *["-e"] * self.until_items, tls=self.tls)


def ours(bench, load, env=()):
    """One run of the daemon: (what the sink saw, processor seconds, peak resident KiB)."""
    more = "listen = off\nstop_timeout = 1s\n"  # with until_items there is more to be written than anybody waits for
    with load.sink(bench) as sink, bench.daemon(sink.url, load.workers, load.memory, env, more) as client:
        try:
            seen = sink.result(client)
            cpu_s, rss_kib = machine.ended(client)
        finally:
            client.kill()
    if seen["repeated"]:
        raise SystemExit(f"bench: ddb-streamd wrote {seen['repeated']} items twice")
    return seen, cpu_s, rss_kib


def bare(bench, load):
    """One run of the reference: (what the sink saw, processor seconds)."""
    with load.sink(bench) as sink:
        command = [bench.program("bench_bare"), "-u", sink.url, "-n", str(load.records), "-w", str(load.workers), "-b",
                   str(load.item_bytes), "-m", load.mode, "-l", os.environ.get("BENCH_BARE_LOOP", "poll")]
        if load.tls:
            command += ["-c", bench.certificate()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=machine.pinned(0),
                              env=bench.env) as client:
            try:
                seen = sink.result(client)
                out, _ = client.communicate()
            finally:
                client.kill()
    return seen, json.loads(out)["cpu_s"]


def stream(bench, name, load):
    pairs = rows.in_turn(bench.pairs, lambda: ours(bench, load), lambda: bare(bench, load))
    n = load.records
    yield rows.paired(name, "records/s", [(n / a[0]["seconds"], n / b[0]["seconds"]) for a, b in pairs])
    yield rows.paired(name + "-cpu", "records/s of processor time", [(n / a[1], n / b[1]) for a, b in pairs])
    if load.latency_ms > 0:
        ceiling = load.workers / load.latency_ms * 1000
        yield rows.paired(name + "-ceiling", "records/s", [(n / a[0]["seconds"], ceiling) for a, _ in pairs])


LOADS = {
    "stream-1KB-tls-64w": Load(),
    "stream-1KB-64w": Load(tls=False),
    "stream-1KB-tls-64w-ahead": Load(mode="ahead", records=24000),
    "stream-1KB-64w-ahead": Load(tls=False, mode="ahead", records=24000),
    # sizes
    "stream-200B-tls-64w": Load(item_bytes=200, records=24000),
    "stream-10KB-tls-64w": Load(item_bytes=10240, records=16000),
    "stream-300KB-tls-64w": Load(item_bytes=307200, records=1536, shards=256),
    "stream-300KB-64w": Load(item_bytes=307200, records=1536, shards=256, tls=False),
    # workers
    "stream-1KB-tls-1w": Load(workers=1, records=12000),
    "stream-1KB-tls-8w": Load(workers=8, records=24000),
    "stream-1KB-tls-512w": Load(workers=512),
    # shards; of one alone see catchup.py
    "stream-1KB-tls-64w-8s": Load(shards=8, records=24000),
    # latency of the servers
    "stream-1KB-10ms-64w": Load(tls=False, latency_ms=10, records=24000),
    "stream-1KB-30ms-512w": Load(tls=False, latency_ms=30, workers=512, records=64000),
    "stream-1KB-tls-30ms-512w": Load(latency_ms=30, workers=512, records=64000),
}


def groups():
    return {name: lambda b, n=name, l=load: stream(b, n, l) for name, load in LOADS.items()}
