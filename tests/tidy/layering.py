"""Checks of who includes whom. Each check takes a SourceTree and gives lines of findings."""
import re

from source_tree import includes

# What a module may include besides itself. Siblings (block and fs; union, ext and cow; image and
# driver) are not in each other's line, and nothing below sim knows sim.
_BELOW_FS = {'base', 'trace', 'store'}
_BELOW_DRIVER = _BELOW_FS | {'block', 'fs', 'union', 'ext', 'cow'}
_BELOW_SIM = _BELOW_DRIVER | {'image', 'driver', 'facade'}
MAY_INCLUDE = {
    'base': set(),
    'trace': {'base'},
    'store': {'base', 'trace'},
    'block': _BELOW_FS,
    'fs': _BELOW_FS,
    'union': _BELOW_FS | {'fs'},
    'ext': _BELOW_FS | {'block', 'fs'},
    'cow': _BELOW_FS | {'block', 'fs'},
    'image': _BELOW_DRIVER,
    'driver': _BELOW_DRIVER,
    'model': {'base'},
    'sim': _BELOW_SIM | {'model'},
    'facade': _BELOW_SIM | {'model', 'sim'},
    'testing': _BELOW_SIM | {'model', 'sim'},
    'cli': _BELOW_SIM | {'model', 'sim'},
}


def module_of(path):
    """The module a file (or a quoted include) belongs to; None: outside the ladder."""
    parts = path.split('/')
    if parts[0] == 'include':
        parts = parts[1:]
    if parts[0] == 'lamina':
        if len(parts) == 2:
            return 'facade'
        if parts[1] == 'sim' and parts[2].startswith('model'):
            return 'model'
        return parts[1]
    if parts[0] == 'vfs' and len(parts) > 2:
        return parts[1]
    if parts[0] == 'sim' and len(parts) > 2:
        return parts[1] if parts[1] in ('model', 'cli', 'facade', 'testing') else 'sim'
    return None


def include_ladder(tree):
    """Includes go down the module ladder only; private headers stay in their module."""
    found = []
    for file in tree.code():
        here = module_of(file)
        if here is None:
            continue
        if here not in MAY_INCLUDE:
            found.append(f'{file}: module {here} has no rung in tests/tidy/layering.py')
            continue
        for line, name, kind in includes(tree.text(file)):
            if kind != 'quoted' or not re.match(r'(lamina|vfs|sim|tests|bench|fuzz)/', name):
                continue
            there = module_of(name)
            if there == here:
                continue
            if there is None or there not in MAY_INCLUDE[here]:
                found.append(f'{file}:{line}: {here} may not include {name}')
            elif name.startswith('vfs/'):
                found.append(f'{file}:{line}: {name} is private to {there}')
    return found


SEAMS = ('include/lamina/fs/file_system.h', 'include/lamina/block/block_device.h',
         'include/lamina/sim/chooser.h', 'include/lamina/driver/storage_driver.h')
_LIGHT = {'algorithm', 'array', 'compare', 'concepts', 'cstddef', 'cstdint', 'functional',
          'initializer_list', 'limits', 'memory', 'optional', 'span', 'string', 'string_view',
          'type_traits', 'utility', 'variant', 'vector'}
_LIGHT_QUOTED = {'absl/functional/function_ref.h'}


def seam_includes(tree):
    """Seam headers, and all of lamina they draw in, include light headers only."""
    found = []
    waiting = [f for f in tree.public_headers()
               if f in SEAMS or f.startswith('include/lamina/trace/')]
    seen = set(waiting)
    while waiting:
        file = waiting.pop()
        for line, name, kind in includes(tree.text(file)):
            if name.startswith(('lamina/base/', 'lamina/trace/')) and kind == 'quoted':
                below = 'include/' + name
                if below not in seen and below in tree.files:
                    seen.add(below)
                    waiting.append(below)
            elif name not in (_LIGHT if kind == 'system' else _LIGHT_QUOTED):
                found.append(f'{file}:{line}: too heavy for a seam header: {name}')
    return found


# Debian's Abseil is not built with the thread sanitizer, so absl::Mutex looks like no lock to it:
# every access it guards is reported as a race. std::mutex and std::shared_mutex are understood.
_BANNED = (
    (re.compile(r'absl/(synchronization/mutex|log/.*)\.h'), 'std::mutex, LAMINA_CHECK'),
    (re.compile(r'(ctime|chrono|random|iostream)'), 'Clock, Chooser, a stream of the caller'),
)
# Programs talk to people and to the host; benchmarks measure it.
_PROGRAMS = ('tests/', 'bench/', 'fuzz/', 'sim/cli/')


def banned_includes(tree):
    """No host clock, host randomness, global streams or locks the sanitizer cannot see."""
    found = []
    for file in tree.code():
        for line, name, _ in includes(tree.text(file)):
            for pattern, instead in _BANNED:
                if pattern.fullmatch(name) and not file.startswith(_PROGRAMS):
                    found.append(f'{file}:{line}: {name} is not used here; instead: {instead}')
    return found


def public_string_view(tree):
    """Public headers speak std::string_view: Debian's absl::string_view is another type."""
    return [f'{file}:{number}: absl::string_view in a public header'
            for file in tree.public_headers()
            for number, line in enumerate(tree.text(file).splitlines(), 1)
            if 'absl::string_view' in line.split('//')[0]]
