/** Whether the gateway did what a case asks of it. */
import { errorsIn, isGateways, fieldsOf, textOf } from './answers.ts';
import type { CanaryFinder } from './canaries.ts';
import type { Case } from './cases.ts';
import type { Played } from './play.ts';
import type { Received } from './wire.ts';

/** How a case went; the last three are failures. */
export type Outcome =
  /** Refused before the effect. */
  | 'denied'
  | 'held'
  /** Forwarded, and its effect did not come about: an error without its text, say. */
  | 'disarmed'
  | 'masked'
  | 'allowed'
  | 'took effect'
  | 'leaked'
  | 'over-blocked';

export interface Judgement {
  readonly good: boolean;
  readonly outcome: Outcome;
  readonly note: string;
}

/** @param direct - the same case at the server itself, for cases that must be allowed. */
export function judge(
  one: Case,
  played: Played,
  finder: CanaryFinder,
  direct: Played | undefined,
): Judgement {
  switch (one.must) {
    case 'block':
      return judgeBlock(one, played, finder);
    case 'mask':
      return judgeMask(played, finder);
    case 'allow':
      return judgeAllow(one, played, direct);
  }
}

const good = (outcome: Outcome, note = ''): Judgement => ({ good: true, outcome, note });
const bad = (outcome: Outcome, note: string): Judgement => ({ good: false, outcome, note });

function judgeBlock(one: Case, played: Played, finder: CanaryFinder): Judgement {
  const leak = one.effect.startsWith('reveals') ? finder.find(played.received) : undefined;
  if (leak !== undefined) return bad('leaked', leak);
  if (played.happened) return bad('took effect', played.refusals.join(' '));
  return refused(played) ?? good('disarmed', errorsIn(played.received).join('; '));
}

function judgeMask(played: Played, finder: CanaryFinder): Judgement {
  const leak = finder.find(played.received);
  if (leak !== undefined) return bad('leaked', leak);
  if (played.happened) return bad('leaked', 'the pattern of the case');
  return refused(played) ?? good('masked');
}

function refused({ refusals, turnedAway }: Played): Judgement | undefined {
  if (turnedAway) return good('denied', 'at login');
  const [first] = refusals;
  if (first === undefined) return undefined;
  return good(first === 'SP_HOLD_PENDING' ? 'held' : 'denied', first);
}

function judgeAllow(one: Case, played: Played, direct: Played | undefined): Judgement {
  if (played.turnedAway) return bad('over-blocked', 'at login');
  if (played.refusals.length > 0) return bad('over-blocked', reasonsOf(played));
  if (one.proof.sql !== undefined && !played.happened) return bad('over-blocked', 'no effect');
  if (one.proof.unchanged === true && !played.unchanged) return bad('took effect', 'changes state');
  const difference = direct === undefined ? undefined : compare(one, played, direct);
  return difference === undefined ? good('allowed') : bad('over-blocked', difference);
}

/** What the gateway said, for whoever reads the report. */
export function reasonsOf(played: Played): string {
  return played.received
    .flatMap(({ type, body }) => {
      const fields = type === 'E' ? fieldsOf(body) : new Map<string, string>();
      return isGateways(fields) ? [`${fields.get('M') ?? ''} ${fields.get('D') ?? ''}`] : [];
    })
    .join('; ');
}

/** What the client was told, for the report. */
export const toldOf = (played: Played): string =>
  textOf(played.received.filter(({ type }) => type !== 'S')).slice(0, 400);

function compare(one: Case, played: Played, direct: Played): string | undefined {
  const mine = played.received.flatMap((each) => comparable(one, each));
  const theirs = direct.received.flatMap((each) => comparable(one, each));
  const at = theirs.findIndex((line, index) => line !== mine[index]);
  if (at >= 0) return `message ${at}: ${mine[at] ?? 'none'} in place of ${theirs[at] ?? 'none'}`;
  return mine.length > theirs.length ? `one more: ${mine[theirs.length] ?? ''}` : undefined;
}

/** A message in the form in which it must be the same directly and through the gateway. */
function comparable(one: Case, { type, body }: Received): readonly string[] {
  // The start-up differs, and parameters are told when they change.
  if (type === 'R' || type === 'K' || type === 'S') return [];
  if (type === 'E' || type === 'N') {
    const fields = fieldsOf(body);
    return [`${type} ${fields.get('C') ?? ''} ${fields.get('M') ?? ''}`];
  }
  return [type === 'D' && one.varies === true ? 'D' : `${type} ${body.toString('latin1')}`];
}
