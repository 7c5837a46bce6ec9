/**
 * COPY … TO STDOUT under masks: finds rows and fields in the data whatever the borders of its
 * messages (they carry no meaning), and withholds each masked field until its replacement is known.
 *
 * Invariant: a byte of a masked field leaves only as part of its replacement. What does not parse
 * ends the session.
 */
import { GatewayError } from '#core/errors.ts';
import { headerBytes } from './codec/frames.ts';
import { backend } from './codec/messages.ts';
import { CopyBinary } from './copy-binary.ts';
import { CopyHand, type CopyReader } from './copy-hand.ts';
import { CopyLines } from './copy-lines.ts';
import type { Outlet } from './relay-outlet.ts';
import { masksLeft, type PlanParts, planCopy } from './results.ts';

/** A CopyData whose length is to be filled in. */
const header = new Uint8Array(headerBytes);
header[0] = backend.copyData;

export class CopyOut {
  readonly #reader: CopyReader;

  /** @throws GatewayError `SP_MASK_UNSOUND` when the rows cannot be told apart. */
  constructor(parts: PlanParts, columns: number) {
    const { copy } = parts.running.statement;
    if (copy === undefined) {
      throw new GatewayError('SP_MASK_UNSOUND', { detail: 'COPY in a form that is not known' });
    }
    const binary = copy.format === 'binary';
    const plans = planCopy(parts, columns, binary);
    const left = masksLeft(parts.running, parts.masks);
    this.#reader = binary
      ? new CopyBinary(plans, left, parts.cellBytesMax)
      : new CopyLines(plans, left, copy, parts.cellBytesMax);
  }

  /** Masks the CopyData at `[at, end)`, which is there whole and lies in the open run. */
  whole(outlet: Outlet, bytes: Uint8Array, at: number, end: number): void {
    const hand = new CopyHand(outlet);
    outlet.mark(at + 1);
    this.#reader.read(hand, bytes, at + headerBytes, end);
    if (hand.changed) outlet.patch(end - at - 1 + hand.grown);
    else outlet.unmark();
  }

  /** Masks a piece of a message that is too large to be whole; it leaves as a message of its own. */
  piece(outlet: Outlet, bytes: Uint8Array, start: number, end: number): void {
    const hand = new CopyHand(outlet);
    outlet.cut(start);
    outlet.mark(start + 1);
    outlet.put(header);
    this.#reader.read(hand, bytes, start, end);
    outlet.cut(end);
    outlet.patch(end - start + 4 + hand.grown);
  }

  /** At CopyDone: the data must have come to an end with the message before. */
  end(): void {
    this.#reader.end();
  }
}
