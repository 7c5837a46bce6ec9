/**
 * What became of a held request, for the one who sent it: on the target's own host, so that a
 * client needs neither another address nor another credential.
 */
import type { HoldStatus, Stages } from '#core/protocol.ts';
import { type OwnWords, ownPaths, RETRY_SECONDS } from './refusal.ts';
import type { HttpRequest } from './request.ts';

const holds = `${ownPaths}holds/`;

/** The answer to a question about a hold; undefined when there is nothing to tell. */
export async function holdWords(
  { method, path }: Pick<HttpRequest, 'method' | 'path'>,
  stages: Pick<Stages, 'hold'>,
): Promise<OwnWords | undefined> {
  if ((method !== 'GET' && method !== 'HEAD') || !path.startsWith(holds)) return undefined;
  const status = await stages.hold(path.slice(holds.length));
  if (status === undefined) return undefined;
  const retry = { name: 'retry-after', value: String(RETRY_SECONDS) };
  return {
    status: 200,
    type: 'application/json',
    content: contentOf(status),
    fields: status.state === 'pending' ? [retry] : [],
  };
}

function contentOf(status: HoldStatus): unknown {
  const { id, state, rule, reason, approvals, expiresAt, validUntil } = status;
  return {
    hold: id,
    state,
    rule,
    reason,
    approvals,
    expiresAt: new Date(expiresAt).toISOString(),
    ...(validUntil === undefined ? {} : { validUntil: new Date(validUntil).toISOString() }),
    next: nextSteps[state],
  };
}

const nextSteps: Readonly<Record<HoldStatus['state'], string>> = {
  pending: 'Ask again later.',
  approved: 'Send exactly the same request again before validUntil; that spends the approval.',
  spent: 'Done: the request was sent.',
  denied: 'Sending the request again opens a new hold.',
  timeout: 'Nobody approved it in time; sending the request again opens a new hold.',
  expired: 'The approval was not used in time; sending the request again opens a new hold.',
  cancelled: 'Sending the request again opens a new hold.',
};
