/** Programs with sub-commands: services, packages, containers, repositories, the network. */
import type { Effect } from '#core/facts.ts';
import { textOf } from './arguments.ts';
import type { Call } from './call.ts';
import { applyGrammar, type Grammar, hasAny, type Line, readLine } from './grammar.ts';
import { applyRole } from './roles.ts';
import { subCommands, subs } from './sub-commands.ts';

const systemctl = subCommands(
  {
    flags: 'alqr',
    longs:
      'all full no-pager no-legend plain quiet now failed recursive no-block force no-ask-password user system',
    texts: 't type state p property n lines o output s signal',
  },
  {
    ...subs(
      'status show cat is-active is-enabled is-failed list-units list-unit-files',
      ['read'],
      'unit',
    ),
    ...subs(
      'list-timers list-sockets list-dependencies list-jobs get-default is-system-running',
      ['read'],
      'unit',
    ),
    ...subs('start stop restart reload try-restart reload-or-restart kill', ['service'], 'service'),
    ...subs(
      'enable disable mask unmask reset-failed isolate',
      ['service', 'file-write'],
      'service',
    ),
    ...subs('daemon-reload daemon-reexec', ['service']),
    ...subs('reboot poweroff halt kexec suspend hibernate rescue emergency', ['shutdown']),
  },
  ['service', 'admin'],
  ['read'],
);

function service(call: Call): void {
  const [name, action] = call.args;
  const verb = textOf(action) ?? '';
  if (name !== undefined) applyRole(call, verb === 'status' ? 'unit' : 'service', name);
  call.ledger.effect(verb === 'status' ? 'read' : 'service');
  const known = /^(status|start|stop|restart|reload|force-reload)$/.test(verb);
  if (!known || call.args.length !== 2) call.ledger.doubt(`service ${verb.slice(0, 30)}`);
}

function journalctl(call: Call): void {
  const line = applyGrammar(call, {
    does: ['read', 'file-read'],
    flags: 'aefklmqrxN',
    longs:
      'all no-pager follow no-tail reverse quiet dmesg list-boots disk-usage utc no-hostname no-full catalog pager-end',
    texts: 'n lines p priority S since U until o output t identifier g grep',
    values: { u: 'unit', unit: 'unit', 'user-unit': 'unit' },
    optional: { b: 'text', boot: 'text' },
    rest: 'text',
  });
  call.ledger.object('file', '/var/log/journal/**', 'read');
  // An operand can be a path of a program or a device, which only selects.
  if (line.operands.length > 0) call.ledger.doubt('what journalctl selects');
}

const packageFlags: Grammar = {
  flags: 'yqV',
  longs:
    'yes assume-yes quiet no-install-recommends installed upgradable assumeyes no-cache update',
};

const packageChange: readonly Effect[] = ['package', 'network', 'file-write', 'execute-code'];

const packageManager = subCommands(
  packageFlags,
  {
    ...subs('list show search policy info depends rdepends provides repolist', ['read'], 'text'),
    ...subs('update makecache check-update', ['package', 'network', 'file-write']),
    ...subs(
      'install add reinstall upgrade dist-upgrade full-upgrade localinstall',
      packageChange,
      'package',
    ),
    ...subs(
      'remove purge autoremove erase del autoclean clean',
      ['package', 'delete', 'execute-code'],
      'package',
    ),
  },
  packageChange,
);

const languagePackages = subCommands(
  { flags: 'gqU', longs: 'global quiet upgrade user save-dev no-cache-dir' },
  {
    ...subs('list show check ls freeze', ['read'], 'text'),
    ...subs('view outdated', ['read', 'network'], 'text'),
    ...subs('install i add ci uninstall remove update', packageChange, 'package'),
  },
  packageChange,
);

/** git: whatever looks at a repository runs what its settings name (pagers, hooks, filters). */
function git(call: Call): void {
  const { ledger } = call;
  const line = readLine(call, {
    flags: 'Pp',
    longs: 'no-pager version help no-optional-locks bare paginate',
    texts: 'c',
    values: { C: 'look', 'git-dir': 'look', 'work-tree': 'look' },
    stops: true,
  });
  const [verb, ...args] = line.operands;
  const name = textOf(verb) ?? '';
  ledger.effect('read');
  if (hasAny(line, 'c')) {
    ledger.effect('execute-code');
    ledger.doubt('settings of git on its command line');
  }
  if (hasAny(line, 'version') || name === 'version') return;
  if (name === 'help' || (args.length === 1 && textOf(args[0]) === '--help')) {
    // The pager of a terminal is the account's; nothing is run from a repository.
    const pages = name === 'help' ? args.map((word) => textOf(word) ?? '') : [name];
    if (pages.length > 1 || !pages.every((page) => gitNames.test(page)))
      ledger.doubt('help of git');
    return;
  }
  ledger.effect('file-read', 'execute-code');
  if (/^(clone|fetch|pull|push|ls-remote|remote|submodule)$/.test(name)) ledger.effect('network');
  if (/^(clean|reset|checkout|restore|rm|gc|stash|switch)$/.test(name)) {
    ledger.effect('delete', 'file-write');
  }
  if (/^(add|commit|merge|rebase|apply|am|init|clone|pull|mv|tag|branch|config)$/.test(name)) {
    ledger.effect('file-write');
  }
  if (/^(clean)$/.test(name)) ledger.effect('delete-all');
  ledger.verb(`git ${name}`);
  ledger.doubt('what the settings of a repository run');
}

const gitNames =
  /^(help|log|status|diff|show|add|commit|branch|checkout|clone|config|fetch|grep|merge|pull|push|rebase|remote|reset|stash|tag|blame)$/;

/** `ip`: only what shows. */
function ip(call: Call): void {
  const words = call.args
    .map((word) => textOf(word) ?? '*')
    .filter((word) => !/^-[46sdbojph]+$|^-(br|brief|color|json|oneline|stats)$/.test(word));
  const [kind = '', verb = 'show'] = words;
  const shows = /^(a|addr|address|l|link|r|route|n|neigh|ru|rule)$/.test(kind);
  call.ledger.effect('read');
  if (shows && /^(show|list|ls|get)$/.test(verb)) return;
  call.ledger.effect('admin');
  call.ledger.doubt('what ip changes');
}

function mount(call: Call): void {
  const lists: (line: Line) => boolean = ({ operands, options }) =>
    operands.length === 0 && [...options.keys()].every((name) => name === 'l' || name === 't');
  if (lists(readLine(call, { flags: 'l', texts: 't' }))) {
    call.ledger.effect('read');
    return;
  }
  call.ledger.effect('admin');
  call.ledger.doubt('what mount changes');
}

function crontab(call: Call): void {
  if (call.args.length === 1 && textOf(call.args[0]) === '-l') {
    call.ledger.effect('read', 'file-read');
    return;
  }
  call.ledger.effect('execute-code', 'file-write');
  call.ledger.doubt('jobs of cron');
}

/** `top -b -n 1`: once, and not for a terminal. */
function top(call: Call): void {
  applyGrammar(call, {
    does: ['read'],
    flags: 'bcHi',
    texts: 'n d p u w o',
  });
  if (!call.args.some((word) => /^-[cHi]*b/.test(textOf(word) ?? ''))) {
    call.ledger.doubt('top with its keys');
  }
}

/** The programs by name. */
export const administration: readonly (readonly [string, (call: Call) => void])[] = [
  ['systemctl', systemctl],
  ['service', service],
  ['journalctl', journalctl],
  ...['apt', 'apt-get', 'apt-cache', 'yum', 'dnf', 'apk', 'zypper', 'pacman'].map(
    (name): readonly [string, (call: Call) => void] => [name, packageManager],
  ),
  ...['pip', 'pip3', 'npm'].map((name): readonly [string, (call: Call) => void] => [
    name,
    languagePackages,
  ]),
  ['git', git],
  ['ip', ip],
  ['mount', mount],
  ['crontab', crontab],
  ['top', top],
];
