import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { printable } from '#core/printable.ts';
import { Secret } from '#core/secret.ts';
import { ApiClient } from './api-client.ts';
import { listApprovals, reviewApproval, showApproval } from './approvals.ts';

const hold = {
  id: '0199c8f0-3a10-7b7f-8f0e-5d1c2b3a4f60',
  state: 'pending',
  digest: 'ab'.repeat(32),
  rule: 'destructive',
  reason: 'it destroys data',
  expiresAt: Date.UTC(2026, 10, 22, 12),
  terms: {
    reviewers: ['group:dba'],
    approvals: 2,
    also: [{ reviewers: ['group:x'], approvals: 1 }],
    mayLift: ['ssn'],
  },
  reviews: [{ decision: 'approve', reviewer: 'okta/pia', at: 0, reason: 'ok', lift: ['ssn'] }],
  command: {
    text: `DELETE FROM t -- \u001b[2K\u202egnihton${' '.repeat(200)}\n; DROP TABLE u`,
    parameters: [
      { type: '25', value: { kind: 'text', text: 'a"\u0007' } },
      { type: '17', value: { kind: 'hex', hex: '00ff' } },
      { type: '25', value: { kind: 'null' } },
    ],
    requester: { id: 'ci/job', displayName: 'job', kind: 'workload', owner: 'okta/ann' },
    target: 'orders',
    labels: { env: 'prod' },
    account: 'app',
    novel: [{ kind: 'table', access: 'write', name: 'hr.pay' }],
    facts: { effects: ['delete-all'], analysis: 'complete', objects: [], columns: [], reasons: [] },
  },
};

interface Seen {
  readonly request: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

const seen: Seen[] = [];
let status = 200;
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => (body += String(chunk)));
  request.on('end', () => {
    const { method = '', url = '', headers } = request;
    seen.push({ request: `${method} ${url}`, authorization: headers.authorization, body });
    const problem = {
      code: 'SP_FORBIDDEN',
      title: 'not allowed',
      detail: 'nobody reviews their own',
    };
    const answers = url.startsWith(`/v1/holds/${hold.id}`) ? hold : { holds: [hold] };
    const approved = { ...hold, state: 'approved', validUntil: Date.UTC(2026, 10, 22, 13) };
    const answer = status !== 200 ? problem : method === 'POST' ? approved : answers;
    response.writeHead(status).end(JSON.stringify(answer));
  });
});
let baseUrl = '';
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  baseUrl = `http://127.0.0.1:${address.port}`;
});
after(() => server.close());

function output(
  json = false,
  url = baseUrl,
): {
  readonly lines: string[];
  readonly context: Parameters<typeof listApprovals>[0];
} {
  const lines: string[] = [];
  const say = (text: string): void => {
    lines.push(text);
  };
  const client = new ApiClient({ url, token: new Secret('t'), fetch });
  return { lines, context: { client, json, output: { line: say, error: say } } };
}

test('list says when it cannot show all of a command', async () => {
  const { lines, context } = output();
  assert.equal(await listApprovals(context), 0);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /ci\/job {2}app@orders {2}\[destructive\] .*… \(cut: see show\)$/);
  assert.equal(seen.at(-1)?.authorization, 'Bearer t');
});

test('show prints everything, and nothing in it can move the cursor', async () => {
  const { lines, context } = output();
  assert.equal(await showApproval(context, hold.id), 0);
  const text = lines.join('\n');
  assert.ok(text.includes('; DROP TABLE u'));
  assert.ok(text.includes('2 of group:dba') && text.includes('1 of group:x'));
  assert.ok(text.includes('$2 = \\x00ff') && text.includes('$3 = NULL'));
  assert.match(text, /may lift +ssn\n/);
  assert.match(text, /never before write table hr\.pay\n/);
  assert.match(text, /approve by okta\/pia \S+ lifting ssn ok/);
  assert.ok(text.includes('env=prod') && text.includes('okta/ann'));
  assert.equal(printable(text), text);
});

test('a review names the digest of what was shown', async () => {
  const { lines, context } = output();
  assert.equal(
    await reviewApproval(context, hold.id, { decision: 'approve', reason: 'ticket 8812' }),
    0,
  );
  assert.deepEqual(
    seen.slice(-2).map(({ request }) => request),
    [`GET /v1/holds/${hold.id}`, `POST /v1/holds/${hold.id}/approve`],
  );
  const body: unknown = JSON.parse(seen.at(-1)?.body ?? '');
  assert.deepEqual(body, { reason: 'ticket 8812', digest: hold.digest });
  assert.equal(lines.at(-1), 'approved; valid until 2026-11-22T13:00:00.000Z');
  await reviewApproval(context, hold.id, { decision: 'approve', reason: '', lift: ['ssn'] });
  assert.match(seen.at(-1)?.body ?? '', /"lift":\["ssn"\]/);
});

test('refusals, missing logins and bad ids have exit codes of their own', async () => {
  status = 403;
  const refused = output();
  assert.equal(await reviewApproval(refused.context, hold.id, { decision: 'deny', reason: '' }), 1);
  assert.deepEqual(refused.lines, ['not allowed: nobody reviews their own']);
  status = 401;
  assert.equal(await listApprovals(output().context), 4);
  status = 200;
  const count = seen.length;
  assert.equal(await showApproval(output().context, '../tokens'), 2);
  assert.equal(seen.length, count);
  const away = output(false, 'http://127.0.0.1:1');
  assert.equal(await listApprovals(away.context), 1);
  assert.deepEqual(away.lines, ['no gateway answers at http://127.0.0.1:1']);
});

test('json passes on what the API says', async () => {
  const { lines, context } = output(true);
  await listApprovals(context, { recent: 5 });
  assert.equal(seen.at(-1)?.request, 'GET /v1/holds?recent=5');
  assert.deepEqual(JSON.parse(lines[0] ?? ''), hold);
});
