/**
 * How SSH clients are told no: a line on standard error and an exit status for a command, a reason
 * for a channel, a status for a file operation. The connection and its other channels go on.
 */
import { type ErrorCode, errorTable } from '#core/errors.ts';
import type { HoldNotice } from '#core/protocol.ts';
import type { Refusal } from '#core/verdict.ts';

/** A refusal that the gateway's side of the protocol makes; the words are the error table's. */
export const refuse = (code: ErrorCode, reason = '', hint = ''): Refusal => ({
  refused: true,
  code,
  rule: '',
  reason,
  hint,
  hold: undefined,
  endsSession: false,
});

/** One line for a person or a program, with the rule and the stable code. */
export function refusalText({ code, rule, reason, hint, hold }: Refusal): string {
  const { text } = errorTable[code];
  const why = reason === '' || reason === text ? '' : `: ${reason}`;
  const facts = [
    rule === '' ? '' : `rule ${rule}`,
    hold === undefined ? '' : `hold ${hold}`,
    code,
  ].filter((part) => part !== '');
  const advice = hint === '' ? '' : `\nsallyport: ${hint}`;
  return `sallyport: ${text}${why} (${facts.join(', ')})${advice}`;
}

/** What the sender of a held command reads on standard error while it waits. */
export const holdText = (notice: HoldNotice): string =>
  `sallyport: held for approval as ${notice.hold}: ${notice.reason} (rule ${notice.rule}, ` +
  `waits for at most ${Math.ceil(notice.waitMs / 1000)} s)\n` +
  `sallyport: approve it with: ${notice.howToApprove}`;

/** Lines as a terminal in raw mode, or a pipe, wants them. */
export const asLines = (text: string, isTerminal: boolean): Uint8Array =>
  new TextEncoder().encode(
    `${isTerminal ? text.replaceAll('\n', '\r\n') : text}${isTerminal ? '\r\n' : '\n'}`,
  );

/** Exit status of a command that was refused. */
export const exitStatus = (refusal: Refusal): number => errorTable[refusal.code].exit;
