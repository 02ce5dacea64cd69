"""
The rows of what is ddb-streamd's own: allocations, processor time of the daemon with libcurl, TLS and sockets replaced by
answers from memory (bench_own), and how fast its codecs are alone (bench_codec).
"""
import json
import os
import subprocess

import machine
import rows
import throughput

RECORDS = 48000


def allocations(bench):
    """
    By the difference of two runs, so that what is done once does not count. What is ours is counted without libcurl,
    by bench_own; what libcurl asks for is the rest of a whole run.
    """
    preload = os.path.join(bench.build, "test", "bench", "alloc_count.so")

    def counted(run, records):
        path = os.path.join(bench.folder, "allocations")
        if os.path.exists(path):
            os.unlink(path)
        run(records, {"LD_PRELOAD": preload, "ALLOC_COUNT": path})
        counts = {}
        with open(path, encoding="ascii") as f:
            for line in f:
                name, count = line.split()
                counts[name] = counts.get(name, 0) + int(count)
        return counts

    def per_record(run):
        few, many = counted(run, RECORDS), counted(run, 2 * RECORDS)
        return {name: (many[name] - few.get(name, 0)) / RECORDS for name in many}

    own_part = per_record(lambda records, env: subprocess.run(
        [bench.program("bench_own"), "-n", str(records)], check=True, stdout=subprocess.DEVNULL,
        env={**bench.env, **env}))
    whole = per_record(lambda records, env: throughput.ours(
        bench, throughput.Load(tls=False, records=records, memory="16MiB"), env))
    libcrypto = sum(n for name, n in own_part.items() if name.startswith("libcrypto"))
    all_own = sum(own_part.values())
    for name, count in (("", all_own - libcrypto), ("-libcrypto", libcrypto),
                        ("-libcurl", sum(whole.values()) - all_own)):
        yield rows.alone("allocations-per-record" + name, "allocations", [count])


def own(bench):
    """The daemon with its HTTP client replaced by one that answers from memory."""
    values = []
    for _ in range(bench.pairs):
        out = subprocess.run([bench.program("bench_own"), "-n", str(RECORDS)], stdout=subprocess.PIPE, text=True,
                             check=True, preexec_fn=machine.pinned(0), env=bench.env).stdout
        values.append(json.loads(out)["us_per_record"])
    yield rows.alone("own-us-per-record", "microseconds", values)


def codecs(bench):
    """Canonical form and splitting in megabytes a second of processor time, and what a signature takes."""
    found = []
    for _ in range(bench.pairs):
        out = subprocess.run([bench.program("bench_codec")], stdout=subprocess.PIPE, text=True, check=True,
                             preexec_fn=machine.pinned(0), env=bench.env).stdout
        found.append(json.loads(out))
    for row, unit, key in (("canonicalise-MBps", "MB/s", "canonicalise_MBps"), ("split-MBps", "MB/s", "split_MBps"),
                           ("sigv4-us", "microseconds", "sigv4_us")):
        yield rows.alone(row, unit, [f[key] for f in found])


def groups():
    return {"allocations-per-record": allocations, "own-us-per-record": own, "canonicalise-MBps": codecs}
