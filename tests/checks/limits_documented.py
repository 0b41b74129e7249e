#!/usr/bin/env python3
"""Compares docs/limits.md with struct Limits: every field stands there, with the numbers of both profiles; and in
the table of names for C.

Usage: limits_documented.py environment.h limits.md c_limits.cpp
"""

import re
import sys

UNITS = {"": 1, "KiB": 1024, "MiB": 1024 * 1024, "s": 1}


def code_value(expression):
    seconds = re.fullmatch(r"std::chrono::seconds\((\d+)\)", expression)
    if seconds:
        return int(seconds.group(1))
    product = 1
    for factor in expression.split("*"):
        product *= int(factor)
    return product


def documented_value(text):
    number, _, unit = text.strip().partition(" ")
    return int(number) * UNITS[unit]


with open(sys.argv[1], encoding="utf-8") as file:
    struct = re.search(r"^struct Limits \{(.*?)^\};", file.read(), re.MULTILINE | re.DOTALL).group(1)
code = {name: [code_value(value)] * 2
        for name, value in re.findall(r"^  (?:std::uint\d+_t|Duration) (\w+) =\s+([^;]+);", struct, re.MULTILINE)}
for name, value in re.findall(r"^    limits\.(\w+) =\s+([^;]+);", struct, re.MULTILINE):
    code[name] = [code[name][0], code_value(value)]

with open(sys.argv[2], encoding="utf-8") as file:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", file.read(), re.MULTILINE)
documented = {name: [documented_value(default), documented_value(small)] for name, default, small in rows}

faults = [f"{name}: not documented" for name in code if name not in documented]
faults += [f"{name}: documented, but no field" for name in documented if name not in code]
faults += [f"{name}: code says {code[name]}, the table {documented[name]}"
           for name in code if name in documented and code[name] != documented[name]]
with open(sys.argv[3], encoding="utf-8") as file:
    named = set(re.findall(r"^\s*LIMIT\((\w+)\)", file.read(), re.MULTILINE))
faults += [f"{name}: not known to C" for name in sorted(set(code) - named)]

print("\n".join(faults) or f"{len(code)} limits documented")
sys.exit(1 if faults or not code else 0)
