#!/usr/bin/env python3
"""Puts the program of a document together from its pieces, in order.

    doc_program.py DOCUMENT LABEL OUTPUT [MOST_LINES]

The pieces are the blocks fenced with ```LABEL: "cpp", "c", or, where a document has several programs in a language, "cpp NAME".
A compiler's complaint names the line of the document. A block whose label has a path behind the language is a quotation, which
tests/checks/documents.py holds to its source.
"""

import re
import sys


def main():
    document, label, output = sys.argv[1:4]
    with open(document, encoding="utf-8") as text:
        text = text.read()
    program = ""
    for block in re.finditer(r"^```([^\n`]+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if block.group(1) == label:
            first = text.count("\n", 0, block.start(2)) + 1
            program += f'#line {first} "{document.split("/")[-1]}"\n{block.group(2)}'
    if " main(" not in program:
        sys.exit(f"the blocks of {document} labelled '{label}' are no program: main() is missing")
    lines = sum(not line.startswith("#line ") for line in program.splitlines())
    if len(sys.argv) > 4 and lines > int(sys.argv[4]):
        sys.exit(f"the program of {document} has {lines} lines; it promises at most {sys.argv[4]}")
    with open(output, "w", encoding="utf-8") as file:
        file.write(program)


if __name__ == "__main__":
    main()
