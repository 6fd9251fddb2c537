#!/usr/bin/env python3
"""Gives the scenarios of these tests to the kernel and to lamina and compares the texts.

ask_kernel.py ORACLE LAMINA [WORD...]

ORACLE is tests/oracle/kernel_overlay.py, LAMINA the built tool. WORD: only the tests whose names
hold one of them. Exit status: 0 all texts are equal, 1 some differ, 2 nothing was asked.
"""
import difflib
import glob
import os
import re
import subprocess
import sys

TEST = re.compile(r'^TEST(?:_F)?\(\w+,\s*(\w+)\)', re.MULTILINE)
SCENARIO = re.compile(r'Replay\s+\w+\(R"\((.*?)\)"\)', re.DOTALL)
# Larger than what lamina hashes for a dump.
UNREAD = re.compile(r'sha256=\S+')


def scenarios(folder):
    """(test name, scenario text) of every Replay in the tests of `folder`."""
    for path in sorted(glob.glob(os.path.join(folder, '*_test.cc'))):
        with open(path, encoding='utf-8') as file:
            text = file.read()
        names = [(match.start(), match.group(1)) for match in TEST.finditer(text)]
        for match in SCENARIO.finditer(text):
            yield [name for start, name in names if start < match.start()][-1], match.group(1)


def without_expectations(text):
    return '\n'.join(line.split(' -> ')[0].rstrip() for line in text.split('\n')) + '\n'


def run(command, text):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()


def shortened(lines, other):
    """Without the digests that the other side did not work out."""
    if any('sha256=ERR:EFBIG' in line for line in other):
        return [UNREAD.sub('', line) for line in lines]
    return lines


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    oracle, lamina, *words = arguments
    asked = differ = 0
    for name, text in scenarios(os.path.dirname(os.path.abspath(__file__))):
        if words and not any(word in name for word in words):
            continue
        plain = without_expectations(text)
        kernel = run(['python3', oracle, '-'], plain)
        ours = run([lamina, 'run', '--dump', '-'], plain)
        kernel, ours = shortened(kernel, ours), shortened(ours, ours)
        asked += 1
        if kernel == ours:
            print(f'same     {name}')
            continue
        differ += 1
        print(f'DIFFERS  {name}')
        print('\n'.join(difflib.unified_diff(kernel, ours, 'kernel', 'lamina', lineterm='', n=1)))
    print(f'{asked} asked, {differ} differ')
    return 2 if not asked else 1 if differ else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
