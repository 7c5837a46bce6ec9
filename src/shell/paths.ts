/**
 * Paths as facts name them: below the home as `~/…`, all else absolute, without `.` and repeated
 * slashes. A name is what the text says; where symbolic links lead is the target's affair, so what
 * must not be reached is kept from the account, and policies list what may be.
 */
import type { PathPattern } from './arguments.ts';

/** The name of one path. */
export interface PathName {
  readonly name: string;
  /** Why the name cannot be relied on. */
  readonly doubt: string | undefined;
}

/** The name of a path seen from a folder; `folder` is a name itself, such as `~` or `/var/log`. */
export function pathName(pattern: PathPattern, folder: string, home: string | undefined): PathName {
  const from = pattern.home ? '~' : pattern.text.startsWith('/') ? '/' : folder;
  let below = from === '~' || from.startsWith('~/');
  const parts: string[] = [];
  let doubt: string | undefined;
  for (const part of `${from.slice(1)}/${pattern.text}`.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      // After a symbolic link, `..` is not where the text came from.
      doubt = "a path with '..' in it";
      if (below && parts.length === 0 && home !== undefined) {
        below = false;
        parts.push(...home.split('/').filter((each) => each !== ''));
      }
      parts.pop();
      continue;
    }
    if (/^\.[*?[]/.test(part)) doubt = "a pattern that can be '..'";
    parts.push(part);
  }
  if (below) return { name: ['~', ...parts].join('/'), doubt };
  return { name: fileName(`/${parts.join('/')}`, home), doubt };
}

/** How facts name an absolute path that is in its shortest form. */
export function fileName(name: string, home: string | undefined): string {
  if (home === undefined || home === '/') return name;
  if (name === home) return '~';
  return name.startsWith(`${home}/`) ? `~${name.slice(home.length)}` : name;
}

const secretNames: readonly string[] = [
  '/etc/shadow',
  '/etc/gshadow',
  '/etc/sudoers',
  '/etc/krb5.keytab',
  '/etc/kubernetes/admin.conf',
  '/root/.ssh',
  '~/.ssh',
  '~/.aws',
  '~/.azure',
  '~/.config/gcloud',
  '~/.config/gh',
  '~/.docker/config.json',
  '~/.git-credentials',
  '~/.gnupg',
  '~/.kube',
  '~/.my.cnf',
  '~/.netrc',
  '~/.npmrc',
  '~/.pgpass',
  '~/.pypirc',
  '~/.vault-token',
  '/run/secrets',
  '/var/run/secrets',
];

const secretWords =
  /(^|\/)(id_(rsa|dsa|ecdsa|ed25519)|[^/]*\.(pem|key|p12|pfx|keytab|kdbx)|\.env(\.[^/]*)?|credentials|[^/]*_history|environ)$/;

/**
 * Whether a path is, or could be, where keys and passwords usually are. A help for rules that look
 * for it, not a boundary: a secret can have any name.
 */
export function isSecret(name: string): boolean {
  if (secretWords.test(name)) return true;
  const wild = name.search(/[*?[]/);
  const fixed = wild < 0 ? name : name.slice(0, wild);
  return secretNames.some(
    (each) => name === each || name.startsWith(`${each}/`) || (wild >= 0 && each.startsWith(fixed)),
  );
}
