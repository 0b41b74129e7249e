#!/usr/bin/env python3
"""Every field of struct Limits has a test that bears its name: sctp_dup_tsns a TEST_CASE with the tag [lim.sctp.dup_tsns].

Usage: limits_tested.py environment.h TESTS_FOLDER
"""

import pathlib
import re
import sys


def main():
    struct = re.search(r"^struct Limits \{(.*?)^\};", pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"),
                       re.MULTILINE | re.DOTALL).group(1)
    fields = re.findall(r"^  (?:std::uint\d+_t|Duration) (\w+) =", struct, re.MULTILINE)
    borne = set()
    for file in pathlib.Path(sys.argv[2]).rglob("*.cpp"):
        # The compiler joins the parts of a literal that was broken into lines.
        text = re.sub(r'"\s*\n\s*"', "", file.read_text(encoding="utf-8"))
        borne.update(re.findall(r"\[lim\.([\w.]+)\]", text))
    faults = [f"{field}: no test bears [lim.{field.replace('_', '.', 1)}]"
              for field in fields if field.replace("_", ".", 1) not in borne]
    known = {field.replace("_", ".", 1) for field in fields}
    faults += [f"[lim.{name}]: no such limit" for name in sorted(borne - known)]
    print("\n".join(faults) or f"{len(fields)} limits, all tested")
    sys.exit(1 if faults or not fields else 0)


if __name__ == "__main__":
    main()
