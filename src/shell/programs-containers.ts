/** Containers and clusters: what runs an image, what only looks, what changes. */
import type { Effect } from '#core/facts.ts';
import { type Argument, textOf } from './arguments.ts';
import type { Call } from './call.ts';
import { type Grammar, hasAny, readLine } from './grammar.ts';
import { applyRole } from './roles.ts';
import { type Sub, subCommands, subs } from './sub-commands.ts';

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
  longs: 'all no-trunc quiet latest size timestamps no-stream follow details digests',
  texts: 'f filter format n tail since until',
};
const containerLogs: Grammar = {
  flags: 'ft',
  longs: 'timestamps follow details no-color no-log-prefix',
  texts: 'n tail since until',
};

const looks: Readonly<Record<string, Sub>> = {
  ...subs('ps version info top port diff stats inspect history', ['read'], 'text', containerLook),
  logs: { does: ['read'], rest: 'text', grammar: containerLogs },
};
const changes: Readonly<Record<string, Sub>> = {
  ...subs('stop kill pause unpause restart start', ['process', 'service'], 'text', {
    texts: 't s',
  }),
  ...subs('rm rmi', ['delete'], 'text', { flags: 'fv', longs: 'force volumes' }),
};
const pull: Sub = { does: ['network', 'file-write'], rest: 'image', grammar: { flags: 'qa' } };
const starts: readonly Effect[] = ['container-start', 'execute-code', 'network'];
const run: Sub = { does: starts, inner: runContainer };

/** The groups in which `docker` has most of its commands a second time. */
const groups: Readonly<Record<string, Sub>> = {
  container: {
    does: [],
    inner: subCommands(
      {},
      {
        ...looks,
        ...subs('ls list', ['read'], undefined, containerLook),
        ...changes,
        run,
        create: run,
      },
      starts,
    ),
  },
  image: {
    does: [],
    inner: subCommands(
      {},
      {
        ...subs('ls list inspect history', ['read'], 'text', containerLook),
        rm: { does: ['delete'], rest: 'text', grammar: { flags: 'f', longs: 'force' } },
        pull,
      },
      starts,
    ),
  },
  ...Object.fromEntries(
    ['network', 'volume', 'context', 'node', 'service', 'stack'].map((name): [string, Sub] => [
      name,
      {
        does: [],
        inner: subCommands({}, subs('ls list inspect', ['read'], 'text', containerLook), starts),
      },
    ]),
  ),
  system: {
    does: [],
    inner: subCommands({}, subs('df info', ['read'], undefined, { flags: 'v' }), starts),
  },
  compose: { does: [], inner: composed },
};

/** `docker compose`: what only looks; all else may start what its files say. */
function composed(call: Call): void {
  subCommands(
    { texts: 'p project-name' },
    {
      ...subs('ps top images ls version', ['read'], 'text', containerLook),
      logs: { does: ['read'], rest: 'text', grammar: containerLogs },
    },
    starts,
  )(call);
}

const containers = subCommands(
  {},
  {
    ...looks,
    ...subs('images', ['read'], 'text', containerLook),
    ...subs('search', ['read', 'network'], 'text', containerLook),
    ...changes,
    ...groups,
    pull,
    run,
    create: run,
  },
  starts,
);

/** `crictl`: containers and images of a node. */
const runtime = subCommands(
  { flags: 'D' },
  {
    ...subs('ps pods images img stats version info inspect inspecti inspectp', ['read'], 'text', {
      flags: 'aqv',
      longs: 'all quiet no-trunc verbose',
      texts: 'o output name label state pod image l',
    }),
    logs: { does: ['read'], rest: 'text', grammar: containerLogs },
    ...subs('stop stopp', ['process', 'service'], 'text'),
    ...subs('rm rmp rmi', ['delete'], 'text', { flags: 'af', longs: 'all force' }),
  },
  starts,
);

const listed = subCommands({}, subs('ls list info', ['read'], 'text', { flags: 'q' }), starts);
const containerd = subCommands(
  { texts: 'n namespace' },
  Object.fromEntries(
    ['containers', 'container', 'c', 'images', 'image', 'i', 'tasks', 'task', 't'].map(
      (name): [string, Sub] => [name, { does: [], inner: listed }],
    ),
  ),
  starts,
);

const clusterOptions: Grammar = {
  flags: 'AwLR',
  longs:
    'all-namespaces watch watch-only show-labels no-headers all-containers previous timestamps recursive client',
  texts:
    'n namespace l selector o output c container tail since sort-by field-selector context ' +
    'cluster request-timeout v',
};

const cluster = subCommands(
  clusterOptions,
  {
    ...subs(
      'get describe top explain api-resources api-versions version cluster-info events',
      ['network', 'read'],
      'text',
    ),
    logs: {
      does: ['network', 'read'],
      rest: 'text',
      grammar: { flags: 'fp', longs: `${clusterOptions.longs ?? ''} follow prefix` },
    },
    config: {
      does: [],
      inner: subCommands(
        {},
        subs('current-context get-contexts get-clusters get-users view', ['read'], 'text', {
          longs: 'no-headers minify',
          texts: 'o output',
        }),
        ['file-write'],
      ),
    },
    auth: {
      does: [],
      inner: subCommands(clusterOptions, subs('can-i whoami', ['network', 'read'], 'text'), [
        'network',
        'grant',
      ]),
    },
    rollout: {
      does: [],
      inner: subCommands(
        clusterOptions,
        {
          ...subs('status history', ['network', 'read'], 'text'),
          ...subs('restart undo pause resume', ['network', 'alter'], 'text'),
        },
        ['network', 'alter'],
      ),
    },
    ...subs('delete drain cordon uncordon taint', ['network', 'delete'], 'text', {
      longs: 'all force ignore-not-found',
    }),
    ...subs('scale annotate label set autoscale expose', ['network', 'alter'], 'text', {
      texts: 'replicas',
    }),
  },
  ['network', 'execute-code', 'container-start'],
);

/** What is behind `-o`; some forms read a file, and say what is in it when it is no template. */
const outputForms =
  /^(json|yaml|wide|name|(jsonpath|jsonpath-as-json|go-template|template|custom-columns)=.*)$/s;

function kubectl(call: Call): void {
  cluster(call);
  const words = call.args.map((word) => textOf(word) ?? '');
  if (words.some((word) => /^secrets?([./]|$)/.test(word) || word.includes(',secret'))) {
    call.ledger.object('secret', 'kubernetes', 'read');
  }
  for (const [index, word] of words.entries()) {
    const image = /^--image=(.*)$/.exec(word)?.[1];
    if (image !== undefined) call.ledger.object('image', image, 'execute');
    const form = /^(?:-[a-zA-Z]*o=?|--output=?)(.*)$/s.exec(word)?.[1];
    if (form !== undefined && !outputForms.test(form === '' ? (words[index + 1] ?? '') : form)) {
      call.ledger.doubt('the form in which kubectl answers');
    }
  }
}

const charts = subCommands(
  { texts: 'n namespace kube-context' },
  {
    ...subs('list ls status history', ['network', 'read'], 'text', {
      flags: 'Aaq',
      longs: 'all-namespaces all short',
      texts: 'o output filter max revision',
    }),
    ...subs('version env', ['read'], 'text', { longs: 'short' }),
  },
  ['network', 'container-start', 'execute-code', 'alter'],
);

/** The programs by name. */
export const containerPrograms: readonly (readonly [string, (call: Call) => void])[] = [
  ['docker', containers],
  ['podman', containers],
  ['nerdctl', containers],
  ['docker-compose', composed],
  ['podman-compose', composed],
  ['crictl', runtime],
  ['ctr', containerd],
  ['kubectl', kubectl],
  ['helm', charts],
];
