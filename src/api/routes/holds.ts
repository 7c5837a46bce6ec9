import { z } from 'zod';
import { GatewayError } from '#core/errors.ts';
import { asId } from '#core/ids.ts';
import type { HoldRecord } from '#core/ports/holds.ts';
import { caller, route, type Route } from '../route.ts';
import { queryNumber, text, texts, time, word } from '../schemas.ts';
import type { ApiServices } from '../services.ts';

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

const hold = z
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
      labels: z.record(z.string(), z.string()),
      account: text,
      namespace: text,
      purpose: text.optional(),
      sessionState: text,
      text: text.describe('the whole command, never cut'),
      parameters: z.array(shownValue),
      facts,
      novel: z
        .array(z.object({ kind: text, name: text, access: text }))
        .describe('what of it the requester never did at the target before')
        .optional(),
      clientAddress: text,
      clientName: text,
    }),
    rule: text,
    reason: text,
    policy: text,
    terms: requirement.extend({
      waitMs: z.int(),
      validMs: z.int(),
      mode: z.enum(['wait', 'refuse']).optional(),
      also: z.array(requirement.extend({ rule: text })).optional(),
      mayLift: texts.describe('ids of masks that an approval may lift').optional(),
    }),
    reviews: z.array(
      z.object({
        reviewer: text,
        displayName: text,
        decision: z.enum(['approve', 'deny']),
        reason: text,
        at: time,
        lift: texts.optional(),
      }),
    ),
    openedAt: time,
    expiresAt: time,
    approval: text.optional(),
    validUntil: time.optional(),
    closedAt: time.optional(),
  })
  .meta({ id: 'Hold' });

const id = z.object({ id: word });
const review = z
  .strictObject({
    reason: z.string().max(2_000).default(''),
    digest: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .describe('of the hold that was looked at; refused when it is another')
      .optional(),
  })
  .prefault({});

const approval = review
  .unwrap()
  .extend({
    lift: z
      .array(word)
      .max(100)
      .describe('ids of masks to lift for this one command; each that all approvals name is')
      .optional(),
  })
  .prefault({});

type Review = z.output<typeof approval>;

async function decide(
  { approvals }: ApiServices,
  call: Parameters<typeof caller>[0] & {
    readonly params: { readonly id: string };
    readonly body: Review;
  },
  decision: 'approve' | 'deny',
): Promise<HoldRecord> {
  const { digest, reason, lift } = call.body;
  const seen = await approvals.show(asId(call.params.id));
  if (digest !== undefined && digest !== seen.digest) {
    throw new GatewayError('SP_CONFLICT', { detail: 'the hold is for another command' });
  }
  const opinion = { decision, reason, ...(lift === undefined ? {} : { lift }) };
  return approvals.review(seen.id, caller(call), opinion);
}

/** Holds are whole commands with their parameters: for reviewers and auditors only. */
export const holdRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/holds',
    tag: 'holds',
    summary:
      'Commands that wait for approval, oldest first; with `recent`, the newest in any state',
    access: ['reviewer', 'auditor', 'admin'],
    query: z.object({ recent: queryNumber(0, 1_000) }),
    answer: z.object({ holds: z.array(hold) }),
    handle: async ({ approvals }, { query }) => ({
      holds: query.recent === 0 ? approvals.list() : await approvals.recent(query.recent),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/holds/{id}',
    tag: 'holds',
    summary: 'One held command, whole',
    access: ['reviewer', 'auditor', 'admin'],
    params: id,
    answer: hold,
    handle: ({ approvals }, { params }) => approvals.show(asId(params.id)),
  }),
  route({
    method: 'POST',
    path: '/v1/holds/{id}/approve',
    tag: 'holds',
    summary: 'Approve exactly this command, once; the rule says who may',
    access: ['reviewer', 'admin'],
    params: id,
    body: approval,
    answer: hold,
    handle: (services, call) => decide(services, call, 'approve'),
  }),
  route({
    method: 'POST',
    path: '/v1/holds/{id}/deny',
    tag: 'holds',
    summary: 'Deny a held command',
    access: ['reviewer', 'admin'],
    params: id,
    body: review,
    answer: hold,
    handle: (services, call) => decide(services, call, 'deny'),
  }),
];
