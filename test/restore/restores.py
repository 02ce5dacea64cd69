"""Restores of one history by the real program, at moments of choice, and what is wrong with each."""
import collections
import datetime
import hashlib
import json
import os
import random
import shlex
import subprocess

import bodies
import harness
import model
import shrink

INCOMPLETE, EX_DATAERR, EX_NOINPUT = 3, 65, 66
# What the program may take S3's clock to be off by; moments around it are the ones to try.
MARGIN_MS = 600_000
SECONDS = 20
S3_OPTIONS = ("plain_next_marker", "marker_get_404", "no_marker_header")


class Ask:
    """One restore: the moment, the options, and which slots it is about."""

    def __init__(self, at, text, slots):
        self.at, self.text, self.slots = at, text, slots
        self.options, self.since_ms, self.exact, self.refused = [], None, False, False
        self.wrong = []  # slots


class Restores:
    def __init__(self, server, bucket, history, figures, s3=None):
        self.server, self.bucket, self.history = server, bucket, history
        self.figures = collections.Counter() if figures is None else figures
        # A stream of its own: what is asked does not change what happened.
        self.rng = random.Random(-1 - history.seed)
        self.slots = list(history.slots.values())
        rng = self.rng
        self.number = 0
        self.has_schema = rng.random() < 0.5
        self.covered = None
        times = sorted(self.times())
        if rng.random() < 0.2 and self.slots:
            self.covered = (times[0] - 5000, rng.choice(times))
        self.s3 = s3 or self.choose_s3()
        self.s3_told = None

    def choose_s3(self):
        rng = self.rng
        options = {name: rng.random() < 0.2 for name in S3_OPTIONS}
        small = (1, 2, 3) if sum(len(s.entries) for s in self.slots) < 100 else (3, 7)
        options["list_page"] = rng.choice(small) if rng.random() < 0.4 else 1000
        options["list_random"] = rng.random() < 0.15
        return options

    def next_number(self):
        self.number += 1
        return self.number

    def tell(self):
        """The history, the daemon's own objects, and what could be taken for the table's."""
        h = self.history
        versions = h.told()
        meta = f"{h.prefix}.ddb-streamd/{h.table}/"
        beside = [(f"{h.prefix}{h.table}-x/a", "{}"), (f"{h.prefix}.ddb-streamd/{h.table}-x/deletes/a", "{}")]
        if self.has_schema:
            beside.append((meta + "table.json", h.describe()))
        if self.covered:
            since, through = map(bodies.iso, self.covered)
            beside.append((meta + "watermark.json", json.dumps({
                "version": 1, "table": h.table, "since": since, "complete_through": through, "saved": through, "host": "h",
                "instance": "i", "data_path": f"{h.prefix}{h.table}/", "streams": [], "gap_count": 0, "gaps": []})))
        versions += [{"key": key, "body": body, "modified_ms": h.first_ms} for key, body in beside]
        self.server.versions(self.bucket, versions)
        self.figures["entries"] += len(versions) - len(beside)
        self.figures["items"] += len(h.items)
        self.figures["changes"] += sum(len(changes) for _, _, changes in h.items)

    # Which restores

    def times(self):
        for slot in self.slots:
            yield from (f.ms for f in slot.facts)
            yield from (e.modified_ms for e in slot.entries)

    def candidates(self):
        """Times at which something happens, and beside them; and where the margin of the clocks ends."""
        events, edges = set(), set()
        for slot in self.slots:
            for ms in [f.ms for f in slot.facts] + [e.found.ms for e in slot.entries if e.found]:
                events.update((ms - 1000, ms - 1, ms, ms + 1, ms + 1000, ms // 1000 * 1000, ms // 1000 * 1000 + 999))
            for e in slot.entries:
                edges.update(e.modified_ms + d + o for d in (0, MARGIN_MS) for o in (-1000, 0, 1000))
        return events, edges

    def choose(self, count, only=None):
        rng = self.rng
        if only:
            moment = datetime.datetime.fromisoformat(only.replace("Z", "+00:00"))
            ms = round(moment.timestamp() * 1000)
            return [Ask(model.Moment(ms), bodies.iso(ms), self.slots)]
        events, edges = self.candidates()
        first, last = min(events) - 4_000_000, max(events | edges) + 1_000_000
        if not count:
            count = len(events) + len(edges)
        picked = set()
        for there, share in ((events, 0.65), (edges, 0.25)):
            picked.update(rng.sample(sorted(there), min(len(there), max(1, int(count * share)))))
        while len(picked) < min(count, len(events) + len(edges)):
            picked.add(rng.randint(first, last))
        return [self.make_ask(ms) for ms in sorted(picked)]

    def make_ask(self, ms):
        rng = self.rng
        ask = Ask(model.Moment(ms), self.in_words(ms), list(self.slots))
        if rng.random() < 0.12 and not any(e.fact is None for s in self.slots for e in s.entries):
            numbers = [f.seq for s in self.slots for f in s.facts if f.ms // 1000 == ms // 1000] or [
                self.slots[0].facts[0].seq]
            ask.at = model.Moment(ms, rng.choice(numbers) + rng.choice((0, 0, -1, 1)))
            ask.options += ["--at-seq", str(max(ask.at.seq, 0))]
        if rng.random() < 0.1:
            ask.since_ms = rng.choice(sorted(self.candidates()[0]))
            ask.options += ["--since", self.in_words(ask.since_ms)]
        if rng.random() < 0.2:
            self.narrow(ask)
        if self.covered is None or rng.random() < 0.3 or ask.since_ms is not None:
            ask.options.append("--force")
        else:
            # With --at-seq the moment is still the one that was named.
            ask.refused = not self.covered[0] <= ms <= self.covered[1]
        return ask

    def in_words(self, ms):
        """RFC 3339, in one of the zones of the world."""
        minutes = self.rng.choice((0, 0, 60, -330, 765))
        moment = datetime.datetime.fromtimestamp(ms // 1000 + minutes * 60, datetime.timezone.utc)
        text = moment.strftime("%Y-%m-%dT%H:%M:%S")
        if ms % 1000 or self.rng.random() < 0.3:
            text += f".{ms % 1000:03}"
        return text + ("Z" if minutes == 0 else f"{'+' if minutes > 0 else '-'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}")

    def narrow(self, ask):
        h, rng = self.history, self.rng
        slot = rng.choice(self.slots)
        how = rng.choice(("key", "value", "hash", "prefix"))
        values = [next(iter(wired.values())) for wired in harness.wire_item(slot.key).values()]
        if how == "prefix":
            text = slot.name[:rng.randint(1, len(slot.name))]
            ask.options += ["--prefix", text]
            ask.slots = [s for s in self.slots if s.name.startswith(text)]
            return
        if how != "key" and not self.has_schema or any(v.startswith("-") for v in values):
            return
        if h.tenant:
            if not slot.tenant:
                return
            ask.options += ["--tenant", slot.tenant["S"]]
        if how == "key":
            ask.options += ["--key", json.dumps({n: harness.wire(slot.key[n]) for n in h.names if n in slot.key},
                                                ensure_ascii=rng.random() < 0.5)]
        elif how == "value":
            wired = harness.wire_item(slot.key)
            ask.options += ["--key-value"] + [next(iter(wired[n].values())) for n in h.names if n in wired]
        else:
            ask.options += ["--hash", next(iter(harness.wire(slot.key[h.names[0]]).values()))]
            ask.slots = [s for s in self.slots if s.key[h.names[0]] == slot.key[h.names[0]] and
                         (not h.tenant or s.name.split("/")[0] == slot.name.split("/")[0])]
            ask.exact = len(slot.key) == 1
            return
        ask.slots, ask.exact = [slot], True

    # One restore

    def command(self, ask):
        h = self.history
        where = ["--bucket", self.bucket, "--key-format", h.key_format]
        if h.prefix:
            where += ["--bucket-prefix", h.prefix]
        if h.tenant:
            where += ["--tenant-attribute", h.tenant]
        return [os.path.join(harness.BUILD, "ddb-streamctl"), *where, "restore", "--table", h.table, "--at", ask.text,
                "--to-file", "-", *ask.options]

    def run(self, ask):
        """What is wrong with it: texts."""
        if self.s3_told is None:
            self.server.s3_options(**self.s3)
            self.s3_told = self.s3
        env = {"PATH": os.environ["PATH"], "no_proxy": "*", **self.server.env}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        self.figures["restores"] += 1
        try:
            done = subprocess.run(self.command(ask), env=env, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=SECONDS, check=False, close_fds=False)
        except subprocess.TimeoutExpired as e:
            ask.status, ask.out, ask.err = None, b"", (e.stderr or b"").decode("utf-8", "replace")
            self.figures["differences"] += 1
            return [f"it did not end within {SECONDS} s"]
        ask.status, ask.out, ask.err = done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")
        for option in ("--at-seq", "--since", "--key", "--key-value", "--hash", "--prefix"):
            self.figures[f"restores with {option}"] += option in ask.options
        differences = self.compare(ask)
        self.figures["differences"] += len(differences)
        return differences

    def expect(self, ask):
        """[(slot, its Verdict)], none of those that --since leaves out; what it cannot tell about may be left out, too."""
        found = []
        for slot in ask.slots:
            verdict = model.judge(slot, ask.at, self.history.tenant is not None)
            changed = True if ask.since_ms is None else model.changed_since(slot, ask.since_ms)
            if verdict.outcomes is not None and changed is not True:
                verdict.outcomes = {model.ABSENT} | (set() if changed is False else verdict.outcomes)
            found.append((slot, verdict))
        return found

    def compare(self, ask):
        if ask.refused:
            self.figures["restores that are refused"] += 1
            return [] if ask.status == EX_DATAERR and not ask.out else [
                f"the backup is not complete then: exit status {ask.status}, {len(ask.out)} bytes, expected 65 and none"]
        ask.wrong = []
        wrong, lines = [], ask.out.split(b"\n")
        if lines.pop():
            wrong.append("the last line is cut off")
        got = {}
        for line in lines:
            got[line] = got.get(line, 0) + 1
        # Of an object whose name is a digest nothing but a body tells which partition key it has.
        in_order, open_ended = [], False
        named = "--hash" in ask.options and any(
            f"{self.history.table}/{s.name}:" in ask.err for s in self.slots if s not in ask.slots)
        for slot, verdict in self.expect(ask):
            if verdict.why:
                self.figures[f"not told: {verdict.why}"] += 1
            outcome = self.outcome(slot, got, ask.err)
            if verdict.outcomes is None:
                open_ended = True
                got.pop(outcome, None)
                continue
            self.figures["slots compared"] += 1
            kind = outcome if isinstance(outcome, str) else "present"
            self.figures[f"slots {kind}"] += 1
            named |= outcome == model.NAMED
            if outcome not in {o if isinstance(o, str) else b'{"Item":' + o + b"}" for o in verdict.outcomes}:
                wanted = " or ".join(sorted(o if isinstance(o, str) else o.decode() for o in verdict.outcomes))
                wrong.append(f"{slot.name!r}: expected {wanted}\n      found {show(outcome)}")
                ask.wrong.append(slot)
            if isinstance(outcome, bytes):
                in_order.append((slot.name.encode("utf-8"), outcome))
                got[outcome] -= 1
        wrong += [f"surplus: {show(line)}" for line, n in got.items() for _ in range(n)]
        wanted = INCOMPLETE if named else EX_NOINPUT if ask.exact and not lines else 0
        if "has nothing of table" in ask.err and not lines and not named:
            wanted = EX_NOINPUT  # of a history that left no object at all
        if ask.status != wanted and not open_ended:
            wrong.append(f"exit status {ask.status}, expected {wanted}")
        # Several pages may be read as several ranges side by side.
        whole = self.s3_told["list_page"] == 1000 and not self.s3_told["list_random"]
        if whole and not wrong and not open_ended and lines != [line for _, line in sorted(in_order)]:
            wrong.append("the lines are not in the order of the objects' names")
        return wrong

    def outcome(self, slot, got, err):
        """What became of a slot: its line, NAMED or ABSENT. A line is known by the item's keys, and by the tenant."""
        lines = [line for line, n in got.items() if n and self.is_of(slot, line)]
        if len(lines) == 1:
            return lines[0]
        if lines:
            return b" and ".join(lines)
        return model.NAMED if f"{self.history.table}/{slot.name}:" in err else model.ABSENT

    def is_of(self, slot, line):
        try:
            item = json.loads(line)["Item"]
            keys = {n: item[n] for n in slot.key}
            folder = item.get(self.history.tenant)
        except (ValueError, KeyError, TypeError):
            return False
        if keys != harness.wire_item(slot.key):
            return False
        return not self.history.tenant or slot.name.split("/")[0] == (
            harness.path_component(folder) if folder else "_")

    # What to say about it

    def describe(self):
        h = self.history
        lines = [f"  table {h.table} of kind '{h.kind}', key format {h.key_format}, prefix {h.prefix!r}, tenants {h.tenant}, "
                 f"S3 {self.s3}, S3's clock {h.way.skew_ms} ms off, complete {self.covered}"]
        for slot in self.slots:
            lines += self.describe_slot(slot)
        return "\n".join(lines)

    def describe_slot(self, slot):
        lines = [f"  {slot.name!r}", "    as it happened:"]
        lines += [f"      {bodies.iso(f.ms)} seq {f.seq} {f.kind} {f.body.decode()[:200]}" for f in slot.facts]
        lines.append("    as it was stored:")
        for e in slot.entries:
            what = e.fact.kind if e.fact else "BASELINE of " + bodies.iso(e.found.ms) if e.found else "another tool's"
            size = "" if e.body is None else f" body {hashlib.md5(e.body).hexdigest()[:6]}"
            more = " ".join(filter(None, (e.note, "null" if e.null else "", e.storage_class, "GONE" if e.gone else "")))
            lines.append(f"      LastModified {bodies.iso(e.modified_ms)} {e.what:8} {what}"
                         f"{f' seq {e.fact.seq} event {bodies.iso(e.fact.ms)}' if e.fact else ''}{size} {more}")
        return lines

    def report(self, ask, differences):
        """What differs; of the first item that does, the least history that shows it."""
        least = shrink.Shrunk(self, ask, ask.wrong[0]).run() if ask.wrong else None
        text = self.tell_of(ask, differences, least is None)
        if least:
            one, ask, differences = least
            text += "\n  the least of it:\n" + one.tell_of(ask, differences, True)
        return text

    def tell_of(self, ask, differences, whole):
        h = self.history
        env = " ".join(f"{k}={v}" for k, v in self.server.env.items())
        lines = [f"  at {bodies.iso(ask.at.ms)}"
                 f"{f' and sequence number {ask.at.seq}' if ask.at.seq is not None else ''}: " + "; ".join(differences),
                 f"  {env} \\\n  {shlex.join(self.command(ask))}",
                 f"  again: test/restore/check.py --seed {h.seed} --rounds 1 --kind '{h.kind}' --show"
                 + (f" --at {bodies.iso(ask.at.ms)}" if not ask.options or ask.options == ["--force"] else "")]
        lines += ["  it said: " + line for line in ask.err.splitlines()[:8]]
        for slot in (ask.wrong or ask.slots) if whole else ():
            lines += self.describe_slot(slot)
        lines.insert(0, self.describe().splitlines()[0])
        return "\n".join(lines)


def show(outcome):
    return outcome if isinstance(outcome, str) else outcome.decode("utf-8", "replace")
