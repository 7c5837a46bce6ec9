/**
 * The administrator of the first start. Exists once in the life of an installation, for a day, so
 * that somebody can set up the issuers through which administrators come from then on.
 */
import type { Clock } from '#core/clock.ts';
import type { EventLog } from '#core/events.ts';
import type { Identity } from '#core/identity.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import type { Marks } from '#core/ports/marks.ts';
import type { Secret } from '#core/secret.ts';
import type { Credentials } from './credentials.ts';

const MARK = 'bootstrap-admin';
const LIFE_MS = 24 * 60 * 60 * 1_000;

export interface BootstrapParts {
  readonly marks: Marks;
  /** Issues for up to a day, unlike the one for sessions. */
  readonly credentials: Credentials;
  readonly events: EventLog;
  readonly clock: Clock;
}

/** The token to print, once; undefined on every later start. */
export async function bootstrapAdmin(parts: BootstrapParts): Promise<Secret | undefined> {
  const { marks, credentials, events, clock } = parts;
  const now = clock.now();
  if (await marks.has(MARK)) return undefined;
  const identity: Identity = {
    id: asId('bootstrap/admin'),
    kind: 'human',
    issuer: 'bootstrap',
    subject: 'admin',
    displayName: 'administrator of the first start',
    groups: [],
    roles: ['member', 'admin'],
    owner: undefined,
    onBehalfOf: undefined,
    claims: {},
    expiresAt: asEpochMs(now + LIFE_MS),
  };
  const { token, record } = await credentials.issue({
    identity,
    scope: { targets: [], accounts: [] },
    expiresAt: identity.expiresAt,
  });
  await events.commit({
    type: 'credential.issued',
    actor: 'system',
    session: undefined,
    target: undefined,
    data: {
      credential: record.id,
      identity: identity.id,
      how: 'bootstrap',
      token: null,
      targets: [],
      accounts: [],
      expiresAt: record.expiresAt,
    },
  });
  // Last: a start that crashed before somebody saw the token leaves another chance.
  await marks.set(MARK, now);
  return token;
}
