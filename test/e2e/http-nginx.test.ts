/** nginx as the second opinion: what was judged is what it understood. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import fc from 'fast-check';
import { decodePath, encodePath } from '../../src/protocols/http/codec/path.ts';
import { type Nginx, startNginx } from '../evasion/http/nginx.ts';
import { exchange } from '../support/http-gateway.ts';

let nginx: Nginx;

before(async () => {
  nginx = await startNginx(9);
});

after(() => nginx.stop());

/** The path as nginx has decoded it; undefined when it refuses. */
async function understood(path: string): Promise<string | undefined> {
  const answer = await exchange(
    nginx.port,
    `GET /echo${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
  );
  if (!answer.startsWith('HTTP/1.1 200')) return undefined;
  const body = Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1').toString('utf8');
  return body.slice('/echo'.length);
}

it('reads a path that is forwarded as the one that was judged', async () => {
  const pieces =
    "a B / / . .. %2e %41 %20 %C3%A9 ~ + = : @ ! %7e %5B ( , * ' %25 %2f ; %00 \\ # ?x %E2%82%AC";
  const part = fc.constantFrom(...pieces.split(' '));
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 8 }), async (parts) => {
      const raw = `/${parts.join('')}`;
      let judged: string;
      try {
        judged = decodePath(raw);
      } catch {
        return;
      }
      accepted += 1;
      assert.equal(await understood(encodePath(judged)), judged, raw);
      // What the client sent means the same to nginx, or the client's spelling never gets there.
      const direct = await understood(raw);
      if (direct !== undefined) assert.equal(direct, judged, `direct ${raw}`);
    }),
    { numRuns: 150 },
  );
  assert.ok(accepted > 20, 'too few paths were accepted to show anything');
});
