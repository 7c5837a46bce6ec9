import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client } from 'pg';
import {
  hasPostgres,
  startPostgres,
  type TestPostgres,
} from '../../../../test/support/postgres.ts';
import { readSessionState, sessionStateSql, type SessionState } from './session-state.ts';

for (const version of ([15, 18] as const).filter(hasPostgres)) {
  describe(`the state of a session of PostgreSQL ${version}`, () => {
    let server: TestPostgres;
    let client: Client;
    before(async () => {
      server = await startPostgres({ version });
      const { host, port, superuser } = server;
      client = new Client({ host, port, user: superuser, database: 'postgres' });
      await client.connect();
    });
    after(async () => {
      await client.end();
      await server.stop();
    });

    async function state(...before: readonly string[]): Promise<SessionState> {
      await client.query('DISCARD ALL');
      for (const sql of before) await client.query(sql);
      const types = { getTypeParser: () => (value: string) => value };
      const query = { text: sessionStateSql, rowMode: 'array', types };
      return readSessionState((await client.query<(string | null)[]>(query)).rows);
    }

    it('says who searches where', async () => {
      const plain = await state();
      assert.deepEqual(plain.searchPath, ['pg_catalog', 'public']);
      assert.deepEqual([plain.role, plain.sessionUser], ['postgres', 'postgres']);
      assert.equal(plain.database, 'postgres');
      assert.equal(plain.temporarySchemaOid, 0);
      assert.equal(plain.unsound, undefined);
    });

    it('follows roles, schemas that are there and schemas that are not', async () => {
      await client.query('CREATE ROLE alice; CREATE SCHEMA alice AUTHORIZATION alice');
      await client.query('CREATE SCHEMA "odd, ""name"; CREATE SCHEMA closed');
      const odd = await state(
        'SET search_path = "$user", nowhere, closed, "odd, ""name", pg_catalog',
        'GRANT USAGE ON SCHEMA "odd, ""name" TO alice',
        'SET ROLE alice',
      );
      assert.deepEqual(odd.searchPath, ['alice', 'odd, "name', 'pg_catalog']);
      assert.deepEqual([odd.role, odd.sessionUser], ['alice', 'postgres']);
    });

    it('shows the temporary schema where it is searched', async () => {
      const temporary = await state('CREATE TEMP TABLE t (a int)');
      assert.match(temporary.searchPath[0] ?? '', /^pg_temp_\d+$/);
      assert.notEqual(temporary.temporarySchemaOid, 0);
    });

    it('is unsound under settings that change the meaning of texts', async () => {
      for (const setting of [
        'standard_conforming_strings = off',
        'client_encoding = LATIN1',
        'transform_null_equals = on',
        'session_replication_role = replica',
        'backslash_quote = on',
      ]) {
        assert.equal((await state(`SET ${setting}`)).unsound, setting.split(' ')[0]);
      }
    });

    it('is not fooled by what the path has first', async () => {
      await client.query('CREATE SCHEMA evil');
      await client.query(
        `CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT 'on' $$`,
      );
      const evil = await state(
        'SET standard_conforming_strings = off',
        'SET search_path = evil, pg_catalog',
      );
      assert.equal(evil.unsound, 'standard_conforming_strings');
    });
  });
}

describe('the decoder of a state', () => {
  it('takes nothing but the row that was asked for', () => {
    assert.throws(() => readSessionState([]), { code: 'SP_TARGET_PROTOCOL' });
    assert.throws(() => readSessionState([['["a"]', 'u', 'u', 'd']]), {
      code: 'SP_TARGET_PROTOCOL',
    });
  });
});
