/** Programs that tell of the system in some of their forms, and change it in the others. */
import type { Effect } from '#core/facts.ts';
import { type Argument, mayBeOption, textOf } from './arguments.ts';
import type { Call } from './call.ts';
import { applyGrammar, type Grammar, hasAny, readLine } from './grammar.ts';
import { applyRole, type Role } from './roles.ts';
import { subCommands, subs } from './sub-commands.ts';

/** A program that only tells when its words are those of a table, and else does `otherwise`. */
function tells(grammar: Grammar, otherwise: readonly Effect[], needs?: string): Handler {
  return (call) => {
    call.ledger.effect('read');
    const line = readLine(call, grammar);
    const known = (needs === undefined || hasAny(line, needs)) && line.operands.length === 0;
    if (known) return;
    call.ledger.effect(...otherwise);
    call.ledger.doubt(`what ${call.name} changes`);
  };
}

type Handler = (call: Call) => void;

const control: Grammar = { longs: 'no-pager all', texts: 'p property' };

const firewall = tells(
  { flags: 'LSnvx', longs: 'list list-rules numeric verbose line-numbers', texts: 't table' },
  ['admin'],
  'L S list list-rules',
);

/** `sysctl`: a setting is a file below `/proc/sys`, and old versions follow its dots out of it. */
function sysctl(call: Call): void {
  const line = applyGrammar(call, {
    does: ['read'],
    flags: 'aneN',
    longs: 'all values names',
    rest: 'text',
  });
  for (const operand of line.operands) {
    const word = textOf(operand) ?? '/';
    if (word.includes('=')) call.ledger.effect('admin');
    else if (!/^[\w-]+([./][\w-]+)*$/.test(word)) call.ledger.doubt('a setting of sysctl');
  }
}

/** `nft list …`: all words are one text, in which a semicolon begins the next command. */
function packetFilter(call: Call): void {
  const words = call.args.map((word) => textOf(word) ?? ';');
  call.ledger.effect('read');
  const [verb] = words.filter((word) => !/^-[nasj]+$/.test(word));
  if (verb === 'list' && words.every((word) => /^[\w-]+$/.test(word))) return;
  call.ledger.effect('admin');
  call.ledger.doubt('what nft changes');
}

/** `lsof`: the value of `-i` and `-s` may be left out. */
function lsof(call: Call): void {
  const { ledger } = call;
  const args = call.args.flatMap((argument, index) => {
    const word = textOf(argument) ?? '';
    const before = textOf(call.args[index - 1]) ?? '';
    if (/^-[nPtl]*i$/.test(before) && !word.startsWith('-') && word !== '') return [];
    return /^-(i|s[A-Z]+:)[\w@:,.-]*$/.test(word) ? [] : [argument];
  });
  ledger.effect('read');
  applyGrammar({ ...call, args }, { flags: 'abhilnOPRtUVX', texts: 'p u c', rest: 'look' });
}

/** `nc -z host port` looks whether somebody listens; all else carries data. */
function netcat(call: Call): void {
  const { ledger } = call;
  ledger.effect('network');
  const line = readLine(call, { flags: 'zvnu46', texts: 'w' });
  const [host] = line.operands;
  if (host !== undefined) applyRole(call, 'host', host);
  if (!hasAny(line, 'z') || line.operands.length !== 2) ledger.doubt(`what ${call.name} carries`);
}

/** The sub-commands of `openssl` that look at certificates and digests. */
function openssl(call: Call): void {
  const { ledger } = call;
  const [verb, ...words] = call.args;
  const name = textOf(verb) ?? '';
  if (name === 'version' || name === '--version') {
    ledger.effect('read');
    return;
  }
  if (!/^(x509|req|crl|dgst)$/.test(name)) {
    ledger.effect('execute-code');
    ledger.doubt(`what openssl ${name.slice(0, 20)} does`);
    return;
  }
  ledger.verb(`openssl ${name}`);
  ledger.effect('file-read');
  let role: Role | undefined;
  for (const argument of words) {
    const word = textOf(argument) ?? '';
    if (role !== undefined) {
      applyRole(call, role, argument);
      // It can be a URL as well, which says another file than it seems to.
      if (/^[a-z][\w+.-]*:/i.test(word)) ledger.doubt('a file of openssl');
      role = undefined;
    } else if (word === '-in') {
      role = 'read';
    } else if (/^-(checkend|inform|nameopt|ext)$/.test(word)) {
      role = 'text';
    } else if (name === 'dgst' && !mayBeOption(argument)) {
      applyRole(call, 'read', argument);
    } else if (!certificateFlags.has(word)) {
      ledger.doubt(`a word of openssl ${name}`);
    }
  }
}

const certificateFlags: ReadonlySet<string> = new Set(
  (
    '-noout -text -dates -startdate -enddate -subject -issuer -serial -fingerprint -sha1 -sha256 ' +
    '-sha512 -md5 -purpose -pubkey -modulus -hash'
  ).split(' '),
);

function rpm(call: Call): void {
  const line = readLine(call, { flags: 'qailcdRV', longs: 'query all info list' });
  call.ledger.effect('read');
  for (const operand of line.operands) applyRole(call, 'text', operand);
  if (hasAny(line, 'q query')) return;
  call.ledger.effect('package', 'network', 'file-write', 'execute-code');
  call.ledger.doubt('what rpm changes');
}

/** `less`, `more`: a word with a plus is a command for when they begin. */
function pager(table: Grammar): Handler {
  return (call) => {
    const begins = (argument: Argument): boolean =>
      argument.kind === 'text'
        ? argument.text.startsWith('+')
        : argument.kind === 'paths' && argument.patterns.some(({ text }) => text.startsWith('+'));
    if (call.args.some(begins)) call.ledger.doubt(`a command for ${call.name}`);
    applyGrammar(call, table);
  };
}

function manual(call: Call): void {
  call.ledger.effect('read');
  for (const argument of call.args) {
    if (!/^(\d|[a-z_][\w.+-]*|-[fk])$/i.test(textOf(argument) ?? '')) {
      call.ledger.effect('execute-code');
      call.ledger.doubt('a word of man');
    }
  }
}

/** The programs by name. */
export const statusPrograms: readonly (readonly [string, Handler])[] = [
  ['sysctl', sysctl],
  ['lsof', lsof],
  ...['nc', 'ncat', 'netcat'].map((name): readonly [string, Handler] => [name, netcat]),
  ['openssl', openssl],
  ['rpm', rpm],
  ['man', manual],
  ['less', pager({ rest: 'read', dash: true, flags: 'eEFgGiImMnNqQrRsSuUwWX' })],
  ['more', pager({ rest: 'read', dash: true, flags: 'dflpcsu' })],
  ['iptables', firewall],
  ['ip6tables', firewall],
  ['nft', packetFilter],
  ['ufw', subCommands({}, subs('status version', ['read'], 'text'), ['admin'])],
  ['stty', subCommands({ flags: 'ag' }, subs('size', ['read']), ['session'], ['read'])],
  [
    'timedatectl',
    subCommands(control, subs('status show list-timezones', ['read']), ['admin'], ['read']),
  ],
  ['hostnamectl', subCommands(control, subs('status', ['read']), ['admin'], ['read'])],
  [
    'loginctl',
    subCommands(
      control,
      subs(
        'list-sessions list-users list-seats session-status user-status show-session show-user',
        ['read'],
        'text',
      ),
      ['admin', 'process'],
      ['read'],
    ),
  ],
  [
    'resolvectl',
    subCommands(
      control,
      {
        ...subs('status statistics dns domain', ['read']),
        ...subs('query', ['read', 'network'], 'host'),
      },
      ['admin'],
      ['read'],
    ),
  ],
  [
    'systemd-analyze',
    subCommands(control, subs('time blame critical-chain', ['read'], 'text'), ['admin'], ['read']),
  ],
  [
    'coredumpctl',
    subCommands(control, subs('list info', ['read'], 'text'), ['execute-code'], ['read']),
  ],
  [
    'chronyc',
    subCommands({ flags: 'n' }, subs('tracking sources sourcestats activity', ['read']), ['admin']),
  ],
  [
    'nmcli',
    subCommands(
      { flags: 't', texts: 'f fields g' },
      {
        general: { does: ['read'] },
        ...Object.fromEntries(
          ['device', 'dev', 'd', 'connection', 'con', 'c'].map((name) => [
            name,
            {
              does: [],
              inner: subCommands({}, subs('status show', ['read'], 'text'), ['admin'], ['read']),
            },
          ]),
        ),
      },
      ['admin'],
    ),
  ],
  ['zpool', subCommands({}, subs('status list', ['read'], 'text', { flags: 'vHpx' }), ['admin'])],
  [
    'zfs',
    subCommands({}, subs('list get', ['read'], 'text', { flags: 'rHp', texts: 'o t s' }), [
      'admin',
    ]),
  ],
  [
    'smartctl',
    (call) => {
      applyGrammar(call, {
        does: ['read'],
        flags: 'aHicxA',
        longs: 'all health info',
        rest: 'text',
      });
    },
  ],
];
