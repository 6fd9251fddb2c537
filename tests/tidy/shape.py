"""Checks of sizes, names and left-over marks. Each takes a SourceTree and gives findings."""
import re

from source_tree import CODE, SCRIPTS, blank

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70
MAX_CMAKE_LINES = 150
# Programs that made the kernel recordings, kept as they were when they made them.
_RECORDERS = re.compile(r'tests/oracle/(kernel_\w+|\w+_model)\.py')


def file_length(tree):
    """A file of code holds at most 500 lines, the top CMakeLists.txt at most 150."""
    found = []
    for file in tree.files:
        if _RECORDERS.fullmatch(file):
            continue
        limit = MAX_CMAKE_LINES if file == 'CMakeLists.txt' else MAX_FILE_LINES
        if file.endswith(CODE + SCRIPTS) or file in ('CMakeLists.txt', 'dev'):
            lines = tree.text(file).count('\n')
            if lines > limit:
                found.append(f'{file}: {lines} lines, at most {limit}')
    return found


_CONTAINER = re.compile(r'\b(namespace|class|struct|union|enum|extern)\b')
_DIRECTIVE = re.compile(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.M)
_TEMPLATE = re.compile(r'template\s*<[^{}]*?>\s*(?=[A-Za-z])')
# The head of a constructor up to a member that is initialised with braces.
_MEMBER = re.compile(r'\)\s*(?:noexcept\s*)?:[^:].*\w\s*$', re.S)


def _kind_of_brace(head):
    """What a brace after `head` opens: 'open' (class, namespace), 'body', 'member' or 'value'."""
    head = _TEMPLATE.sub('', head)
    if _MEMBER.search(head):
        return 'member'
    if ')' in head and not re.search(r'=\s*$', head):
        return 'body'
    if _CONTAINER.search(head) and '=' not in head:
        return 'open'
    return 'value'


def functions(text):
    """(first line, last line, head) of every function body. Lexical: a brace that follows a
    parameter list, outside any other body."""
    code = _DIRECTIVE.sub(lambda m: '\n' * m.group(0).count('\n'), blank(text))
    found, scopes, head_start = [], [], 0  # scopes: (kind, first line, head)
    for match in re.finditer(r'[{};]', code):
        position, mark = match.start(), match.group(0)
        kind = ''
        if mark == '{':
            head = code[head_start:position]
            inside = any(scope[0] != 'open' for scope in scopes)
            kind = 'value' if inside else _kind_of_brace(head)
            first = head_start + len(head) - len(head.lstrip())
            scopes.append((kind, code.count('\n', 0, first) + 1, ' '.join(head.split())))
        elif mark == '}' and scopes:
            kind, first_line, name = scopes.pop()
            if kind == 'body':
                found.append((first_line, code.count('\n', 0, position) + 1, name))
        if kind != 'member' and all(scope[0] != 'member' for scope in scopes):
            head_start = position + 1  # the head of a constructor goes on behind its members
    return found


def function_length(tree):
    """A function fits on a screen: at most 70 lines."""
    return [f'{file}:{first}: {last - first + 1} lines, at most {MAX_FUNCTION_LINES}: {name[:60]}'
            for file in tree.code() for first, last, name in functions(tree.text(file))
            if last - first + 1 > MAX_FUNCTION_LINES]


_EMPTY_WORDS = {'util', 'utils', 'common', 'misc', 'helper', 'helpers', 'manager', 'impl', 'info',
                'data'}
_TYPE = re.compile(r'^[ \t]*(?:class|struct|enum class|enum|union)\s+(?:\[\[\w+\]\]\s*)?(\w+)\b[^;]*\{',
                   re.M)


def names(tree):
    """Names of files, folders and types say what the thing is: no util, helper, impl, info, …"""
    found = []
    for file in tree.files:
        for part in set(re.split(r'[/_.\-]', file.lower())) & _EMPTY_WORDS:
            found.append(f'{file}: "{part}" says nothing')
    for file in tree.code():
        for match in _TYPE.finditer(blank(tree.text(file))):
            words = {w.lower() for w in re.findall(r'[A-Z]?[a-z]+|[A-Z]+(?![a-z])', match.group(1))}
            for word in words & _EMPTY_WORDS:
                found.append(f'{file}: type {match.group(1)}: "{word}" says nothing')
    return found


# Written in halves, so that this file does not find itself.
_LEFT_OVER = re.compile(r'\b(' + 'TO' + 'DO|FIX' + 'ME|X' + 'XX|HA' + r'CK)\b')
_DISABLED = 'DISABLED' + '_'


def left_overs(tree):
    """Nothing is put off in code, and no test is switched off."""
    found = []
    for file in tree.files:
        if not file.endswith(CODE + SCRIPTS) and file.rsplit('/', 1)[-1] not in ('CMakeLists.txt',
                                                                                  'dev'):
            continue
        for number, line in enumerate(tree.text(file).splitlines(), 1):
            if _LEFT_OVER.search(line):
                found.append(f'{file}:{number}: left over: {line.strip()[:60]}')
            if _DISABLED in line:
                found.append(f'{file}:{number}: a disabled test')
    return found


_ONE_README = ('include/lamina', 'tests', 'bench', 'fuzz')  # one for the whole folder tree


def readmes(tree):
    """Every folder with code has its page."""
    wanted = set()
    for file in tree.code():
        folder = file.rpartition('/')[0]
        whole = next((t for t in _ONE_README if (file + '/').startswith(t + '/')), None)
        wanted.add(whole or folder)
        if file.startswith(('vfs/', 'sim/')):
            wanted.add(file.split('/')[0])
    return [f'{folder}: code but no README.md' for folder in sorted(wanted)
            if folder and f'{folder}/README.md' not in tree.files]
