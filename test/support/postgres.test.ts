import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { makeAuthority } from './certificates.ts';
import { hasPostgres, startPostgres, type PostgresVersion } from './postgres.ts';

const versions: readonly PostgresVersion[] = [15, 18];

describe('the starter of real servers', () => {
  for (const version of versions.filter(hasPostgres)) {
    it(`runs PostgreSQL ${version} and leaves nothing behind`, async () => {
      const authority = makeAuthority();
      const server = await startPostgres({
        version,
        ssl: authority.issue(['localhost', '127.0.0.1']),
        settings: { log_statement: 'all' },
      });
      const [row] = await server.query("select 'a'; select current_setting('ssl') as tls");
      assert.deepEqual(row, { tls: 'on' });
      assert.match(server.log(), /current_setting\('ssl'\)/);
      await server.stop();
      assert.equal(existsSync(server.dir), false);
    });
  }
});
