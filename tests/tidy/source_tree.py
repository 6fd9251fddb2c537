"""A tree of source files as the checks see it: what git lists, or every file outside build/."""
import os
import re
import subprocess

CODE = ('.h', '.cc')
SCRIPTS = ('.py', '.sh', '.cmake')


class SourceTree:
    def __init__(self, root):
        self.root = os.path.abspath(root)
        self.files = sorted(f for f in self._listed() if os.path.isfile(self.path(f)))
        self._texts = {}

    def _listed(self):
        if os.path.isdir(self.path('.git')):
            listing = subprocess.run(
                ['git', '-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others',
                 '--exclude-standard'],
                cwd=self.root, capture_output=True, check=False)
            if listing.returncode == 0:
                return listing.stdout.decode().split('\0')[:-1]
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(f for f in folders if f not in ('.git', 'build', '__pycache__'))
            found += [os.path.relpath(os.path.join(folder, n), self.root) for n in names]
        return found

    def path(self, file):
        return os.path.join(self.root, file)

    def text(self, file):
        if file not in self._texts:
            with open(self.path(file), encoding='utf-8', errors='replace') as stream:
                self._texts[file] = stream.read()
        return self._texts[file]

    def code(self):
        return [f for f in self.files if f.endswith(CODE)]

    def public_headers(self):
        return [f for f in self.files if f.startswith('include/lamina/') and f.endswith('.h')]


# One lexical piece that is not code: comment, raw string, string, character. A digit before ' is a
# digit separator, not a character.
_NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"(?P<tag>[^\s()\\"]*)\(.*?\)(?P=tag)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)


def blank(text):
    """`text` with comments and literals emptied, line numbers kept."""
    def keep_lines(match):
        piece = match.group(0)
        return ('' if piece.startswith('/') else '""') + '\n' * piece.count('\n')
    return _NOT_CODE.sub(keep_lines, text)


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


def includes(text):
    """(line, name, 'system' or 'quoted') of every #include."""
    return [(text.count('\n', 0, m.start()) + 1, m.group(2),
             'system' if m.group(1) == '<' else 'quoted') for m in _INCLUDE.finditer(text)]
