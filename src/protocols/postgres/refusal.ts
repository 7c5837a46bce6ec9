/**
 * How PostgreSQL clients are told no: an ErrorResponse with the SQLSTATE of the error table, the
 * reason as message, the rule as detail, and what to do about it as hint.
 */
import { type ErrorCode, errorTable } from '#core/errors.ts';
import type { HoldNotice } from '#core/protocol.ts';
import type { Refusal } from '#core/verdict.ts';
import { encodeNotice } from './codec/write.ts';

/** A refusal that the relay itself makes; the words are the error table's. */
export const refuse = (code: ErrorCode, reason = '', hint = ''): Refusal => ({
  refused: true,
  code,
  rule: '',
  reason,
  hint,
  hold: undefined,
  endsSession: false,
});

function message(refusal: Refusal): string {
  const { text } = errorTable[refusal.code];
  return refusal.reason === '' || refusal.reason === text ? text : `${text}: ${refusal.reason}`;
}

function detail(refusal: Refusal): string {
  const parts: string[] = [];
  if (refusal.rule !== '') parts.push(`Rule: ${refusal.rule}.`);
  if (refusal.hold !== undefined) parts.push(`Hold: ${refusal.hold}.`);
  parts.push(`Code: ${refusal.code}.`);
  return parts.join(' ');
}

/** The ErrorResponse of one refused command; the session goes on. */
export const encodeRefusal = (refusal: Refusal): Uint8Array =>
  encodeNotice({
    severity: 'ERROR',
    sqlstate: errorTable[refusal.code].sqlstate,
    message: `sallyport: ${message(refusal)}`,
    detail: detail(refusal),
    hint: refusal.hint,
  });

/** The ErrorResponse that ends a session. */
export const encodeFatal = (code: ErrorCode, reason: string, hint = ''): Uint8Array =>
  encodeNotice({
    severity: 'FATAL',
    sqlstate: errorTable[code].sqlstate,
    message: `sallyport: ${message(refuse(code, reason))}`,
    detail: `Code: ${code}.`,
    hint,
  });

/** The NoticeResponse that tells the sender of a held command what it waits for. */
export const encodeHold = (notice: HoldNotice): Uint8Array =>
  encodeNotice({
    severity: 'NOTICE',
    sqlstate: '00000',
    message: `sallyport: held for approval as ${notice.hold}: ${notice.reason}`,
    detail: `Rule: ${notice.rule}. It waits for at most ${Math.ceil(notice.waitMs / 1000)} s.`,
    hint: `Approve it with: ${notice.howToApprove}`,
  });

/**
 * Text that no server can parse. It is sent in place of what was refused where the server has to
 * fail too, so that its transaction and its skipping to the next Sync are its own doing. A syntax
 * error comes before everything else that a statement could run into, in a failed transaction too.
 */
export const unparsable = 'sallyport refused this statement';
/** What the server says of {@link unparsable}. */
export const unparsableState = '42601';
