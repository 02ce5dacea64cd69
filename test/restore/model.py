"""
What a restore has to give, by the design (I8) and by what cli/DESIGN declares ("Which version"), from the truth and from
which entries are still there. An outcome of a slot at a moment is ABSENT, NAMED (it cannot be had: it is named, and the
exit status is 3), or the item in canonical form. Where the documents leave more than one, each will do.
"""
import bodies

ABSENT, NAMED = "absent", "named"


class Moment:
    """Everything with event time <= ms; with `seq`, of the changes of that second those up to it, whatever their fraction."""

    def __init__(self, ms, seq=None):
        self.ms, self.seq = ms, seq

    def covers(self, fact):
        if self.seq is None:
            return fact.ms <= self.ms
        second = self.ms // 1000
        return fact.ms // 1000 < second or (fact.ms // 1000 == second and fact.seq <= self.seq)


class Verdict:
    """`outcomes` is None where nothing can be asked for; `why` then, and where something is not told, says why."""

    def __init__(self, outcomes, why=None):
        self.outcomes, self.why = outcomes, why


def judge(slot, at, folders):
    verdict = judge_entries(slot, slot.present(), at, folders)
    fence = next((i for i, e in enumerate(slot.present()) if e.fact and not at.covers(e.fact)), None)
    if verdict.outcomes is None or fence is None or not any(e.gone for e in slot.entries):
        return verdict
    # What lies behind the first change that is later need not be looked at. Of what expired a repetition may lie there.
    near = judge_entries(slot, slot.present()[:fence + 1], at, folders)
    if near.outcomes is not None and near.outcomes != verdict.outcomes:
        return Verdict(near.outcomes | verdict.outcomes, "only a repetition behind a later change is left of it")
    return verdict


def judge_entries(slot, present, at, folders):
    if any(e.what == "marker" and what(e) and not has_deletes(present[:i], what(e)) for i, e in enumerate(present)):
        return Verdict(None, "a removal whose marker outlived its deletes version")
    known = in_order(slot, present)
    passed = [f for f in slot.facts if at.covers(f)]
    reached = [k for k in known if at.covers(k)]
    other = newest_of_others(present, at)
    if other is not None:
        if any(e.fact and not at.covers(e.fact) for e in present[:present.index(other)]):
            return Verdict(None, "an object of another tool behind a change that is later than the time")
        return Verdict({ABSENT} if other.what == "marker" else {readable(other)})
    if not reached:
        return before_all(slot, at, present, known, folders)
    last = reached[-1]
    if fact_of(last).kind != "REMOVE":
        if fact_of(last) is not passed[-1]:
            return Verdict(None, "a version between others is gone")
        return Verdict({readable(e) for e in present if what(e) is last})
    return after_removal(last, passed[-1], known[known.index(last) + 1:], folders)


def what(entry):
    """The change that it was stored for, or what a baseline found; None: another tool's."""
    return entry.fact or entry.found


def fact_of(known):
    return getattr(known, "fact", known)


def in_order(slot, present):
    """What is known, as it happened: a baseline found what the change before it had made."""
    known = {what(e) for e in present} - {None}
    return sorted(known, key=lambda k: (slot.facts.index(fact_of(k)), fact_of(k) is not k))


def has_deletes(entries, fact):
    return any(e.what == "deletes" and what(e) is fact for e in entries)


def newest_of_others(present, at):
    """
    Of the entries without sequence number those count that no change of the stream until then was stored behind; of them the
    one of the latest second, and in one second a marker.
    """
    last = max((i for i, e in enumerate(present) if e.fact and at.covers(e.fact)), default=-1)
    found = [(e.modified_ms // 1000, e.what == "marker", i) for i, e in enumerate(present)
             if i > last and what(e) is None and e.modified_ms <= at.ms]
    return present[max(found)[2]] if found else None


def readable(entry):
    if entry.storage_class in ("GLACIER", "DEEP_ARCHIVE"):
        return NAMED
    return bodies.canonical(entry.body) or NAMED


def before_all(slot, at, present, known, folders):
    """Nothing until then is in the bucket; what is known first tells whether there was something."""
    others = any(e.fact is None for e in present)
    first = next((k for k in known if fact_of(k) is k), None)
    existed = [f for f in slot.facts if at.covers(f)][-1:]
    existed = bool(existed) and existed[0].kind != "REMOVE"
    if tells([first] if first else [], folders):
        return Verdict({NAMED, ABSENT} if others else {NAMED})
    return Verdict({ABSENT}, "it existed, and nothing that is left tells of it" if existed and not others else None)


def after_removal(last, truth, later, folders):
    """A removal, unless a version behind it is gone: then the next change that is known tells that there was one."""
    told = tells(later, folders)
    if truth is fact_of(last) or truth.kind == "REMOVE":
        return Verdict({ABSENT, NAMED} if told else {ABSENT})
    if told:
        return Verdict({NAMED})
    return Verdict({ABSENT}, "it existed, and nothing that is left tells of it")


def tells(later, folders):
    """Was there a version before the first of them? A baseline writes only where the bucket has something else."""
    if not later:
        return False
    return fact_of(later[0]) is not later[0] or later[0].kind == "REMOVE" or (later[0].kind == "MODIFY" and not folders)


def changed_since(slot, since_ms):
    """Did it change after that? None where it cannot be told, or where a marker beside its deletes version may be a change."""
    changed = False
    late = any(e.note for e in slot.entries)
    for e in slot.entries:
        if e.gone or (e.found and e.found.ms > since_ms):
            return None
        ms = what(e).ms if what(e) else e.modified_ms
        if late and e.what == "marker" and ms <= since_ms < e.modified_ms:
            return None
        changed = changed or ms > since_ms
    return changed
