#!/usr/bin/env python3
"""Examines the tests: makes one small fault after another in the protocol rooms and counts those that a test notices.

    mutation_exam.py --root . --work build-mutants [--rooms sctp,ice,sdp] [--count 200] [--seed 1] [--jobs 2]
    mutation_exam.py --self-test

A mutant is one change in one line of a .cpp file: a comparison moved by one or turned round, a condition inverted, a check
left out, an integer narrowed, a constant off by one, an addition that subtracts. Same seed and sources, same mutants. Each
is compiled, and the programs of TESTS run one after another until one fails. Sources are changed in copies below --work, one
for each job; results are kept in --work/results.jsonl, so that an exam that was stopped goes on where it was.
"""
import argparse
import json
import pathlib
import queue
import random
import re
import shutil
import subprocess
import sys
import threading
import time

# What could notice a fault in a room, the quickest first.
TESTS = {
    'sctp': ['tests/unit/sctp/test_sctp', 'tests/unit/sctp/test_sctp_data', 'tests/sim/test_sim_sctp', 'tests/unit/peer/test_peer',
             'tests/sim/sim_sctp --seeds 60', 'tests/scenario/test_scenarios'],
    'ice': ['tests/unit/ice/test_ice', 'tests/unit/ice/test_turn', 'tests/unit/peer/test_peer', 'tests/scenario/test_scenarios'],
    'sdp': ['tests/unit/sdp/test_sdp', 'tests/unit/peer/test_peer', 'tests/unit/api/test_api_simulated', 'tests/unit/api/test_api'],
}
PATIENCE = 10  # a fault may make a test wait for ever: it gets so many times what it takes without, and a minute at least

# (name, pattern, replacement): each match in a line is a mutant of its own.
FAULTS = [
    ('comparison', r' < ', ' <= '),
    ('comparison', r' <= ', ' < '),
    ('comparison', r' > ', ' >= '),
    ('comparison', r' >= ', ' > '),
    ('equality', r' == ', ' != '),
    ('equality', r' != ', ' == '),
    ('logic', r' && ', ' || '),
    ('logic', r' \|\| ', ' && '),
    ('sign', r' \+ ', ' - '),
    ('sign', r' - ', ' + '),
    ('step', r' \+= ', ' -= '),
    ('verdict', r'\breturn true;', 'return false;'),
    ('verdict', r'\breturn false;', 'return true;'),
    ('constant', r'(?<![\w.])([1-9]\d*)(?=[;,) ])', lambda match: str(int(match[1]) + 1)),
    ('extreme', r'std::min\b', 'std::max'),
    ('extreme', r'std::max\b', 'std::min'),
    ('narrowing', r'static_cast<std::uint32_t>', 'static_cast<std::uint8_t>'),
    ('narrowing', r'static_cast<std::uint16_t>', 'static_cast<std::uint8_t>'),
    ('check left out', r'^( *)(?:else )?if \(.*\) return\b.*;$', r'\1;'),
    ('statement left out', r'^( +)[\w.>()\[\]-]+ = [^;{}]*;$', r'\1;'),
]
# Lines in which a fault means nothing: what is said and not done, and what only the compiler reads.
SKIPPED = re.compile(r'^\s*(//|#|static_assert|POLLRTC_LOG|POLLRTC_ASSERT|using |namespace |template|case |\}|$)')


def negated(code):
    """Each `if (condition)` of the line with its condition turned round."""
    for match in re.finditer(r'\bif \(', code):
        depth = 1
        for end in range(match.end(), len(code)):
            depth += {'(': 1, ')': -1}.get(code[end], 0)
            if depth == 0:
                # What a condition declares must stand outside.
                if ';' not in code[match.end():end] and not re.search(r'\w [*&]?\w+ = ', code[match.end():end]):
                    yield f'{code[:match.end()]}!({code[match.end():end]}){code[end:]}'
                break


def mutants_of(text):
    """(line number, kind of fault, line as it is, line with the fault)"""
    for number, line in enumerate(text.split('\n'), 1):
        if SKIPPED.match(line):
            continue
        code, slashes, comment = line.partition('//')
        for changed in negated(code):
            yield number, 'negation', line, changed + slashes + comment
        for kind, pattern, replacement in FAULTS:
            for match in re.finditer(pattern, code):
                if code[:match.start()].count('"') % 2:
                    continue  # inside of a text
                changed = code[:match.start()] + (replacement(match) if callable(replacement) else match.expand(replacement))
                changed += line[match.end():]
                if changed != line:
                    yield number, kind, line, changed


def all_mutants(root, rooms):
    for room in rooms:
        for path in sorted((root / 'src' / room).glob('*.cpp')):
            for number, kind, line, changed in mutants_of(path.read_text()):
                yield {'room': room, 'file': str(path.relative_to(root)), 'line': number, 'kind': kind,
                       'was': line.strip(), 'is': changed.strip(), 'changed': changed}


def run(command, folder, timeout):
    try:
        return subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout).returncode
    except subprocess.TimeoutExpired:
        return 'timeout'


def judge(mutant, copy, limits):
    """'does not compile', the test that noticed, or None"""
    path = copy / mutant['file']
    whole = path.read_text()
    lines = whole.split('\n')
    lines[mutant['line'] - 1] = mutant['changed']
    path.write_text('\n'.join(lines))
    build = copy / 'build'
    try:
        for test in TESTS[mutant['room']]:
            program, *arguments = test.split()
            if run(['ninja', '-C', 'build', program], copy, 1200) != 0:
                return 'does not compile'
            if run([str(build / program), *arguments], build, limits[test]) != 0:
                return program
        return None
    finally:
        path.write_text(whole)


def prepare(root, copy, options):
    """A copy of the sources that are tracked, with a build folder in which every test passes. Seconds that each may take."""
    copy.mkdir(parents=True, exist_ok=True)
    files = subprocess.run(['git', 'ls-files', '-z'], cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split('\0')):
        source, target = root / name, copy / name
        if not source.is_file() or (target.is_file() and target.read_bytes() == source.read_bytes()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    if not (copy / 'build/build.ninja').is_file():
        subprocess.run(['meson', 'setup', 'build', *options], cwd=copy, check=True, stdout=subprocess.DEVNULL)
    limits = {}
    for test in sorted({test for tests in TESTS.values() for test in tests}):
        program, *arguments = test.split()
        subprocess.run(['ninja', '-C', 'build', program], cwd=copy, check=True, stdout=subprocess.DEVNULL)
        began = time.monotonic()
        if run([str(copy / 'build' / program), *arguments], copy / 'build', 1800) != 0:
            sys.exit(f'mutation_exam: {test} fails without any fault')
        limits[test] = max(60, PATIENCE * (time.monotonic() - began))
    return limits


def examine(arguments):
    root, work = pathlib.Path(arguments.root).resolve(), pathlib.Path(arguments.work).resolve()
    chosen = list(all_mutants(root, arguments.rooms.split(',')))
    known = len(chosen)
    random.Random(arguments.seed).shuffle(chosen)
    chosen = chosen[:arguments.count]
    work.mkdir(parents=True, exist_ok=True)
    record = work / 'results.jsonl'
    done = {}
    if record.is_file():
        for line in record.read_text().splitlines():
            entry = json.loads(line)
            done[json.dumps(entry['mutant'], sort_keys=True)] = entry['noticed']
    waiting, lock = queue.Queue(), threading.Lock()
    results = []
    for mutant in chosen:
        key = json.dumps(mutant, sort_keys=True)
        if key in done:
            results.append((mutant, done[key]))
        else:
            waiting.put(mutant)

    def work_on(copy, limits):
        while True:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            noticed = judge(mutant, copy, limits)
            with lock:
                results.append((mutant, noticed))
                with record.open('a') as file:
                    file.write(json.dumps({'mutant': mutant, 'noticed': noticed}) + '\n')
                said = f"SURVIVED {mutant['kind']}: {mutant['was']}  ->  {mutant['is']}" if noticed is None else noticed
                print(f"{len(results):4} {mutant['file']}:{mutant['line']} {said}", flush=True)

    copies = [work / str(number) for number in range(arguments.jobs)]
    options = ['-Doptimization=1', '-Ddebug=false', '-Dasserts=true', '-Dtests=true', '-Dtools=true']
    limits = [prepare(root, copy, options) for copy in copies] if not waiting.empty() else []
    threads = [threading.Thread(target=work_on, args=pair) for pair in zip(copies, limits)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report(results, known)


def report(results, known):
    compiled = [(mutant, noticed) for mutant, noticed in results if noticed != 'does not compile']
    survivors = [mutant for mutant, noticed in compiled if noticed is None]
    for mutant in sorted(survivors, key=lambda m: (m['file'], m['line'])):
        print(f"survived: {mutant['file']}:{mutant['line']} ({mutant['kind']})\n    {mutant['was']}\n    {mutant['is']}")
    killed = len(compiled) - len(survivors)
    share = 100 * killed / len(compiled) if compiled else 0
    print(f'{len(results)} of {known} possible mutants; {len(results) - len(compiled)} do not compile; '
          f'{killed} of {len(compiled)} noticed: {share:.1f} %')
    return 0 if compiled else 1


def self_test():
    found = {(kind, changed.strip()) for _, kind, _, changed in mutants_of(
        '  if (size < limit) return false;\n  // a < b\n  total += size + 4;\n  say("a < b");\n  static_assert(a < b);\n  used = 1;')}
    expected = {
        ('comparison', 'if (size <= limit) return false;'), ('verdict', 'if (size < limit) return true;'),
        ('negation', 'if (!(size < limit)) return false;'), ('check left out', ';'), ('step', 'total -= size + 4;'),
        ('sign', 'total += size - 4;'), ('constant', 'total += size + 5;'), ('constant', 'used = 2;'), ('statement left out', ';'),
    }
    if found != expected:
        print('missing:', expected - found, '\nunexpected:', found - expected)
        return 1
    print('mutation_exam: ok')
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--root', default='.')
    parser.add_argument('--work', default='build-mutants')
    parser.add_argument('--rooms', default=','.join(TESTS))
    parser.add_argument('--count', type=int, default=200)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--self-test', action='store_true')
    arguments = parser.parse_args()
    unknown = set(arguments.rooms.split(',')) - set(TESTS)
    if unknown:
        parser.error(f'no such room: {", ".join(sorted(unknown))}')
    return self_test() if arguments.self_test else examine(arguments)


if __name__ == '__main__':
    sys.exit(main())
