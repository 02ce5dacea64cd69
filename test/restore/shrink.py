"""The least of a history that a restore still gets wrong: one item, without whatever can go."""
import copy

import model
import restores

TRIES = 400


class Shrunk:
    """`ask` of `rounds` was wrong about `slot`."""

    def __init__(self, rounds, ask, slot):
        self.rounds, self.tries = rounds, 0
        self.slot = slot
        self.ask = restores.Ask(ask.at, ask.text, [slot])
        self.ask.options = ["--force"]
        if ask.at.seq is not None:
            self.ask.options += ["--at-seq", str(max(ask.at.seq, 0))]

    def run(self):
        """(rounds of the least history, its ask, what is wrong), or None when the item alone is right."""
        self.best = self.wrong_with(self.slot)
        if not self.best:
            return None
        size = max(1, len(self.slot.facts) // 2)
        while size:
            while self.pass_over(size):
                pass
            size //= 2
        return self.best

    def pass_over(self, size):
        """Leaves out so many facts at a time, then entries; True when something went."""
        went, at = False, 0
        while at < len(self.slot.facts):
            went |= (gone := self.attempt(lambda s, at=at: drop_facts(s, at, size)))
            at += 0 if gone else size
        at = 0
        while size == 1 and at < len(self.slot.entries):
            went |= (gone := self.attempt(lambda s, at=at: drop_entry(s, at)))
            at += not gone
        return went

    def attempt(self, change):
        if self.tries >= TRIES:
            return False
        slot = copy.deepcopy(self.slot)
        if not change(slot):
            return False
        found = self.wrong_with(slot)
        if not found:
            return False
        self.slot, self.best = slot, found
        return True

    def wrong_with(self, slot):
        self.tries += 1
        history = copy.copy(self.rounds.history)
        history.table = f"{self.rounds.history.table}s{self.rounds.next_number()}"
        history.slots = {slot.name: slot}
        one = restores.Restores(self.rounds.server, self.rounds.bucket, history, None, s3=self.rounds.s3_told)
        one.tell()
        ask = restores.Ask(self.ask.at, self.ask.text, [slot])
        ask.options = self.ask.options
        # A moment of which the model says nothing, or more than one thing, is no example.
        outcomes = model.judge(slot, ask.at, history.tenant is not None).outcomes
        wrong = one.run(ask) if outcomes and len(outcomes) == 1 else []
        return (one, ask, wrong) if wrong else None


def drop_facts(slot, at, count):
    gone = slot.facts[at:at + count]
    slot.facts = slot.facts[:at] + slot.facts[at + count:]
    slot.entries = [e for e in slot.entries if e.fact not in gone and not (e.found and e.found.fact in gone)]
    return derive_kinds(slot.facts) and bool(slot.entries)


def derive_kinds(facts):
    there = False
    for fact in facts:
        if fact.kind == "REMOVE":
            if not there:
                return False
            there = False
        else:
            fact.kind = "MODIFY" if there else "INSERT"
            there = True
    return True


def drop_entry(slot, at):
    """What stands for itself stays: without it a late request or a repetition would be the first."""
    entry = slot.entries.pop(at)
    if entry.fact is None or entry.note == "late":
        return True
    before = any(e.what == entry.what and e.fact is entry.fact and e.note != "late" for e in slot.entries[:at])
    return before and all(is_whole(slot.entries[:i + 1]) for i in range(len(slot.entries)))


def is_whole(entries):
    """The last of them, if a marker, has its deletes version before it."""
    last = entries[-1]
    if last.what != "marker" or last.fact is None or last.note == "late":
        return True
    for e in reversed(entries[:-1]):
        if e.what == "deletes" and e.fact is last.fact:
            return True
        if e.what == "version" and e.note != "late":
            return False
    return False
