/** How Kubernetes clients are told no: a Status, which `kubectl` prints and libraries read. */
import { errorTable } from '#core/errors.ts';
import type { Refusal } from '#core/verdict.ts';
import { encodeAnswer, holdUrl, type ProblemForm } from '#protocols/http/refusal.ts';

const RETRY_SECONDS = 5;

/** Reasons of `k8s.io/apimachinery/pkg/apis/meta/v1`, by the status that they stand for. */
const reasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  413: 'RequestEntityTooLarge',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** The answer to one refused request. */
export function encodeStatus(refusal: Refusal, form: ProblemForm): Uint8Array {
  const { code, reason, hint, rule, hold } = refusal;
  const { http } = errorTable[code];
  const isPending = code === 'SP_HOLD_PENDING';
  const words = [reason, hint].filter((text) => text !== '').join(' ');
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `sallyport: ${words} (${code}${rule === '' ? '' : `, rule ${rule}`})`,
    reason: reasons[http] ?? 'Unknown',
    details: {
      causes: [
        { reason: code, message: reason },
        ...(rule === '' ? [] : [{ reason: 'rule', message: rule }]),
        ...(hold === undefined ? [] : [{ reason: 'hold', message: hold }]),
        ...(hold === undefined ? [] : [{ reason: 'holdStatus', message: holdUrl(hold, form) }]),
      ],
      ...(isPending ? { retryAfterSeconds: RETRY_SECONDS } : {}),
    },
    code: http,
  };
  return encodeAnswer(refusal, { type: 'application/json', content: status }, form);
}
