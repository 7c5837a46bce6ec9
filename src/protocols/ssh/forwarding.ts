/**
 * Connections that are passed on, to the target's side or from it: what the messages about them
 * say, which right each needs, and what a rule sees of it. Pure.
 */
import type { SessionContext } from '#core/command.ts';
import { type Facts, type ObjectFact, opaqueFacts } from '#core/facts.ts';
import { FieldReader } from '#core/ssh-fields.ts';
import type { ChannelOpen } from './codec/messages.ts';

/** The right that a passage needs; its place stands behind it in the feature of the grant. */
type Right = 'direct-tcpip' | 'direct-streamlocal' | 'forwarded-tcpip' | 'forwarded-streamlocal';

/** Where connections go to, or where the target waits for them. */
export interface Passage {
  readonly right: Right;
  /** Host or address; the path of a socket. */
  readonly name: string;
  /** Undefined for a socket. */
  readonly port: number | undefined;
}

const opens: Readonly<Record<string, Right>> = {
  'direct-tcpip': 'direct-tcpip',
  'direct-streamlocal@openssh.com': 'direct-streamlocal',
  'forwarded-tcpip': 'forwarded-tcpip',
  'forwarded-streamlocal@openssh.com': 'forwarded-streamlocal',
};

const listens: Readonly<Record<string, Right>> = {
  'tcpip-forward': 'forwarded-tcpip',
  'cancel-tcpip-forward': 'forwarded-tcpip',
  'streamlocal-forward@openssh.com': 'forwarded-streamlocal',
  'cancel-streamlocal-forward@openssh.com': 'forwarded-streamlocal',
};

/** What a channel is a passage of; undefined for other types, malformed when its fields are. */
export function passageOf({ type, rest }: Pick<ChannelOpen, 'type' | 'rest'>): Passage | undefined {
  const right = Object.hasOwn(opens, type) ? opens[type] : undefined;
  if (right === undefined) return undefined;
  const fields = new FieldReader(rest);
  const passage = readPlace(right, fields);
  // Where it came from, or what is reserved: nothing that is believed.
  fields.text();
  if (right !== 'forwarded-streamlocal') fields.uint32();
  fields.end();
  return passage;
}

/** What a global request lets the target listen for, or stop to; undefined for other requests. */
export function listeningOf(name: string, data: Uint8Array): Passage | undefined {
  const right = Object.hasOwn(listens, name) ? listens[name] : undefined;
  if (right === undefined) return undefined;
  const fields = new FieldReader(data);
  const passage = readPlace(right, fields);
  fields.end();
  return passage;
}

function readPlace(right: Right, fields: FieldReader): Passage {
  const name = fields.text();
  return { right, name, port: right.endsWith('tcpip') ? fields.uint32() : undefined };
}

/** The feature that grants exactly this passage. */
export const featureOf = ({ right, name, port }: Passage): string =>
  port === undefined ? `${right}:${name}` : `${right}:${name}:${port}`;

/**
 * Whether a grant names the passage: `direct-tcpip:HOST:PORT`, `direct-streamlocal:PATH` and alike;
 * host, port and path may be `*`. Compared as written: the target resolves the name, so an address
 * is not granted by a name.
 */
export const mayPass = (
  { features }: Pick<SessionContext, 'features'>,
  { right, name, port }: Passage,
): boolean =>
  features.some((feature) => {
    if (!feature.startsWith(`${right}:`)) return false;
    const place = feature.slice(right.length + 1);
    if (port === undefined) return place === '*' || place === name;
    const [, host = '', granted = ''] = /^(.+):(\*|\d{1,5})$/.exec(place) ?? [];
    const isHost = host === '*' || (host !== '' && host.toLowerCase() === name.toLowerCase());
    return isHost && (granted === '*' || Number(granted) === port);
  });

/** How a person reads it. */
export function passageText({ right, name, port }: Passage): string {
  const does = right.startsWith('direct') ? 'connect to' : 'listen on';
  const place = JSON.stringify(name);
  return port === undefined ? `${does} socket ${place}` : `${does} ${place} port ${port}`;
}

/** What a rule sees of it; what goes through it is not read. */
export function passageFacts({ right, name, port }: Passage): Facts {
  const access = right.startsWith('direct') ? 'execute' : 'create';
  const object: ObjectFact =
    port === undefined
      ? { kind: 'file', name, access }
      : { kind: 'host', name: `${name}:${port}`, access };
  return {
    ...opaqueFacts('what goes through a forwarded connection is not read'),
    effects: ['network'],
    objects: [object],
    verbs: [right.toUpperCase()],
    analysis: 'partial',
    fingerprint: right,
  };
}
