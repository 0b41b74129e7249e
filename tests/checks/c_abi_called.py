#!/usr/bin/env python3
"""Every function of the C headers is called by the tests in C.

    c_abi_called.py HEADER... -- TEST...
"""
import re
import sys


def read(names):
    return "\n".join(open(name, encoding="utf-8").read() for name in names)


def main():
    split = sys.argv.index("--")
    headers, tests = read(sys.argv[1:split]), read(sys.argv[split + 1:])
    functions = re.findall(r"^POLLRTC_C_API [^;(]*?\b(pollrtc_\w+)\(", headers, re.M | re.S)
    missing = [name for name in functions if not re.search(rf"\b{name}\(", tests)]
    for name in missing:
        print(f"no test in C calls {name}()")
    print(f"{len(functions)} functions, {len(missing)} not called")
    sys.exit(1 if missing or len(functions) < 80 else 0)


if __name__ == "__main__":
    main()
