import { z } from 'zod';
import { GatewayError } from '#core/errors.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import { caller, route, type Route } from '../route.ts';
import { text, texts, time, word } from '../schemas.ts';

const me = z
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

const session = z
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

const lockKind = z.enum(['identity', 'owner', 'target', 'session']);

const lock = z
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

/** Who is here, and how to stop them. */
export const controlRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/me',
    tag: 'identity',
    summary: 'Who the credential says you are',
    access: 'anyone',
    answer: me,
    handle: async (_services, call) => caller(call),
  }),
  route({
    method: 'GET',
    path: '/v1/sessions',
    tag: 'sessions',
    summary: 'Live sessions of this process',
    access: ['auditor', 'admin'],
    answer: z.object({ sessions: z.array(session) }),
    handle: async ({ sessions }) => ({
      sessions: sessions.list().map(({ context, startedAt, expiresAt, grant }) => ({
        id: context.session,
        protocol: context.protocol,
        identity: context.identity.id,
        displayName: context.identity.displayName,
        owner: context.identity.owner,
        onBehalfOf: context.identity.onBehalfOf,
        target: context.target.name,
        account: context.account,
        namespace: context.namespace,
        grant,
        clientAddress: context.clientAddress,
        clientName: context.clientName,
        startedAt,
        expiresAt,
      })),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/locks',
    tag: 'locks',
    summary: 'Locks in force',
    access: ['reviewer', 'auditor', 'admin'],
    answer: z.object({ locks: z.array(lock) }),
    handle: async ({ locks }) => ({ locks: locks.list() }),
  }),
  route({
    method: 'POST',
    path: '/v1/locks',
    tag: 'locks',
    summary: 'Stop an identity, an owner, a target or a session now, live sessions too',
    access: ['admin'],
    body: z.strictObject({
      kind: lockKind,
      value: word,
      reason: z.string().min(1).max(500),
      until: z
        .int()
        .positive()
        .optional()
        .describe('milliseconds since 1970; for ever when absent'),
    }),
    answer: lock,
    async handle({ locks, clock }, call) {
      const { kind, value, reason, until } = call.body;
      if (until !== undefined && until <= clock.now()) {
        throw new GatewayError('SP_BAD_REQUEST', { detail: 'until is in the past' });
      }
      const end = until === undefined ? undefined : asEpochMs(until);
      return locks.add({ kind, value, reason, until: end, by: caller(call).id });
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/locks/{id}',
    tag: 'locks',
    summary: 'Remove a lock',
    access: ['admin'],
    params: z.object({ id: word }),
    answer: z.object({ removed: z.literal(true) }),
    async handle({ locks }, call) {
      const removed = await locks.remove(asId(call.params.id), caller(call).id);
      if (!removed) throw new GatewayError('SP_NOT_FOUND', { detail: 'no such lock' });
      return { removed: true as const };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/credentials/{id}',
    tag: 'credentials',
    summary: 'Revoke a credential; its sessions end',
    access: ['admin'],
    params: z.object({ id: word }),
    answer: z.object({ revoked: z.literal(true) }),
    async handle({ credentials }, call) {
      const revoked = await credentials.revoke(asId(call.params.id), caller(call).id);
      if (!revoked) throw new GatewayError('SP_NOT_FOUND', { detail: 'no such credential' });
      return { revoked: true as const };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/credentials',
    tag: 'credentials',
    summary: 'Revoke every credential of an identity; their sessions end',
    access: ['admin'],
    query: z.object({ identity: word }),
    answer: z.object({ revoked: z.array(z.string()) }),
    handle: async ({ credentials }, call) => ({
      revoked: await credentials.revokeOf(call.query.identity, caller(call).id),
    }),
  }),
];
