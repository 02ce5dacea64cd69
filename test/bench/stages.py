"""
The rows of what a record costs in instructions, by stage: two runs of the whole daemon under callgrind, of few records and of
more; the difference is what records cost, without what is done once. The kernel is not in it.

STAGES is the one place that says which function belongs to which stage. What is not named there (copying, growing a buffer)
belongs to whom it works for: its cost is divided as its callers' calls cost. valgrind's processor has no instructions for
SHA-256, so "sign" and "key" count more than a processor that has them executes.
"""
import collections
import os
import re
import subprocess

import machine
import rows
import throughput

FEW, MORE = 2000, 6000

# "function", "caller > function", or a library.
STAGES = {
    "receive": ["on_records", "streams_get_records", "on_body", "libisal.so"],
    "split": ["batch_new", "lane_push", "shard_take"],
    "canonicalise": ["batch_canonicalize"],
    "key": ["batch_item_digest", "itemkey_append"],
    "sign": ["digest_md5", "aws_op_send > digest_sha256", "aws_op_send > encode_hex", "sigv4_key_update", "sigv4_sign"],
    "send": ["write_begin", "http_send"],
    "ack": ["http_slot_deliver", "http_slot_finish", "on_header", "checkpoint_saver_start", "reader_recheck"],
    "loop": ["on_poll", "on_timer", "on_check", "on_send", "set_timer", "set_interest", "libuv.so"],
    "libcurl": ["libcurl.so"],
}
OURS = [stage for stage in STAGES if stage != "libcurl"]
OF = {name: stage for stage, names in STAGES.items() for name in names}


class Profile:
    """What callgrind wrote: cost of each function itself, and of its calls of others, as they are called with all below."""

    def __init__(self, path):
        self.own, self.calls = collections.Counter(), collections.Counter()
        self.names = collections.defaultdict(dict)
        with open(path, encoding="utf-8", errors="replace") as f:
            self.read(f)

    def name(self, kind, text):
        """Names are written out once, and then told by their number: "(12) name", "(12)"."""
        number, name = re.fullmatch(r"(\(\d+\))(?: (.*))?", text).groups()
        if name is not None:
            self.names[kind][number] = name
        return self.names[kind][number]

    def read(self, lines):
        library = function = callee = callee_library = None
        called = False
        for line in lines:
            key, _, value = line.rstrip("\n").partition("=")
            if key == "ob":
                library = os.path.basename(self.name("ob", value))
            elif key == "fn":
                function = (library, re.sub(r"'\d+$", "", self.name("fn", value)))
                callee_library = None
            elif key == "cob":
                callee_library = os.path.basename(self.name("ob", value))
            elif key == "cfn":
                callee = (callee_library or library, re.sub(r"'\d+$", "", self.name("fn", value)))
                callee_library = None
            elif key == "calls":
                called = True
            elif re.match(r"[-+*\d]", line):
                cost = int((line.split() + ["0"])[1])
                if called:
                    self.calls[function, callee] += cost
                    called = False
                else:
                    self.own[function] += cost
            elif key in ("fl", "fi", "fe", "cfi", "cfl"):
                self.name("fl", value)


def stage_of(caller, function):
    """The stage that the table gives a function when it is called from `caller`; None: that of its caller."""
    for name in (f"{caller[1]} > {function[1]}", function[1], function[0].partition(".so")[0] + ".so"):
        if name in OF:
            return OF[name]
    return None


def shares(calls):
    """For each function, which part of its cost belongs to which stage."""
    callers = collections.defaultdict(list)
    for (caller, function), cost in calls.items():
        if cost > 0 and caller != function:
            callers[function].append((caller, cost, stage_of(caller, function)))
    share = collections.defaultdict(dict)
    for _ in range(60):  # calls go through some forty levels, and a few in circles
        for function, by in callers.items():
            found, total = collections.Counter(), sum(cost for _, cost, _ in by)
            for caller, cost, stage in by:
                for s, part in ({stage: 1.0} if stage else share[caller]).items():
                    found[s] += part * cost / total
            share[function] = found
    return share


def per_stage(few, more, records):
    own, calls = collections.Counter(more.own), collections.Counter(more.calls)
    own.subtract(few.own)
    calls.subtract(few.calls)
    known = {function for pair in calls for function in pair}
    names = {f[1] for f in known} | {f"{a[1]} > {b[1]}" for a, b in calls} | {f[0].partition(".so")[0] + ".so" for f in known}
    missing = set(OF) - names
    if missing:
        raise SystemExit(f"bench: the table of stages in {__file__} names what is not in the profile: {sorted(missing)}")
    share, cost = shares(calls), collections.Counter()
    for function, n in own.items():
        parts = share[function] or {"rest": 1.0}
        for stage, part in parts.items():
            cost[stage] += part * n / records
        cost["rest"] += (1.0 - sum(parts.values())) * n / records
    return cost


def profile(bench, records):
    path = os.path.join(bench.folder, f"callgrind.{records}")
    load = throughput.Load(tls=False, records=records)
    valgrind = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={path}"]
    with load.sink(bench) as sink, bench.daemon(sink.url, under=valgrind) as client:
        try:
            sink.result(client)
            machine.ended(client)
        finally:
            client.kill()
    return Profile(path)


def instructions(bench):
    cost = per_stage(profile(bench, FEW), profile(bench, MORE), MORE - FEW)
    for stage in [*OURS, "rest", "libcurl"]:
        yield rows.alone("instructions-per-record-" + stage, "instructions", [cost[stage]])
    yield rows.alone("instructions-per-record", "instructions", [sum(cost.values())])


def groups():
    return {"instructions-per-record": instructions}
