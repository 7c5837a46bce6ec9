/** Programs with sub-commands: services, packages, containers, repositories, the network. */
import type { Effect } from '#core/facts.ts';
import { type Argument, textOf } from './arguments.ts';
import type { Call } from './call.ts';
import { applyGrammar, type Grammar, hasAny, type Line, readLine } from './grammar.ts';
import { applyRole, type Role } from './roles.ts';

/** A sub-command: what it does, and the role of what follows. */
interface Sub {
  readonly does: readonly Effect[];
  readonly rest?: Role;
  readonly grammar?: Grammar;
}

/** A program whose first operand says what it does; what is not in its table is a doubt. */
function subCommands(
  global: Grammar,
  subs: Readonly<Record<string, Sub>>,
  otherwise: readonly Effect[],
): (call: Call) => void {
  return (call) => {
    const { ledger } = call;
    const line = readLine(call, { ...global, stops: true });
    const [verb, ...args] = line.operands;
    if (verb === undefined) {
      if (!hasAny(line, 'help version h V')) ledger.doubt(`${call.name} without a command`);
      return;
    }
    const name = textOf(verb) ?? '';
    const sub = Object.hasOwn(subs, name) ? subs[name] : undefined;
    if (sub === undefined) {
      ledger.effect(...otherwise);
      ledger.doubt(`what ${call.name} ${name.slice(0, 30)} does`);
      return;
    }
    ledger.verb(`${call.name} ${name}`);
    ledger.effect(...sub.does);
    const rest = sub.rest === undefined ? {} : { rest: sub.rest };
    applyGrammar({ ...call, args }, { ...global, ...sub.grammar, ...rest });
  };
}

const subs = (
  words: string,
  does: readonly Effect[],
  rest?: Role,
  grammar?: Grammar,
): Readonly<Record<string, Sub>> =>
  Object.fromEntries(
    words.split(' ').map((word) => [
      word,
      {
        does,
        ...(rest === undefined ? {} : { rest }),
        ...(grammar === undefined ? {} : { grammar }),
      },
    ]),
  );

const systemctl = subCommands(
  {
    flags: 'alqr',
    longs:
      'all full no-pager no-legend plain quiet now failed recursive no-block force no-ask-password',
    texts: 't type state p property n lines o output s signal',
  },
  {
    ...subs(
      'status show cat is-active is-enabled is-failed list-units list-unit-files',
      ['read'],
      'service',
    ),
    ...subs(
      'list-timers list-sockets list-dependencies list-jobs get-default is-system-running',
      ['read'],
      'service',
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
);

function service(call: Call): void {
  const [name, action] = call.args;
  const verb = textOf(action) ?? '';
  if (name !== undefined) applyRole(call, 'service', name);
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
    values: { u: 'service', unit: 'service', 'user-unit': 'service' },
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
    ...subs('list show check ls view outdated', ['read'], 'text'),
    ...subs('install i add ci uninstall remove update', packageChange, 'package'),
  },
  packageChange,
);

const runOptions: Grammar = {
  flags: 'ditPq',
  longs: 'detach interactive tty rm init read-only publish-all quiet no-healthcheck privileged',
  texts:
    'e env env-file name p publish w workdir u user l label h hostname m memory cpus memory-swap restart network net entrypoint platform pull add-host dns ulimit log-driver log-opt shm-size stop-signal stop-timeout v volume mount device cap-add cap-drop security-opt pid ipc userns volumes-from gpus tmpfs cidfile',
  stops: true,
};

/** `docker run`: the image is the first operand; what is mounted or granted is of the host. */
function runContainer(call: Call): void {
  const { ledger } = call;
  const line = readLine(call, runOptions);
  ledger.effect('container-start', 'execute-code', 'network');
  const [image] = line.operands;
  if (image === undefined) ledger.doubt('the image of a container');
  else applyRole(call, 'image', image);
  if (hasAny(line, 'privileged device cap-add security-opt pid ipc userns')) {
    ledger.effect('privilege');
  }
  for (const name of ['v', 'volume']) {
    for (const value of line.options.get(name) ?? []) {
      const [source = '', , mode = ''] = (textOf(value) ?? '').split(':');
      if (source.startsWith('/') || source.startsWith('.')) {
        const path: Argument = { kind: 'text', text: source };
        applyRole(call, 'read', path, true);
        if (mode !== 'ro') applyRole(call, 'write', path, true);
      }
    }
  }
  if (hasAny(line, 'mount volumes-from env-file cidfile'))
    ledger.doubt('what a container is given');
}

const containerLook: Grammar = {
  flags: 'aqlsnt',
  longs: 'all no-trunc quiet latest size timestamps no-stream follow details',
  texts: 'f filter format n tail since until',
};

const containerVerbs = subCommands(
  {},
  {
    ...subs(
      'ps images version info top port diff stats inspect history search',
      ['read'],
      'text',
      containerLook,
    ),
    logs: {
      does: ['read'],
      rest: 'text',
      grammar: {
        ...containerLook,
        flags: 'ft',
        texts: 'n tail since until',
      },
    },
    pull: { does: ['network', 'file-write'], rest: 'image', grammar: { flags: 'qa' } },
    ...subs('stop kill pause unpause restart start', ['process', 'service'], 'text', {
      texts: 't s',
    }),
    ...subs('rm rmi', ['delete'], 'text', { flags: 'fv', longs: 'force volumes' }),
  },
  ['container-start', 'execute-code', 'network'],
);

function containers(call: Call): void {
  const [verb, ...args] = call.args;
  const name = textOf(verb);
  if (name === 'run' || name === 'create') {
    call.ledger.verb(`${call.name} ${name}`);
    runContainer({ ...call, args });
    return;
  }
  if (name === 'container' && /^(run|create)$/.test(textOf(args[0]) ?? '')) {
    runContainer({ ...call, args: args.slice(1) });
    return;
  }
  containerVerbs(call);
}

const clusterOptions: Grammar = {
  flags: 'AwLR',
  longs: 'all-namespaces watch show-labels no-headers all-containers previous timestamps',
  texts: 'n namespace l selector o output context c container tail since sort-by field-selector',
};

const cluster = subCommands(
  clusterOptions,
  {
    ...subs(
      'get describe top logs explain api-resources api-versions version cluster-info',
      ['network', 'read'],
      'text',
    ),
    ...subs('delete drain cordon uncordon taint', ['network', 'delete'], 'text', {
      longs: 'all force ignore-not-found',
    }),
    ...subs('scale rollout annotate label set autoscale expose', ['network', 'alter'], 'text', {
      texts: 'replicas',
    }),
  },
  ['network', 'execute-code', 'container-start'],
);

function kubectl(call: Call): void {
  cluster(call);
  const words = call.args.map((word) => textOf(word) ?? '');
  if (words.some((word) => /^secrets?([./]|$)/.test(word) || word.includes(',secret'))) {
    call.ledger.object('secret', 'kubernetes', 'read');
  }
  for (const word of words) {
    const image = /^--image=(.*)$/.exec(word)?.[1];
    if (image !== undefined) call.ledger.object('image', image, 'execute');
  }
}

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
    if (!/^[a-z-]*$/.test(name) || !gitNames.test(name)) ledger.doubt('help of git');
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

function sysctl(call: Call): void {
  const line = applyGrammar(call, {
    does: ['read'],
    flags: 'aneN',
    longs: 'all values names',
    rest: 'text',
  });
  if (line.operands.some((word) => textOf(word)?.includes('=') !== false))
    call.ledger.effect('admin');
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
  ['docker', containers],
  ['podman', containers],
  ['kubectl', kubectl],
  ['git', git],
  ['ip', ip],
  ['mount', mount],
  ['sysctl', sysctl],
  ['crontab', crontab],
  ['top', top],
];
