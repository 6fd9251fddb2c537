#!/usr/bin/env python3
"""same_recordings.py OURS THEIRS: what both folders hold under one name is equal, byte for byte.

Recordings and the programs that made them; pages (.md) may differ. Fails on a difference and when
nothing could be compared; a recording that stands in THEIRS only is counted and said.
"""
import os
import sys


def recordings(root):
    """Paths below `root` of all files but pages and caches."""
    found = set()
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f != '__pycache__']
        found |= {os.path.relpath(os.path.join(folder, name), root)
                  for name in names if not name.endswith('.md')}
    return found


def _same(a, b):
    with open(a, 'rb') as one, open(b, 'rb') as other:
        return one.read() == other.read()


def compare(ours, theirs):
    """(number of equal pairs, names that differ, names only in theirs)."""
    mine, other = recordings(ours), recordings(theirs)
    both = sorted(mine & other)
    different = [n for n in both if not _same(os.path.join(ours, n), os.path.join(theirs, n))]
    return len(both) - len(different), different, sorted(other - mine)


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    equal, different, missing = compare(*arguments)
    for name in different:
        print(f'recording differs from the kernel\'s: {name}')
    for name in missing:
        print(f'recording is not here yet: {name}')
    print(f'-- recordings: {equal} equal, {len(different)} different, {len(missing)} not here yet')
    return 1 if different or equal == 0 else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
