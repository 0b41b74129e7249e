#!/usr/bin/env python3
"""What the documents show is so: their code, their quotations, their links and the files they name.

    documents.py ROOT PROGRAM...      PROGRAM: "docs/guide-game.md:cpp", a document and the label of blocks that are compiled

Of each ```c or ```cpp block in README.md, docs/ and examples/: either its label is one of the programs, or it names a file,
```cpp src/peer/demux.h, in which it stands word for word. Of each relative link: its target is there. Of each `path` in
backticks that begins with a folder of ours: it is there; `*`, `{a,b}`, `<anything>` and NAME stand for what they look like.
"""

import pathlib
import re
import sys

FOLDERS = ("include", "src", "tests", "docs", "examples", "tools", "fuzz", "bench", "godot")


def alternatives(path):
    """a/{b,c}.{h,cpp} as the four paths."""
    braces = re.search(r"\{([^{}]*)\}", path)
    if not braces:
        return [path]
    return [one for part in braces.group(1).split(",")
            for one in alternatives(path[:braces.start()] + part + path[braces.end():])]


def lines_of(text):
    """Without indentation and empty lines, so that a quotation may be shifted."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def stands_in(quotation, source):
    wanted, lines = lines_of(quotation), lines_of(source)
    return bool(wanted) and any(lines[i:i + len(wanted)] == wanted for i in range(len(lines)))


def faults_of(root, document, programs, used):
    name = document.relative_to(root).as_posix()
    text = document.read_text(encoding="utf-8")
    for block in re.finditer(r"^```([^\n`]+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        label, code = block.groups()
        where = f"{name}:{text.count(chr(10), 0, block.start()) + 1}"
        language, _, rest = label.partition(" ")
        if language not in ("c", "cpp", "h", "c++"):
            continue
        if f"{name}:{label}" in programs:
            used.add(f"{name}:{label}")
        elif "/" not in rest:
            yield f"{where}: a block '{label}' that nothing compiles"
        elif not (root / rest).is_file():
            yield f"{where}: quotes {rest}, which is not there"
        elif not stands_in(code, (root / rest).read_text(encoding="utf-8")):
            yield f"{where}: this does not stand in {rest}"
    prose = re.sub(r"^```.*?^```$", lambda block: "\n" * block.group().count("\n"), text, flags=re.MULTILINE | re.DOTALL)
    for link in re.finditer(r"\]\(([^)\s#]+)(#[^)\s]*)?\)", prose):
        if not re.match(r"[a-z]+:", link.group(1)) and not (document.parent / link.group(1)).exists():
            yield f"{name}: a link to {link.group(1)}, which is not there"
    for path in re.findall(rf"`((?:{'|'.join(FOLDERS)})/[^`\s]*)`", prose):
        for one in alternatives(re.sub(r"<[^>]*>|NAME", "*", path)):
            if not any(root.glob(one.rstrip("/"))):
                yield f"{name}: names {one}, which is not there"


def main():
    root, programs = pathlib.Path(sys.argv[1]), set(sys.argv[2:])
    documents = [root / "README.md", *sorted(root.glob("docs/**/*.md")), *sorted(root.glob("examples/**/README.md"))]
    used = set()
    faults = [fault for document in documents for fault in faults_of(root, document, programs, used)]
    faults += [f"no block belongs to the program {program}" for program in sorted(programs - used)]
    print("\n".join(faults) or f"{len(documents)} documents, {len(used)} programs")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
