#!/usr/bin/env python3
"""Examines the tests: makes one small fault after another in the rooms of the library and counts those that a test notices.

    mutation_exam.py --root . --work build-mutants [--rooms sctp,ice,...] [--count 240] [--seed 1] [--jobs 2] [--again]
    mutation_exam.py --self-test

A fault is one change in a .cpp file (mutation_faults.py): a comparison moved by one or turned round, a condition inverted, a
check left out, an integer narrowed, a constant off by one, an addition that subtracts. The sample goes by --seed and by the
words of the faults, so that it stays what it is while other lines change. All faults of a sample are compiled into one build,
each behind a switch (mutation_switch.h); those for which that cannot be are built one by one. Every test program runs once
without a fault, which says how long it takes and which switches it comes by; a fault is then tried with the programs that come
by it, the quickest first, until one fails. Results are kept in --work/results.jsonl, so that an exam that was stopped goes on;
--again tries once more what nothing noticed. A fault that changes nothing that could be seen stands in
equivalent_faults.tsv beside this file, with the reason. Below --at-least percent the exam is failed.
"""
import argparse
import collections
import hashlib
import json
import os
import pathlib
import queue
import re
import resource
import shutil
import subprocess
import sys
import threading
import time

import mutation_faults

ROOMS = ('sctp', 'ice', 'sdp', 'peer', 'dtls', 'base')
SUITES = ('unit', 'scenario', 'sim', 'fuzz')
# Those with real sockets and a real clock, which could fail for reasons of their own.
REAL_TIME = re.compile(r'unit (net|tools|api(?! simulated| heap| key))|the .* example')
OPTIONS = ('-Doptimization=1', '-Ddebug=false', '-Dasserts=true', '-Dtests=true', '-Dtools=true')
PATIENCE = 6  # a fault may make a test go on for ever: it gets so many times the work that it takes without one
MEMORY = 3 << 30

# A program of the tests: how it is called, the seconds of processor time that it takes, the faults that it comes by.
Program = collections.namedtuple('Program', 'name target command folder seconds reached')


def sample(root, rooms, count, seed):
    """The faults that are tried, and how many there are in all."""
    faults = []
    for room in rooms:
        for path in sorted((root / 'src' / room).glob('*.cpp')):
            seen = collections.Counter()
            for fault in mutation_faults.faults_of(path.read_text()):
                words = (str(path.relative_to(root)), fault['kind'], fault['was'], fault['is'])
                seen[words] += 1
                fault.update(room=room, file=words[0], key='\t'.join(words + (str(seen[words]),)))
                faults.append(fault)
    faults.sort(key=lambda fault: hashlib.sha256(f"{seed}\t{fault['key']}".encode()).digest())
    return faults[:count], len(faults)


def limited(seconds):
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return limit


def passes(program, environment, seconds):
    """Whether it ends well with so much processor time. What waits without working is ended too."""
    try:
        return subprocess.run(program.command, cwd=program.folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60 + 20 * seconds,
                              preexec_fn=limited(seconds)).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def build(tree, targets, keep_going=False):
    """None, or what the compiler said."""
    command = ['ninja', '-C', 'build', '-j', str(os.cpu_count()), *(['-k', '0'] if keep_going else []), *targets]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    return done.stdout if done.returncode else None


def copy_sources(root, tree):
    """The sources that are tracked; of those that are there already only what has changed."""
    names = subprocess.run(['git', 'ls-files', '-z'], cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split('\0')):
        source, target = root / name, tree / name
        if target.is_file() and re.fullmatch(r'src/\w+/\w+\.cpp', name):
            continue  # Tree.switch_all() writes it
        if source.is_file() and not (target.is_file() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    shutil.copy(pathlib.Path(__file__).parent / 'mutation_switch.h', tree / 'mutation_switch.h')
    if not (tree / 'build/build.ninja').is_file():
        strict = ['-Dwerror=true'] if os.environ.get('CI') == 'true' else []
        subprocess.run(['meson', 'setup', 'build', *OPTIONS, *strict], cwd=tree, check=True, stdout=subprocess.DEVNULL)


class Tree:
    """A copy of the sources in which faults are made."""

    def __init__(self, root, tree):
        self.root, self.tree = root, tree

    def write(self, name, text):
        path = self.tree / name
        if path.read_text() != text:
            path.write_text(text)

    def write_switched(self, name, faults):
        text = mutation_faults.switched((self.root / name).read_text(), faults)
        self.write(name, mutation_faults.quiet(text, name, self.tree / 'mutation_switch.h') if faults else text)

    def write_alone(self, fault):
        text = mutation_faults.alone((self.root / fault['file']).read_text(), fault)
        self.write(fault['file'], mutation_faults.quiet(text, fault['file'], self.tree / 'mutation_switch.h'))

    def switch_all(self, faults):
        """Compiles them all; returns those that stand behind a switch, and those for which that cannot be."""
        by_file, others = collections.defaultdict(list), []
        kept = self.tree.parent / 'alone.json'
        known = set(json.loads(kept.read_text())) if kept.is_file() else set()
        for fault in faults:
            apart = not fault['constant'] and fault['key'] not in known and all(fault['end'] <= other['start'] or other['end'] <= fault['start'] for other in by_file[fault['file']])
            (by_file[fault['file']] if apart else others).append(fault)
        for path in (self.tree / 'src').glob('*/*.cpp'):
            self.write_switched(str(path.relative_to(self.tree)), by_file.get(str(path.relative_to(self.tree)), []))
        libraries = [f'src/{room}/libpollrtc_{room}.a' for room in ROOMS]
        while (said := build(self.tree, libraries, keep_going=True)) is not None:
            errors = collections.defaultdict(set)
            for match in re.finditer(r'^(?:\.\./)?(src/\w+/\w+\.cpp):(\d+):\d+: error', said, re.M):
                errors[match[1]].add(int(match[2]))
            if not errors:
                sys.exit(f'mutation_exam: does not build\n{said[-4000:]}')
            for name, lines in errors.items():
                text = (self.root / name).read_text()
                failing = [f for f in by_file[name] if any(
                    text.count('\n', 0, f['start']) < line <= text.count('\n', 0, f['end']) + 1 for line in lines)]
                failing = failing or by_file[name]
                if not failing:
                    sys.exit(f'mutation_exam: {name} does not compile\n{said[-4000:]}')
                others += failing
                by_file[name] = [f for f in by_file[name] if f not in failing]
                self.write_switched(name, by_file[name])
        kept.write_text(json.dumps(sorted(known | {fault['key'] for fault in others})))
        return [fault for faults_of_file in by_file.values() for fault in faults_of_file], others


def tests_of(tree, pattern):
    """(name, target, command, folder) of the test programs whose name matches."""
    said = subprocess.run(['meson', 'introspect', '--tests', 'build'], cwd=tree, check=True, capture_output=True, text=True).stdout
    for test in json.loads(said):
        path = pathlib.Path(test['cmd'][0])
        if path.is_relative_to(tree / 'build') and any(suite.split(':')[-1] in SUITES for suite in test['suite']):
            if re.search(pattern, test['name']) and not REAL_TIME.match(test['name']):
                yield test['name'], str(path.relative_to(tree / 'build')), test['cmd'], test.get('workdir') or str(tree / 'build')


def programs_of(tree, work, switched, pattern):
    """Test programs, the quickest first, after a run without a fault. What one said is good for as long as it is the same."""
    tests = list(tests_of(tree, pattern))
    if (said := build(tree, [target for _, target, _, _ in tests])) is not None:
        sys.exit(f'mutation_exam: the tests do not build\n{said[-4000:]}')
    by_id = {fault['id']: fault['key'] for fault in switched}
    kept = work / 'programs.json'
    known = json.loads(kept.read_text()) if kept.is_file() else {}
    programs = []
    for name, target, command, folder in tests:
        content = (tree / 'build' / target).read_bytes()
        command = [*command, *(['--abort'] if b'Catch' in content else [])]
        digest = hashlib.sha256(content + repr(command).encode()).hexdigest()
        if digest not in known:
            log = work / 'reached.txt'
            log.unlink(missing_ok=True)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            if not passes(Program(name, target, command, folder, 0, ()), {'POLLRTC_FAULTS_REACHED': str(log)}, 1800):
                sys.exit(f'mutation_exam: {name} fails without any fault')
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            known[digest] = [after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime,
                             sorted(map(int, log.read_text().split())) if log.is_file() else []]
            kept.write_text(json.dumps(known))
        seconds, reached = known[digest]
        print(f'{seconds:7.1f} s  {len(reached):4} faults  {name}', flush=True)
        programs.append(Program(name, target, command, folder, seconds, frozenset(by_id[n] for n in reached if n in by_id)))
    return sorted(programs, key=lambda p: p.seconds)


def first_to_notice(programs, environment, dearest):
    """The name of the program that fails, or None; those that take longer than `dearest` seconds are left out."""
    for program in programs:
        if program.seconds <= dearest and not passes(program, environment, int(3 + PATIENCE * program.seconds)):
            return program.name
    return None


class Exam:
    def __init__(self, arguments):
        self.arguments = arguments
        self.work = pathlib.Path(arguments.work).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.record = self.work / 'results.jsonl'
        self.lock = threading.Lock()
        self.results = {}
        root = pathlib.Path(arguments.root).resolve()
        self.tree = Tree(root, self.work / 'tree')
        self.faults, self.known = sample(root, arguments.rooms.split(','), arguments.count, arguments.seed)
        for number, fault in enumerate(self.faults):
            fault['id'] = number

    def note(self, fault, noticed):
        with self.lock:
            self.results[fault['key']] = noticed
            with self.record.open('a') as file:
                file.write(json.dumps({'key': fault['key'], 'noticed': noticed}) + '\n')
            said = f"SURVIVED {fault['kind']}: {fault['was']}  ->  {fault['is']}" if noticed is None else noticed
            print(f"{len(self.results):4} {fault['file']}:{fault['line']} {said}", flush=True)

    def earlier(self):
        if not self.record.is_file():
            return
        for line in self.record.read_text().splitlines():
            entry = json.loads(line)
            self.results[entry['key']] = entry['noticed']
        wanted = {fault['key'] for fault in self.faults}
        self.results = {key: noticed for key, noticed in self.results.items()
                        if key in wanted and not (self.arguments.again and noticed is None)}

    def run(self):
        self.earlier()
        waiting = [fault for fault in self.faults if fault['key'] not in self.results]
        if waiting:
            copy_sources(self.tree.root, self.tree.tree)
            switched, others = self.tree.switch_all(self.faults)
            print(f'{len(switched)} faults behind switches, {len(others)} alone', flush=True)
            programs = programs_of(self.tree.tree, self.work, switched, self.arguments.programs)
            reached = frozenset().union(*(program.reached for program in programs))
            waiting = [fault for fault in switched if fault['key'] not in self.results]
            self.try_switched([fault for fault in waiting if fault['key'] in reached], programs)
            # What nobody comes by may be what the compiler has worked out.
            for fault in others + [fault for fault in waiting if fault['key'] not in reached]:
                if fault['key'] not in self.results:
                    self.try_alone(fault, programs)
        return report(self.faults, self.results, self.known, self.arguments.at_least)

    def try_switched(self, switched, programs):
        waiting = queue.Queue()
        for fault in switched:
            waiting.put(fault)

        def work_on():
            while True:
                try:
                    fault = waiting.get_nowait()
                except queue.Empty:
                    return
                those = [program for program in programs if fault['key'] in program.reached]
                noticed = first_to_notice(those, {'POLLRTC_FAULT': str(fault['id'])}, self.arguments.dearest)
                self.note(fault, noticed)

        threads = [threading.Thread(target=work_on) for _ in range(self.arguments.jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def try_alone(self, fault, programs):
        neighbours = {f['key'] for f in self.faults if f['file'] == fault['file'] and f is not fault}
        those = [program for program in programs if program.reached & neighbours] or programs
        self.tree.write_alone(fault)
        noticed = None
        if build(self.tree.tree, [f"src/{fault['room']}/libpollrtc_{fault['room']}.a"]) is not None:
            noticed = 'does not compile'
        for program in those:
            if noticed is None and program.seconds <= self.arguments.dearest:
                noticed = 'does not compile' if build(self.tree.tree, [program.target]) is not None else first_to_notice(
                    [program], {}, self.arguments.dearest)
        self.note(fault, noticed)
        self.tree.write(fault['file'], (self.tree.root / fault['file']).read_text())


def equivalent_faults():
    """The keys of those that change nothing that could be seen."""
    lines = (pathlib.Path(__file__).parent / 'equivalent_faults.tsv').read_text().splitlines()[1:]
    return {'\t'.join(line.split('\t')[:5]) for line in lines if line}


def report(faults, results, known, at_least):
    equivalent = equivalent_faults()
    rooms = collections.defaultdict(collections.Counter)
    for fault in sorted(faults, key=lambda f: (f['file'], f['line'])):
        noticed = results.get(fault['key'])
        outcome = 'noticed'
        if noticed == 'does not compile':
            outcome = noticed
        elif noticed is None:
            outcome = 'equivalent' if fault['key'] in equivalent else 'survived'
        if outcome == 'survived':
            print(f"survived: {fault['file']}:{fault['line']} ({fault['kind']})\n    {fault['was']}\n    {fault['is']}")
        for room in (fault['room'], 'all'):
            rooms[room][outcome] += 1
    print(f'{len(faults)} of {known} possible faults')
    share = 0.0
    for room in (*ROOMS, 'all'):
        of = rooms[room]['noticed'] + rooms[room]['survived']
        share = 100 * rooms[room]['noticed'] / of if of else 100.0
        if rooms[room]:
            print(f"{room:6} {rooms[room]['noticed']:4} of {of:4} noticed: {share:5.1f} %   "
                  f"({rooms[room]['equivalent']} equivalent, {rooms[room]['does not compile']} do not compile)")
    return 0 if share >= at_least else 1


def self_test():
    text = ('int f() {\n  if (size < limit &&\n      !full) return false;\n  // a < b\n  total += size + 4;\n  say("a < b");\n'
            '  static_assert(a < b);\n  used = 1;\n  return static_cast<std::uint16_t>(a) << 8;\n}\n')
    found = {(fault['kind'], text[fault['start']:fault['end']], fault['changed']) for fault in mutation_faults.faults_of(text)}
    condition = 'size < limit &&\n      !full'
    expected = {
        ('comparison', 'size < limit ', 'size <= limit '), ('logic', condition, 'size < limit ||       !full'),
        ('negation', condition, '!(size < limit &&       !full)'), ('check left out', condition, 'false'),
        ('verdict', 'false', 'true'), ('step', 'total += size + 4', 'total -= size + 4'), ('sign', 'size + 4', 'size - 4'),
        ('constant', 'size + 4', 'size + 5'), ('constant', '1', '2'), ('constant', 'static_cast<std::uint16_t>(a) << 8', 'static_cast<std::uint16_t>(a) << 9'),
        ('statement left out', 'used = 1', 'static_cast<void>(0)'),
        ('narrowing', 'static_cast<std::uint16_t>(a) << 8', 'static_cast<std::uint16_t>(static_cast<std::uint8_t>(a)) << 8'),
    }
    if found != expected:
        print('missing:', *(expected - found), 'unexpected:', *(found - expected), sep='\n  ')
        return 1
    faults = [dict(fault, id=7) for fault in mutation_faults.faults_of(text) if fault['kind'] == 'verdict']
    if 'return (::mutation::on(7) ? (true) : (false));' not in mutation_faults.switched(text, faults):
        print('wrong:', mutation_faults.switched(text, faults))
        return 1
    print('mutation_exam: ok')
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--root', default='.')
    parser.add_argument('--work', default='build-mutants')
    parser.add_argument('--rooms', default=','.join(ROOMS))
    parser.add_argument('--count', type=int, default=240)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--again', action='store_true', help='try once more what nothing noticed')
    parser.add_argument('--programs', default='', help='only test programs whose names match')
    parser.add_argument('--dearest', type=float, default=1e9, help='leave out programs that take more seconds')
    parser.add_argument('--at-least', type=float, default=90.0, help='percent that must be noticed')
    parser.add_argument('--list', action='store_true', help='only say which faults would be made')
    parser.add_argument('--self-test', action='store_true')
    arguments = parser.parse_args()
    if unknown := set(arguments.rooms.split(',')) - set(ROOMS):
        parser.error(f'no such room: {", ".join(sorted(unknown))}')
    if arguments.self_test:
        return self_test()
    exam = Exam(arguments)
    if arguments.list:
        for fault in exam.faults:
            print(f"{fault['file']}:{fault['line']} {fault['kind']}\n    {fault['was']}\n    {fault['is']}")
        return 0
    began = time.monotonic()
    status = exam.run()
    print(f'{time.monotonic() - began:.0f} s')
    return status


if __name__ == '__main__':
    sys.exit(main())
