/**
 * `sallyport approvals list | show | approve | deny`, over the gateway's API with a reviewer's
 * credential. A reviewer is shown all of a command, made harmless for a terminal, and what is sent
 * back is bound to the digest of what was shown.
 *
 * Exit codes: 0 done, 1 refused or failed, 2 not an id, 4 not logged in.
 */
import { printable, printableLine } from '#core/printable.ts';
import { CommandFailure, reporting, type TextOutput } from './output.ts';

/** What every command works with. */
export interface ApprovalsContext {
  /** The API's base, for example `https://gateway.example:8443`. */
  readonly baseUrl: string;
  readonly token: string;
  readonly output: TextOutput;
  readonly json?: boolean | undefined;
  /** For gateways with a certificate of their own; the global one when absent. */
  readonly fetch?: typeof fetch | undefined;
}

const ANSWER_MS_MAX = 30_000;

/** Lists what waits, oldest first; with `recent` the newest in any state. */
export function listApprovals(
  context: ApprovalsContext,
  options: { readonly recent?: number | undefined } = {},
): Promise<number> {
  return run(context, async () => {
    const query = options.recent === undefined ? '' : `?recent=${options.recent}`;
    const body = await call(context, 'GET', `/v1/holds${query}`);
    const holds = items(body, 'holds');
    if (context.json) for (const hold of holds) context.output.line(JSON.stringify(hold));
    else for (const hold of holds) context.output.line(listLine(hold));
    if (holds.length === 0 && !context.json) context.output.error('nothing waits for approval');
  });
}

/** Shows one hold, whole. */
export function showApproval(context: ApprovalsContext, id: string): Promise<number> {
  return run(context, async () => {
    print(context, await call(context, 'GET', holdPath(id)));
  });
}

/** Approves or denies one hold; shows first what is decided about. */
export function reviewApproval(
  context: ApprovalsContext,
  id: string,
  decision: 'approve' | 'deny',
  reason: string,
): Promise<number> {
  return run(context, async () => {
    const path = holdPath(id);
    const shown = await call(context, 'GET', path);
    if (!context.json) print(context, shown);
    const body = { reason, digest: word(shown, 'digest') };
    const hold = await call(context, 'POST', `${path}/${decision}`, body);
    if (context.json) context.output.line(JSON.stringify(hold));
    else context.output.line(outcomeLine(hold));
  });
}

function run(context: ApprovalsContext, work: () => Promise<void>): Promise<number> {
  return reporting(context.output, async () => {
    await work();
    return 0;
  });
}

/** Ids are UUIDs; anything else could name another path of the API. */
function holdPath(id: string): string {
  if (/^[0-9a-zA-Z-]{1,64}$/.test(id)) return `/v1/holds/${id}`;
  throw new CommandFailure(`'${id}' is not the id of a hold`, { exitCode: 2 });
}

async function call(
  context: ApprovalsContext,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const send = context.fetch ?? fetch;
  let response: Response;
  try {
    response = await send(new URL(path, context.baseUrl), {
      method,
      headers: {
        authorization: `Bearer ${context.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // A redirect could take the credential elsewhere.
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
  } catch (cause) {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const detail = why instanceof Error ? why.message : String(why);
    const message = `no answer from ${context.baseUrl}: ${detail}`;
    throw new CommandFailure(message, { exitCode: 1, cause });
  }
  const text = await response.text();
  const answer = parse(text);
  if (response.ok) return answer;
  const said = [word(answer, 'code'), word(answer, 'title'), word(answer, 'detail')]
    .filter((part) => part !== '')
    .join(' ');
  const exitCode = response.status === 401 ? 4 : 1;
  throw new CommandFailure(`${response.status} ${said}`.trim(), { exitCode });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
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
  const command = part(hold, 'command');
  const row = (name: string, value: string): readonly string[] =>
    value === '' ? [] : [printableLine(`${name.padEnd(12)} ${value}`)];
  const requester = part(command, 'requester');
  const labels = Object.entries(part(command, 'labels') ?? {}).map(
    ([key, value]) => `${key}=${String(value)}`,
  );
  return [
    ...row('hold', word(hold, 'id')),
    ...row('state', word(hold, 'state')),
    ...row('rule', `${word(hold, 'rule')}: ${word(hold, 'reason')}`),
    ...row('waits until', time(hold, 'expiresAt')),
    ...row('valid until', time(hold, 'validUntil')),
    ...reviewerLines(hold).flatMap((text) => row('reviewers', text)),
    ...row('requester', `${word(requester, 'id')} (${word(requester, 'displayName')})`),
    ...row('kind', word(requester, 'kind')),
    ...row('owner', word(requester, 'owner')),
    ...row('on behalf of', word(requester, 'onBehalfOf')),
    ...row('target', `${word(command, 'target')} ${labels.join(' ')}`.trim()),
    ...row('account', word(command, 'account')),
    ...row('namespace', word(command, 'namespace')),
    ...row('from', `${word(command, 'clientAddress')} ${word(command, 'clientName')}`.trim()),
    ...row('effects', words(command, 'facts', 'effects')),
    ...row('analysis', word(command, 'facts', 'analysis')),
    ...items(command, 'facts', 'objects').flatMap((each) =>
      row('touches', `${word(each, 'access')} ${word(each, 'kind')} ${word(each, 'name')}`),
    ),
    ...items(command, 'facts', 'columns').flatMap((each) => {
      const masked = part(each, 'masked') === true ? ' (masked)' : '';
      return row('column', `${word(each, 'use')} ${word(each, 'name')}${masked}`);
    }),
    ...row('functions', words(command, 'facts', 'functions')),
    ...row('not settled', words(command, 'facts', 'reasons')),
    ...row('state text', word(command, 'sessionState')),
    ...row('digest', word(hold, 'digest')),
    ...items(hold, 'reviews').flatMap((each) => {
      const said = `${word(each, 'decision')} by ${word(each, 'reviewer')} ${time(each, 'at')}`;
      return row('review', `${said} ${word(each, 'reason')}`);
    }),
    'command',
    ...printable(word(command, 'text'))
      .split('\n')
      .map((line) => `    ${line}`),
    ...items(command, 'parameters').map((each, index) =>
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
