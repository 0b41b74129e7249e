#!/usr/bin/env python3
"""Every public method of a class is called in the tables of tests that try it in every state.

    methods_listed.py HEADER CLASS TEST...

The tables are the arrays `kMethods` of the tests; a method counts as tried when a row calls it or has its name.
"""

import re
import sys


def public_methods(header, name):
    body = re.search(rf"^class POLLRTC_API {name} \{{\n(.*?)^\}};", header, re.MULTILINE | re.DOTALL).group(1)
    public = body.split(" public:\n", 1)[1].split(" private:\n")[0]
    public = re.sub(r"//.*", "", public)
    public = re.sub(r"std::function<[^;]*;", "", public)  # signals, which are members
    depth, top = 0, ""
    for character in public:  # what stands in braces and parentheses is no declaration
        if character in "})":
            depth -= 1
        if depth == 0:
            top += character
        if character in "{(":
            depth += 1
    return sorted({method for method in re.findall(r"\b(\w+)\(\)", top) if method != name and not method.startswith("operator")})


def main():
    header = open(sys.argv[1], encoding="utf-8").read()
    name = sys.argv[2]
    tables = ""
    for test in sys.argv[3:]:
        tables += "".join(re.findall(r"Method\w* kMethods\[\] = \{\n(.*?)^\};", open(test, encoding="utf-8").read(), re.MULTILINE | re.DOTALL))
    methods = public_methods(header, name)
    missing = [method for method in methods if not re.search(rf'(?:->|\.){method}\(|\{{"(?:channel\.)?{method}[",]', tables)]
    for method in missing:
        print(f"{name}::{method}() is in no table")
    print(f"{name}: {len(methods)} methods, {len(missing)} of them in no table")
    sys.exit(1 if missing or len(methods) < 10 else 0)


if __name__ == "__main__":
    main()
