/** Templates for hosts: over the facts of shell commands and of operations on files. */
import { listOf } from './inputs.ts';
import { anyEffect, effectParameter, type Template } from './template.ts';

const destructiveShell: Template = anyEffect(
  ['delete', 'delete-all', 'drop', 'truncate', 'process', 'service', 'shutdown'],
  {
    doc:
      'Deletes or overwrites files, ends processes, or stops services or the host: what a shell ' +
      'command cannot take back.',
    reason: 'deletes, overwrites or stops something',
    parameter: 'effects that count as destructive',
  },
  [
    { name: 'rm', facts: { effects: ['delete'] }, matches: true },
    { name: 'rm -r behind sudo', facts: { effects: ['privilege', 'delete-all'] }, matches: true },
    { name: 'echo > file', facts: { effects: ['read', 'file-write', 'truncate'] }, matches: true },
    { name: 'kill', facts: { effects: ['process'] }, matches: true },
    { name: 'systemctl stop', facts: { effects: ['service'] }, matches: true },
    { name: 'reboot', facts: { effects: ['shutdown'] }, matches: true },
    { name: 'echo >> file', facts: { effects: ['read', 'file-write'] }, matches: false },
    { name: 'cat', facts: { effects: ['file-read'] }, matches: false },
    {
      name: 'only recursive deletes, by parameter',
      facts: { effects: ['delete'] },
      parameters: { effects: ['delete-all'] },
      matches: false,
    },
  ],
);

const remoteCode: Template = anyEffect(
  ['execute-code'],
  {
    doc:
      'Runs code that nobody has looked at: downloaded or decoded texts, scripts in files, ' +
      'interpreters, hooks, packages.',
    reason: 'runs code that cannot be looked at',
    parameter: 'effects that count as running code',
  },
  [
    {
      name: 'curl | sh',
      facts: { effects: ['network', 'execute-code', 'unknown'], analysis: 'partial' },
      matches: true,
    },
    { name: 'apt-get install', facts: { effects: ['package', 'execute-code'] }, matches: true },
    { name: 'curl', facts: { effects: ['network', 'read'] }, matches: false },
  ],
);

const newImage: Template = {
  doc:
    'Uses an image that this identity never used on this target before, or starts a container of ' +
    'one that is not known.',
  when:
    "facts.novelties.exists(n, n.kind == 'image') || ('container-start' in facts.effects && " +
    "(facts.analysis != 'complete' || !facts.objects.exists(o, o.kind == 'image')))",
  reason: 'uses an image that this identity never used here before',
  parameters: {},
  cases: [
    {
      name: 'an image for the first time',
      facts: {
        effects: ['container-start'],
        objects: [{ kind: 'image', name: 'nginx:1.25', access: 'execute' }],
      },
      novel: true,
      matches: true,
    },
    {
      name: 'an image that was used before',
      facts: {
        effects: ['container-start'],
        objects: [{ kind: 'image', name: 'nginx:1.25', access: 'execute' }],
      },
      matches: false,
    },
    {
      name: 'a workload of an image, for the first time',
      facts: {
        effects: ['create'],
        objects: [{ kind: 'image', name: 'ghcr.io/acme/job:7', access: 'execute' }],
      },
      novel: true,
      matches: true,
    },
    {
      name: 'an image that is not known',
      facts: { effects: ['container-start'] },
      matches: true,
    },
    { name: 'a list of what runs', facts: { effects: ['read'] }, novel: true, matches: false },
  ],
};

const containerStart: Template = {
  doc:
    'Starts a container of an image that is not among `images`, or of one that is not known. An ' +
    'image is listed as it is written, tag or digest included.',
  when:
    "'container-start' in facts.effects && (facts.analysis != 'complete' || " +
    "!facts.objects.exists(o, o.kind == 'image') || " +
    "facts.objects.exists(o, o.kind == 'image' && !(o.name in parameters.images)))",
  reason: 'starts a container of an image that is not on the list',
  parameters: {
    images: { type: listOf({ kind: 'string' }), default: [], doc: 'images that may be started' },
  },
  cases: [
    {
      name: 'an image',
      facts: {
        effects: ['container-start'],
        objects: [{ kind: 'image', name: 'nginx:1.25', access: 'execute' }],
      },
      matches: true,
    },
    {
      name: 'an image on the list',
      facts: {
        effects: ['container-start'],
        objects: [{ kind: 'image', name: 'nginx:1.25', access: 'execute' }],
      },
      parameters: { images: ['nginx:1.25'] },
      matches: false,
    },
    {
      name: 'another tag than the list has',
      facts: {
        effects: ['container-start'],
        objects: [{ kind: 'image', name: 'nginx', access: 'execute' }],
      },
      parameters: { images: ['nginx:1.25'] },
      matches: true,
    },
    {
      name: 'an image that is not known',
      facts: { effects: ['container-start'], analysis: 'partial' },
      parameters: { images: ['nginx:1.25'] },
      matches: true,
    },
    { name: 'docker ps', facts: { effects: ['read'] }, matches: false },
  ],
};

const dataOut: Template = {
  doc:
    'Data leaves the host other than as the output of a command: it connects somewhere, copies ' +
    'files out, or reads where keys and passwords usually are.',
  when:
    'facts.effects.exists(e, e in parameters.effects) || ' +
    "facts.objects.exists(o, o.kind == 'secret')",
  reason: 'data leaves the host, or keys are read',
  parameters: {
    effects: effectParameter(['network', 'copy-out'], 'effects by which data can leave'),
  },
  cases: [
    { name: 'curl -d @file', facts: { effects: ['network', 'copy-out'] }, matches: true },
    { name: 'scp from the host', facts: { effects: ['file-read', 'copy-out'] }, matches: true },
    {
      name: 'cat ~/.ssh/id_rsa',
      facts: {
        effects: ['file-read'],
        objects: [{ kind: 'secret', name: '~/.ssh/id_rsa', access: 'read' }],
      },
      matches: true,
    },
    { name: 'cat of a log', facts: { effects: ['file-read'] }, matches: false },
  ],
};

const readsWithin: Template = {
  doc:
    'Fully understood, does nothing but read, and only below `folders`; of the paths in `listed` ' +
    'themselves it may read names. Meant for `then: allow`. Where symbolic links lead is not ' +
    'known: what must not be read is kept from the account.',
  when:
    "facts.analysis == 'complete' && facts.effects.all(e, e in parameters.effects) && " +
    "facts.objects.all(o, o.kind == 'variable' || o.access == 'read' && (" +
    "o.kind == 'service' || o.kind == 'path' && o.name in parameters.listed || " +
    "(o.kind == 'file' || o.kind == 'path') && " +
    "parameters.folders.exists(f, o.name == f || o.name.startsWith(f + '/'))))",
  reason: 'reads within its folders',
  parameters: {
    effects: effectParameter(['read', 'file-read', 'session'], 'effects that count as reading'),
    folders: {
      type: listOf({ kind: 'string' }),
      default: [],
      doc: 'folders, such as `~/logs` or `/var/log`, with what is below them',
    },
    listed: {
      type: listOf({ kind: 'string' }),
      default: [],
      doc: 'folders of which only the names in them may be read',
    },
  },
  cases: [
    { name: 'uptime', facts: { effects: ['read'] }, matches: true },
    {
      name: 'systemctl status',
      facts: {
        effects: ['read'],
        objects: [{ kind: 'service', name: 'nginx', access: 'read' }],
      },
      matches: true,
    },
    {
      name: 'cat logs/a',
      facts: {
        effects: ['file-read'],
        objects: [{ kind: 'file', name: '~/logs/a', access: 'read' }],
      },
      parameters: { folders: ['~/logs'] },
      matches: true,
    },
    {
      name: 'a folder that begins the same',
      facts: {
        effects: ['file-read'],
        objects: [{ kind: 'file', name: '~/logs2/a', access: 'read' }],
      },
      parameters: { folders: ['~/logs'] },
      matches: false,
    },
    {
      name: 'cat of a file elsewhere',
      facts: {
        effects: ['file-read'],
        objects: [{ kind: 'file', name: '~/secret.txt', access: 'read' }],
      },
      parameters: { folders: ['~/logs'], listed: ['~'] },
      matches: false,
    },
    {
      name: 'ls of a listed folder',
      facts: { effects: ['read'], objects: [{ kind: 'path', name: '~', access: 'read' }] },
      parameters: { listed: ['~'] },
      matches: true,
    },
    {
      name: 'a write in the folder',
      facts: {
        effects: ['file-write'],
        objects: [{ kind: 'file', name: '~/logs/a', access: 'write' }],
      },
      parameters: { folders: ['~/logs'] },
      matches: false,
    },
    {
      name: 'not understood',
      facts: { effects: ['file-read'], analysis: 'partial' },
      parameters: { folders: ['~/logs'] },
      matches: false,
    },
  ],
};

/** The templates by name. */
export const hostTemplates: readonly (readonly [string, Template])[] = [
  ['destructive-shell', destructiveShell],
  ['remote-code', remoteCode],
  ['container-start', containerStart],
  ['new-image', newImage],
  ['data-out', dataOut],
  ['reads-within', readsWithin],
];
