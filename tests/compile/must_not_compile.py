#!/usr/bin/env python3
"""Compiles a file once as it is, which must work, and once for each of its cases, which must fail for the reason given.

Usage: must_not_compile.py FILE --include FOLDER... -- COMPILER...
"""

import argparse
import re
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("file")
parser.add_argument("--include", action="append", default=[])
parser.add_argument("compiler", nargs="+")
arguments = parser.parse_args()

command = [*arguments.compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
           *("-I" + folder for folder in arguments.include), arguments.file]


def compile_with(define):
    result = subprocess.run([*command, *(["-D" + define] if define else [])], capture_output=True, text=True, env=None)
    return result.returncode == 0, result.stderr


faults = []
ok, said = compile_with(None)
if not ok:
    faults.append(f"without a case it must compile:\n{said}")
with open(arguments.file, encoding="utf-8") as file:
    cases = re.findall(r"^#ifdef (\w+)  // error: (.+)$", file.read(), re.MULTILINE)
for case, pattern in cases:
    ok, said = compile_with(case)
    errors = "\n".join(line for line in said.splitlines() if "error" in line)
    if ok:
        faults.append(f"{case}: compiles, and must not")
    elif not re.search(pattern, errors):
        faults.append(f"{case}: refused, but not for {pattern!r}:\n{said}")
print("\n".join(faults) or f"{len(cases)} cases refused")
sys.exit(1 if faults or not cases else 0)
