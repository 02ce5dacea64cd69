"""
The rows of latency: 1,000 records a second come to one shard. latency-*: from the moment at which a page with the record was
handed out until the record's PUT has come in whole, so that the pace of polling is not in it; with -10ms the page and the
answers to PUTs come so much later, once for the page and once for each PUT that an item waits for. What came in the first
second, when connections are made, is left out. latency-in-stream-*: from when
the record came into the stream, polling included.
"""
import machine
import rows

PER_S, SECONDS, RUNS = 1000, 8, 3
PERCENTILES = ("p50", "p99", "p999")


def run(bench, latency_ms):
    with machine.Sink(bench, "-n", PER_S * SECONDS, "-s", 1, "-R", PER_S, "-l", latency_ms, tls=True) as sink, \
            bench.daemon(sink.url) as client:
        try:
            seen = sink.result(client)
            machine.ended(client)
        finally:
            client.kill()
    return seen


def latency(bench, ending, latency_ms):
    seen = [run(bench, latency_ms) for _ in range(RUNS)]
    for name, of in (("latency", "durable_ms"), ("latency-in-stream", "in_stream_ms")):
        for p in PERCENTILES:
            yield rows.alone(f"{name}{ending}-{p}-ms", "milliseconds", [s[of][p] for s in seen])


def groups():
    return {"latency-p50-ms": lambda b: latency(b, "", 0), "latency-10ms-p50-ms": lambda b: latency(b, "-10ms", 10)}
