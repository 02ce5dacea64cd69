#!/usr/bin/python3 -B
"""
make bench, make bench-json: what ddb-streamd and ddb-streamctl cost, beside the same work done by a bare libcurl loop.

Each row that has a reference comes from pairs of runs, ours and the reference in turn, against the same sink; the
ratio is taken pair by pair, so that what else the machine does meanwhile touches both sides alike. The client has the
first processor to itself as far as can be had, the sink the second one.

The reference signs each request as it sends it; in rows ending in -ahead it had signed all of them before its clock
started. BENCH_BARE_LOOP=epoll has it use libcurl's multi-socket interface in the place of curl_multi_poll.

usage: test/bench/run.py [--build DIR] [--json] [--pairs N] [--records N] [ROW...]
"""
import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import reading
import whole

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORKERS = 64
SHARDS = 64
REGION, ACCESS_KEY, SECRET_KEY = "us-east-1", "AKIABENCHBENCHBENCH0", "bench/bench/bench/bench/bench/bench/ben0"
RUN_TIMEOUT_S = 120


def pinned(cpu):
    """For preexec_fn: on one processor, or with None on all, ahead of others where that is allowed."""
    cpus = sorted(os.sched_getaffinity(0))

    def apply():
        os.sched_setaffinity(0, set(cpus) if cpu is None else {cpus[cpu % len(cpus)]})
        try:
            # Where sessions share the processor (sched_autogroup), only a session's own priority counts.
            os.setsid()
            os.setpriority(os.PRIO_PROCESS, 0, -20)
            with open("/proc/self/autogroup", "w", encoding="ascii") as f:
                f.write("-20")
        except OSError:
            pass
    return apply


class Sink:
    """bench_sink, for one run."""

    def __init__(self, bench, *options, tls=False):
        command = [bench.program("bench_sink"), *map(str, options)]
        if tls:
            command += ["-t", bench.certificate()]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(1))
        port = self.process.stdout.readline().strip()
        if not port:
            raise SystemExit("bench: the sink did not start; what it said is above")
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def result(self, client):
        """What it saw, once the last item has come."""
        until = time.monotonic() + RUN_TIMEOUT_S
        os.set_blocking(self.process.stdout.fileno(), False)
        while time.monotonic() < until:
            line = self.process.stdout.readline()
            if line:
                return json.loads(line)
            if client.poll() not in (None, 0):
                raise SystemExit(f"bench: the client ended with status {client.returncode}; what it said is above")
            time.sleep(0.01)
        raise SystemExit(f"bench: no end after {RUN_TIMEOUT_S} s")


class Bench:
    def __init__(self, build, folder, records, pairs):
        self.build, self.folder, self.records, self.pairs = os.path.abspath(build), folder, records, pairs
        self.env = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                    "no_proxy": "*", "HOME": folder}

    def program(self, name):
        return os.path.join(self.build, "test", "bench", name)

    def certificate(self):
        """A key and a certificate of its own, in one file."""
        path = os.path.join(self.folder, "tls.pem")
        if not os.path.exists(path):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-keyout", path + ".key", "-out", path + ".crt", "-days", "2", "-subj",
                            "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                           stderr=subprocess.DEVNULL)
            with open(path, "w", encoding="ascii") as out:
                for part in (".key", ".crt"):
                    with open(path + part, encoding="ascii") as f:
                        out.write(f.read())
        return path

    def configuration(self, url, daemon="", baseline="off"):
        return (f"[daemon]\nstate_dir = {os.path.join(self.folder, 'state')}\n{daemon}"
                f"[aws]\nregion = {REGION}\nendpoint_url = {url}\n"
                + (f"ca_bundle = {self.certificate()}\n" if url.startswith("https") else "")
                + f"[s3]\nbucket = bench\n[table \"items\"]\nbaseline = {baseline}\n")

    def daemon(self, url, memory="16MiB", env=()):
        """Starts ddb-streamd without a state."""
        shutil.rmtree(os.path.join(self.folder, "state"), ignore_errors=True)
        conf = os.path.join(self.folder, "conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(self.configuration(url, f"listen = off\nlog_level = warn\nworkers = {WORKERS}\n"
                                            f"memory_limit = {memory}\n"))
        return subprocess.Popen([os.path.join(self.build, "ddb-streamd"), "-c", conf], preexec_fn=pinned(0),
                                env={**self.env, **dict(env)})

    def ours(self, tls=False, records=None, **how):
        """One run of the daemon: (what the sink saw, processor seconds, peak resident KiB)."""
        records = records or self.records
        with Sink(self, "-n", records, "-s", SHARDS, tls=tls) as sink, self.daemon(sink.url, **how) as client:
            try:
                seen = sink.result(client)
                client.send_signal(signal.SIGTERM)
                _, status, usage = os.wait4(client.pid, 0)
                client.returncode = os.waitstatus_to_exitcode(status)
            finally:
                client.kill()
        if client.returncode != 0 or seen["repeated"]:
            raise SystemExit(f"bench: ddb-streamd ended with {client.returncode}, {seen['repeated']} repeated writes")
        return seen, usage.ru_utime + usage.ru_stime, usage.ru_maxrss

    def bare(self, mode, tls=False):
        """One run of the reference: (what the sink saw, processor seconds)."""
        with Sink(self, "-n", self.records, "-s", SHARDS, tls=tls) as sink:
            command = [self.program("bench_bare"), "-u", sink.url, "-n", str(self.records), "-w", str(WORKERS),
                       "-m", mode, "-l", os.environ.get("BENCH_BARE_LOOP", "poll")]
            if tls:
                command += ["-c", self.certificate()]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(0),
                                  env=self.env) as client:
                try:
                    seen = sink.result(client)
                    out, _ = client.communicate()
                finally:
                    client.kill()
        return seen, json.loads(out)["cpu_s"]


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def throughput(bench, name, mode, tls):
    """Two rows of the same runs: by the clock, and by the processor time that the client took."""
    pairs = []
    for i in range(bench.pairs):
        turn = [lambda: bench.ours(tls=tls), lambda: bench.bare(mode, tls=tls)]
        got = [f() for f in (turn if i % 2 == 0 else reversed(turn))]
        ours, reference = got if i % 2 == 0 else reversed(got)
        pairs.append((bench.records / ours[0]["seconds"], bench.records / reference[0]["seconds"],
                      bench.records / ours[1], bench.records / reference[1]))
    for row, unit, a, b in ((name, "records/s", 0, 1), (name + "-cpu", "records/s of processor time", 2, 3)):
        yield {"name": row, "unit": unit, "ours": statistics.median(p[a] for p in pairs),
               "reference": statistics.median(p[b] for p in pairs), "ratio": spread([p[a] / p[b] for p in pairs])}


def memory(bench):
    for name, limit in ((f"rss-{WORKERS}w-MiB", "16MiB"), (f"rss-{WORKERS}w-default-MiB", "64MiB")):
        values = [bench.ours(memory=limit)[2] / 1024 for _ in range(3)]
        yield {"name": name, "unit": "MiB", "ours": max(values)}


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
        few, many = counted(run, bench.records), counted(run, 2 * bench.records)
        return {name: (many[name] - few.get(name, 0)) / bench.records for name in many}

    own_part = per_record(lambda records, env: subprocess.run(
        [bench.program("bench_own"), "-n", str(records)], check=True, stdout=subprocess.DEVNULL,
        env={**bench.env, **env}))
    whole = per_record(lambda records, env: bench.ours(records=records, env=env))
    libcrypto = sum(n for name, n in own_part.items() if name.startswith("libcrypto"))
    all_own = sum(own_part.values())
    for name, count in (("", all_own - libcrypto), ("-libcrypto", libcrypto),
                        ("-libcurl", sum(whole.values()) - all_own)):
        yield {"name": "allocations-per-record" + name, "unit": "allocations", "ours": count}


def own(bench):
    """The daemon with its HTTP client replaced by one that answers from memory; the least of the runs."""
    values = []
    for _ in range(bench.pairs):
        out = subprocess.run([bench.program("bench_own"), "-n", str(bench.records)], stdout=subprocess.PIPE, text=True,
                             check=True, preexec_fn=pinned(0), env=bench.env).stdout
        values.append(json.loads(out)["us_per_record"])
    yield {"name": "own-us-per-record", "unit": "microseconds", "ours": min(values)}


def show(row):
    def number(value):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"
    ratio = row.get("ratio")
    print(f"{row['name']:<38} {number(row['ours']):>10} "
          f"{number(row['reference']) if 'reference' in row else '':>10} "
          + (f"{ratio['median']:>6.2f}  ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio else f"{'':>22}")
          + f"  {row['unit']}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.environ.get("BUILD", os.path.join(ROOT, "build")))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--records", type=int, default=48000)
    parser.add_argument("rows", nargs="*")
    args = parser.parse_args()
    groups = {
        f"stream-1KB-{WORKERS}w": lambda b: throughput(b, f"stream-1KB-{WORKERS}w", "inline", False),
        f"stream-1KB-tls-{WORKERS}w": lambda b: throughput(b, f"stream-1KB-tls-{WORKERS}w", "inline", True),
        f"stream-1KB-{WORKERS}w-ahead": lambda b: throughput(b, f"stream-1KB-{WORKERS}w-ahead", "ahead", False),
        f"stream-1KB-tls-{WORKERS}w-ahead": lambda b: throughput(b, f"stream-1KB-tls-{WORKERS}w-ahead", "ahead", True),
        f"rss-{WORKERS}w-MiB": memory,
        "allocations-per-record": allocations,
        "own-us-per-record": own,
        **reading.groups(lambda b: reading.Reading(b, Sink, pinned, args.records)),
        **whole.groups(lambda b: whole.Whole(b, Sink, pinned)),
    }
    for name in args.rows:
        if name not in groups:
            parser.error(f"there is no row {name}; there are: {' '.join(groups)}")
    rows = []
    if not args.json:
        print(f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; "
              f"{args.pairs} pairs of {args.records} records")
        print(f"{'':<38} {'ours':>10} {'reference':>10} {'ratio':>6}  (spread)")
    with tempfile.TemporaryDirectory(prefix="ddb-streamd-bench.") as folder:
        bench = Bench(args.build, folder, args.records, args.pairs)
        for name in args.rows or groups:
            for row in groups[name](bench):
                rows.append(row)
                if not args.json:
                    show(row)
    if args.json:
        json.dump(rows, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
