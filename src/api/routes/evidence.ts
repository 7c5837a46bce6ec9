import { z } from 'zod';
import { asEpochMs } from '#core/ids.ts';
import { caller, route, type Route } from '../route.ts';
import { event, queryNumber, recording, word } from '../schemas.ts';

/** Session ids only: a path of the gateway's host is nothing that a caller may name. */
const session = z.object({ session: z.string().regex(/^[0-9a-f-]{36}$/, 'a session id') });

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
    params: session,
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
