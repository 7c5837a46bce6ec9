/**
 * `sallyport approvals list | show | approve | deny`, over the gateway's API with a reviewer's
 * credential. A reviewer is shown all of a command, made harmless for a terminal, and what is sent
 * back is bound to the digest of what was shown.
 *
 * Exit codes: 0 done, 1 refused or failed, 2 not an id, 4 not logged in.
 */
import type { HoldOpinion } from '#core/ports/holds.ts';
import { printable, printableLine } from '#core/printable.ts';
import { type ApiClient, command } from './api-client.ts';
import { CommandFailure, type TextOutput } from './output.ts';

/** What every command works with. */
export interface ApprovalsContext {
  /** With the token of a reviewer. */
  readonly client: ApiClient;
  readonly output: TextOutput;
  readonly json?: boolean | undefined;
}

/** Lists what waits, oldest first; with `recent` the newest in any state. */
export function listApprovals(
  context: ApprovalsContext,
  options: { readonly recent?: number | undefined } = {},
): Promise<number> {
  return command(context.output, async () => {
    const query = options.recent === undefined ? '' : `?recent=${options.recent}`;
    const body = await context.client.get(`/v1/holds${query}`);
    const holds = items(body, 'holds');
    if (context.json) for (const hold of holds) context.output.line(JSON.stringify(hold));
    else for (const hold of holds) context.output.line(listLine(hold));
    if (holds.length === 0 && !context.json) context.output.error('nothing waits for approval');
  });
}

/** Shows one hold, whole. */
export function showApproval(context: ApprovalsContext, id: string): Promise<number> {
  return command(context.output, async () => {
    print(context, await context.client.get(holdPath(id)));
  });
}

/** Approves or denies one hold; shows first what is decided about. */
export function reviewApproval(
  context: ApprovalsContext,
  id: string,
  opinion: HoldOpinion,
): Promise<number> {
  const { decision, reason, lift = [] } = opinion;
  return command(context.output, async () => {
    const path = holdPath(id);
    const shown = await context.client.get(path);
    if (!context.json) print(context, shown);
    const body = {
      reason,
      digest: word(shown, 'digest'),
      ...(lift.length > 0 ? { lift } : {}),
    };
    const hold = await context.client.post(`${path}/${decision}`, body);
    if (context.json) context.output.line(JSON.stringify(hold));
    else context.output.line(outcomeLine(hold));
  });
}

/** Ids are UUIDs; anything else could name another path of the API. */
function holdPath(id: string): string {
  if (/^[0-9a-zA-Z-]{1,64}$/.test(id)) return `/v1/holds/${id}`;
  throw new CommandFailure(`'${id}' is not the id of a hold`, { exitCode: 2 });
}

/** A part of an answer; undefined when it is not there, whatever the answer is. */
function part(value: unknown, ...path: readonly string[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = Reflect.get(at, key);
  }
  return at;
}

function word(value: unknown, ...path: readonly string[]): string {
  const found = part(value, ...path);
  return typeof found === 'string' ? found : '';
}

function time(value: unknown, ...path: readonly string[]): string {
  const found = part(value, ...path);
  return typeof found === 'number' ? new Date(found).toISOString() : '';
}

function items(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = part(value, ...path);
  return Array.isArray(found) ? found : [];
}

const words = (value: unknown, ...path: readonly string[]): string =>
  items(value, ...path)
    .filter((item) => typeof item === 'string')
    .join(', ');

const LINE_CHARS = 80;

function listLine(hold: unknown): string {
  const text = word(hold, 'command', 'text');
  const who = word(hold, 'command', 'requester', 'id');
  const where = `${word(hold, 'command', 'account')}@${word(hold, 'command', 'target')}`;
  // A list cannot show all of a command; it says so, and `show` does.
  const shown = text.length > LINE_CHARS ? `${text.slice(0, LINE_CHARS)}… (cut: see show)` : text;
  const state = word(hold, 'state').padEnd(9);
  const head = `${word(hold, 'id')}  ${state} ${time(hold, 'expiresAt')}  ${who}  ${where}`;
  return printableLine(`${head}  [${word(hold, 'rule')}]  ${shown}`);
}

function print(context: ApprovalsContext, hold: unknown): void {
  const { output, json } = context;
  if (json) output.line(JSON.stringify(hold));
  else for (const line of showLines(hold)) output.line(line);
}

function showLines(hold: unknown): readonly string[] {
  const held = part(hold, 'command');
  const row = (name: string, value: string): readonly string[] =>
    value === '' ? [] : [printableLine(`${name.padEnd(12)} ${value}`)];
  const requester = part(held, 'requester');
  const labels = Object.entries(part(held, 'labels') ?? {}).map(
    ([key, value]) => `${key}=${String(value)}`,
  );
  return [
    ...row('hold', word(hold, 'id')),
    ...row('state', word(hold, 'state')),
    ...row('rule', `${word(hold, 'rule')}: ${word(hold, 'reason')}`),
    ...row('waits until', time(hold, 'expiresAt')),
    ...row('valid until', time(hold, 'validUntil')),
    ...reviewerLines(hold).flatMap((text) => row('reviewers', text)),
    ...row('may lift', words(hold, 'terms', 'mayLift')),
    ...row('requester', `${word(requester, 'id')} (${word(requester, 'displayName')})`),
    ...row('kind', word(requester, 'kind')),
    ...row('owner', word(requester, 'owner')),
    ...row('on behalf of', word(requester, 'onBehalfOf')),
    ...row('target', `${word(held, 'target')} ${labels.join(' ')}`.trim()),
    ...row('account', word(held, 'account')),
    ...row('namespace', word(held, 'namespace')),
    ...row('purpose', word(held, 'purpose')),
    ...row('from', `${word(held, 'clientAddress')} ${word(held, 'clientName')}`.trim()),
    ...row('effects', words(held, 'facts', 'effects')),
    ...row('analysis', word(held, 'facts', 'analysis')),
    ...items(held, 'facts', 'objects').flatMap((each) =>
      row('touches', `${word(each, 'access')} ${word(each, 'kind')} ${word(each, 'name')}`),
    ),
    ...items(held, 'facts', 'columns').flatMap((each) => {
      const masked = part(each, 'masked') === true ? ' (masked)' : '';
      return row('column', `${word(each, 'use')} ${word(each, 'name')}${masked}`);
    }),
    ...items(held, 'novel').flatMap((each) =>
      row(
        'never before',
        `${word(each, 'access')} ${word(each, 'kind')} ${word(each, 'name')}`.trim(),
      ),
    ),
    ...row('functions', words(held, 'facts', 'functions')),
    ...row('not settled', words(held, 'facts', 'reasons')),
    ...row('state text', word(held, 'sessionState')),
    ...row('digest', word(hold, 'digest')),
    ...items(hold, 'reviews').flatMap((each) => {
      const said = `${word(each, 'decision')} by ${word(each, 'reviewer')} ${time(each, 'at')}`;
      const lifts = words(each, 'lift') === '' ? '' : ` lifting ${words(each, 'lift')}`;
      return row('review', `${said}${lifts} ${word(each, 'reason')}`);
    }),
    'command',
    ...printable(word(held, 'text'))
      .split('\n')
      .map((line) => `    ${line}`),
    ...items(held, 'parameters').map((each, index) =>
      printableLine(`    $${index + 1} = ${parameterText(part(each, 'value'))}`),
    ),
  ];
}

function reviewerLines(hold: unknown): readonly string[] {
  const line = (terms: unknown): string => {
    const count = part(terms, 'approvals');
    return `${typeof count === 'number' ? count : '?'} of ${words(terms, 'reviewers')}`;
  };
  return [line(part(hold, 'terms')), ...items(hold, 'terms', 'also').map(line)];
}

function parameterText(value: unknown): string {
  switch (word(value, 'kind')) {
    case 'null':
      return 'NULL';
    case 'text':
      return JSON.stringify(word(value, 'text'));
    default:
      return `\\x${word(value, 'hex')}`;
  }
}

function outcomeLine(hold: unknown): string {
  const state = word(hold, 'state');
  const until = time(hold, 'validUntil');
  if (state === 'approved' || state === 'spent') return `approved; valid until ${until}`;
  return state === 'pending' ? 'approved; more approvals are needed' : state;
}
