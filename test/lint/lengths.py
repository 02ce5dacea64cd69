#!/usr/bin/python3 -B
"""A C file has 600 lines at most, a function 100, from its name to its closing brace."""
import os
import re
import sys

FILE_LINES, FUNCTION_LINES = 600, 100
NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")


def functions(lines):
    """(name, first line, length) of each function: what stands between '{' and '}' in the first column."""
    head = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
            while start > 1 and lines[start - 2].strip() and not lines[start - 2].startswith(("}", "#", " *", "/*")):
                start -= 1
            match = NAME.search("".join(lines[start - 1:number]))
            head = (match.group(1) if match else "?", start)
        elif line.startswith("}") and head:
            yield head[0], head[1], number - head[1] + 1
            head = None


def main():
    bad = 0
    for top in ("lib", "daemon", "cli", "test"):
        for folder, _, names in os.walk(top):
            for name in sorted(n for n in names if n.endswith((".c", ".h"))):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as f:
                    lines = f.readlines()
                if len(lines) > FILE_LINES:
                    print(f"{path}: {len(lines)} lines, {FILE_LINES} at most: which ideas are in there?")
                    bad += 1
                for function, start, length in functions(lines):
                    if length > FUNCTION_LINES:
                        print(f"{path}:{start}: {function} has {length} lines, {FUNCTION_LINES} at most")
                        bad += 1
    return 1 if bad else 0


sys.exit(main())
