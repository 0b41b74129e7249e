#!/usr/bin/env python3
"""Fails when a fuzz target stands in the folder but not in meson.build, or has no seeds: it would never run.

Usage: check_targets.py FOLDER NAME...
"""

import pathlib
import sys

folder, listed = pathlib.Path(sys.argv[1]), set(sys.argv[2:])
present = {path.stem for path in folder.glob("*.cpp") if "LLVMFuzzerTestOneInput" in path.read_text(encoding="utf-8")}
present.discard("replay_main")
faults = [f"fuzz/{name}.cpp is not listed in fuzz/meson.build" for name in sorted(present - listed)]
faults += [f"fuzz/{name}.cpp is listed but is no target" for name in sorted(listed - present)]
faults += [f"fuzz/corpus/{name}/ has no seed" for name in sorted(present) if not any((folder / "corpus" / name).glob("*"))]
print("\n".join(faults) or f"{len(present)} targets, each listed and with seeds")
sys.exit(1 if faults else 0)
