#!/usr/bin/env python3
"""Checks what the library's objects define and refer to, with nm: no exceptions, no RTTI, no threads, no ambient time or
randomness, no writable globals. What a header smuggles in past check_layers.py shows here.

Usage: check_objects.py [--unoptimised] LIBRARY... | FOLDER     (a folder is searched for the rooms' and the shared library)
       check_objects.py --self-test --compiler "c++ ..."
Environment: NM names another nm.
"""

import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

# Where the operating system is met: it alone may ask for the time and for randomness.
OS_ROOMS = {"net"}

# pattern of an undefined symbol, what is wrong with it, rooms that may refer to it
REFERENCES = [
    (r"__cxa_(throw|rethrow|begin_catch|allocate_exception)|__gxx_personality_v0", "exceptions", set()),
    (r"__dynamic_cast|_ZTI.*|_ZTVN10__cxxabiv1.*", "RTTI", set()),
    (r"pthread_create|thrd_create|_ZNSt6thread.*", "threads", set()),
    (r"pthread_mutex_lock|pthread_once|__cxa_guard_acquire", "locks, or statics made on first use", set()),
    (r"clock_gettime|gettimeofday|time|clock|timespec_get|ftime|_ZNSt6chrono3_V21[0-9](system|steady)_clock3nowEv",
     "the system's clock", OS_ROOMS),
    (r"nanosleep|clock_nanosleep|usleep|sleep", "sleeping", OS_ROOMS),
    (r"rand|random|srand|srandom|rand_r|drand48|getrandom|getentropy|arc4random\w*|_ZNSt13random_device.*",
     "randomness that Environment did not give", OS_ROOMS),
    (r"malloc|calloc|realloc|strdup|_Znwm|_Znam|_Znwj|_Znaj", "memory that Environment did not give", {"sdp", "peer", "api"}),
]
REFERENCES = [(re.compile(pattern), what, rooms) for pattern, what, rooms in REFERENCES]

DEFINED_TYPEINFO = re.compile(r"_ZT[IS].*")
WRITABLE = re.compile(r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)")
# gcc without optimisation puts constexpr tables of pointers here as well, when their type was deduced.
UNOPTIMISED = re.compile(r"\.data\.rel\.local")
# Our names, but not those of the rooms' own namespaces nor what hides behind a public class.
EXPORTED = re.compile(r"pollrtc_[a-z0-9_]+|_ZNK?7pollrtc(?!3ice|4dtls|4sctp|3sdp|3net|6crypto|6detail)(?!.*4Impl[CD]|.*4Impl\d).*")
# fmt's own buffer can grow into memory of its own; what we give it to write never makes it. A table that is lent to a key of Mbed
# TLS 2.28 comes from Mbed TLS's allocator, which frees it.
MAY_ALLOCATE = ("format.cpp.o", "ec_shortcuts.cpp.o")


def symbols(library):
    """Yields (object file, name, defined section or None)."""
    nm = shlex.split(os.environ.get("NM", "nm"))
    output = subprocess.run([*nm, "--format=sysv", str(library)], check=True, capture_output=True, text=True).stdout
    member = str(library)
    for line in output.splitlines():
        header = re.match(r"(?:Symbols from |Undefined symbols from )?(?:.*\[)?([^\[\]|]+?)\]?:$", line)
        if header:
            member = header.group(1)
            continue
        columns = [column.strip() for column in line.split("|")]
        if len(columns) != 7 or columns[0] == "Name":
            continue
        name, kind, section = columns[0], columns[2], columns[6]
        yield member, name, None if kind in "Uw" and section == "*UND*" else section


def check_exports(library):
    """A shared library shows our names and no others."""
    nm = shlex.split(os.environ.get("NM", "nm"))
    output = subprocess.run([*nm, "-D", "--defined-only", str(library)], check=True, capture_output=True, text=True).stdout
    names = [line.split()[-1].split("@")[0] for line in output.splitlines()]
    faults = [f"{library.name}: exports {name}" for name in names if not EXPORTED.fullmatch(name)]
    return faults if names else [f"{library.name}: exports nothing"]


def check(library, unoptimised=False):
    if ".so" in library.name:
        return check_exports(library)
    match = re.fullmatch(r"libpollrtc_(\w+)\.a", pathlib.Path(library).name)
    room = match.group(1) if match else ""
    faults, seen = [], 0
    for member, name, section in symbols(library):
        seen += 1
        name = name.split("@")[0]
        where = f"{room or library}: {member}"
        if section is None:
            for pattern, what, rooms in REFERENCES:
                allowed = room in rooms or (what.startswith("memory") and member.endswith(MAY_ALLOCATE))
                if pattern.fullmatch(name) and not allowed:
                    faults.append(f"{where}: refers to {name}: {what}")
            continue
        if DEFINED_TYPEINFO.fullmatch(name):
            faults.append(f"{where}: defines {name}: RTTI")
        # Section symbols and the guards of sanitizers start with a dot or two underscores.
        writable = WRITABLE.match(section) and not (unoptimised and UNOPTIMISED.match(section))
        if writable and not name.startswith((".", "__")) and room not in OS_ROOMS:
            faults.append(f"{where}: {name} in {section}: a writable global")
    if seen == 0:
        faults.append(f"{library}: nm shows no symbol")
    return faults


# source, what must be said (None: nothing)
SELF_TEST = {
    "good": ("#include <string_view>\nextern const std::string_view names[];\n"
             "constinit const std::string_view names[] = {\"a\", \"b\"};\nint f(int a) { return a + 1; }\n", None),
    "throw": ("void f(int a) { if (a != 0) throw a; }\n", "exceptions"),
    "catch": ("void g();\nvoid f() { try { g(); } catch (...) {} }\n", "exceptions"),
    "rtti": ("struct A { virtual ~A(); virtual int f(); };\nA::~A() {}\nint A::f() { return 1; }\n", "RTTI"),
    "thread": ("#include <pthread.h>\nvoid* g(void*);\nint f(pthread_t* t) { return pthread_create(t, nullptr, g, nullptr); }\n",
               "threads"),
    "clock": ("#include <time.h>\nint f(timespec* t) { return clock_gettime(CLOCK_MONOTONIC, t); }\n", "clock"),
    "chrono": ("#include <chrono>\nlong f() { return std::chrono::steady_clock::now().time_since_epoch().count(); }\n", "clock"),
    "random": ("#include <cstdlib>\nint f() { return std::rand(); }\n", "randomness"),
    "new": ("int* f() { return new int; }\n", "memory"),
    "global": ("int counter;\nint f() { return ++counter; }\n", "writable global"),
    "static": ("int g();\nint f() { static const int once = g(); return once; }\n", "statics"),
}


def self_test(compiler):
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for case, (source, expected) in SELF_TEST.items():
            path = pathlib.Path(folder) / case
            path.mkdir()
            (path / "a.cpp").write_text(source, encoding="utf-8")
            flags = ["-std=c++20", "-fPIC"] + ([] if expected else ["-fno-exceptions", "-fno-rtti"])
            subprocess.run([*compiler, *flags, "-c", "a.cpp", "-o", "a.o"], cwd=path, check=True)
            subprocess.run(["ar", "rcs", "libpollrtc_ice.a", "a.o"], cwd=path, check=True)
            faults = check(path / "libpollrtc_ice.a")
            if not any(expected in fault for fault in faults) if expected else faults:
                wrong.append(f"{case}: expected {expected!r}, got {faults}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("libraries", nargs="*", type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true", help="check the checker on objects that break each rule")
    parser.add_argument("--unoptimised", action="store_true", help="the libraries were built without optimisation")
    parser.add_argument("--compiler", default="c++", help="for --self-test")
    arguments = parser.parse_args()
    if arguments.self_test:
        count, faults = len(SELF_TEST), self_test(shlex.split(arguments.compiler))
    else:
        libraries = []
        for path in arguments.libraries:
            libraries += sorted([*path.rglob("libpollrtc_*.a"), *path.rglob("libpollrtc.so")]) if path.is_dir() else [path]
        count = len(libraries)
        faults = [fault for library in libraries for fault in check(library, arguments.unoptimised)] if count else ["no library to look at"]
    for fault in faults:
        print(fault)
    print(f"check_objects: {count} objects or libraries, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
