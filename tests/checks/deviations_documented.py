#!/usr/bin/env python3
"""Compares the `// DEVIATION RFC nnnn §x: ...` comments of include/ and src/ with the table of docs/deviations.md.

Usage: deviations_documented.py ROOT
"""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
CITATION = r"RFC (\d+) (§\w+(?:\.\w+)*)"

in_code, faults = {}, []
for path in sorted([*(root / "include").rglob("*.h"), *(root / "src").rglob("*.h"), *(root / "src").rglob("*.cpp")]):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if "DEVIATION" not in line:
            continue
        match = re.search(rf"DEVIATION {CITATION}\b", line)
        if match:
            in_code.setdefault(match.groups(), f"{path.relative_to(root)}:{number}")
        else:
            faults.append(f"{path.relative_to(root)}:{number}: write it as `// DEVIATION RFC nnnn §x: reason`")

table = (root / "docs/deviations.md").read_text(encoding="utf-8")
documented = set(re.findall(rf"^\| {CITATION} (?:\| [^|]+ ){{3}}\|$", table, re.MULTILINE))
faults += [f"{place}: RFC {key[0]} {key[1]} is not in docs/deviations.md" for key, place in in_code.items() if key not in documented]
faults += [f"docs/deviations.md: RFC {key[0]} {key[1]} has no DEVIATION comment in the code" for key in sorted(documented - in_code.keys())]
print("\n".join(faults) or f"{len(in_code)} deviations documented")
sys.exit(1 if faults else 0)
