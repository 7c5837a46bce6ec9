/**
 * What becomes of one message of the client: it is refused, or it goes on. A message that carries
 * commands goes on behind the permits of all of them, and there is no other way to make it go.
 */
import { GatewayError } from '#core/errors.ts';
import type { MaskSet } from '#core/masking.ts';
import { AllowedCommand } from '#core/permit.ts';
import type { Stages } from '#core/protocol.ts';
import type { Refusal } from '#core/verdict.ts';
import { refuse } from './refusal.ts';
import type { Judged } from './relay-judge.ts';
import { mayTouchMasked } from './results.ts';
import type { SqlStatement } from './sql/types.ts';

/** The message is forwarded. */
export interface Go {
  readonly refused: false;
  /** Writes down what the server will answer; gives what has to be sent in front of the message. */
  forward(): Uint8Array | undefined;
}

/** The message was dealt with: what was to be sent was sent, and answered. */
export interface DealtWith {
  readonly refused: false;
  readonly forward: undefined;
}

export type Outcome = Refusal | Go | DealtWith;

/** @see DealtWith */
export const dealtWith: DealtWith = { refused: false, forward: undefined };

/** A message as it lies in the bytes read; valid while they are. */
export interface Message {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
}

/** For messages that run nothing. */
export const harmless = (forward: () => void): Go => ({
  refused: false,
  forward: () => {
    forward();
    return undefined;
  },
});

/** For messages that carry commands. */
export function permitted(
  stages: Pick<Stages, 'sent'>,
  permits: readonly AllowedCommand[],
  forward: () => Uint8Array | undefined,
): Go {
  if (permits.length === 0 || !permits.every((permit) => AllowedCommand.isGenuine(permit))) {
    throw new GatewayError('SP_INTERNAL', { detail: 'a command without a permit' });
  }
  return {
    refused: false,
    forward: () => {
      for (const permit of permits) stages.sent(permit);
      return forward();
    },
  };
}

/** As {@link permitted}, unless what comes back could not be masked. */
export function checked(
  judged: Judged,
  stages: Pick<Stages, 'sent' | 'masks'>,
  forward: (lifted: readonly (readonly string[])[]) => void,
): Outcome {
  if (judged.refused) return judged;
  if (judged.statements.some((statement) => isUnmaskableCopy(statement, stages.masks))) {
    return refuse('SP_MASK_UNSOUND', 'a COPY whose rows cannot be told apart');
  }
  const { permits } = judged;
  return permitted(stages, permits, () => {
    forward(permits.map((permit) => permit.liftedMasks));
    return undefined;
  });
}

function isUnmaskableCopy(statement: SqlStatement, masks: MaskSet): boolean {
  if (masks.empty || !statement.facts.effects.includes('copy-out')) return false;
  const wanted = masks.content !== undefined || mayTouchMasked(statement, masks);
  return statement.copy === undefined && wanted;
}

export const notText: Refusal = refuse(
  'SP_FRAME_MALFORMED',
  'the message is cut short, has bytes left over, or is not UTF-8',
);

export const unknownName = (what: 'prepared statement' | 'portal', name: string): Refusal =>
  refuse(
    'SP_NOT_UNDERSTOOD',
    `the text behind the ${what} ${name === '' ? 'without a name' : `"${name}"`} is not known`,
    'Prepare it again.',
  );
