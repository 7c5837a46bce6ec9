/**
 * Queries of the gateway's own on the session's connection, between two of the client's: what the
 * server's state and catalogue are now. They use names of their own in the extended protocol, since
 * a simple query would destroy the client's unnamed statement and portal.
 */
import { GatewayError } from '#core/errors.ts';
import { int16, int32, headerBytes, malformed } from './codec/frames.ts';
import { frontend } from './codec/messages.ts';
import { textOf } from './codec/read.ts';
import { encodeBare, encodeBind, encodeClose, encodeExecute, encodeParse } from './codec/write.ts';
import type { Conversation } from './relay-conversation.ts';
import type { ExpectedKind, OwnQuery } from './relay-expected.ts';
import type { Outlet } from './relay-outlet.ts';

type Row = readonly (string | null)[];

/** Characters of one answer; a server that sends more is not believed. */
const ANSWER_CHARACTERS_MAX = 512 * 1024 * 1024;

class Answer implements OwnQuery {
  readonly promise: Promise<readonly Row[]>;
  readonly #rows: Row[] = [];
  readonly #settle: (error: GatewayError | undefined) => void;
  #characters = 0;
  #sqlstate: string | undefined;

  constructor() {
    let settle: (error: GatewayError | undefined) => void = () => {};
    this.promise = new Promise((resolve, reject) => {
      settle = (error) => {
        if (error === undefined) resolve(this.#rows);
        else reject(error);
      };
    });
    this.#settle = settle;
  }

  row(cells: Row): void {
    for (const cell of cells) this.#characters += cell?.length ?? 0;
    if (this.#characters > ANSWER_CHARACTERS_MAX) {
      throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'an answer without end' });
    }
    this.#rows.push(cells);
  }

  failed(sqlstate: string): void {
    this.#sqlstate = sqlstate;
  }

  done(): void {
    this.#settle(this.#sqlstate === undefined ? undefined : failure(this.#sqlstate));
  }

  lost(error: GatewayError): void {
    this.#settle(error);
  }
}

/** Cancelled by the client, or by a time-out that it has set: not the target's fault. */
const failure = (sqlstate: string): GatewayError =>
  new GatewayError(sqlstate === '57014' ? 'SP_HOLD_CANCELLED' : 'SP_TARGET_PROTOCOL', {
    detail: 'a query of the gateway failed',
    facts: { sqlstate },
  });

/** What one query sends; a Sync behind it where the client has not sent part of a segment. */
const kinds: readonly ExpectedKind[] = [
  'close',
  'close',
  'parse',
  'bind',
  'execute',
  'close',
  'close',
];

export class OwnQueries {
  readonly #conversation: Conversation;
  readonly #outlet: Outlet;
  readonly #name: string;
  #running: Answer | undefined;

  /** @param name - of statement and portal; nobody else may know it. */
  constructor(conversation: Conversation, outlet: Outlet, name: string) {
    this.#conversation = conversation;
    this.#outlet = outlet;
    this.#name = name;
  }

  /**
   * Runs one statement and gives its rows as text. Only while everything was answered and nothing
   * of the client goes on meanwhile; within a segment of the client's, it is part of that.
   *
   * @param how - `tells`: an error is the client's to see.
   */
  query(sql: string, { tells = false }: { tells?: boolean } = {}): Promise<readonly Row[]> {
    const conversation = this.#conversation;
    const { segmentOpen } = conversation;
    if (!conversation.isAnswered) {
      return Promise.reject(new GatewayError('SP_INTERNAL', { detail: 'a query out of turn' }));
    }
    const answer = new Answer();
    this.#running = answer;
    // First what an earlier query left when it failed; to close nothing is no error.
    const done = (): void => answer.done();
    for (const [index, kind] of [...kinds, ...(segmentOpen ? [] : ['sync' as const])].entries()) {
      const entry = conversation.expect(kind);
      entry.hidden = true;
      entry.tells = tells;
      entry.own = answer;
      if (segmentOpen && index === kinds.length - 1) {
        entry.settlement = { confirmed: done, dropped: done };
      }
    }
    if (!segmentOpen) conversation.endSegment();
    const name = this.#name;
    this.#outlet.put(encodeClose('P', name));
    this.#outlet.put(encodeClose('S', name));
    this.#outlet.put(encodeParse(name, sql));
    this.#outlet.put(encodeBind({ portal: name, statement: name }));
    this.#outlet.put(encodeExecute(name));
    this.#outlet.put(encodeClose('P', name));
    this.#outlet.put(encodeClose('S', name));
    this.#outlet.put(encodeBare(segmentOpen ? frontend.flush : frontend.sync));
    this.#outlet.flush();
    return answer.promise;
  }

  /** The connection is gone. */
  lost(error: GatewayError): void {
    this.#running?.lost(error);
  }
}

/** Hands the DataRow at `[at, end)` to the query that it answers. */
export function ownRow(
  own: Pick<OwnQuery, 'row'> | undefined,
  bytes: Uint8Array,
  at: number,
  end: number,
): void {
  const cells: (string | null)[] = [];
  let next = at + headerBytes + 2;
  const count = next > end ? -1 : int16(bytes, next - 2);
  for (let index = 0; index < count; index += 1) {
    if (next + 4 > end) throw malformed('DataRow');
    const length = int32(bytes, next);
    next += 4;
    if (length < -1 || next + Math.max(length, 0) > end) throw malformed('DataRow');
    const text = length < 0 ? null : textOf(bytes, next, next + length);
    if (text === undefined) throw malformed('DataRow');
    cells.push(text);
    next += Math.max(length, 0);
  }
  if (next !== end) throw malformed('DataRow');
  own?.row(cells);
}
