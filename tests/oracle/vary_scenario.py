"""Makes random scenarios of kernel_overlay.py wilder: layers on several file systems, every mount
option, other options after a remount, data-only layers, marks of all kinds in the layers, unions
as lowers. vary(text, seed) is a pure function of its arguments."""
import random

OPTIONS = ['none', 'redirect_dir=on', 'redirect_dir=nofollow', 'redirect_dir=follow', 'metacopy=on',
           'index=on', 'nfs_export=on', 'xino=on', 'xino=auto', 'xino=off', 'userxattr',
           'metacopy=on,index=on', 'xino=on,redirect_dir=on', 'xino=auto,index=on',
           'xino=on,metacopy=on', 'redirect_dir=on,index=on', 'redirect_dir=on,nfs_export=on',
           'metacopy=on,verity=on', 'metacopy=on,verity=require', 'verity=on', 'uuid=null',
           'uuid=on', 'userxattr,index=on', 'xino=on,nfs_export=on', 'ro', 'metacopy=on,xino=auto']
MARKS = [('opaque', ['y', 'x', 'n']), ('redirect', ['/a', 'b', '/c', '/c/a', 'a', '/x/y', '//', '']),
         ('metacopy', ['', '', '', 'abcde', 'ab']), ('whiteout', ['y', '']), ('impure', ['y']),
         ('origin', ['', 'junk']), ('overlay.opaque', ['y'])]


def vary(text, seed):
    r = random.Random(seed * 7919 + 13)
    lines = text.rstrip('\n').split('\n')
    spread = r.random() < 0.5
    data_only = r.random() < 0.2
    marks = r.random() < 0.4
    nested = r.random() < 0.15
    prefix = 'user' if r.random() < 0.2 else 'trusted'
    out, made, seen_layers, lowers = [], [], set(), []
    mounted = False
    for line in lines:
        t = line.split(' ')
        if spread and mounted and (t[0] == 'umount' or t == ['mount']):
            continue  # inode numbers of several file systems do not outlive a mount
        if t[0] == 'layer' and not mounted:
            if t[1] not in seen_layers:
                seen_layers.add(t[1])
                made = []
                if spread and r.random() < 0.6:
                    line += ' fs=%s' % r.choice('ab')
                if t[1].startswith('lower'):
                    lowers.append(t[1])
            out.append(line)
            continue
        if not mounted and t[0] in ('mkdir', 'put', 'create', 'symlink', 'fifo'):
            out.append(line)
            path = t[1] if t[0] != 'symlink' else t[2]
            if marks and r.random() < 0.3 and t[0] in ('mkdir', 'put', 'create'):
                name, values = r.choice(MARKS)
                out.append('setxattr %s %s.overlay.%s "%s"' % (path, prefix, name, r.choice(values)))
            continue
        if t[0] == 'stack':
            if data_only and len(t) > 3 and t[-1].startswith('upper'):
                data = t[-2]
                top = t[1]
                out.append('layer ' + top)
                for i, target in enumerate(['/a', '/f', '/c/a', '/zz', '/c']):
                    out += ['create /m%d 0644' % i, 'truncate /m%d 7' % i,
                            'setxattr /m%d trusted.overlay.metacopy ""' % i,
                            'setxattr /m%d trusted.overlay.redirect "%s"' % (i, target)]
                if data != top:
                    line = ' '.join(t[:-2] + ['::', data, t[-1]])
            out.append(line)
            continue
        if t[0] == 'options':
            out.append('options ' + r.choice(OPTIONS))
            continue
        if t[0] == 'mount' and len(t) == 1:
            if not mounted:
                mounted = True
                if not any(l.startswith('options') for l in out):
                    out.append('options ' + r.choice(OPTIONS))
                if nested:
                    out += ['mount one', 'layer upperb', 'options ' + r.choice(OPTIONS),
                            'stack mnt:one %s' % 'upperb']
            elif not nested and r.random() < 0.6:
                out.append('options ' + r.choice(OPTIONS))
            out.append(line)
            continue
        if mounted and data_only and r.random() < 0.1:
            m = '/m%d' % r.randrange(5)
            out.append(r.choice(['stat %s', 'read %s', 'chmod %s 0600', 'append %s "z"', 'ustat %s',
                                 'rename %s /mm', 'link %s /a/ml', 'unlink %s',
                                 'open q %s rdonly']) % m)
        if mounted and r.random() < 0.03:
            # On several file systems numbers may be equal by chance.
            looks = ['stat /', 'workdir', 'statfs /']
            out.append(r.choice(looks if spread else looks + ['readdirino /', 'readdirino /a']))
        out.append(line)
    return '\n'.join(out) + '\n'
