#!/usr/bin/python3 -B
"""
Random histories in a fake bucket, restored by the real program at many moments, compared with a model. See RESULTS.md.

usage: test/restore/check.py [--seed N] [--rounds N] [--times N] [--kind KIND] [--at TIME] [--jobs N] [--show]
  Round i is the history of seed N + i - 1. Whatever differs is printed with the history of the item and the command to run
  it again: --seed THAT --rounds 1. --times 0 restores at every moment that there is to choose from.
"""
import argparse
import collections
import functools
import json
import multiprocessing
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import fake  # noqa: E402
import harness  # noqa: E402
import history  # noqa: E402
import restores  # noqa: E402


def interrupted(number, _frame):
    sys.exit(128 + number)


REPORTS = 1  # of a history


class Place:
    """A fake AWS and a bucket in it, which many histories share."""

    def __init__(self):
        self.server = fake.Fake()
        self.bucket = self.server.new_bucket()

    def play(self, seed, times, kind=None, only=None, show=False):
        """(figures, texts about differences) of one history."""
        one = history.History(seed, kind)
        figures = collections.Counter(histories=1, **{f"histories: {one.kind}": 1, f"key format: {one.key_format}": 1})
        figures.update({f"left out: {why}": n for why, n in one.left_out.items()})
        rounds = restores.Restores(self.server, self.bucket, one, figures)
        rounds.tell()
        if show:
            print(rounds.describe())
        found = []
        for ask in rounds.choose(times, only):
            differences = rounds.run(ask)
            if differences:
                found.append(rounds.report(ask, differences) if len(found) < REPORTS else "")
        return figures, found


places, place = [], None


def take_place(free):
    """Of those that were made before this process was forked."""
    global place
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    place = places[free.get()]


def play(args, began, seed):
    """One round in a process of the pool: (seed, figures, differences); no figures when it came too late to begin."""
    if time.monotonic() - began > args.seconds:
        return seed, None, []
    return (seed, *place.play(seed, args.times, args.kind, args.at, args.show))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1000000)
    parser.add_argument("--rounds", type=int, default=100, help="histories")
    parser.add_argument("--times", type=int, default=20, help="restores of a history at most; 0: all")
    parser.add_argument("--kind", choices=history.KINDS, help="of all histories; else as the seed has it")
    parser.add_argument("--at", help="one restore, at this time")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no round after so long")
    parser.add_argument("--jobs", type=int, default=1, help="histories at the same time")
    parser.add_argument("--show", action="store_true", help="print the histories")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)

    free = multiprocessing.SimpleQueue()
    figures, failed, began = collections.Counter(), [], time.monotonic()
    seeds = range(args.seed, args.seed + args.rounds)
    try:
        for number in range(args.jobs):
            places.append(Place())
            free.put(number)
        with multiprocessing.Pool(args.jobs, take_place, (free,)) as pool:
            for seed, of_round, found in pool.imap_unordered(functools.partial(play, args, began), seeds):
                figures.update(of_round or {})
                for text in found[:REPORTS]:
                    print(f"FAIL seed {seed}: {len(found)} restores differ, such as\n{text}", flush=True)
                if found:
                    failed.append(seed)
                if figures["histories"] % 100 == 0 and of_round:
                    print(f"{time.monotonic() - began:5.0f} s  {figures['histories']} histories, {figures['restores']} "
                          f"restores, {figures['differences']} differences", flush=True)
    finally:
        for one in places:
            one.server.stop()
    figures["seconds"] = int(time.monotonic() - began)
    print(json.dumps(dict(sorted(figures.items())), indent=1))
    if failed:
        print("failed seeds: " + " ".join(map(str, sorted(failed))))
    print(f"{figures['histories'] - len(failed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed or not figures["histories"] else 0


if __name__ == "__main__":
    sys.exit(main())
