#!/usr/bin/env python3
"""Takes the program out of README.md: its one ```cpp block that has a main function.

Usage: readme_program.py README.md OUTPUT.cpp
"""

import re
import sys

with open(sys.argv[1], encoding="utf-8") as readme:
    programs = [block for block in re.findall(r"^```cpp\n(.*?)^```$", readme.read(), re.MULTILINE | re.DOTALL) if "int main(" in block]
if len(programs) != 1:
    sys.exit(f"README.md holds {len(programs)} programs, not one")
lines = programs[0].count("\n")
if lines > 25:
    sys.exit(f"the README's program has {lines} lines; it promises at most 25")
with open(sys.argv[2], "w", encoding="utf-8") as program:
    program.write(programs[0])
