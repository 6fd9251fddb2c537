"""Checks of the documents. Each takes a SourceTree and gives findings."""
import posixpath
import re

_BLOCK = re.compile(r'^```(\w+)[^\n]*\n(.*?)^```[ \t]*$', re.M | re.S)
README_TEST = 'tests/docs/readme_test.cc'


def blocks(text):
    """(line, language, text) of every fenced block with a language."""
    return [(text.count('\n', 0, m.start()) + 1, m.group(1), m.group(2))
            for m in _BLOCK.finditer(text)]


def _bare(text):
    return '\n'.join(line.strip() for line in text.strip().splitlines())


def _not_run(tree, page, cpp_homes):
    """Findings for the examples of `page`; a cpp block must stand word for word (indentation apart)
    in one of `cpp_homes`, a scn block in some file of tests/ or in a scenario file."""
    scenario_homes = [f for f in tree.files if f.startswith('tests/') or f.endswith('.scn')]
    for line, language, block in blocks(tree.text(page)):
        if language == 'cpp':
            homes = cpp_homes
        elif language in ('scn', 'scenario'):
            homes = [f for f in scenario_homes if f.endswith(('.cc', '.h', '.scn'))]
        else:
            continue
        if not any(_bare(block) in _bare(tree.text(home)) for home in homes if home in tree.files):
            where = homes[0] if len(homes) == 1 else 'tests/'
            yield f'{page}:{line}: this {language} example is not run: it is not in {where}'


def readme_examples(tree):
    """The examples of the README are run: its cpp blocks by tests/docs/readme_test.cc."""
    return list(_not_run(tree, 'README.md', [README_TEST])) if 'README.md' in tree.files else []


def folder_examples(tree):
    """The examples of the other README.md files are run by some test."""
    tests = [f for f in tree.files if f.startswith('tests/') and f.endswith(('.cc', '.h'))]
    return [finding for page in tree.files if page.endswith('/README.md')
            for finding in _not_run(tree, page, tests)]


_LINK = re.compile(r'\[[^\]\n]*\]\(([^)\s#]+)(?:#[^)]*)?\)')


def links(tree):
    """A link in a document leads somewhere."""
    found = []
    folders = {posixpath.dirname(f) for f in tree.files}
    folders |= {p for f in folders for p in _parents(f)}
    for page in (f for f in tree.files if f.endswith('.md')):
        for match in _LINK.finditer(tree.text(page)):
            target = match.group(1)
            if '://' in target or target.startswith('mailto:'):
                continue
            there = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
            if there not in tree.files and there not in folders and there != '.':
                found.append(f'{page}: no such file: {target}')
    return found


def _parents(folder):
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
