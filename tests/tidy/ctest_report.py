#!/usr/bin/env python3
"""Reads ctest's JUnit files.

ctest_report.py skips FILE      every skipped case with its reason
ctest_report.py totals FILE...  one closing line: 'N passed, N failed, N skipped'

Exit code: 1 when a file is missing, holds no case, or (totals) a case failed.
"""
import sys
import xml.etree.ElementTree as ElementTree


def cases(path):
    """(name, outcome, output) of every case; outcome is 'passed', 'failed' or 'skipped'."""
    for case in ElementTree.parse(path).getroot().iter('testcase'):
        skip = case.find('skipped')
        outcome = 'passed' if case.get('status') == 'run' else 'failed'
        if skip is not None and (skip.get('message') or '').startswith('SKIP_'):
            outcome = 'skipped'
        yield case.get('name'), outcome, case.findtext('system-out') or ''


def reason(output):
    """What GTEST_SKIP() was given: the line after '…: Skipped'."""
    lines = output.splitlines()
    for line, following in zip(lines, lines[1:]):
        if line.rstrip().endswith('Skipped'):
            return following.strip()
    return lines[-1].strip() if lines else 'no reason given'


def print_skips(path):
    found = [(name, reason(output)) for name, outcome, output in cases(path) if outcome == 'skipped']
    print(f'-- skipped: {len(found)}')
    for name, why in found:
        print(f'   {name}: {why}')


def print_totals(paths):
    counts = {'passed': 0, 'failed': 0, 'skipped': 0}
    for path in paths:
        for _, outcome, _ in cases(path):
            counts[outcome] += 1
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return counts['failed'] == 0 and counts['passed'] > 0


def main(arguments):
    try:
        if arguments[:1] == ['skips'] and len(arguments) == 2:
            print_skips(arguments[1])
            return 0
        if arguments[:1] == ['totals'] and len(arguments) > 1:
            return 0 if print_totals(arguments[1:]) else 1
    except (OSError, ElementTree.ParseError) as error:
        print(f'ctest_report: {error}', file=sys.stderr)
        return 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
