"""
Random histories of a table: what happened to its items, and how it came to lie in a bucket. Written from the design (2, 6,
I2, I8) and from AWS's documents on versions, markers and lifecycle rules; nothing here knows how a restore is done.

The truth of a slot (an object name; with tenant folders an item may have several) is its list of facts in order of sequence
numbers. How it was stored is its list of entries in order of storing.
"""
import json
import random

import bodies
import harness

KINDS = {"plain": 28, "replays": 22, "late": 10, "expired": 14, "other tool": 6, "takeover": 6, "baseline": 12, "null": 4,
         "hand": 4}
# S3's clock may be off DynamoDB's by 10 minutes; LastModified has whole seconds.
SKEW_MS_MAX = 595_000


class Fact:
    """One change as a slot saw it. A change of tenant is a REMOVE of one slot and a MODIFY of another."""

    def __init__(self, seq, ms, kind, body):
        self.seq, self.ms, self.kind, self.body = seq, ms, kind, body


class Found:
    """What a baseline read of an item, after the last of its changes until then."""

    def __init__(self, fact, ms):
        self.fact, self.ms = fact, ms


class Entry:
    """A version or a marker of a slot's data key, or a version of its deletes key; of a change, a baseline, or another tool."""

    def __init__(self, what, fact, body, at_ms, note="", found=None):
        self.what, self.fact, self.body, self.at_ms, self.note, self.found = what, fact, body, at_ms, note, found
        self.modified_ms = None  # of S3's clock
        self.null = self.gone = False
        self.storage_class = None

    def is_data(self):
        return self.what != "deletes"


class Slot:
    def __init__(self, name, key, tenant):
        self.name, self.key, self.tenant = name, key, tenant
        self.facts, self.entries = [], []

    def present(self):
        return [e for e in self.entries if not e.gone]

    def lists(self):
        """Of the data key and of the deletes key, oldest first."""
        return ([e for e in self.entries if e.is_data()], [e for e in self.entries if not e.is_data()])


class Way:
    """From an event to S3: lag, outages, and the clocks."""

    def __init__(self, rng, first_ms, last_ms):
        self.rng = rng
        self.first_ms = first_ms
        self.lag_ms = rng.choice(((20, 1500), (20, 1500), (0, 120_000), (0, 1_500_000), (0, 10_800_000)))
        self.outages = []
        for _ in range(rng.choice((0, 0, 1, 2))):
            begin = rng.randint(first_ms - 60_000, last_ms + 60_000)
            self.outages.append((begin, begin + rng.choice((10_000, 300_000, 700_000, 7_200_000))))
        edge = rng.choice((0, 0, rng.randint(-SKEW_MS_MAX, SKEW_MS_MAX), -SKEW_MS_MAX, SKEW_MS_MAX))
        self.skew_ms, self.drift = edge, rng.choice((0, 0, -edge / 90_000_000))
        self.step_ms = 1 if rng.random() < 0.2 else 1000  # some stores tell fractions
        self.quick = rng.random() < 0.3

    def ready(self, ms):
        t = ms + self.rng.randint(*self.lag_ms)
        for begin, end in sorted(self.outages):
            if begin <= t < end:
                t = end + self.rng.randint(0, 300)
        return t

    def latency(self):
        if self.quick:
            return self.rng.randint(1, 20)
        return self.rng.choice((5, 40, 300, self.rng.randint(0, 2500), self.rng.randint(0, 40_000)))

    def modified(self, t):
        skew_ms = int(self.skew_ms + self.drift * (t - self.first_ms))
        ms = t + max(-SKEW_MS_MAX, min(SKEW_MS_MAX, skew_ms))
        return ms // self.step_ms * self.step_ms


class History:
    """Everything about one table, made from a seed."""

    def __init__(self, seed, kind=None):
        self.seed = seed
        rng = self.rng = random.Random(seed)
        self.kind = kind or rng.choices(list(KINDS), KINDS.values())[0]
        self.more = rng.choice(("late", "expired", None, None)) if self.kind == "baseline" else None
        self.left_out = {}
        self.table = f"t{seed}"
        self.prefix = rng.choice(("", "", "p/", "a b+/\u00fc%/"))
        self.key_format = rng.choice(("path", "path", "path", "md5", "sha256", "plain"))
        self.tenant = "who" if rng.random() < 0.12 and self.kind not in ("other tool", "takeover", "baseline") else None
        self.names = rng.choice((("id", "range"), ("pk", "at")))
        self.types = (rng.choice("SSSSNB"), rng.choice((None, None, "S", "N", "B")))
        self.whole_seconds = rng.random() < 0.6
        self.pace = rng.choice(("burst", "seconds", "minutes", "mixed", "mixed"))
        self.first_ms = 1_750_000_000_000 + rng.randint(0, 10**9) * 10
        self.slots = {}
        self.items = []
        room = harness.deletes_room(self.table, self.prefix)
        for key in bodies.keys(rng, self.names, self.types, self.key_format, rng.choice((1, 1, 2, 3, 4, 6))):
            name = harness.item_key(key, self.key_format, *self.names, room=room - 300)
            if all(name != other for other, _, _ in self.items):
                self.items.append((name, key, []))
        for _, key, changes in self.items:
            self.happen(key, changes)
        times = [f.ms for s in self.slots.values() for f in s.facts]
        self.way = Way(rng, min(times), max(times))
        for _, _, changes in self.items:
            self.store(changes)
        for slot in self.slots.values():
            slot.entries.sort(key=lambda e: e.at_ms)  # a stable sort: what came first stays first
            self.disturb(slot)
            for e in slot.entries:
                e.modified_ms = self.way.modified(e.at_ms)
            self.wear(slot)

    def leave_out(self, why):
        self.left_out[why] = self.left_out.get(why, 0) + 1

    # What happened

    def slot(self, key, image):
        value = image.get(self.tenant) if self.tenant else None
        folder = None if not self.tenant else harness.path_component(value) if value else "_"
        name = harness.item_key(key, self.key_format, *self.names, tenant=folder,
                                room=harness.deletes_room(self.table, self.prefix))
        if name not in self.slots:
            self.slots[name] = Slot(name, key, value)
        return self.slots[name]

    def step_ms(self):
        rng = self.rng
        pace = rng.choice(("same", "burst", "seconds", "minutes", "hours")) if self.pace == "mixed" else self.pace
        return {"same": 0, "burst": rng.randint(0, 900), "seconds": rng.randint(0, 20_000),
                "minutes": rng.randint(0, 1_000_000), "hours": rng.randint(0, 9_000_000)}[pace]

    def happen(self, key, changes):
        """Changes of one item: lists of (what, slot, fact) that are stored one after another."""
        rng = self.rng
        make = bodies.Images(rng, key, self.tenant)
        # Numbers of variable width: as texts they would come in another order.
        seq = rng.choice((1, 95, 9_990, 10**20 - 30, 10**24 + rng.randint(0, 10**23), 49599999999999999999999999999999990))
        ms = self.first_ms + self.step_ms()
        old = None
        count = rng.choice((1, 2, 3, 5, 8, 8, 12, 20)) if rng.random() < 0.98 else 150
        deletes = rng.choice((0, 0.2, 0.4, 0.6))
        for _ in range(count):
            seq += rng.choice((1, 1, 7, 1000))
            stamp = ms // 1000 * 1000 if self.whole_seconds else ms
            if old is not None and rng.random() < deletes:
                changes.append(self.removed(self.slot(key, old), old, seq, stamp))
                old = None
            else:
                new = make.next(old)
                changes.append(self.put(key, old, new, seq, stamp))
                old = new
            ms += self.step_ms()

    @staticmethod
    def removed(slot, old, seq, ms):
        fact = Fact(seq, ms, "REMOVE", harness.canonical(old))
        slot.facts.append(fact)
        return [("deletes", slot, fact), ("marker", slot, fact)]

    def put(self, key, old, new, seq, ms):
        slot = self.slot(key, new)
        fact = Fact(seq, ms, "MODIFY" if old else "INSERT", harness.canonical(new))
        steps = [("version", slot, fact)]
        if old and self.slot(key, old) is not slot:
            steps += self.removed(self.slot(key, old), old, seq, ms)
        slot.facts.append(fact)
        return steps

    # How it was stored

    def store(self, changes):
        """One item at a time is in one lane: in order of sequence numbers, one request after another."""
        rng, way = self.rng, self.way
        t, first = 0, 0
        if self.kind == "other tool":
            self.store_without_metadata(changes, len(changes))
            return
        if self.kind == "baseline":
            self.store_with_baselines(changes)
            return
        if self.kind == "takeover":
            first = rng.randint(0, len(changes))
            ended = self.store_without_metadata(changes, rng.randint(first, len(changes)))
            t = ended + rng.choice((2500, 60_000, 7_200_000))
        crashes = rng.choice((1, 2, 4)) if self.kind in ("replays", "expired", "null") else 0
        i = first
        while i < len(changes):
            t = max(t, way.ready(changes[i][0][2].ms))
            for what, slot, fact in changes[i]:
                if crashes and rng.random() < 0.12:
                    crashes -= 1
                    i = max(first, i - rng.randint(0, 4))
                    t += rng.choice((0, 300, 5000, 90_000, 1_000_000))
                    break
                for again in range(2 if crashes and rng.random() < 0.06 else 1):
                    self.enter(slot, what, fact, fact.body, t, "again" if again else "")
                    t += way.latency()
            else:
                i += 1

    @staticmethod
    def enter(slot, what, fact, body, t, note=""):
        slot.entries.append(Entry(what, fact, None if what == "marker" else body, t, note))
        return slot.entries[-1]

    def store_without_metadata(self, changes, count):
        """An older tool: no metadata, no deletes objects, JSON as it happens to come. When it ended."""
        t = 0
        for steps in changes[:count]:
            what, slot, fact = steps[0]
            t = max(t, self.way.ready(fact.ms))
            if what == "version":
                text = bodies.untidy(self.rng, fact.body)
                self.enter(slot, what, None, b"" if self.rng.random() < 0.02 else text, t)
            else:
                self.enter(slot, "marker", None, None, t)
            t += self.way.latency()
        return t

    def store_with_baselines(self, changes):
        """
        Some changes are lost: those before the stream was read, and those of gaps. Baselines write where the bucket has
        something else than the table; of what they find, every change until then is stored before, and none behind.
        """
        rng, t = self.rng, 0
        lost = set(range(rng.randint(0, len(changes)))) if rng.random() < 0.6 else set()
        for _ in range(rng.choice((0, 1, 1, 2, 3))):
            begin = rng.randrange(len(changes))
            lost.update(range(begin, begin + rng.choice((1, 1, 2, 5))))
        often = rng.choice((0.4, 0.8, 1))
        had, read_ms = None, 0  # what is in the bucket; the last baseline
        for i, steps in enumerate(changes):
            fact = steps[0][2]
            if i not in lost:
                t = max(t, self.way.ready(fact.ms))
                t = self.enter_all(steps, t)
                had = fact
            there = fact.body if fact.kind != "REMOVE" else None
            if there == (had.body if had and had.kind != "REMOVE" else None) or rng.random() >= often:
                continue
            # Of a change often the second alone is known, and one of the same second may follow.
            end = max(changes[i + 1][0][2].ms - 1, fact.ms + (999 if self.whole_seconds else 0)) if i + 1 < len(
                changes) else fact.ms + 300_000
            ms = max(read_ms + 1, min(end, fact.ms + rng.choice((0, 1, 999, 5000, 300_000))))
            if ms > end:
                continue
            read_ms = ms
            found = Found(fact, ms)
            # What came from the stream since it was read is left to the stream, whose tip lies 2 s back.
            t = max(t, self.way.ready(ms)) + rng.choice((2500, 2500, 10_000, 60_000))
            whats = ("version",) if there else ("deletes", "marker")
            t = self.enter_all([(what, steps[0][1], None) for what in whats], t, found)
            had = fact

    def enter_all(self, steps, t, found=None):
        """One after another, now and then one of them twice. When the last is stored."""
        for what, slot, fact in steps:
            for again in range(2 if self.rng.random() < 0.04 else 1):
                body = found.fact.body if found else fact.body
                self.enter(slot, what, fact, body, t, "again" if again else "").found = found
                t += self.way.latency()
        return t

    def disturb(self, slot):
        """What comes between: late requests, markers made by hand."""
        if self.kind == "late":
            self.add_late(slot)
        elif self.kind == "hand":
            self.add_hand(slot)
        elif self.kind == "baseline" and self.more == "late":
            self.add_late(slot)

    @staticmethod
    def insert(slot, entry):
        at = sum(1 for e in slot.entries if e.at_ms <= entry.at_ms)
        slot.entries.insert(at, entry)
        return at

    def add_late(self, slot):
        """The answer was lost, the request was repeated, and then the first one arrives after all."""
        often = self.rng.choice((0.03, 0.1, 0.25))
        for e in list(slot.entries):
            if self.rng.random() >= often:
                continue
            t = e.at_ms + self.rng.choice((self.rng.randint(0, 5000), self.rng.randint(0, 600_000)))
            between = [o for o in slot.entries if e.at_ms < o.at_ms <= t]
            if e.what == "marker" and any(o.what == "version" for o in between):
                self.leave_out("late DELETE behind a new version")
                continue
            self.insert(slot, Entry(e.what, e.fact, e.body, t, "late", e.found))

    def add_hand(self, slot):
        for e in list(slot.entries):
            t = e.at_ms + self.rng.randint(0, 100_000)
            if self.rng.random() < 0.2 and e.what == "version" and all(
                    abs(o.at_ms - t) > 3000 for o in slot.entries if o.what != "version"):
                after = [o for o in slot.entries if o.at_ms > t]
                if not after or after[0].what == "version" or after[0].what == "deletes":
                    self.insert(slot, Entry("marker", None, None, t, "by hand"))

    # What became of it

    def wear(self, slot):
        rng = self.rng
        if self.kind == "null":
            self.lose_null_versions(slot)
        if self.kind == "expired" or (self.kind == "baseline" and self.more == "expired"):
            self.expire(slot)
        if rng.random() < 0.06:
            for e in slot.entries:
                if e.what == "version" and rng.random() < 0.4:
                    e.storage_class = rng.choice(("GLACIER", "DEEP_ARCHIVE", "GLACIER_IR", "STANDARD_IA"))

    def lose_null_versions(self, slot):
        """For a while the bucket has no versions, or they are suspended: each write takes the place of the last."""
        begin, end = sorted(self.rng.choices([e.at_ms for e in slot.entries], k=2))
        never_before = self.rng.random() < 0.5
        for entries in slot.lists():
            null = None
            for e in entries:
                if (e.at_ms > begin or never_before) and e.at_ms <= end:
                    e.null = True
                    if null:
                        null.gone = True
                    null = e
                    # Before versioning a DELETE leaves nothing.
                    e.gone = never_before and e.what == "marker"

    def expire(self, slot):
        """A lifecycle rule: noncurrent since before a time, or older than the newest few; then lonely markers."""
        rng = self.rng
        data, deletes = slot.lists()
        if not slot.entries:
            return
        cutoff = rng.choice(slot.entries).modified_ms + rng.choice((0, 1000, 60_000))
        doubles = len({(e.what, e.fact or e.found) for e in slot.entries}) < len(slot.entries)
        keep = rng.choice((0, 1, 2, 3)) if rng.random() < 0.3 and not doubles else None
        for entries in (data,) if rng.random() < 0.4 else (data, deletes):
            for i, e in enumerate(entries[:-1]):
                if keep is None:
                    e.gone = entries[i + 1].modified_ms < cutoff
                else:
                    e.gone = i < len(entries) - 1 - keep
        left = [e for e in data if not e.gone]
        if len(left) == 1 and left[0].what == "marker" and rng.random() < 0.7:
            left[0].gone = True

    # As control's command "version" wants it

    def told(self):
        """Every version and marker that is still there, oldest first."""
        found = []
        for slot in self.slots.values():
            for e in slot.present():
                one = {"key": self.object_name(slot, e), "modified_ms": e.modified_ms}
                if e.null:
                    one["version_id"] = "null"
                if e.what == "marker":
                    one["marker"] = True
                else:
                    one["body"] = e.body.decode("utf-8")
                    one["content_type"] = "application/json"
                    if e.storage_class:
                        one["storage_class"] = e.storage_class
                    if e.fact or e.found:
                        one["meta"] = self.metadata(e)
                found.append(one)
        return found

    def object_name(self, slot, entry):
        if entry.is_data():
            return f"{self.prefix}{self.table}/{slot.name}"
        return harness.deletes_key(self.table, slot.name, self.prefix)

    @staticmethod
    def metadata(e):
        if e.fact is None:
            return {"ddb-event": "BASELINE", "ddb-time": bodies.iso(e.found.ms), "ddb-stream": "2025-06-15T00:00:00.000"}
        return {"ddb-event": e.fact.kind, "ddb-seq": str(e.fact.seq), "ddb-time": bodies.iso(e.fact.ms),
                "ddb-stream": "2025-06-15T00:00:00.000", "ddb-shard": "shardId-1"}

    def describe(self):
        """The table.json of the daemon."""
        keys = [(self.names[0], "HASH", self.types[0])]
        if self.types[1]:
            keys.append((self.names[1], "RANGE", self.types[1]))
        return json.dumps({"Table": {
            "TableName": self.table, "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "KeySchema": [{"AttributeName": n, "KeyType": k} for n, k, _ in keys],
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, _, t in keys]}})
