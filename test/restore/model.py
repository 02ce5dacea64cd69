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
    known = {e.fact for e in present if e.fact}
    if any(e.what == "marker" and e.fact and not has_deletes(present[:i], e.fact) for i, e in enumerate(present)):
        return Verdict(None, "a removal whose marker outlived its deletes version")
    passed = [f for f in slot.facts if at.covers(f)]
    found = [f for f in passed if f in known]
    other = newest_of_others(present, at)
    if other is not None:
        if any(e.fact and not at.covers(e.fact) for e in present[:present.index(other)]):
            return Verdict(None, "an object of another tool behind a change that is later than the time")
        return Verdict({ABSENT} if other.what == "marker" else {readable(other)})
    if not found:
        return before_all(slot, at, present, known, folders)
    last = found[-1]
    if last.kind != "REMOVE":
        if last is not passed[-1]:
            return Verdict(None, "a version between others is gone")
        return Verdict({readable(e) for e in present if e.fact is last})
    return after_removal(slot, at, last, passed[-1], known, folders)


def has_deletes(entries, fact):
    return any(e.what == "deletes" and e.fact is fact for e in entries)


def newest_of_others(present, at):
    """
    Of the entries without sequence number those count that no change of the stream until then was stored behind; of them the
    one of the latest second, and in one second a marker.
    """
    last = max((i for i, e in enumerate(present) if e.fact and at.covers(e.fact)), default=-1)
    found = [(time_of(e) // 1000, e.what == "marker", i) for i, e in enumerate(present)
             if i > last and e.fact is None and time_of(e) <= at.ms]
    return present[max(found)[2]] if found else None


def time_of(entry):
    return entry.modified_ms if entry.event_ms is None else entry.event_ms


def readable(entry):
    if entry.storage_class in ("GLACIER", "DEEP_ARCHIVE"):
        return NAMED
    return bodies.canonical(entry.body) or NAMED


def before_all(slot, at, present, known, folders):
    """Nothing until then is in the bucket; what is known first tells whether there was something."""
    others = any(e.fact is None for e in present)
    first = next((f for f in slot.facts if f in known), None)
    existed = [f for f in slot.facts if at.covers(f)][-1:]
    existed = bool(existed) and existed[0].kind != "REMOVE"
    tells = first is not None and (first.kind == "REMOVE" or (first.kind == "MODIFY" and not folders))
    if tells:
        return Verdict({NAMED, ABSENT} if others else {NAMED})
    return Verdict({ABSENT}, "it existed, and nothing that is left tells of it" if existed and not others else None)


def after_removal(slot, at, last, truth, known, folders):
    """A removal, unless a version behind it is gone: then the next change that is known tells that there was one."""
    later = [f for f in slot.facts if f in known and not at.covers(f)]
    tells = later and (later[0].kind == "REMOVE" or (later[0].kind == "MODIFY" and not folders))
    if truth is last or truth.kind == "REMOVE":
        return Verdict({ABSENT, NAMED} if tells else {ABSENT})
    if tells:
        return Verdict({NAMED})
    return Verdict({ABSENT}, "it existed, and nothing that is left tells of it")


def changed_since(slot, since_ms):
    """Did it change after that? None where it cannot be told, or where a marker beside its deletes version may be a change."""
    changed = False
    late = any(e.note for e in slot.entries)
    for e in slot.entries:
        if e.gone or (e.event_ms is not None and e.event_ms > since_ms):
            return None
        ms = e.fact.ms if e.fact else time_of(e)
        if late and e.what == "marker" and ms <= since_ms < e.modified_ms:
            return None
        changed = changed or ms > since_ms
    return changed
