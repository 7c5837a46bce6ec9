/**
 * Connections of one session to its target that no request uses now. Nobody else's requests ever
 * use them. One that was not used for a while is closed rather than used again, because nothing is
 * ever sent twice.
 */
import { httpLimits } from '#core/limits.ts';
import type { Admission } from '#core/protocol.ts';
import type { Secret } from '#core/secret.ts';
import type { Wire } from '#core/wire.ts';
import { Http2Client } from './h2/client.ts';
import type { Input } from './input.ts';

/** One connection to a target. */
export interface Connection {
  readonly wire: Wire;
  readonly input: Input;
  /** Called when everything written is in the kernel's hands. */
  onDrained: () => void;
  /** Called when the target has hung up. */
  onGone: () => void;
}

/** A connection as its owner has it. */
export interface OpenConnection extends Connection {
  /** The field with which the account shows itself. */
  readonly secret: { readonly name: string; readonly value: Secret } | undefined;
  lastUsedMs: number;
}

/** A connection that carries many requests at once. */
export interface TargetClient {
  readonly client: Http2Client;
  readonly secret: OpenConnection['secret'];
}

const nothingToDo = (): void => {};

export class Spares {
  readonly #admission: Pick<Admission, 'release'>;
  #spare: OpenConnection[] = [];
  readonly #clients = new Set<TargetClient>();
  #isClosed: boolean = false;

  constructor(admission: Pick<Admission, 'release'>) {
    this.#admission = admission;
  }

  /** The one that was used last, if it can be used again now. */
  take(nowMs: number): OpenConnection | undefined {
    for (let open = this.#spare.pop(); open !== undefined; open = this.#spare.pop()) {
      const isFresh = nowMs - open.lastUsedMs < httpLimits.reuseMsMax;
      // Bytes that nobody asked for are no answer to what is asked next.
      if (isFresh && !open.input.isGone && open.input.heldBytes === 0) return open;
      this.end(open);
    }
    return undefined;
  }

  /** A connection that carries many requests, if one is open. */
  get client(): TargetClient | undefined {
    return [...this.#clients].find(({ client }) => client.isOpen);
  }

  /** Makes one of a connection that was dialled for it. */
  add(wire: Wire, secret: OpenConnection['secret']): TargetClient {
    const client = new Http2Client(wire, () => {
      this.#clients.delete(added);
      this.#admission.release(wire);
    });
    const added = { client, secret };
    this.#clients.add(added);
    if (this.#isClosed) client.close();
    return added;
  }

  give(open: OpenConnection): void {
    open.onDrained = nothingToDo;
    open.onGone = () => this.#forget(open);
    if (this.#isClosed || open.input.isGone) this.end(open);
    else this.#spare.push(open);
  }

  /** Closes a connection. */
  end(open: OpenConnection): void {
    open.wire.destroy();
    this.#admission.release(open.wire);
  }

  #forget(open: OpenConnection): void {
    const at = this.#spare.indexOf(open);
    if (at < 0) return;
    this.#spare.splice(at, 1);
    this.end(open);
  }

  close(): void {
    this.#isClosed = true;
    const spare = this.#spare;
    this.#spare = [];
    for (const open of spare) this.end(open);
    for (const { client } of this.#clients) client.close();
  }
}
