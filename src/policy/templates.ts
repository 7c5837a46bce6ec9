/**
 * Conditions that ship with the gateway, so that a policy can say `use: destructive` and get better
 * over time. Each is CEL over facts, may have parameters, and has cases that `policy test` runs.
 * A change here changes the version of every policy that uses the template.
 */
import { columnUseNames, effectNames, listOf, oneOf } from './inputs.ts';
import { anyEffect, effectParameter, type Template } from './template.ts';
import { hostTemplates } from './templates-hosts.ts';
import { kubernetesTemplates } from './templates-kubernetes.ts';

export type { Template } from './template.ts';

const readOnly: Template = {
  doc: 'Fully understood, and does nothing but read. Meant for `then: allow`.',
  when: "facts.analysis == 'complete' && facts.effects.all(e, e in parameters.effects)",
  reason: 'reads only',
  parameters: {
    effects: effectParameter(['read', 'session', 'transaction'], 'effects that count as reading'),
  },
  cases: [
    { name: 'a read', facts: { effects: ['read'] }, matches: true },
    { name: 'BEGIN', facts: { effects: ['transaction'] }, matches: true },
    { name: 'a read that also locks', facts: { effects: ['read', 'lock'] }, matches: false },
    { name: 'a CTE that deletes', facts: { effects: ['read', 'delete'] }, matches: false },
    {
      name: 'a read that is not fully understood',
      facts: { effects: ['read'], analysis: 'partial' },
      matches: false,
    },
    {
      name: 'nothing is known',
      facts: { effects: ['unknown'], analysis: 'opaque' },
      matches: false,
    },
    {
      name: 'locks allowed by parameter',
      facts: { effects: ['read', 'lock'] },
      parameters: { effects: ['read', 'lock'] },
      matches: true,
    },
  ],
};

const destructive: Template = anyEffect(
  ['drop', 'truncate', 'delete-all', 'update-all'],
  {
    doc: 'Loses data that cannot be put back: drop, truncate, delete or update of every row.',
    reason: 'destroys data',
    parameter: 'effects that count as destructive',
  },
  [
    { name: 'DROP TABLE', facts: { effects: ['drop'] }, matches: true },
    { name: 'TRUNCATE', facts: { effects: ['truncate'] }, matches: true },
    { name: 'DELETE without a condition', facts: { effects: ['delete-all'] }, matches: true },
    { name: 'hidden in a CTE', facts: { effects: ['read', 'update-all'] }, matches: true },
    { name: 'a bounded DELETE', facts: { effects: ['delete'] }, matches: false },
    { name: 'a read', facts: { effects: ['read'] }, matches: false },
    {
      name: 'bounded deletes too, by parameter',
      facts: { effects: ['delete'] },
      parameters: { effects: ['delete', 'delete-all'] },
      matches: true,
    },
  ],
);

const bulkChange: Template = {
  doc:
    'Changes or removes more than a few rows, or rows that no key and no limit bounds: a condition ' +
    'that looks narrow may hold for every row.',
  when:
    "facts.effects.exists(e, e in ['update', 'update-all', 'delete', 'delete-all']) && " +
    '(facts.rowsChangedMax < 0 || facts.rowsChangedMax > int(parameters.rows[0]))',
  reason: 'changes or removes many rows, or an unknown number of them',
  parameters: {
    rows: { type: listOf({ kind: 'string' }), default: ['3'], doc: 'the most rows that are few' },
  },
  cases: [
    {
      name: 'a delete by key',
      facts: { effects: ['delete'], rowsChangedMax: 1 },
      matches: false,
    },
    {
      name: 'a delete by a list of keys',
      facts: { effects: ['delete'], rowsChangedMax: 4 },
      matches: true,
    },
    { name: 'a delete that nothing bounds', facts: { effects: ['delete'] }, matches: true },
    { name: 'an update of every row', facts: { effects: ['update-all'] }, matches: true },
    { name: 'an insert', facts: { effects: ['insert'] }, matches: false },
    {
      name: 'more rows, by parameter',
      facts: { effects: ['update'], rowsChangedMax: 100 },
      parameters: { rows: ['100'] },
      matches: false,
    },
  ],
};

const locking: Template = anyEffect(
  ['lock'],
  {
    doc: 'Locks tables, takes advisory locks or sleeps, which can hold others up.',
    reason: 'can hold others up',
    parameter: 'effects that count as holding others up',
  },
  [
    { name: 'LOCK TABLE', facts: { effects: ['lock'] }, matches: true },
    { name: 'pg_sleep', facts: { effects: ['read', 'lock'] }, matches: true },
    { name: 'one row FOR UPDATE', facts: { effects: ['read', 'update'] }, matches: false },
  ],
);

const schemaChange: Template = anyEffect(
  ['create', 'alter', 'drop'],
  {
    doc: 'Changes definitions: create, alter, drop.',
    reason: 'changes the schema',
    parameter: 'effects that count as a change of schema',
  },
  [
    { name: 'ALTER TABLE', facts: { effects: ['alter'] }, matches: true },
    { name: 'CREATE TABLE AS', facts: { effects: ['read', 'create'] }, matches: true },
    { name: 'an insert', facts: { effects: ['insert'] }, matches: false },
  ],
);

const privilege: Template = anyEffect(
  ['grant', 'admin', 'privilege'],
  {
    doc: 'Changes rights, roles or ownership, administers the server, or acts as another user.',
    reason: 'changes rights or administers the server',
    parameter: 'effects that count as privileged',
  },
  [
    { name: 'GRANT', facts: { effects: ['grant'] }, matches: true },
    { name: 'ALTER SYSTEM', facts: { effects: ['admin'] }, matches: true },
    { name: 'sudo', facts: { effects: ['read', 'privilege'] }, matches: true },
    { name: 'a read', facts: { effects: ['read'] }, matches: false },
  ],
);

const serverSideCode: Template = anyEffect(
  ['execute-code', 'file-read', 'file-write', 'network'],
  {
    doc: 'Runs code on the server, or makes the server touch files or the network.',
    reason: 'runs code, or reaches files or the network, on the server',
    parameter: 'effects that count as server-side code',
  },
  [
    { name: 'DO', facts: { effects: ['execute-code'], analysis: 'opaque' }, matches: true },
    { name: 'pg_read_file', facts: { effects: ['read', 'file-read'] }, matches: true },
    { name: 'dblink', facts: { effects: ['network'] }, matches: true },
    { name: 'a read', facts: { effects: ['read'] }, matches: false },
  ],
);

const bulkExport: Template = anyEffect(
  ['copy-out'],
  {
    doc: 'Leaves the target as a bulk copy.',
    reason: 'exports data in bulk',
    parameter: 'effects that count as a bulk export',
  },
  [
    { name: 'COPY TO STDOUT', facts: { effects: ['read', 'copy-out'] }, matches: true },
    { name: 'COPY FROM STDIN', facts: { effects: ['insert', 'copy-in'] }, matches: false },
    { name: 'a read', facts: { effects: ['read'] }, matches: false },
  ],
);

const maskedData: Template = {
  doc:
    'Uses masked columns in a way that tells something of their values: copies them, filters, ' +
    'orders or groups by them, or reads them without being fully understood.',
  when:
    'facts.columns.exists(c, c.masked && ' +
    "(c.use in parameters.uses || facts.analysis != 'complete'))",
  reason: 'uses masked columns in a way that can reveal their values',
  parameters: {
    uses: {
      type: listOf(oneOf(columnUseNames)),
      default: ['copy', 'filter', 'order', 'group'],
      doc: 'uses of a masked column that count',
    },
  },
  cases: [
    {
      name: 'filter by a masked column',
      facts: { columns: [{ name: 'public.customers.ssn', use: 'filter', masked: true }] },
      matches: true,
    },
    {
      name: 'copy of a masked column',
      facts: { columns: [{ name: 'public.customers.ssn', use: 'copy', masked: true }] },
      matches: true,
    },
    {
      name: 'a masked column returned: it comes back masked',
      facts: { columns: [{ name: 'public.customers.ssn', use: 'return', masked: true }] },
      matches: false,
    },
    {
      name: 'a masked column in an expression: the result comes back masked',
      facts: { columns: [{ name: 'public.customers.ssn', use: 'compute', masked: true }] },
      matches: false,
    },
    {
      name: 'a masked column returned by what is not fully understood',
      facts: {
        columns: [{ name: 'public.customers.ssn', use: 'return', masked: true }],
        analysis: 'partial',
      },
      matches: true,
    },
    {
      name: 'filter by a column without a mask',
      facts: { columns: [{ name: 'public.orders.id', use: 'filter', masked: false }] },
      matches: false,
    },
    {
      name: 'only copies, by parameter',
      facts: { columns: [{ name: 'public.customers.ssn', use: 'filter', masked: true }] },
      parameters: { uses: ['copy'] },
      matches: false,
    },
  ],
};

const maskedFilter: Template = {
  doc:
    'Asks about masked columns in a way that tells a bit of their values: filters, orders, groups ' +
    'or joins by them, or computes with them. For rules with a `budget`.',
  when: 'facts.columns.exists(c, c.masked && c.use in parameters.uses)',
  reason: 'asks about masked values again and again',
  parameters: {
    uses: {
      type: listOf(oneOf(columnUseNames)),
      default: ['filter', 'order', 'group', 'compute'],
      doc: 'uses of a masked column that count',
    },
  },
  cases: [
    {
      name: 'filter by a masked column',
      facts: { columns: [{ name: 'public.customers.ssn', use: 'filter', masked: true }] },
      matches: true,
    },
    {
      name: 'an expression over a masked column, which may fail',
      facts: { columns: [{ name: 'public.customers.ssn', use: 'compute', masked: true }] },
      matches: true,
    },
    {
      name: 'a masked column returned',
      facts: { columns: [{ name: 'public.customers.ssn', use: 'return', masked: true }] },
      matches: false,
    },
    {
      name: 'filter by a column without a mask',
      facts: { columns: [{ name: 'public.orders.id', use: 'filter', masked: false }] },
      matches: false,
    },
  ],
};

const novel: Template = {
  doc:
    'Changes something, runs code or calls a function of its own in a way in which this identity ' +
    'never did on this target before.',
  when:
    'facts.novel && (facts.effects.exists(e, e in parameters.effects) || facts.novelties.exists(n, ' +
    "n.kind == 'function' && !parameters.builtin.exists(b, n.name.startsWith(b))))",
  reason: 'this identity never did this here before',
  parameters: {
    effects: effectParameter(
      effectNames.filter((name) => !['read', 'session', 'transaction', 'listen'].includes(name)),
      'effects that count',
    ),
    builtin: {
      type: listOf({ kind: 'string' }),
      default: ['pg_catalog.'],
      doc: 'how names of functions begin that everybody may call',
    },
  },
  cases: [
    {
      name: 'a first write',
      facts: { effects: ['insert'], fingerprint: 'f' },
      novel: true,
      matches: true,
    },
    {
      name: 'a write that was done before',
      facts: { effects: ['insert'], fingerprint: 'f' },
      matches: false,
    },
    {
      name: 'a first read',
      facts: { effects: ['read'], fingerprint: 'f' },
      novel: true,
      matches: false,
    },
    {
      name: 'a first call of a function of the target',
      facts: { effects: ['read'], functions: ['shop.close_books'] },
      novel: true,
      matches: true,
    },
    {
      name: 'a first call of a function of the server',
      facts: { effects: ['read'], functions: ['pg_catalog.lower'] },
      novel: true,
      matches: false,
    },
    {
      name: 'what is not fully understood is always new',
      facts: { effects: ['unknown'], analysis: 'opaque' },
      novel: true,
      matches: true,
    },
  ],
};

const notUnderstood: Template = {
  doc: 'The facts do not cover everything that the command can do.',
  when: "facts.analysis != 'complete' || 'unknown' in facts.effects",
  reason: 'not fully understood',
  parameters: {},
  cases: [
    { name: 'opaque', facts: { effects: ['unknown'], analysis: 'opaque' }, matches: true },
    { name: 'partial', facts: { effects: ['read'], analysis: 'partial' }, matches: true },
    { name: 'an unknown function', facts: { effects: ['read', 'unknown'] }, matches: true },
    { name: 'complete', facts: { effects: ['read'] }, matches: false },
  ],
};

/** The templates by the name that `use` takes. */
export const templates: ReadonlyMap<string, Template> = new Map([
  ['read-only', readOnly],
  ['destructive', destructive],
  ['bulk-change', bulkChange],
  ['locking', locking],
  ['schema-change', schemaChange],
  ['privilege', privilege],
  ['server-side-code', serverSideCode],
  ['bulk-export', bulkExport],
  ['masked-data', maskedData],
  ['masked-filter', maskedFilter],
  ['novel', novel],
  ['not-understood', notUnderstood],
  ...hostTemplates,
  ...kubernetesTemplates,
]);
