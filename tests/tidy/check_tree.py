#!/usr/bin/env python3
"""Checks of the source tree: what the compiler does not see.

check_tree.py [--root FOLDER] [CHECK...]   runs the checks (default all); 1 when one finds something
check_tree.py --list                       their names, a line each
"""
import os
import sys

import documents
import layering
import shape
from source_tree import SourceTree

CHECKS = {
    'include_ladder': layering.include_ladder,
    'seam_includes': layering.seam_includes,
    'banned_includes': layering.banned_includes,
    'public_string_view': layering.public_string_view,
    'file_length': shape.file_length,
    'function_length': shape.function_length,
    'names': shape.names,
    'left_overs': shape.left_overs,
    'readmes': shape.readmes,
    'readme_examples': documents.readme_examples,
    'folder_examples': documents.folder_examples,
    'links': documents.links,
}
# Shown, and judged by a person.
REPORTED_ONLY = {'function_length', 'folder_examples'}


def main(arguments):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
    if arguments[:1] == ['--list']:
        print('\n'.join(CHECKS))
        return 0
    if arguments[:1] == ['--root'] and len(arguments) > 1:
        root, arguments = arguments[1], arguments[2:]
    unknown = [name for name in arguments if name not in CHECKS]
    if unknown:
        print(f'no such check: {", ".join(unknown)}\n{__doc__}', file=sys.stderr)
        return 2
    tree = SourceTree(root)
    if not tree.files:
        print(f'no files below {root}', file=sys.stderr)
        return 2
    failed = 0
    for name in arguments or CHECKS:
        found = CHECKS[name](tree)
        failed += bool(found) and name not in REPORTED_ONLY
        print(f'-- {name}: {len(found) or "no"} finding{"" if len(found) == 1 else "s"}'
              f'{" (reported only)" if found and name in REPORTED_ONLY else ""}')
        for line in found:
            print(f'   {line}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
