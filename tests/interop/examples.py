#!/usr/bin/env python3
"""Runs examples/offer and examples/answer against each other, pasting what each prints into the other.

    examples.py OFFER ANSWER
"""
import subprocess
import sys


def start(program):
    return subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def description(process):
    text = b""
    for line in process.stdout:
        text += line
        if not line.strip():
            return text
    sys.exit("a program ended before its description did")


def main():
    offer, answer = start(sys.argv[1]), start(sys.argv[2])
    try:
        for source, target in ((offer, answer), (answer, offer)):
            target.stdin.write(description(source))
            target.stdin.flush()
        said = [process.communicate(timeout=20)[0].decode().strip() for process in (offer, answer)]
    finally:
        for process in (offer, answer):
            if process.poll() is None:
                process.kill()
    print(said, offer.returncode, answer.returncode)
    assert said == ["they say: yes, on the channel chat", "they say: hello, is somebody there?"]
    assert (offer.returncode, answer.returncode) == (0, 0)


if __name__ == "__main__":
    main()
