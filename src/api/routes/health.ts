import { z } from 'zod';
import { Other, route, type Route } from '../route.ts';

const status = z.object({ status: z.literal('ok') });

/** For load balancers and orchestrators; they tell a stranger nothing but yes or no. */
export const healthRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/livez',
    tag: 'health',
    summary: 'Whether the process answers',
    access: 'public',
    answer: status,
    handle: async () => ({ status: 'ok' as const }),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    tag: 'health',
    summary: 'Whether new sessions can be let in',
    access: 'public',
    answer: status,
    async handle({ health }) {
      const checks = await health.ready();
      if (checks.every(({ ok }) => ok)) return { status: 'ok' as const };
      const failing = checks.filter(({ ok }) => !ok).map(({ name }) => name);
      return new Other({ status: 503, body: { status: 'not ready', failing } });
    },
  }),
];
