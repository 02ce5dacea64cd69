"""Keys and images of items for random histories, in boto3's form (bytes in B and BS), and texts of times."""
import datetime
import json

import harness

TEXTS = ("a", "a/b", "a b", "ab", "a-", "a.b", "A", "+", "\u00e4+%", ".", "..", "~", "~x", "a%2Fb", "x&y<z>\"'", "\u65e5\u672c\u8a9e",
         "\U0001f600", "0", "-1", "a//b", "/a", "a/", "record-1", "_")
NUMBERS = ("0", "1", "-1", "10", "1.5", "-0.001", "12345678901234567890123456789012345678", "100000000000000000000")
TENANTS = ("anna", "ben", "b/c", "_", "~t", "\u00fc", None)


def iso(ms):
    moment = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


def keys(rng, names, types, key_format, count):
    """Primary keys: many that need encoding, some with long common beginnings, some too long for an object's name."""
    common = rng.choice(("", "", "", "user#", "p/q/" * rng.randint(1, 60), "\u00fc" * rng.randint(1, 140)))
    found = []
    for _ in range(count):
        key = {names[0]: value(rng, types[0], common if types[0] == "S" else "", key_format)}
        if types[1]:
            key[names[1]] = value(rng, types[1], common if types[0] != "S" else "", key_format)
        if key not in found:
            found.append(key)
    return found


def value(rng, kind, common, key_format):
    if kind == "N":
        return {"N": rng.choice(NUMBERS + (str(rng.randint(0, 300)),))}
    if kind == "B":
        return {"B": rng.randbytes(rng.choice((1, 2, 3, 16, 255)))}
    text = rng.choice(TEXTS)
    if rng.random() < 0.2:
        text += str(rng.randint(0, 30))
    if key_format == "plain" and not common and text in (".", ".."):
        text += "x"  # S3 takes no such name
    return {"S": common + text}


class Images:
    """Images of one item: each unlike the one before it, but some come again."""

    def __init__(self, rng, key, tenant):
        self.rng, self.key, self.tenant = rng, key, tenant
        self.few = rng.random() < 0.4
        self.number = 0

    def next(self, old):
        while True:
            new = self.make()
            if old is None or harness.canonical(new) != harness.canonical(old):
                return new

    def make(self):
        rng = self.rng
        self.number += 1
        image = dict(self.key)
        image["n"] = {"N": str(rng.randint(0, 2) if self.few else self.number)}
        if self.tenant:
            tenant = rng.choice(TENANTS[:2] if self.few else TENANTS)
            if tenant:
                image[self.tenant] = {"S": tenant}
        if not self.few:
            for name in rng.sample(("s", "b", "l", "m", "ss", "ns", "bs", "t", "0"), rng.randint(0, 4)):
                image[name] = self.attribute(name)
        return image

    def attribute(self, name):
        rng = self.rng
        return {"s": lambda: {"S": rng.choice(TEXTS + ("", "\n\t\\\"", "\x7f"))},
                "b": lambda: {"B": rng.randbytes(rng.randint(0, 9))},
                "l": lambda: {"L": [{"N": rng.choice(NUMBERS)}, {"BOOL": True}, {"L": []}]},
                "m": lambda: {"M": {"z": {"S": "1"}, "a": {"M": {}}, "\u00e9": {"NULL": True}}},
                "ss": lambda: {"SS": sorted(set(rng.choices(TEXTS, k=3)))},
                "ns": lambda: {"NS": sorted(set(rng.choices(NUMBERS, k=3)))},
                "bs": lambda: {"BS": [b"\0", b"\xff" + rng.randbytes(2)]},
                "t": lambda: {"BOOL": rng.random() < 0.5},
                "0": lambda: {"NULL": True}}[name]()


def untidy(rng, canonical):
    """The same item as another tool might have written it."""
    item = json.loads(canonical)
    names = list(item)
    rng.shuffle(names)
    return json.dumps({n: item[n] for n in names}, ensure_ascii=rng.random() < 0.5,
                      indent=rng.choice((None, 1))).encode("utf-8")


def canonical(text):
    """Of a body: what a restore has to write, or None when it is no item."""
    if not text:
        return None
    return json.dumps(tidy({"M": json.loads(text)})["M"], ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def tidy(wire):
    ((kind, inner),) = wire.items()
    if kind in ("SS", "NS", "BS"):
        inner = sorted(inner, key=lambda s: s.encode("utf-8"))
    elif kind == "L":
        inner = [tidy(v) for v in inner]
    elif kind == "M":
        inner = {n: tidy(inner[n]) for n in sorted(inner, key=lambda s: s.encode("utf-8"))}
    return {kind: inner}
