import { z } from 'zod';
import { asEpochMs } from '#core/ids.ts';
import { caller, route, type Route } from '../route.ts';
import { queryNumber, text, time, word } from '../schemas.ts';

const recording = z
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

const event = z
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

/** Session ids only: a path of the gateway's host is nothing that a caller may name. */
const params = z.object({ session: z.string().regex(/^[0-9a-f-]{36}$/, 'a session id') });

/** What happened. Looking at recordings is an event too, told before anything is shown. */
export const evidenceRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/recordings',
    tag: 'recordings',
    summary: 'Recordings, newest first',
    access: ['auditor', 'admin'],
    query: z.object({
      identity: word.optional(),
      target: word.optional(),
      since: z.coerce.number<string>().int().min(0).optional(),
      limit: queryNumber(100, 1_000),
    }),
    answer: z.object({ recordings: z.array(recording) }),
    async handle({ recordings, eventLog }, call) {
      const { identity, target, since, limit } = call.query;
      const found = await recordings.list({
        identity,
        target,
        since: since === undefined ? undefined : asEpochMs(since),
        limit,
      });
      await eventLog.commit({
        type: 'recording.read',
        actor: caller(call).id,
        session: undefined,
        target,
        data: { how: 'list', count: found.length },
      });
      return { recordings: found };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/recordings/{session}',
    tag: 'recordings',
    summary: 'What a recording says of its session',
    access: ['auditor', 'admin'],
    params,
    answer: recording,
    async handle({ recordings, eventLog }, call) {
      const found = await recordings.summary(call.params.session);
      await eventLog.commit({
        type: 'recording.read',
        actor: caller(call).id,
        session: found.session,
        target: found.target,
        data: { how: 'summary' },
      });
      return found;
    },
  }),
  route({
    method: 'GET',
    path: '/v1/events',
    tag: 'events',
    summary: 'Audit events in order; ask again with the last number that you have',
    access: ['auditor', 'admin'],
    query: z.object({
      after: queryNumber(0, Number.MAX_SAFE_INTEGER),
      limit: queryNumber(100, 1_000),
    }),
    answer: z.object({ events: z.array(event), last: z.int() }),
    async handle({ events }, { query }) {
      const found = await events.after(query.after, query.limit);
      return { events: found, last: found.at(-1)?.number ?? query.after };
    },
  }),
];
