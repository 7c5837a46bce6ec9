/** What a client can read out of the messages that it received. */
import type { Received } from './wire.ts';

/** The values of a DataRow; null for NULL. */
export function cellsOf(body: Buffer): readonly (Buffer | null)[] {
  const cells: (Buffer | null)[] = [];
  const count = body.readInt16BE(0);
  for (let at = 2, index = 0; index < count; index += 1) {
    const length = body.readInt32BE(at);
    at += 4;
    cells.push(length < 0 ? null : body.subarray(at, at + length));
    at += Math.max(length, 0);
  }
  return cells;
}

/** The fields of an ErrorResponse or a NoticeResponse. */
export function fieldsOf(body: Buffer): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < body.length && body[at] !== 0; ) {
    const end = body.indexOf(0, at + 1);
    if (end < 0) break;
    fields.set(String.fromCharCode(body[at] ?? 0), body.toString('utf8', at + 1, end));
    at = end + 1;
  }
  return fields;
}

/** The names of a RowDescription. */
export function columnNames(body: Buffer): readonly string[] {
  const names: string[] = [];
  const count = body.readInt16BE(0);
  for (let at = 2, index = 0; index < count; index += 1) {
    const end = body.indexOf(0, at);
    names.push(body.toString('utf8', at, end));
    at = end + 19;
  }
  return names;
}

/** Whether an error or a notice is the gateway's own word. */
export const isGateways = (fields: ReadonlyMap<string, string>): boolean =>
  (fields.get('M') ?? '').startsWith('sallyport: ');

/** The gateway's refusals, by their codes. */
export function refusalsIn(received: readonly Received[]): readonly string[] {
  return received.flatMap(({ type, body }) => {
    if (type !== 'E') return [];
    const fields = fieldsOf(body);
    if (!isGateways(fields)) return [];
    return [/Code: (\w+)\./.exec(fields.get('D') ?? '')?.[1] ?? 'SP_UNKNOWN'];
  });
}

/** The target's errors, as text. */
export function errorsIn(received: readonly Received[]): readonly string[] {
  return received.flatMap(({ type, body }) => {
    const fields = type === 'E' ? fieldsOf(body) : undefined;
    if (fields === undefined || isGateways(fields)) return [];
    return [`${fields.get('C') ?? ''} ${fields.get('M') ?? ''}`];
  });
}

/** Everything that tells the client something of the target, a line a message. */
export function textOf(received: readonly Received[]): string {
  return received
    .flatMap(({ type, body }) => {
      const line = lineOf(type, body);
      return line === undefined ? [] : [line];
    })
    .join('\n');
}

function lineOf(type: string, body: Buffer): string | undefined {
  switch (type) {
    case 'D':
      return cellsOf(body)
        .map((cell) => cell?.toString('latin1') ?? '')
        .join('\u0001');
    case 'T':
      return `COLS ${columnNames(body).join(',')}`;
    case 'C':
      return body.toString('utf8', 0, body.length - 1);
    case 'E':
    case 'N': {
      const fields = fieldsOf(body);
      if (isGateways(fields)) return undefined;
      return `${type === 'E' ? 'ERR ' : ''}${[...fields.values()].join(' ')}`;
    }
    case 'S':
      return body.toString('utf8').split('\0').slice(0, 2).join('=');
    case 'A':
      return body.toString('utf8', 4).split('\0').slice(0, 2).join('=');
    case 'd':
      return body.toString('latin1');
    case 'V':
      return body.readInt32BE(0) < 0 ? '' : body.toString('latin1', 4);
    default:
      return undefined;
  }
}
