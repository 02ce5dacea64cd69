#!/usr/bin/python3 -B
"""
make bench, make bench-json: what ddb-streamd and ddb-streamctl cost, beside the same work done by a bare libcurl loop.

Each row that has a reference comes from pairs of runs, ours and the reference in turn, against the same sink; the
ratio is taken pair by pair, so that what else the machine does meanwhile touches both sides alike.

The rows are in throughput.py, own.py, stages.py, idle.py, latency.py, catchup.py, memory.py, days.py, reading.py and whole.py; what
a row is, in rows.py; the servers and the start of a client in machine.py.

usage: test/bench/run.py [--build DIR] [--json] [--pairs N] [--list] [ROW...]
"""
import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time

import catchup
import days
import idle
import latency
import machine
import memory
import own
import reading
import rows
import stages
import throughput
import whole

READING_RECORDS = 48000


def all_groups():
    """Name of its first row: function of a machine.Bench that yields the rows of a group."""
    return {
        **throughput.groups(),
        **own.groups(),
        **stages.groups(),
        **idle.groups(),
        **latency.groups(),
        **catchup.groups(),
        **memory.groups(),
        **days.groups(),
        **reading.groups(lambda b: reading.Reading(b, machine.Sink, machine.pinned, READING_RECORDS)),
        **whole.groups(lambda b: whole.Whole(b, machine.Sink, machine.pinned)),
    }


def main():
    groups = all_groups()
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.environ.get("BUILD", os.path.join(machine.ROOT, "build")))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--list", action="store_true", help="the names of all groups of rows")
    parser.add_argument("rows", nargs="*")
    args = parser.parse_args()
    if args.list:
        print("\n".join(groups))
        return
    for name in args.rows:
        if name not in groups:
            parser.error(f"there is no row {name}; there are: {' '.join(groups)}")
    # What was started is ended, then, as after ^C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began, found = time.monotonic(), []
    if not args.json:
        print(f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {args.pairs} pairs")
        print(rows.heading())
    with tempfile.TemporaryDirectory(prefix="ddb-streamd-bench.") as folder:
        bench = machine.Bench(args.build, folder, args.pairs)
        for name in args.rows or groups:
            for row in map(rows.complete, groups[name](bench)):
                found.append(row)
                if not args.json:
                    print(rows.line(row), flush=True)
    if args.json:
        json.dump(found, sys.stdout, indent=1)
        print()
    else:
        print(f"{len(found)} rows in {(time.monotonic() - began) / 60:.1f} minutes, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
