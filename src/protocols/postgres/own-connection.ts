/**
 * A connection of the gateway's own to a server: simple queries, one at a time, rows as text. For
 * reading catalogues outside a session; nothing of a client ever goes over it.
 */
import type { Clock } from '#core/clock.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { ProtocolServices } from '#core/protocol.ts';
import { backend, frontend } from './codec/messages.ts';
import { readNoticeFields, textOf } from './codec/read.ts';
import { encodeBare, encodeQuery } from './codec/write.ts';
import { Handshake, PeerGone } from './handshake.ts';
import { ownRow } from './relay-own.ts';
import type { PgServer, ServerQuery } from './types.ts';

type Row = readonly (string | null)[];

/** Messages that say nothing about the rows of a query. */
const passed: ReadonlySet<number> = new Set<number>([
  backend.rowDescription,
  backend.commandComplete,
  backend.emptyQueryResponse,
  backend.noticeResponse,
  backend.notificationResponse,
  backend.parameterStatus,
]);

/** How long a server may take to hang up. */
const HANG_UP_MS = 1_000;

/** Collects an answer, up to a bound. */
class Rows {
  readonly rows: Row[] = [];
  readonly #charactersMax: number;
  #characters = 0;

  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax;
  }

  row(cells: Row): void {
    for (const cell of cells) this.#characters += cell?.length ?? 0;
    if (this.#characters > this.#charactersMax) throw broken('an answer without end');
    this.rows.push(cells);
  }
}

export class OwnConnection {
  readonly #handshake: Handshake;
  readonly #clock: Clock;
  readonly #charactersMax: number;
  #broken: GatewayError | undefined;

  /** @param signal - ends a query that runs. */
  constructor(
    server: PgServer,
    { limits, clock }: Pick<ProtocolServices, 'limits' | 'clock'>,
    signal: AbortSignal,
  ) {
    this.#clock = clock;
    this.#charactersMax = limits.catalogueCharactersMax;
    this.#handshake = new Handshake(
      server.wire,
      { bytesMax: limits.frameBytesMax, spend: () => {}, rest: server.rest },
      signal,
    );
  }

  /**
   * Runs one statement. The next one may begin when it has settled.
   *
   * @throws GatewayError when the server refuses it, is gone, or does not answer as it must.
   */
  query: ServerQuery = async (sql) => {
    if (this.#broken !== undefined) throw this.#broken;
    let answer: readonly Row[] | GatewayError;
    try {
      this.#handshake.wire.write(encodeQuery(sql));
      answer = await this.#answer();
    } catch (thrown) {
      // Out of step: whatever came next would be taken for the answer to something else.
      this.#broken = targetError(thrown);
      throw this.#broken;
    }
    if (answer instanceof GatewayError) throw answer;
    return answer;
  };

  /** The rows, or the server's own error. */
  async #answer(): Promise<readonly Row[] | GatewayError> {
    const rows = new Rows(this.#charactersMax);
    let failure: GatewayError | undefined;
    for (;;) {
      const { type, bytes } = await this.#handshake.message();
      if (type === backend.readyForQuery) return failure ?? rows.rows;
      if (type === backend.dataRow) {
        ownRow(rows, bytes, 0, bytes.length);
      } else if (type === backend.errorResponse) {
        failure ??= refused(bytes);
      } else if (!passed.has(type)) {
        throw broken(`message type 0x${type.toString(16)} in an answer`);
      }
    }
  }

  close(): void {
    this.#handshake.finish();
    const { wire } = this.#handshake;
    wire.write(encodeBare(frontend.terminate));
    wire.end();
    this.#clock.after(HANG_UP_MS, () => wire.destroy());
  }
}

/** What the server says goes into the facts, for the operator. */
function refused(bytes: Uint8Array): GatewayError {
  const fields = readNoticeFields(bytes, 0, bytes.length) ?? [];
  const field = (code: string): string => {
    const found = fields.find((one) => one.code === code);
    return (found && textOf(bytes, found.start, found.end))?.slice(0, 500) ?? '';
  };
  return new GatewayError('SP_TARGET_PROTOCOL', {
    detail: 'a query of the gateway failed',
    facts: { serverState: field('C'), serverMessage: field('M') },
  });
}

/** The codec speaks of malformed messages wherever they come from; here it is the target's fault. */
function targetError(thrown: unknown): GatewayError {
  if (thrown instanceof PeerGone) return new GatewayError('SP_TARGET_LOST', { cause: thrown });
  const error = toGatewayError(thrown, 'SP_TARGET_PROTOCOL');
  return error.code === 'SP_FRAME_MALFORMED' || error.code === 'SP_FRAME_TOO_LARGE'
    ? new GatewayError('SP_TARGET_PROTOCOL', { detail: error.message, cause: error })
    : error;
}

const broken = (detail: string): GatewayError => new GatewayError('SP_TARGET_PROTOCOL', { detail });
