#!/usr/bin/python3 -B
"""
The layers of the house, by their includes:
- lib/base < lib/codec < lib/net < lib/aws: each includes its own layer and lower ones;
- daemon/ and cli/ include lib and themselves, never each other;
- only lib/net/http*.c (and headers private to them, lib/net/http_*.h) includes libcurl; jansson.h, uv.h and the like are free;
- an include in quotes names a file that exists, from lib/ or from the includer's own folder.
Tests may include what they like.
"""
import os
import re
import sys

LAYERS = ["base", "codec", "net", "aws"]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer(path):
    """("lib", rank) or ("daemon", 0) or ("cli", 0)."""
    parts = path.split("/")
    return ("lib", LAYERS.index(parts[1])) if parts[0] == "lib" else (parts[0], 0)


def problem(path, kind, name):
    if kind == "<":
        if name.startswith("curl/") and not re.match(r"lib/net/http(_[a-z_]+)?\.c$|lib/net/http_[a-z_]+\.h$", path):
            return "only lib/net/http*.c, and headers private to them, may include libcurl"
        return None
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    target = next((t for t in (beside, os.path.join("lib", name), name) if os.path.isfile(t)), None)
    if target is None:
        return "no such file in lib/ or beside it"
    if target.split("/")[0] not in ("lib", "daemon", "cli"):
        return "a program includes nothing from outside lib/, daemon/ and cli/"
    (mine, my_rank), (its, its_rank) = layer(path), layer(target)
    if its != "lib" and its != mine:
        return f"{mine}/ never includes {its}/"
    if mine == "lib" and its == "lib" and its_rank > my_rank:
        return f"lib/{LAYERS[my_rank]} is a lower layer than lib/{LAYERS[its_rank]}"
    return None


def main():
    bad = 0
    for top in ("lib", "daemon", "cli"):
        for folder, _, names in os.walk(top):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if not path.endswith((".c", ".h")):
                    continue
                if top == "lib" and (path.count("/") != 2 or path.split("/")[1] not in LAYERS):
                    print(f"{path}: lib/ has the layers {', '.join(LAYERS)} and nothing else")
                    bad += 1
                    continue
                with open(path, encoding="utf-8") as f:
                    for number, line in enumerate(f, 1):
                        match = INCLUDE.match(line)
                        why = match and problem(path, match.group(1), match.group(2))
                        if why:
                            print(f"{path}:{number}: includes {match.group(2)}: {why}")
                            bad += 1
    return 1 if bad else 0


sys.exit(main())
