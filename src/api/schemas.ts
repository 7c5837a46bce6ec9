/**
 * What the API speaks of. Answers hold what is listed here and nothing else. Those with an id stand
 * once in the OpenAPI document.
 */
import { z } from 'zod';

const time = z
  .int()
  .meta({ id: 'EpochMs', description: 'milliseconds since 1970-01-01T00:00:00Z' });
const text = z.string();
const texts = z.array(z.string());
const labels = z.record(z.string(), z.string());

/** RFC 9457. */
export const problem = z
  .object({
    type: text,
    title: text,
    status: z.int(),
    code: text.describe('stable; see docs/reference/errors.md'),
    detail: text.optional(),
  })
  .meta({ id: 'Problem' });

export const me = z
  .object({
    id: text,
    kind: z.enum(['workload', 'human']),
    displayName: text,
    groups: texts,
    roles: texts,
    owner: text.optional(),
    expiresAt: time,
  })
  .meta({ id: 'Me' });

const shownValue = z.object({
  type: text,
  value: z.union([
    z.object({ kind: z.literal('null') }),
    z.object({ kind: z.literal('text'), text }),
    z.object({ kind: z.literal('hex'), hex: text }),
  ]),
});

const facts = z
  .object({
    effects: texts,
    objects: z.array(z.object({ kind: text, name: text, access: text })),
    columns: z.array(z.object({ name: text, use: text, masked: z.boolean() })),
    functions: texts,
    verbs: texts,
    analysis: z.enum(['complete', 'partial', 'opaque']),
    reasons: texts,
    fingerprint: text,
  })
  .meta({ id: 'Facts' });

const requirement = z.object({ reviewers: texts, approvals: z.int() });

export const hold = z
  .object({
    id: text,
    revision: z.int(),
    state: z.enum(['pending', 'approved', 'spent', 'denied', 'timeout', 'expired', 'cancelled']),
    mode: z.enum(['wait', 'refuse']),
    digest: text.describe('SHA-256 of exactly what may run'),
    command: z.object({
      id: text,
      session: text,
      protocol: text,
      requester: z.object({
        id: text,
        kind: z.enum(['workload', 'human']),
        displayName: text,
        groups: texts,
        owner: text.optional(),
        onBehalfOf: text.optional(),
      }),
      target: text,
      labels,
      account: text,
      namespace: text,
      sessionState: text,
      text: text.describe('the whole command, never cut'),
      parameters: z.array(shownValue),
      facts,
      clientAddress: text,
      clientName: text,
    }),
    rule: text,
    reason: text,
    policy: text,
    terms: requirement.extend({
      waitMs: z.int(),
      validMs: z.int(),
      also: z.array(requirement).optional(),
    }),
    reviews: z.array(
      z.object({
        reviewer: text,
        displayName: text,
        decision: z.enum(['approve', 'deny']),
        reason: text,
        at: time,
      }),
    ),
    openedAt: time,
    expiresAt: time,
    approval: text.optional(),
    validUntil: time.optional(),
    closedAt: time.optional(),
  })
  .meta({ id: 'Hold' });

export const lockKind = z.enum(['identity', 'owner', 'target', 'session']);

export const lock = z
  .object({
    id: text,
    kind: lockKind,
    value: text,
    reason: text,
    until: time.optional(),
    createdBy: text,
    createdAt: time,
  })
  .meta({ id: 'Lock' });

export const session = z
  .object({
    id: text,
    protocol: text,
    identity: text,
    displayName: text,
    owner: text.optional(),
    onBehalfOf: text.optional(),
    target: text,
    account: text,
    namespace: text,
    grant: text,
    clientAddress: text,
    clientName: text,
    startedAt: time,
    expiresAt: time,
  })
  .meta({ id: 'Session' });

export const recording = z
  .object({
    session: text,
    state: z.enum(['open', 'sealed', 'recovered', 'damaged']),
    startedAt: time,
    endedAt: time.optional(),
    identity: text,
    identityName: text,
    owner: text.optional(),
    target: text,
    account: text,
    namespace: text,
    protocol: text,
    clientAddress: text,
    clientName: text,
    encrypted: z.boolean(),
    bytes: z.int(),
    commands: z.int().optional(),
    endReason: text,
    endDetail: text,
  })
  .meta({ id: 'Recording' });

export const event = z
  .object({
    number: z.int(),
    id: text,
    at: time,
    type: text,
    actor: text,
    session: text.optional(),
    target: text.optional(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' });

/** A number in a query. */
export const queryNumber = (fallback: number, max: number): z.ZodType<number> =>
  z.coerce.number<string>().int().min(0).max(max).default(fallback);

/** An id or a name in a path or a query. */
export const word: z.ZodType<string> = z.string().min(1).max(512);
