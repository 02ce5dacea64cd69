#!/usr/bin/python3 -B
"""
Chaos: the real daemon against fakeaws, under faults of every kind, killed again and again. See RESULTS.md.

usage: test/chaos/chaos.py [--seed N] [--rounds N] [--lives N] [--kind storm|calls] [--seconds N] [--jobs N]
                           [--debug]
  Round i has the seed N + i - 1. A round that fails prints how it comes again (--lives is part of that), as exactly as real
  processes allow: the choices are the same, the moments are not. It keeps its folder under build/chaos.
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
import harness  # noqa: E402
import scene  # noqa: E402


def interrupted(number, _frame):
    sys.exit(128 + number)


MEMORY = "highest memory in KiB"


def play(args, began, seed):
    """One round, in a process of its own: (seed, figures, why it failed); no figures when it came too late to begin."""
    if time.monotonic() - began > args.seconds:
        return seed, None, None
    figures = collections.Counter(rounds=1)
    keep = os.path.join(harness.BUILD, "chaos", f"seed-{seed}")
    one = scene.Round(seed, figures, args.lives, args.kind, args.debug)
    try:
        one.run(keep)
        return seed, figures, None
    except scene.Failure as e:
        again = f"test/chaos/chaos.py --seed {seed} --rounds 1 --lives {args.lives} --kind {one.kind}"
        return seed, figures, f"{one.kind}: {e}\n     kept in {keep}; again: {again}\n    "


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1000000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--lives", type=int, default=10, help="starts and deaths in a round")
    parser.add_argument("--kind", choices=("storm", "calls"), help="of all rounds; else in turn")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no round after so long")
    parser.add_argument("--jobs", type=int, default=1, help="rounds at the same time")
    parser.add_argument("--debug", action="store_true", help="the daemon logs at level debug")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)

    figures, failed, began = collections.Counter(), [], time.monotonic()
    seeds = range(args.seed, args.seed + args.rounds)
    with multiprocessing.Pool(args.jobs) as pool:
        for seed, of_round, failure in pool.imap_unordered(functools.partial(play, args, began), seeds):
            if of_round is None:
                continue
            highest = max(figures[MEMORY], of_round[MEMORY])
            figures += of_round
            figures[MEMORY] = highest
            if failure:
                failed.append(seed)
            print(f"{'FAIL' if failure else 'ok'}   seed {seed} {failure or ''} {time.monotonic() - began:.0f} s  "
                  f"{figures['records']} records, {figures['SIGKILL'] + figures['SIGKILL at a system call']} kills so far",
                  flush=True)
    figures["seconds"] = int(time.monotonic() - began)
    print(json.dumps(dict(sorted(figures.items())), indent=1))
    if failed:
        print("failed seeds: " + " ".join(map(str, sorted(failed))))
    print(f"{figures['rounds'] - len(failed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed or not figures["rounds"] else 0


if __name__ == "__main__":
    sys.exit(main())
