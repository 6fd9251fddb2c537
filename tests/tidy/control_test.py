#!/usr/bin/env python3
"""Negative controls: each check must find what is planted, and nothing in a tidy tree.

A checker that cannot fail checks nothing. Every case below is a bad tree: files, and what the
finding must mention.
"""
import os
import tempfile
import unittest

import ctest_report
import same_recordings
from check_tree import CHECKS
from shape import functions
from source_tree import SourceTree, blank

LONG_BODY = 'int F() {\n' + '  Step();\n' * 80 + '}\n'
FENCE = '`' * 3

PLANTED = {
    'include_ladder': [
        ({'vfs/store/a.cc': '#include "lamina/fs/walk.h"\n'}, 'vfs/store/a.cc:1: store may not'),
        ({'include/lamina/fs/a.h': '#include "lamina/block/disk.h"\n'}, 'fs may not include'),
        ({'vfs/union/a.cc': '#include "lamina/cow/btrfs.h"\n'}, 'union may not include'),
        ({'vfs/driver/aufs/a.cc': '#include "lamina/sim/clock.h"\n'}, 'driver may not include'),
        ({'sim/model/a.cc': '#include "lamina/fs/walk.h"\n'}, 'model may not include'),
        ({'include/lamina/sim/model.h': '#include "lamina/trace/event.h"\n'}, 'model may not'),
        ({'vfs/union/a.cc': '#include "vfs/fs/node_table.h"\n'}, 'private to fs'),
        ({'vfs/new/a.cc': 'int x;\n'}, 'module new has no rung'),
        ({'vfs/fs/a.cc': '#include "tests/fs/tree.h"\n'}, 'fs may not include tests'),
        ({'vfs/fs/a.cc': '#include "lamina/lamina.h"\n'}, 'fs may not include lamina/lamina.h'),
    ],
    'seam_includes': [
        ({'include/lamina/fs/file_system.h': '#include <map>\n'}, 'map'),
        ({'include/lamina/fs/file_system.h':
          '#include "absl/container/flat_hash_map.h"\n'}, 'flat_hash_map'),
        ({'include/lamina/sim/chooser.h': '#include <iostream>\n'}, 'iostream'),
        ({'include/lamina/trace/probe.h': '#include "lamina/base/word.h"\n',
          'include/lamina/base/word.h': '#include <regex>\n'}, 'base/word.h:1'),
        ({'include/lamina/block/block_device.h': '#include "lamina/store/page.h"\n'}, 'page.h'),
    ],
    'banned_includes': [
        ({'vfs/fs/a.cc': '#include "absl/synchronization/mutex.h"\n'}, 'mutex.h'),
        ({'vfs/fs/a.cc': '#include <random>\n'}, 'random'),
        ({'include/lamina/base/time.h': '#include <chrono>\n'}, 'chrono'),
    ],
    'public_string_view': [
        ({'include/lamina/fs/a.h': 'void F(absl::string_view name);\n'}, 'a.h:1'),
    ],
    'file_length': [
        ({'vfs/fs/a.cc': 'int x;\n' * 501}, '501 lines'),
        ({'CMakeLists.txt': 'set(a b)\n' * 151}, '151 lines'),
    ],
    'function_length': [
        ({'vfs/fs/a.cc': 'namespace lamina {\n' + LONG_BODY + '}\n'}, 'a.cc:2: 82 lines'),
        ({'tests/fs/a_test.cc': 'class T {\n' + LONG_BODY + '};\n'}, '82 lines'),
        ({'tests/fs/a_test.cc': LONG_BODY.replace('int F()', 'TEST(A, B)')}, 'TEST(A, B)'),
    ],
    'names': [
        ({'vfs/fs/path_util.cc': 'int x;\n'}, '"util"'),
        ({'vfs/common/a.h': 'int x;\n'}, '"common"'),
        ({'vfs/fs/a.h': 'struct LayerInfo {\n};\n'}, 'LayerInfo'),
        ({'vfs/fs/a.h': 'class WalkManager final : public W {\n};\n'}, 'WalkManager'),
    ],
    'left_overs': [
        ({'vfs/fs/a.cc': '// TO' 'DO: later\n'}, 'a.cc:1: left over'),
        ({'tests/a.py': 'x = 1  # FIX' 'ME\n'}, 'a.py:1: left over'),
        ({'tests/fs/a_test.cc': 'TEST(A, DISABLED' '_B) {}\n'}, 'disabled'),
    ],
    'readmes': [
        ({'vfs/fs/a.cc': 'int x;\n', 'vfs/README.md': 'x\n'}, 'vfs/fs: code'),
        ({'vfs/driver/aufs/a.cc': 'int x;\n', 'vfs/README.md': 'x\n'}, 'vfs/driver/aufs: code'),
        ({'tests/fs/a_test.cc': 'int x;\n'}, 'tests: code'),
        ({'sim/cli/main.cc': 'int x;\n', 'sim/cli/README.md': 'x\n'}, 'sim: code'),
    ],
    'readme_examples': [
        ({'README.md': f'{FENCE}cpp\nint a = 1;\n{FENCE}\n'}, 'README.md:1: this cpp example'),
        ({'README.md': f'{FENCE}cpp\nint a = 1;\n{FENCE}\n',
          'tests/docs/readme_test.cc': 'int a = 2;\n'}, 'readme_test.cc'),
        ({'README.md': f'{FENCE}scn\nunlink /a\n{FENCE}\n'}, 'this scn example'),
    ],
    'folder_examples': [
        ({'vfs/fs/README.md': f'{FENCE}cpp\nint a = 1;\n{FENCE}\n'}, 'this cpp example'),
        ({'sim/cli/README.md': f'{FENCE}scn\nunlink /a\n{FENCE}\n',
          'tests/fs/a_test.cc': 'Unlink("/a");\n'}, 'this scn example'),
    ],
    'links': [
        ({'README.md': 'see [the map](vfs/MAP.md)\n'}, 'vfs/MAP.md'),
    ],
}

TIDY = {
    'CMakeLists.txt': 'project(x)\n',
    'README.md': f'[code](vfs/fs) and [web](https://example.org)\n{FENCE}cpp\nint a = 1;\n{FENCE}\n'
                 f'{FENCE}scn\nunlink /a\n{FENCE}\n',
    'vfs/README.md': 'x\n',
    'vfs/fs/README.md': 'x\n',
    'vfs/fs/walk.cc': '#include "lamina/fs/walk.h"\n\n#include <mutex>\n#include <string>\n\n'
                      '#include "vfs/fs/names.h"\n\nint F() { return 1\'000; }\n',
    'include/lamina/README.md': 'x\n',
    'include/lamina/fs/walk.h': 'struct KindOfWalk {  // absl::string_view is another type\n};\n',
    'tests/README.md': 'x\n',
    'tests/docs/readme_test.cc': 'TEST(Readme, One) {\n  int a = 1;\n}\n',
    'tests/docs/one.scn': 'unlink /a\n',
}


def plant(folder, files):
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(text)


class Controls(unittest.TestCase):
    def test_every_check_has_a_planted_tree(self):
        self.assertEqual(CHECKS.keys(), PLANTED.keys())

    def test_what_is_planted_is_found(self):
        for name, cases in PLANTED.items():
            for files, mention in cases:
                with self.subTest(check=name, mention=mention), \
                        tempfile.TemporaryDirectory() as folder:
                    plant(folder, files)
                    found = CHECKS[name](SourceTree(folder))
                    self.assertEqual(len(found), 1, found)
                    self.assertIn(mention, found[0])

    def test_a_tidy_tree_has_no_finding(self):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, TIDY)
            for name, check in CHECKS.items():
                with self.subTest(check=name):
                    self.assertEqual(check(SourceTree(folder)), [])

    def test_build_folders_are_not_part_of_the_tree(self):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, {'build/asan/a.cc': 'int x;\n', 'vfs/a.h': 'int x;\n'})
            self.assertEqual(SourceTree(folder).files, ['vfs/a.h'])


class Lexing(unittest.TestCase):
    def test_braces_in_text_are_not_code(self):
        self.assertEqual(blank('a("{"); // }\nR"({\n})" /* { */'), 'a(""); \n""\n ')

    def test_function_bodies_are_told_from_values_and_types(self):
        text = ('struct A {\n  int x{1};\n  A() : x{2} {\n  }\n};\n'
                'const int kTable[] = {\n 1,\n};\n'
                'int B(int a) {\n  if (a) {\n  }\n  auto f = [] { return 1; };\n}\n')
        self.assertEqual([(first, last) for first, last, _ in functions(text) if last > first],
                         [(3, 4), (9, 13)])


class Reports(unittest.TestCase):
    JUNIT = ('<testsuite><testcase name="A.B" status="run"/><testcase name="A.C" status="fail"/>'
             '<testcase name="A.D" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>'
             '<system-out>a_test.cc:7: Skipped\nno kernel to ask\n</system-out></testcase>'
             '<testcase name="A.E" status="notrun"><skipped message="Unable to find executable"/>'
             '</testcase></testsuite>')

    def test_skips_carry_their_reason_and_a_case_that_could_not_run_failed(self):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, {'tests.xml': self.JUNIT})
            cases = list(ctest_report.cases(os.path.join(folder, 'tests.xml')))
        self.assertEqual([outcome for _, outcome, _ in cases],
                         ['passed', 'failed', 'skipped', 'failed'])
        self.assertEqual(ctest_report.reason(cases[2][2]), 'no kernel to ask')

    def test_a_changed_recording_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, {'ours/x/a.scn': '1\n', 'ours/x/b.scn': '2\n', 'ours/own_test.cc': '\n',
                           'theirs/x/a.scn': '1\n', 'theirs/x/b.scn': '3\n',
                           'theirs/x/c.scn': '4\n', 'theirs/PAGE.md': '\n'})
            self.assertEqual(same_recordings.compare(os.path.join(folder, 'ours'),
                                                     os.path.join(folder, 'theirs')),
                             (1, ['x/b.scn'], ['x/c.scn']))


if __name__ == '__main__':
    unittest.main()
