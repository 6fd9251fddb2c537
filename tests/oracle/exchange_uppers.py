#!/usr/bin/env python3
"""Exchanges upper directories with the kernel: what one wrote the other mounts, to equal trees.

  exchange_uppers.py --lamina BIN [--seeds N] [--start S] [--ops K] [--options A=B,C=D]
  exchange_uppers.py --lamina BIN --file FILE.scn [--options A=B,C=D]      one scenario

  lamina to kernel   lamina runs a random history and writes its layers out (lamina export --all);
                     the kernel mounts them
  kernel to lamina   the kernel runs it; lamina reads its layers (layer NAME from dir:DIR) and
                     mounts them

N histories each way (50), and before them one whose upper is changed on the way, which must be
found. Everything in a dump is compared but inode numbers; of those, which names are one file. On a
difference the scenario is made as small as possible, and printed with both trees.
Exit: 0 equal, 1 different, 2 wrong usage, 77 with SKIP when the kernel cannot be asked.
"""
import argparse, collections, difflib, json, os, re, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kernel_overlay  # noqa: E402

SECOND = 10**9
NOW_NS = kernel_overlay.NOW_LIMIT * SECOND
WAYS = ('lamina to kernel', 'kernel to lamina')


class Unsupported(Exception):
    """this scenario cannot be exchanged; no difference"""


# ------------------------------------------------------------------ a history

def mount_of(text):
    """(stack, options) of the one mount of a scenario"""
    stack, options, mounts = None, b'', 0
    for line in text.split('\n'):
        words = kernel_overlay.tokenize(line)
        name = words[0] if words else b''
        if name == b'stack':
            stack = [w.decode() for w in words[1:]]
        elif name == b'options':
            options = b'' if words[1:] == [b'none'] else b','.join(words[1:])
        elif name == b'mount':
            mounts += 1
        elif name in (b'umount', b'rawmount', b'merged'):
            mounts += 2
    if mounts != 1 or stack is None or any(w == '::' or w.startswith('mnt:') for w in stack):
        raise Unsupported('not one plain mount')
    if re.search(rb'(index|nfs_export)=on', options):
        raise Unsupported('an index is made of file handles, which only their maker can read')
    return stack, options


def with_options(text, options):
    return text.replace('\nmount\n', '\noptions %s\nmount\n' % options, 1) if options else text


def comparable(lines):
    """dump lines with the inode number replaced by the first name of a file that has several"""
    first, names = {}, collections.Counter()
    split = [re.fullmatch(r'(  (\S+) (\S).*) ino=(i\d+)', l) for l in lines]
    for m in split:
        if m and m.group(3) != 'd':
            first.setdefault(m.group(4), m.group(2))
            names[m.group(4)] += 1
    return [l if m is None else m.group(1) + (' same=' + first[m.group(4)]
                                              if names[m.group(4)] > 1 else '')
            for l, m in zip(lines, split)]


# ------------------------------------------------------------------ the two programs

class Lamina:
    def __init__(self, binary):
        self.binary = binary

    def ask(self, *words):
        p = subprocess.run((self.binary,) + words, capture_output=True)
        out, err = (b.decode('utf-8', 'surrogateescape') for b in (p.stdout, p.stderr))
        if p.returncode == 3 and 'UNSUPPORTED' in out + err:
            raise Unsupported((out + err).strip())
        if p.returncode != 0:
            return ['lamina %s: exit %d: %s' % (' '.join(words), p.returncode, (out + err).strip())]
        return out.rstrip('\n').split('\n')

    def tree(self, base, text):
        """the merged tree at the end of a scenario, and the file it was read from"""
        path = base + '/history.scn'
        with open(path, 'w', encoding='utf-8', errors='surrogateescape') as f:
            f.write(text)
        return self.ask('tree', '--dump', path), path


def kernel_tree(runner, exact_times=False):
    """the merged tree a runner has mounted; of a time that prints as 'now', what is beyond it"""
    if exact_times:
        show = kernel_overlay.show_time
        kernel_overlay.show_time = lambda ns: show(ns - NOW_NS if ns >= NOW_NS else ns)
    runner.inoclass = {}
    lines = runner.tree(runner.base + '/merged', False)
    runner.goto(None)
    return lines


def shift_times(directory):
    """takes NOW_LIMIT off the later times, so that they are exact in every dump"""
    for path, folders, files in os.walk(directory, topdown=False):
        for p in [os.path.join(path, n) for n in folders + files] + [path]:
            ns = os.lstat(p).st_mtime_ns
            if ns >= NOW_NS:
                os.utime(p, ns=(ns - NOW_NS,) * 2, follow_symlinks=False)


def plant_fault(directory):
    """a change that must be found: a file that nobody wrote"""
    os.close(os.open(directory + '/planted', os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def lamina_to_kernel(lamina, text, base, planted):
    stack, options = mount_of(text)
    ours, path = lamina.tree(base, text)
    written = lamina.ask('export', '--all', path, 'dir:%s/layers' % base)
    if written[0].startswith('lamina export'):
        return [], written
    runner = kernel_overlay.Runner('', base, [])
    try:
        runner.layers = {n: '%s/layers/%s' % (base, n) for n in os.listdir(base + '/layers')}
        for name in [n for n in stack if n.startswith('upper')]:
            os.mkdir(runner.layers[name] + '.work', 0o755)
            if planted:
                plant_fault(runner.layers[name])
        runner.stack, runner.options, runner.mounted_once = stack, options, True
        result = runner.c_mount([])
        theirs = kernel_tree(runner) if result == 'OK' else ['mount = ' + result]
    finally:
        runner.cleanup()
    return theirs, ours


def kernel_to_lamina(lamina, text, base, planted):
    stack, options = mount_of(text)
    runner = kernel_overlay.Runner(text, base, [])
    try:
        runner.run()
        runner.goto(None)
        if 'merged' not in runner.mounts:
            raise Unsupported('the kernel does not mount it')
        theirs = kernel_tree(runner, exact_times=True)
        kernel_overlay.do_umount(base + '/merged')
        runner.mounts.remove('merged')
        statements = ['scenario 2']
        for name in runner.layers:
            shift_times(runner.layers[name])
            if planted and name.startswith('upper'):
                plant_fault(runner.layers[name])
            statements.append('layer %s from dir:%s' % (name, runner.layers[name]))
        statements.append('stack ' + ' '.join(stack))
        if options:
            statements.append('options ' + options.decode())
        ours, _ = lamina.tree(base, '\n'.join(statements + ['mount', '']))
    finally:
        runner.cleanup()
    return theirs, ours


# ------------------------------------------------------------------ running

def in_namespace(work):
    """what work(base) gives, done by a child with a mount namespace and a tmpfs of its own"""
    base = tempfile.mkdtemp(prefix='exchange.')
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            try:
                kernel_overlay.ckc(kernel_overlay.libc.unshare(kernel_overlay.CLONE_NEWNS))
                kernel_overlay.do_mount('none', '/', None,
                                        kernel_overlay.MS_REC | kernel_overlay.MS_PRIVATE, None)
                kernel_overlay.do_mount('exchange', base, 'tmpfs', 0, 'mode=0755')
                answer = work(base)
            except Unsupported as e:
                answer = {'unsupported': str(e)}
            except kernel_overlay.ScnError as e:
                answer = {'malformed': str(e)}
            except OSError as e:
                answer = {'skip': '%s' % e} if not os.path.ismount(base) else {'broken': repr(e)}
        except BaseException as e:
            answer = {'broken': repr(e)}
        with os.fdopen(writer, 'w') as f:
            json.dump(answer, f)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as f:
        answer = json.loads(f.read() or '{"broken": "the child died"}')
    os.waitpid(child, 0)
    os.rmdir(base)
    return answer


def exchange(way, lamina, text, planted=False):
    """(verdict, kernel's lines, lamina's lines)"""
    work = {WAYS[0]: lamina_to_kernel, WAYS[1]: kernel_to_lamina}[way]

    def both(base):
        theirs, ours = work(lamina, text, base, planted)
        return {'kernel': comparable(theirs), 'lamina': comparable(ours)}
    answer = in_namespace(both)
    if 'skip' in answer:
        kernel_overlay.skip('cannot make a private mount namespace: ' + answer['skip'])
    if 'broken' in answer:
        raise RuntimeError(answer['broken'])
    for word in ('unsupported', 'malformed'):
        if word in answer:
            return word, [answer[word]], []
    same = answer['kernel'] == answer['lamina']
    return 'equal' if same else 'different', answer['kernel'], answer['lamina']


def minimise(way, lamina, text, budget=400):
    """delta debugging over lines"""
    def differs(lines):
        fewer = '\n'.join(lines) + '\n'
        if kernel_overlay.run_text(fewer)[0] != 0:
            return False  # dropping lines made it malformed
        return exchange(way, lamina, fewer)[0] == 'different'
    lines = [l for l in text.split('\n') if l.strip() and not l.startswith('#')]
    if not differs(lines):
        return text
    size, shrunk = max(1, len(lines) // 2), False
    while budget > 0:
        i, shrunk = 0, False
        while i < len(lines) and budget > 0:
            budget -= 1
            fewer = lines[:i] + lines[i + size:]
            if fewer and differs(fewer):
                lines, shrunk = fewer, True
            else:
                i += size
        if size == 1 and not shrunk:
            break
        size = max(1, size // 2)
    return '\n'.join(lines) + '\n'


def report(title, way, lamina, text, shrink):
    small = minimise(way, lamina, text) if shrink else text
    _, theirs, ours = exchange(way, lamina, small)
    print('DIFFERENT %s, %s' % (title, way))
    print('---- scenario\n' + small + '---- kernel\n' + '\n'.join(theirs) + '\n---- lamina\n' +
          '\n'.join(ours) + '\n---- difference (- kernel, + lamina)')
    for line in difflib.unified_diff(theirs, ours, lineterm='', n=0):
        if not line.startswith(('---', '+++', '@@')):
            print(line)
    print('----')
    sys.stdout.flush()


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument('--lamina', required=True)
    a.add_argument('--seeds', type=int, default=50)
    a.add_argument('--start', type=int, default=1)
    a.add_argument('--ops', type=int, default=40)
    a.add_argument('--options', default='')
    a.add_argument('--max-reports', type=int, default=3)
    a.add_argument('--no-minimise', action='store_true')
    a.add_argument('--file')
    o = a.parse_args()
    kernel_overlay.check_env()
    lamina = Lamina(os.path.abspath(o.lamina))
    if o.file:
        histories = [(o.file, open(o.file).read())]
    else:
        histories = [('seed=%d ops=%d' % (s, o.ops), kernel_overlay.gen_random(s, o.ops, 'core'))
                     for s in range(o.start, o.start + o.seeds)]
    reports = 0
    for way in WAYS:
        control = kernel_overlay.gen_random(1, o.ops, 'core')
        if exchange(way, lamina, control, planted=True)[0] != 'different':
            print('%s: a planted difference was not found' % way)
            reports += 1
        counts, entries = collections.Counter(), 0
        for title, text in histories:
            text = with_options(text, o.options)
            what, theirs, _ = exchange(way, lamina, text)
            counts[what] += 1
            entries += len(theirs) if what == 'equal' else 0
            if what == 'different':
                reports += 1
                if reports <= o.max_reports:
                    report(title, way, lamina, text, not o.no_minimise)
            elif what != 'equal':
                print('%s: %s: %s' % (title, what, theirs[0]))
        print('%s%s: %d histories, %d equal (%d entries), %d different, %d unsupported' % (
            way, ' with ' + o.options if o.options else '', len(histories), counts['equal'],
            entries, counts['different'], counts['unsupported'] + counts['malformed']))
        sys.stdout.flush()
        if counts['equal'] + counts['different'] == 0:
            print('nothing could be compared')
            reports += 1
    return 1 if reports else 0


if __name__ == '__main__':
    sys.exit(main())
