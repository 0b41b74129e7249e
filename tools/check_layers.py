#!/usr/bin/env python3
"""Checks the arrows between rooms on the #include lines of include/ and src/, and which vocabulary a room may use.

    include <- base <- crypto <- {ice, dtls, sctp, sdp} <- peer <- api -> net

One include path serves all rooms, so the compiler would accept any arrow; this does not.
Usage: check_layers.py [--root FOLDER] [--self-test]
"""

import argparse
import pathlib
import re
import sys
import tempfile

# What each room may include besides itself and the public headers.
MAY_INCLUDE = {
    "include": set(),
    "base": set(),
    "crypto": {"base"},
    "sdp": {"base", "crypto"},
    "ice": {"base", "crypto"},
    "dtls": {"base", "crypto"},
    "sctp": {"base", "crypto"},
    "peer": {"base", "crypto", "sdp", "ice", "dtls", "sctp"},
    "net": {"base"},  # sockets and clocks know of no protocol
    "api": {"base", "crypto", "sdp", "ice", "dtls", "sctp", "peer", "net"},
}

MBEDTLS_ROOMS = {"crypto", "dtls"}
OS_ROOMS = {"net"}

C_HEADERS = {"stddef.h", "stdint.h"}  # the C door, pollrtc/pollrtc.h, is C
STANDARD_HEADERS = set("""
    algorithm any array atomic barrier bit bitset cassert cctype cerrno cfloat charconv chrono cinttypes climits cmath
    codecvt compare complex concepts condition_variable coroutine csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib
    cstring ctime cuchar cwchar cwctype deque exception execution expected filesystem format forward_list fstream functional
    future initializer_list iomanip ios iosfwd iostream istream iterator latch limits list locale map memory
    memory_resource mutex new numbers numeric optional ostream queue random ranges ratio regex scoped_allocator semaphore
    set shared_mutex source_location span sstream stack stdexcept stop_token streambuf string string_view strstream
    syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray
    variant vector version
    """.split())

# What a processor offers beyond C++: the compiler's headers, not the system's.
PROCESSOR_HEADERS = {"arm_acle.h", "immintrin.h", "nmmintrin.h", "wmmintrin.h"}

# Standard headers that no room may use, with the reason.
BANNED_HEADERS = {
    **dict.fromkeys("thread mutex future condition_variable shared_mutex semaphore barrier latch stop_token atomic".split(),
                    "the library has no threads"),
    **dict.fromkeys("exception stdexcept system_error typeinfo typeindex any".split(), "no exceptions, no RTTI"),
    **dict.fromkeys("iostream fstream sstream iomanip ostream istream locale regex filesystem".split(),
                    "input and output belong to the caller"),
    "random": "randomness comes from Environment",
    "ranges": "clang 14 lacks its views",
    "expected": "gcc 12 lacks it in C++20",
    "source_location": "clang 14 lacks it",
    "format": "gcc 12 lacks it",
}

# std:: names that allocate behind our back, and the rooms of src/ that may use them: descriptions are text, sdp reads them
# and peer keeps them; the doors of api speak the standard library's types.
OWNING_NAMES = {
    **dict.fromkeys(["string", "vector"], {"sdp", "peer", "api"}),
    **dict.fromkeys(["function", "map", "multimap", "unordered_map", "set", "unordered_set", "shared_ptr", "weak_ptr",
                     "make_shared", "unique_ptr", "make_unique", "deque", "list", "to_string"], {"sdp", "api"}),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', re.MULTILINE)
OWNING = re.compile(r"\bstd::(" + "|".join(OWNING_NAMES) + r")\b")
NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def faults_of(room, text, has_file):
    """Yields (line, fault) for one file of a room."""
    line_at = lambda position: text.count("\n", 0, position) + 1
    for match in INCLUDE.finditer(text):
        system, own = match.groups()
        line = line_at(match.start())
        if own is not None:
            target = own.split("/")[0] if "/" in own else None
            if target is None or (target != "pollrtc" and target not in MAY_INCLUDE):
                yield line, f'"{own}": write includes as "room/file.h" or "pollrtc/file.h"'
            elif target not in ("pollrtc", room) and target not in MAY_INCLUDE[room]:
                yield line, f'{room} may not include {target} ("{own}")'
            elif not has_file(own):
                yield line, f'"{own}": no such file'
            continue
        if system in BANNED_HEADERS:
            # net is where the operating system is met; its errors and files may come from there.
            if not (room in OS_ROOMS and system == "system_error"):
                yield line, f"<{system}>: {BANNED_HEADERS[system]}"
        elif room in ("base", "crypto") and system in PROCESSOR_HEADERS:
            pass
        elif system in STANDARD_HEADERS or (room == "include" and system in C_HEADERS):
            pass
        elif system.startswith(("mbedtls/", "psa/")):
            if room not in MBEDTLS_ROOMS:
                yield line, f"{room} may not include Mbed TLS (<{system}>)"
        elif system.startswith("fmt/"):
            if room == "include":
                yield line, f"a public header may not include fmt (<{system}>)"
        elif room not in OS_ROOMS:
            yield line, f"{room} may not include headers of the operating system (<{system}>)"
    if room != "include":
        for match in OWNING.finditer(NO_CODE.sub(blank, text)):
            if room not in OWNING_NAMES[match.group(1)]:
                yield line_at(match.start()), f"{room} may not use {match.group()}: base/memory.h has containers that can fail"


def check(root):
    """Returns the list of faults of a source tree, and how many files were read."""
    has_file = lambda name: (root / "src" / name).is_file() or (root / "include" / name).is_file()
    faults, files = [], 0
    for top in ("include", "src"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".h", ".cpp"):
                continue
            files += 1
            relative = path.relative_to(root)
            room = "include" if top == "include" else relative.parts[1]
            if room not in MAY_INCLUDE:
                faults.append(f"{relative}:1: {room} is no room")
                continue
            for line, fault in faults_of(room, path.read_text(encoding="utf-8"), has_file):
                faults.append(f"{relative}:{line}: {fault}")
    return faults, files


# file, its text, what must be said about it (None: nothing)
SELF_TEST = [
    ("include/pollrtc/good.h", "#include <cstdint>\n#include <string>\n#include \"pollrtc/good.h\"\n", None),
    ("include/pollrtc/tls.h", "#include <mbedtls/ssl.h>\n", "may not include Mbed TLS"),
    ("include/pollrtc/fmt.h", "#include <fmt/core.h>\n", "may not include fmt"),
    ("include/pollrtc/os.h", "#include <sys/socket.h>\n", "operating system"),
    ("include/pollrtc/c.h", "#include <stdint.h>\n", None),
    ("include/pollrtc/c_time.h", "#include <time.h>\n", "operating system"),
    ("src/base/crc.cpp", "#include <nmmintrin.h>\n", None),
    ("src/ice/crc.cpp", "#include <nmmintrin.h>\n", "operating system"),
    ("src/base/c.h", "#include <stdint.h>\n", "operating system"),
    ("include/pollrtc/room.h", '#include "base/bytes.h"\n', "include may not include base"),
    ("src/base/bytes.h", "#include <fmt/core.h>\n// std::string is only spoken of here: \"std::map\"\n", None),
    ("src/base/up.h", '#include "ice/agent.h"\n', "base may not include ice"),
    ("src/base/view.h", "#include <string_view>\nstd::string_view s;\nstd::string t;\n", "base may not use std::string"),
    ("src/crypto/digest.cpp", '#include <mbedtls/md.h>\n#include "base/bytes.h"\n', None),
    ("src/ice/agent.h", '#include "base/bytes.h"\n', None),
    ("src/ice/side.cpp", '#include "sctp/packet.h"\n', "ice may not include sctp"),
    ("src/sctp/packet.h", "  #  include <mbedtls/md.h>\n", "sctp may not include Mbed TLS"),
    ("src/sctp/map.h", "std::map<int, int> m;\n", "sctp may not use std::map"),
    ("src/sctp/time.cpp", "#include <time.h>\n", "operating system"),
    ("src/sctp/thread.cpp", "#include <thread>\n", "no threads"),
    ("src/dtls/session.h", "#include <mbedtls/ssl.h>\nstd::shared_ptr<int> p;\n", "dtls may not use std::shared_ptr"),
    ("src/sdp/text.h", "#include <string>\nstd::string s;\n", None),
    ("src/peer/peer.h", '#include "ice/agent.h"\n#include "net/socket.h"\n', "peer may not include net"),
    ("src/net/socket.h", '#include <sys/socket.h>\n#include "base/bytes.h"\n', None),
    ("src/net/knows.h", '#include "sctp/packet.h"\n', "net may not include sctp"),
    ("src/api/door.cpp", '#include <map>\n#include "net/socket.h"\n#include "peer/peer.h"\nstd::map<int, int> m;\n', None),
    ("src/api/near.cpp", '#include "door.h"\n', "write includes as"),
    ("src/api/gone.cpp", '#include "base/gone.h"\n', "no such file"),
    ("src/attic/old.cpp", "\n", "attic is no room"),
]


def self_test():
    """A tree that breaks each rule once: each must be named, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text, _ in SELF_TEST:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        faults, _ = check(root)
    wrong = []
    for name, _, expected in SELF_TEST:
        said = [fault for fault in faults if fault.startswith(name + ":")]
        if (len(said) != 1 or expected not in said[0]) if expected else said:
            wrong.append(f"{name}: expected {expected!r}, got {said}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--self-test", action="store_true", help="check the checker on a tree that breaks each rule")
    arguments = parser.parse_args()
    if arguments.self_test:
        faults, files = self_test(), len(SELF_TEST)
    else:
        faults, files = check(arguments.root)
        if files == 0:
            faults = [f"{arguments.root}: no source files"]
    for fault in faults:
        print(fault)
    print(f"check_layers: {files} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
