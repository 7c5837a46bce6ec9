/** What end-to-end tests ask of servers, besides their clients. */
import type { TestGateway } from '../support/gateway.ts';
import type { TestPostgres } from '../support/postgres.ts';

/** Milliseconds between two looks, and looks after which it will never come to it. */
const LOOK_MS = 25;
const LOOKS_MAX = 1_200;

/** Waits until `count` backends run a statement that holds this text. */
export async function running(server: TestPostgres, text: string, count: number): Promise<void> {
  const sql = `select from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()
    and position($text$${text}$text$ in query) > 0`;
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    if ((await server.query(sql)).length === count) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`never ${count} times: ${text}`);
}

/** Trades a token for a credential (RFC 8693), as a CI job does; `scope` may name a purpose. */
export async function exchange(
  gateway: TestGateway,
  token: string,
  audience: string,
  scope?: string,
): Promise<string> {
  const answer = await fetch(`${gateway.api}/v1/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      subject_token: token,
      audience,
      ...(scope === undefined ? {} : { scope }),
    }),
  });
  const body: unknown = await answer.json();
  const issued: unknown =
    typeof body === 'object' && body !== null ? Reflect.get(body, 'access_token') : undefined;
  if (answer.status !== 200 || typeof issued !== 'string') throw new Error(JSON.stringify(body));
  return issued;
}
