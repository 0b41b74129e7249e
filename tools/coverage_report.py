#!/usr/bin/env python3
"""One line for each room and one for all of them: lines and branches that ran. Fails below the percentages that are wanted.

    coverage_report.py SUMMARY LINES BRANCHES      SUMMARY is what `gcovr --json-summary` writes
"""
import collections
import json
import pathlib
import sys

FIGURES = ('line_covered', 'line_total', 'branch_covered', 'branch_total')


def main(summary, *least):
    rooms = collections.defaultdict(lambda: [0, 0, 0, 0])
    for file in json.loads(pathlib.Path(summary).read_text())['files']:
        for name in (file['filename'].split('/')[1], 'all'):
            rooms[name] = [a + file[figure] for a, figure in zip(rooms[name], FIGURES)]
    shares = (0.0, 0.0)
    for name in sorted(rooms, key=lambda room: (room == 'all', room)):
        lines, of_lines, branches, of_branches = rooms[name]
        shares = (100 * lines / max(of_lines, 1), 100 * branches / max(of_branches, 1))
        print(f'{name:6} lines {lines:6} of {of_lines:6} {shares[0]:5.1f} %   branches {branches:6} of {of_branches:6} {shares[1]:5.1f} %')
    for what, share, wanted in zip(('lines', 'branches'), shares, least):
        if share < float(wanted):
            print(f'coverage: {share:.1f} % of the {what} ran, wanted are {wanted} %')
    return any(share < float(wanted) for share, wanted in zip(shares, least))


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
