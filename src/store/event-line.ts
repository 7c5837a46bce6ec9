/**
 * Events as lines of JSON: what crosses threads, stands in the outbox, and is taken apart for the
 * database. The same event gives the same bytes, from memory and from the database.
 */
import { GatewayError } from '#core/errors.ts';
import type { AuditEvent } from '#core/events.ts';

/** An event whose type and data nobody has looked at. */
export type StoredEvent = Omit<AuditEvent, 'data' | 'type'> & {
  readonly type: string;
  readonly data: unknown;
};

/** The columns of an event. */
export interface EventRow extends Omit<StoredEvent, 'data'> {
  /** As JSON. */
  readonly data: string;
}

/** Data stands last, and no text before it can hold these characters: quotes in it are escaped. */
const DATA = ',"data":';

/** The line of an event, without the line feed. */
export function lineOf(event: StoredEvent): string {
  const { number, id, at, type, actor, session, target, data } = event;
  return JSON.stringify({ number, id, at, type, actor, session, target, data });
}

/**
 * Takes a line apart; its data is not read.
 *
 * @throws GatewayError `SP_STORE` for what {@link lineOf} did not write.
 */
export function rowOf(line: string): EventRow {
  const at = line.indexOf(DATA);
  if (at < 0 || !line.endsWith('}')) {
    throw new GatewayError('SP_STORE', { detail: 'a line of an event is damaged' });
  }
  return {
    ...JSON.parse(`${line.slice(0, at)}}`),
    data: line.slice(at + DATA.length, -1),
  };
}
