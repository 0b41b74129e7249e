#!/usr/bin/env python3
"""Which test bears which rule: joins docs/rules/*.tsv with the tags of the tests and the table of docs/deviations.md.

A test bears a rule by its tag: TEST_CASE("...", "[SCTP-TAG-02]") in C++, the same in the name of a check elsewhere. A rule
that we do not follow on purpose stands in the last column of docs/deviations.md instead.

Usage: rfc_trace.py [--root FOLDER] [--missing] [--summary] [--complete FAMILY]... [--self-test]

Fails when a test or a deviation names a rule that there is not, and when a rule of a complete family (COMPLETE below, and
those given) has neither. FAMILY is how its ids begin: SCTP, ICE-MDNS.
"""

import argparse
import pathlib
import re
import sys
import tempfile

# Families of which every rule has a test or a deviation. One that becomes complete is written here, and stays.
COMPLETE = ["SCTP", "DCEP", "STUN", "ICE", "TURN", "DTLS", "SDP", "API", "INV"]

ID = r"[A-Z]+(?:-[A-Z]+)*-\d+"
TEST_FILES = {".cpp", ".h", ".py", ".mjs"}
TEST_FOLDERS = ["tests", "fuzz"]


def family(rule):
    return rule.rpartition("-")[0]


def read_rules(root, faults):
    """id -> (source, rule), in the order of the files."""
    rules = {}
    for path in sorted((root / "docs/rules").glob("*.tsv")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("#"):
                continue
            fields = line.split("\t")
            place = f"{path.relative_to(root)}:{number}"
            if not re.fullmatch(ID, fields[0]) or len(fields) not in (2, 3) or not all(fields):
                faults.append(f"{place}: not a line of id, source and rule")
            elif fields[0] in rules:
                faults.append(f"{place}: {fields[0]} is there twice")
            else:
                rules[fields[0]] = (fields[1], fields[2] if len(fields) == 3 else "")
    return rules


STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def cases_of(text):
    """(offset, strings) of each TEST_CASE: what stands in quotes between its brackets."""
    for begin in re.finditer(r"\b(?:TEMPLATE_)?TEST_CASE(?:_METHOD)?\s*\(", text):
        depth, at, strings = 1, begin.end(), []
        while depth and at < len(text):
            if text[at] == '"' and (string := STRING.match(text, at)):
                strings.append(string[1])
                at = string.end()
                continue
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        yield begin.start(), strings


def strings_of(text):
    """(offset, strings) of each line of a script that is not a comment."""
    at = 0
    for line in text.splitlines(keepends=True):
        if not line.lstrip().startswith(("#", "//")):
            yield at, re.findall(r"'((?:[^'\\\n]|\\.)*)'", line) + re.findall(r'"((?:[^"\\\n]|\\.)*)"', line)
        at += len(line)


def read_tests(root):
    """id -> places of the tests that bear it."""
    bearers = {}
    for folder in TEST_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in TEST_FILES or "node_modules" in path.parts:
                continue
            text = path.read_text(encoding="utf-8")
            for offset, strings in (cases_of if path.suffix in (".cpp", ".h") else strings_of)(text):
                place = f"{path.relative_to(root)}:{text.count(chr(10), 0, offset) + 1}"
                for rule in dict.fromkeys(re.findall(rf"\[({ID})\]", " ".join(strings))):
                    bearers.setdefault(rule, []).append(place)
    return bearers


def read_deviations(root):
    """id -> the RFC sections that we differ from for it."""
    deviations = {}
    for line in (root / "docs/deviations.md").read_text(encoding="utf-8").splitlines():
        fields = [field.strip() for field in line.strip("|").split(" | ")]
        if line.startswith("| RFC ") and len(fields) == 4 and fields[0] != "RFC and section":
            for rule in re.findall(ID, fields[3]):
                deviations.setdefault(rule, []).append(fields[0])
    return deviations


def trace(root, complete):
    """(lines of the table by rule, missing rules, families' counts, faults)"""
    faults = []
    rules = read_rules(root, faults)
    tests, deviations = read_tests(root), read_deviations(root)
    faults += [f"{place}: there is no rule {rule}" for rule, places in tests.items() if rule not in rules for place in places]
    faults += [f"docs/deviations.md: there is no rule {rule}" for rule in deviations if rule not in rules]
    table, missing, counts = {}, [], {}
    for rule, (source, statement) in rules.items():
        borne = tests.get(rule, []) + [f"deviation from {place}" for place in deviations.get(rule, [])]
        table[rule] = (source, statement, borne)
        count = counts.setdefault(family(rule), [0, 0, 0])
        count[0] += 1
        count[1] += rule in tests
        count[2] += rule in deviations and rule not in tests
        if not borne:
            missing.append(rule)
            if any(rule.startswith(name + "-") for name in complete):
                faults.append(f"{rule} ({source}) has neither a test nor a deviation")
    faults += [f"{name}: no rule begins so" for name in complete if not any(rule.startswith(name + "-") for rule in rules)]
    return table, missing, counts, faults


def print_trace(table, missing, counts, complete, only_missing, only_summary):
    if not only_summary:
        for rule, (source, statement, borne) in table.items():
            if borne and only_missing:
                continue
            print(f"{rule}  {statement or source}")
            for place in borne or ["-- nothing --"]:
                print(f"    {place}")
        print()
    print(f"{'family':<12}{'rules':>6}{'tested':>8}{'deviations':>12}{'missing':>9}")
    for name, (total, tested, deviating) in counts.items():
        closed = any((name + "-").startswith(c + "-") for c in complete)
        left = total - tested - deviating
        named = "  " + " ".join(rule.rpartition("-")[2] for rule in missing if family(rule) == name) if left else ""
        print(f"{name:<12}{total:>6}{tested:>8}{deviating:>12}{left:>9}{'  complete' if closed else ''}{named}")
    total = [sum(count[i] for count in counts.values()) for i in range(3)]
    print(f"{'all':<12}{total[0]:>6}{total[1]:>8}{total[2]:>12}{len(missing):>9}")


def self_test():
    """What it must find, found in a small project made for the purpose."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name in ("docs/rules", "tests/unit", "fuzz"):
            (root / name).mkdir(parents=True)
        (root / "docs/rules/a.tsv").write_text(
            "# id\tsource\trule\nAB-01\tRFC 1 §2\tfirst\nAB-02\tRFC 1 §3\nAB-CD-03\tchoice\tthird\nEF-1\tchoice\tx\nEF-2\tchoice\ty\n")
        (root / "docs/deviations.md").write_text("| RFC 1 §3 | what | why | AB-02 |\n")
        test = root / "tests/unit/a_test.cpp"
        test.write_text('// [EF-1] in a comment counts for nothing\nconst char* s = "[EF-1]";\n'
                        'TEST_CASE("a (bracket \\" and a quote",\n          "[AB-01]"\n          "[AB-CD-03]") {\n}\n')
        (root / "tests/unit/b.mjs").write_text("// '[EF-1]'\nexport const checks = { 'x [EF-2]': 0 };\n")
        expect = lambda what, ok: None if ok else sys.exit(f"self-test: {what}")
        table, missing, counts, faults = trace(root, ["AB", "EF"])
        expect("a rule with neither", faults == ["EF-1 (choice) has neither a test nor a deviation"] and missing == ["EF-1"])
        expect("the place of a test", table["AB-CD-03"][2] == ["tests/unit/a_test.cpp:3"])
        expect("a name of a script", table["EF-2"][2] == ["tests/unit/b.mjs:2"])
        expect("a deviation", table["AB-02"][2] == ["deviation from RFC 1 §3"] and counts["AB"] == [2, 1, 1])
        expect("open families", trace(root, ["AB"])[3] == [])
        expect("a family that is none", trace(root, ["A"])[3] == ["A: no rule begins so"])
        test.write_text(test.read_text() + 'TEST_CASE("x", "[AB-09][vectors]") {}\n')
        expect("an unknown rule", trace(root, [])[3] == ["tests/unit/a_test.cpp:7: there is no rule AB-09"])
        (root / "docs/rules/b.tsv").write_text("AB-01\tchoice\nno rule\n")
        expect("bad lines", len(trace(root, [])[3]) == 3)
    print("self-test passed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent)
    parser.add_argument("--missing", action="store_true", help="print only rules that nothing bears")
    parser.add_argument("--summary", action="store_true", help="print only the counts of families")
    parser.add_argument("--complete", action="append", default=[], metavar="FAMILY", help="fail for a missing rule of it, too")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    complete = COMPLETE + arguments.complete
    table, missing, counts, faults = trace(arguments.root, complete)
    print_trace(table, missing, counts, complete, arguments.missing, arguments.summary)
    if faults:
        sys.exit("\n".join(["", *faults]))
    return None


if __name__ == "__main__":
    main()
