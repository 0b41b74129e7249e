#!/usr/bin/env python3
"""Our headers as Doxygen wants them, so that nothing stands in them that only Doxygen reads.

    doxygen_filter.py HEADER      prints it

The comment at the top is the file's. A comment on lines of its own belongs to what follows it; one behind code, with the lines
below it that begin at the same column, to what stands before it, all names of it. One that ends with a colon belongs to all that
follows up to an empty line, except what has its own. A function for C without a comment is its namesake of the C++ class.
Tables of names (POLLRTC_DROPS) become what they are expanded to. Comparisons and what is deleted are left out.
"""

import re
import sys

# Code, then a comment that begins outside of string literals.
TRAILING = re.compile(r'^((?:[^"/]|"(?:[^"\\]|\\.)*"|/(?![/*]))*\S)(\s*)(//|/\*)(?!/)(.*)$')
ROW = re.compile(r'X\((\w+), "(.*?)"\)')
C_FUNCTION = re.compile(r"^POLLRTC_C_API [^;]*?\bpollrtc_(connection|channel|multiplayer)_(\w+)\(", re.DOTALL)
CLASSES = {"connection": "PeerConnection", "channel": "DataChannel", "multiplayer": "MultiplayerPeer"}
NAMESAKES = {"create_channel": "create_data_channel", "get_state": "get_connection_state",
             "get_time_to_next_deadline_us": "get_time_to_next_deadline"}
LEFT_OUT = re.compile(r"\boperator(==|<=>)\(|= delete;|^\s*#\s*(define|undef) X\b")


DECLARATION = re.compile(r"^(\s*)((?:const |static |constexpr )*[\w:]+(?:<.*>)? )([^()]+,[^()]+);$")


def one_by_one(code):
    """`int a, b;` as the two declarations it is, since a comment is for both."""
    found = DECLARATION.match(code)
    if not found or found.group(2).strip() in ("using", "return", "template"):
        return [code]
    return [f"{found.group(1)}{found.group(2)}{name.strip()};" for name in found.group(3).split(",")]


def tables_of(text):
    return {name: ROW.findall(rows)
            for name, rows in re.findall(r"^#define (POLLRTC_\w+)\(X\)((?:.*\\\n)+.*\n)", text, re.MULTILINE)}


class Filter:
    def __init__(self, text):
        text = re.sub(r"^(\s+[\w:<>]+ \w+ = \w+,)\n\s+", r"\1 ", text, flags=re.MULTILINE)  # names on a line of their own
        self.lines, self.tables = text.split("\n"), tables_of(text)
        self.out, self.comment, self.is_grouped, self.is_documented = [], [], False, False

    def comment_at(self, i, column, is_block):
        """The lines of a comment that begins at `column`, without marks, and the line after it."""
        texts, first = [], self.lines[i][column + 2:]
        if is_block:
            while "*/" not in first:
                texts.append(first)
                i += 1
                first = re.sub(r"^\s*\*(?!/)", "", self.lines[i])
            texts.append(first.split("*/")[0])
            return texts, i + 1
        texts.append(first)
        while i + 1 < len(self.lines) and re.match(rf"^ {{{column}}}//", self.lines[i + 1]):
            i += 1
            texts.append(self.lines[i][column + 2:])
        return texts, i + 1

    def write(self, indent, texts, mark="///"):
        for text in texts:
            code = "  " if text.startswith("   ") else ""  # what is indented is code, which Markdown wants by four
            self.out.append((" " * indent + mark + code + ("" if text.startswith(" ") else " ") + text).rstrip())

    def end_group(self):
        if self.is_grouped:
            self.out.append("///@}")
        self.is_grouped = False

    def has_trailing_comment(self, i):
        while ";" not in self.lines[i]:
            i += 1
        return "/*" in self.lines[i]

    def write_code(self, i):
        """One line of code, or the declaration of a function that goes on."""
        line = self.lines[i]
        if found := re.match(r"^\s*(POLLRTC_\w+)\(X\)", line):
            self.out += [f"{name}, ///< {meaning}" for name, meaning in self.tables[found.group(1)]]
            return i + 1
        if line.startswith("POLLRTC_C_API ") and not self.is_documented and not self.has_trailing_comment(i):
            found = C_FUNCTION.match("\n".join(self.lines[i:i + 4]))
            if found and found.group(2) not in ("create", "destroy"):
                name = NAMESAKES.get(found.group(2), found.group(2))
                self.write(0, [f" As @ref pollrtc::{CLASSES[found.group(1)]}::{name}."])
        if found := re.match(r"^typedef (enum|struct) (\w+)( POLLRTC_ENUM)? \{", line):
            line = f"{found.group(1)} {found.group(2)} {{"
        if re.match(r"^\} pollrtc_\w+;", line):
            line = "};"
        self.out.append(line)
        return i + 1

    def run(self):
        i, is_top = 0, True
        while i < len(self.lines):
            line = self.lines[i]
            stripped = line.lstrip()
            indent = len(line) - len(stripped)
            if not stripped or stripped.startswith("}"):
                self.end_group()
            if re.match(r"^#define POLLRTC_\w+\(X\)", line):
                while self.lines[i].endswith("\\"):
                    i += 1
                i += 1
                continue
            if stripped.startswith(("//", "/*")):
                texts, i = self.comment_at(i, indent, stripped.startswith("/*"))
                if is_top:
                    self.out.append("/// @file")
                elif texts[-1].rstrip().endswith(":"):
                    self.end_group()
                    self.out.append("///@{")
                    self.is_grouped = True
                if re.match(r"\s*---", texts[0]):
                    texts = []
                before = len(self.out)
                self.write(indent, texts)
                self.comment = self.out[before:]
                self.is_documented, is_top = bool(texts), False
                continue
            found = TRAILING.match(line) if not stripped.startswith("#") else None
            if LEFT_OUT.search(line):
                if line.endswith("{"):
                    while self.lines[i] != " " * indent + "}":
                        i += 1
                i += 1
            elif found:
                column = len(found.group(1) + found.group(2))
                texts, after = self.comment_at(i, column, found.group(3) == "/*")
                for code in one_by_one(found.group(1)):
                    self.lines[i] = code
                    self.write_code(i)
                    self.out[-1] += " ///<" + texts[0]
                    self.write(column, texts[1:], "///<")
                self.is_documented = False
                i = after
            elif len(one_by_one(line)) > 1:
                above = self.comment
                for code in one_by_one(line):
                    if self.out and self.is_documented and code != one_by_one(line)[0]:
                        self.out += above
                    self.out.append(code)
                self.is_documented = False
                i += 1
            else:
                i = self.write_code(i)
                self.is_documented = self.is_documented and not re.search(r"[;{}]$", self.out[-1])
        return "\n".join(self.out) + "\n"


def main():
    with open(sys.argv[1], encoding="utf-8") as header:
        sys.stdout.write(Filter(header.read()).run())


if __name__ == "__main__":
    main()
