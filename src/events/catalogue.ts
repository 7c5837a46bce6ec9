/**
 * Every event that the gateway tells: what it means, what its `data` may hold, an example. Closed:
 * a key that is not here is not stored, so that no value can slip into the audit trail by accident.
 * `docs/reference/events.md` is made from this table. A field is only ever added, and optional; a
 * change of meaning is a new version of the type.
 */
import { z } from 'zod';
import type { EventType } from '#core/events.ts';

/** What the catalogue says of one type. */
export interface EventEntry {
  readonly version: number;
  /** One sentence: when it is told. */
  readonly when: string;
  readonly data: z.ZodObject;
  /** A `data` that the schema accepts. */
  readonly example: Readonly<Record<string, unknown>>;
}

const entry = (
  when: string,
  shape: z.ZodRawShape,
  example: Readonly<Record<string, unknown>>,
): EventEntry => ({ version: 1, when, data: z.strictObject(shape), example });

const text = z.string();
const texts = z.array(z.string());
const count = z.int().nonnegative();
const time = z.int().nonnegative();
const maybe = z.string().nullable();
const outcome = z.enum(['allow', 'hold', 'deny']);

const session = '0199c8f0-2d3e-7c61-9a54-3f2b8e7d1c05';
const hold = '0199c8f0-3a10-7b7f-8f0e-5d1c2b3a4f60';
const lock = '0199c8f1-0a4e-7d20-b1c3-9e8f7a6b5c4d';
const digest = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

/** The catalogue, by type. */
export const catalogue: Readonly<Record<EventType, EventEntry>> = {
  'gateway.started': entry(
    'The gateway began to accept connections.',
    { version: text, node: text.optional(), pid: count.optional(), listeners: texts.optional() },
    { version: '0.1.0', node: 'v24.21.0', pid: 4711, listeners: ['postgres 127.0.0.1:6432'] },
  ),
  'gateway.stopped': entry(
    'The gateway shut down in order. A start without it before means a crash.',
    { reason: text, sessions: count.optional() },
    { reason: 'SIGTERM', sessions: 0 },
  ),
  'config.loaded': entry(
    'A configuration came into force.',
    { digest: text, changed: texts.optional(), needRestart: texts.optional() },
    { digest, changed: ['grants'], needRestart: [] },
  ),
  'config.rejected': entry(
    'A changed configuration was not valid; the one before stays.',
    { problems: texts },
    { problems: ['sallyport.yaml:12:3 grants[0].targets: nothing named'] },
  ),
  'policy.loaded': entry(
    'A policy came into force.',
    { version: text, rules: count, masks: count.optional(), previous: maybe.optional() },
    { version: digest, rules: 12, masks: 4, previous: null },
  ),
  'policy.rejected': entry(
    'A changed policy was not valid; the one before stays.',
    { problems: texts },
    { problems: ['policies/prod.yaml:4:9 unknown template destructiv'] },
  ),
  'login.failed': entry(
    'Somebody was not let in. `why` is for operators; the client is told less.',
    {
      code: text,
      why: text,
      user: text.optional(),
      identity: maybe.optional(),
      address: text,
      listener: text,
    },
    {
      code: 'SP_NO_GRANT',
      why: 'no grant',
      user: 'admin@orders',
      address: '10.0.0.7',
      listener: 'postgres',
    },
  ),
  'credential.issued': entry(
    'A credential was given out: in exchange for a token, or at the first start.',
    {
      credential: text,
      identity: text,
      how: z.enum(['exchange', 'bootstrap']),
      token: maybe,
      targets: texts,
      accounts: texts,
      purpose: maybe.optional(),
      expiresAt: time,
    },
    {
      credential: '0199c8f02d3e7c619a543f2b8e7d1c05',
      identity: 'github/812345678',
      how: 'exchange',
      token: 'f3a1c2d4-7e55-4d0b-9a3e-0c6c8f6f1b2a',
      targets: ['orders'],
      accounts: [],
      expiresAt: 1_760_000_900_000,
    },
  ),
  'credential.revoked': entry(
    'A credential was revoked before its time.',
    { credential: text, identity: text.optional() },
    { credential: '0199c8f02d3e7c619a543f2b8e7d1c05', identity: 'github/812345678' },
  ),
  'session.started': entry(
    'An identity was let in to a target; its recording is open.',
    {
      protocol: text,
      account: text,
      grant: text,
      namespace: text,
      address: text,
      client: text,
      owner: maybe,
      onBehalfOf: maybe,
      purpose: maybe.optional(),
      expiresAt: time,
    },
    {
      protocol: 'postgres',
      account: 'readonly',
      grant: 'ci-reads-orders',
      namespace: 'shop',
      address: '10.0.0.7',
      client: 'psql',
      owner: 'people/alice',
      onBehalfOf: null,
      expiresAt: 1_760_000_900_000,
    },
  ),
  'session.ended': entry(
    'A session is over, and why.',
    {
      reason: text,
      code: maybe,
      detail: text,
      commands: count.optional(),
      bytes: count.optional(),
    },
    { reason: 'refused', code: 'SP_LOCKED', detail: 'locked: owner left the company' },
  ),
  'command.judged': entry(
    'A command got its verdict and, if it was forwarded, went to the target after this.',
    {
      command: text,
      kind: z.enum(['execute', 'prepare']),
      verdict: outcome,
      forwarded: z.boolean(),
      code: maybe,
      rule: text,
      observed: z.array(z.strictObject({ rule: text, outcome })),
      policy: text,
      verbs: texts,
      effects: texts,
      analysis: z.enum(['complete', 'partial', 'opaque']),
      fingerprint: text,
      lifted: texts.optional(),
      novel: count.optional(),
    },
    {
      command: `${session}.17`,
      kind: 'execute',
      verdict: 'deny',
      forwarded: false,
      code: 'SP_POLICY_DENIED',
      rule: 'no-drops',
      observed: [{ rule: 'candidate-hold-ddl', outcome: 'hold' }],
      policy: digest,
      verbs: ['DROP TABLE'],
      effects: ['drop'],
      analysis: 'complete',
      fingerprint: '50fde20626009aba',
    },
  ),
  'command.limited': entry(
    'A command met a limit of the rule that allowed it, and what it did was undone.',
    {
      command: text,
      limit: z.enum(['rowsReturned', 'bytes', 'time', 'rowsAffected', 'rowsAffectedTotal']),
      max: count,
      found: count.nullable(),
      detail: text,
      rule: text,
      released: z.boolean(),
    },
    {
      command: `${session}.17`,
      limit: 'rowsAffected',
      max: 100,
      found: 5_000,
      detail: 'public.orders: 5000 removed',
      rule: 'bounded-writes',
      released: false,
    },
  ),
  'hold.opened': entry(
    'A command waits for people.',
    {
      hold: text,
      command: text,
      rule: text,
      reason: text.optional(),
      digest: text.optional(),
      reviewers: texts,
      approvals: count,
      mayLift: texts.optional(),
      expiresAt: time,
    },
    {
      hold,
      command: `${session}.18`,
      rule: 'destructive',
      reason: 'deletes rows',
      digest,
      reviewers: ['group:dba'],
      approvals: 1,
      expiresAt: 1_760_000_600_000,
    },
  ),
  'hold.reviewed': entry(
    'A person approved or denied a held command.',
    {
      hold: text,
      decision: z.enum(['approve', 'deny']),
      approvals: count.optional(),
      needed: count.optional(),
      comment: text.optional(),
      lift: texts.optional(),
    },
    { hold, decision: 'approve', approvals: 1, needed: 1, comment: 'ticket 8812' },
  ),
  'hold.closed': entry(
    'A hold is over.',
    {
      hold: text,
      outcome: z.enum(['spent', 'denied', 'timeout', 'expired', 'cancelled']),
      approval: maybe.optional(),
      reviewers: texts.optional(),
    },
    { hold, outcome: 'denied', approval: null, reviewers: ['people/bob'] },
  ),
  'lock.added': entry(
    'A lock came into force; live sessions that it names end within a second.',
    {
      lock: text,
      kind: z.enum(['identity', 'owner', 'target', 'session']),
      value: text,
      reason: text,
      until: time.nullable(),
    },
    { lock, kind: 'owner', value: 'people/alice', reason: 'left the company', until: null },
  ),
  'lock.removed': entry(
    'A lock was removed, or ran out.',
    {
      lock: text,
      kind: z.enum(['identity', 'owner', 'target', 'session']),
      value: text,
      ranOut: z.boolean(),
    },
    { lock, kind: 'owner', value: 'people/alice', ranOut: false },
  ),
  'lock.enforced': entry(
    'A lock ended a live session.',
    { lock: text, identity: text },
    { lock, identity: 'github/812345678' },
  ),
  'recording.sealed': entry(
    'A recording was finished and signed.',
    { hash: text, blocks: count, bytes: count, commands: count },
    { hash: digest, blocks: 3, bytes: 90_112, commands: 17 },
  ),
  'recording.recovered': entry(
    'A recording that a crash had left open was finished, signed and marked.',
    { outcome: text, blocks: count, bytes: count, lost: maybe, problem: maybe },
    { outcome: 'recovered', blocks: 2, bytes: 61_440, lost: null, problem: null },
  ),
  'recording.read': entry(
    'Somebody listed recordings, or read, replayed or exported one.',
    { how: text, path: text.optional(), count: count.optional() },
    { how: 'replay', path: `recordings/${session}.slr` },
  ),
  'recording.failed': entry(
    'Recordings could not be kept, and their sessions ended; or one could not be recovered.',
    {
      code: text.optional(),
      reason: text.optional(),
      sessions: count.optional(),
      outcome: text.optional(),
      blocks: count.optional(),
      bytes: count.optional(),
      lost: maybe.optional(),
      problem: maybe.optional(),
    },
    { code: 'SP_RECORDING_SPACE', reason: 'too little disk for recordings', sessions: 12 },
  ),
  'alarm.raised': entry(
    'Something that an operator has to look at.',
    { alarm: text, detail: text },
    { alarm: 'disk', detail: 'less than 512 MiB free for recordings' },
  ),
};
