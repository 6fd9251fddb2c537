#!/usr/bin/env python3
"""Runs random overlay scenarios on the kernel and in lamina and compares the texts.

  live_differential.py --lamina BIN [--seeds N] [--start S] [--ops K] [--profile P] [--tier T]
                       [--vary]
  live_differential.py --lamina BIN --file FILE.scn [--tier T]       one scenario

Profiles: core, full, perm. Tiers: 1 core, 2 plus identity, 3 plus mtime, 4 everything.
--vary makes the scenarios wilder (vary_scenario.py).
On a difference the scenario is made as small as possible; seed, scenario and both texts are
printed. Exit: 0 equal, 1 different, 2 wrong usage, 77 with SKIP when the kernel cannot be asked.
"""
import argparse, collections, difflib, os, re, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kernel_overlay  # noqa: E402
import vary_scenario  # noqa: E402

MARKS = r'(?:trusted|user)\.overlay\.(?:impure|origin|uuid|nlink|protattr)'
BATCH = 25


def reduce_line(line, tier):
    """drops the fields a tier does not compare"""
    if tier >= 4:
        return line
    if tier < 2:
        line = re.sub(r' (?:ino=i|dev=d|hl=u)\d+', '', line)
    if tier < 3:
        line = re.sub(r' mtime=\S+', '', line)
    # directory nlink: in dumps '  PATH d MODE ..' and in stat results '= d MODE ..'
    line = re.sub(r'((?:^  \S+|=) d [0-7]{4} \d+:\d+) nlink=\d+', r'\1', line)

    def xattrs(m):
        kept = [x for x in re.findall(r'[^,{}=]+=(?:"(?:\\.|[^"\\])*"|[^,{}]+)', m.group(1))
                if not re.match(MARKS + '=', x)]
        return ' xattrs={%s}' % ','.join(kept) if kept else ''
    line = re.sub(r' xattrs=\{((?:"(?:\\.|[^"\\])*"|[^}"])*)\}', xattrs, line)
    if ' listxattr ' in line:
        line = re.sub(r'(?<=[\[ ])' + MARKS + r' ?', '', line).replace(' ]', ']')
    return line


def reduced(text, tier):
    return [reduce_line(l, tier) for l in text.split('\n')]


class Lamina:
    def __init__(self, binary):
        self.binary = binary

    def run(self, scenarios):
        """[(exit status, text)] of scenarios, many in one process"""
        with tempfile.TemporaryDirectory() as d:
            names = []
            for i, text in enumerate(scenarios):
                names.append(os.path.join(d, '%d.scn' % i))
                with open(names[-1], 'w', encoding='utf-8', errors='surrogateescape') as f:
                    f.write(text)
            if len(names) == 1:
                names.append(names[0])  # the form of the answer is that of several files
            p = subprocess.run([self.binary, 'run', '--dump'] + names, capture_output=True)
        out = p.stdout.decode('utf-8', 'surrogateescape')
        parts = re.findall(r'^==== [^\n]*\.scn\n(.*?)^==== exit (\d+)\n', out, re.S | re.M)
        results = [(int(code), text) for text, code in parts][:len(scenarios)]
        err = p.stderr.decode('utf-8', 'replace')
        if len(results) < len(scenarios):  # it died: which one is found by running one at a time
            if len(scenarios) == 1:
                return [(p.returncode, out + '\nDIED\n' + err)]
            return [self.run([s])[0] for s in scenarios]
        return [(c, t + (err if c == 3 and len(scenarios) == 1 else '')) for c, t in results]


def ask_kernel(text):
    code, out = kernel_overlay.run_text(text)
    if code == 77:
        print(out.strip() or 'SKIP: the kernel cannot be asked')
        sys.exit(77)
    return code, out


def verdict(kernel, lamina, tier):
    """'equal', 'unsupported' or 'different'"""
    (kcode, ktext), (lcode, ltext) = kernel, lamina
    if lcode == 3 and ltext.startswith('UNSUPPORTED'):
        return 'unsupported'
    if (kcode == 0) != (lcode == 0):
        return 'different'
    if kcode != 0:
        return 'equal'  # both refuse; the messages are of their own
    return 'equal' if reduced(ktext, tier) == reduced(ltext, tier) else 'different'


def still_differs(lines, lamina, tier):
    text = '\n'.join(lines) + '\n'
    kernel = ask_kernel(text)
    if kernel[0] != 0:
        return False  # dropping lines made it malformed
    return verdict(kernel, lamina.run([text])[0], tier) == 'different'


def minimise(text, lamina, tier, budget=600):
    """delta debugging over lines"""
    lines = [l for l in text.split('\n') if l.strip() and not l.startswith('#')]
    if not still_differs(lines, lamina, tier):
        return '\n'.join(text.split('\n'))
    size = max(1, len(lines) // 2)
    while size >= 1 and budget > 0:
        i, shrunk = 0, False
        while i < len(lines) and budget > 0:
            budget -= 1
            candidate = lines[:i] + lines[i + size:]
            if candidate and still_differs(candidate, lamina, tier):
                lines, shrunk = candidate, True
            else:
                i += size
        if size == 1 and not shrunk:
            break
        size = max(1, size // 2) if size > 1 else (1 if shrunk else 0)
    return '\n'.join(lines) + '\n'


def report(title, text, lamina, tier, shrink):
    small = minimise(text, lamina, tier) if shrink else text
    kernel, ours = ask_kernel(small), lamina.run([small])[0]
    print('DIFFERENT %s (tier %d)' % (title, tier))
    print('---- scenario\n' + small + '---- kernel (exit %d)\n' % kernel[0] + kernel[1] +
          '---- lamina (exit %d)\n' % ours[0] + ours[1] + '---- difference (- kernel, + lamina)')
    for l in difflib.unified_diff(reduced(kernel[1], tier), reduced(ours[1], tier), lineterm='', n=0):
        if not l.startswith(('---', '+++', '@@')):
            print(l)
    print('----')
    sys.stdout.flush()


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument('--lamina', required=True)
    a.add_argument('--seeds', type=int, default=100)
    a.add_argument('--start', type=int, default=1)
    a.add_argument('--ops', type=int, default=40)
    a.add_argument('--profile', default='core', choices=['core', 'full', 'perm'])
    a.add_argument('--tier', type=int, default=4, choices=[1, 2, 3, 4])
    a.add_argument('--vary', action='store_true')
    a.add_argument('--max-reports', type=int, default=3)
    a.add_argument('--no-minimise', action='store_true')
    a.add_argument('--file')
    o = a.parse_args()
    kernel_overlay.check_env()
    lamina = Lamina(o.lamina)
    if o.file:
        text = open(o.file).read()
        what = verdict(ask_kernel(text), lamina.run([text])[0], o.tier)
        print('%s: %s' % (o.file, what))
        if what == 'different':
            report(o.file, text, lamina, o.tier, not o.no_minimise)
        return 1 if what == 'different' else 0
    counts, different = collections.Counter(), []
    seeds = list(range(o.start, o.start + o.seeds))
    for i in range(0, len(seeds), BATCH):
        some = seeds[i:i + BATCH]
        texts = [kernel_overlay.gen_random(s, o.ops, o.profile) for s in some]
        if o.vary:
            texts = [vary_scenario.vary(t, s) for t, s in zip(texts, some)]
        ours = lamina.run(texts)
        for seed, text, mine in zip(some, texts, ours):
            what = verdict(ask_kernel(text), mine, o.tier)
            counts[what] += 1
            if what == 'different':
                different.append(seed)
                if len(different) <= o.max_reports:
                    report('seed=%d ops=%d profile=%s' % (seed, o.ops, o.profile), text, lamina,
                           o.tier, not o.no_minimise)
    print('profile %s, tier %d, %d operations, seeds %d..%d: %d equal, %d different, %d unsupported' % (
        o.profile, o.tier, o.ops, seeds[0], seeds[-1], counts['equal'], counts['different'],
        counts['unsupported']))
    if different:
        print('different seeds: ' + ' '.join(map(str, different)))
    return 1 if different else 0


if __name__ == '__main__':
    sys.exit(main())
