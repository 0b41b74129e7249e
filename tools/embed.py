#!/usr/bin/env python3
"""Turns a text file into a C++ header with one string constant.

    embed.py INPUT OUTPUT NAME [NAMESPACE]

A raw string literal may be at most 65535 bytes long in some compilers, so the text is cut into pieces.
"""
import sys

PIECE = 8000
MARK = "embedded"


def main():
    source, target, name = sys.argv[1:4]
    namespace = sys.argv[4] if len(sys.argv) > 4 else "pollrtc::tool"
    with open(source, encoding="utf-8") as file:
        text = file.read()
    if f"){MARK}\"" in text:
        sys.exit(f"{source} holds the mark that ends a raw string")
    pieces = [text[i:i + PIECE] for i in range(0, len(text), PIECE)]
    literals = "\n".join(f'    R"{MARK}({piece}){MARK}"' for piece in pieces)
    with open(target, "w", encoding="utf-8") as file:
        file.write("#pragma once\n\n#include <string_view>\n\n"
                   f"namespace {namespace} {{\n\n"
                   f"inline constexpr std::string_view {name} =\n{literals};\n\n}}  // namespace {namespace}\n")


if __name__ == "__main__":
    main()
