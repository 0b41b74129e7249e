#!/usr/bin/env python3
"""Lays the plugin out as a Godot project wants it, and packs it for those who download it.

    make_addon.py --folder ADDON_FOLDER --zip OUTPUT --version VERSION --strip PROGRAM --library TEMPLATE.in=TAGS=LIBRARY...
                  FILE...

ADDON_FOLDER becomes .../addons/pollrtc; the archive holds the same under addons/pollrtc. TEMPLATE tells one of the engines of
LIBRARY; TAGS are the engine's feature tags of it ("linux.x86_64"). Each FILE is copied as it is.
"""
import argparse
import pathlib
import shutil
import subprocess
import zipfile

SAME_TIME = (2020, 1, 1, 0, 0, 0)  # the archive depends on its content alone


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--zip", type=pathlib.Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--strip", required=True)
    parser.add_argument("--library", action="append", required=True)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()

    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    for words in options.library:
        template, tags, library = words.split("=")
        template, library = pathlib.Path(template), pathlib.Path(library)
        shutil.copy(library, options.folder / library.name)
        subprocess.run([options.strip, "--strip-unneeded", str(options.folder / library.name)], check=True)
        text = template.read_text(encoding="utf-8")
        for mark, value in {"@TAGS@": tags, "@LIBRARY@": library.name, "@VERSION@": options.version,
                            "@PATH@": f"res://addons/pollrtc/{library.name}"}.items():
            text = text.replace(mark, value)
        (options.folder / template.stem).write_text(text, encoding="utf-8")
    for file in options.files:
        shutil.copy(file, options.folder / file.name)
    with zipfile.ZipFile(options.zip, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(options.folder.iterdir()):
            entry = zipfile.ZipInfo(f"addons/pollrtc/{file.name}", SAME_TIME)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
