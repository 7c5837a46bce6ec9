import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import { Client } from 'pg';
import {
  hasPostgres,
  startPostgres,
  type TestPostgres,
} from '../../../../test/support/postgres.ts';
import { classOf, type Listed, listFunctions } from '../../../../tools/functions.ts';
import type { Catalogue } from './catalogue.ts';
import { CatalogueCache } from './catalogue-cache.ts';

for (const version of ([15, 18] as const).filter(hasPostgres)) {
  describe(`the reviewed functions of PostgreSQL ${version}`, () => {
    let server: TestPostgres;
    let listed: readonly Listed[];
    let client: Client;
    before(async () => {
      server = await startPostgres({ version });
      listed = await listFunctions(server);
      const { host, port, superuser } = server;
      client = new Client({ host, port, user: superuser, database: 'postgres' });
      await client.connect();
    });
    after(async () => {
      await client.end();
      await server.stop();
    });

    const read = (): Promise<Catalogue> => {
      const types = { getTypeParser: () => (value: string) => value };
      const cache = new CatalogueCache({ clock: systemClock, limits: defaultLimits });
      const query = async (text: string): Promise<(string | null)[][]> =>
        (await client.query<(string | null)[]>({ text, rowMode: 'array', types })).rows;
      return cache.current('t', query, 'session');
    };

    it('all have the class that the review gives them', async () => {
      const catalogue = await read();
      const wrong: string[] = [];
      let seen = 0;
      for (const one of listed) {
        const expected = classOf(one);
        if (one.oid < 16_384) assert.ok(expected !== undefined, `${one.name}(${one.args})`);
        if (expected === undefined) continue;
        seen += 1;
        const info = catalogue.functionByOid(one.oid);
        const found = info?.safety === 'effect' ? info.effects.join('+') : info?.safety;
        // Where versions differ, the table has the worse.
        const stricter = expected === 'pure' && found === 'read';
        if (found !== expected && !stricter) {
          wrong.push(`${one.scope} ${one.name}(${one.args}): ${found}, not ${expected}`);
        }
      }
      assert.ok(seen > 3_200);
      assert.deepEqual(wrong, []);
    });

    it('are not pure when the server calls them volatile', async () => {
      const catalogue = await read();
      const wrong = listed
        .map((one) => catalogue.functionByOid(one.oid))
        .filter((info) => info?.safety === 'pure' && info.volatility === 'volatile');
      assert.deepEqual(wrong, []);
    });

    it('have the classes that everything else relies on', async () => {
      const catalogue = await read();
      const of = (name: string): readonly string[] => [
        ...new Set(
          catalogue
            .functions('pg_catalog', name)
            .map((info) => (info.safety === 'effect' ? info.effects.join('+') : info.safety)),
        ),
      ];
      assert.deepEqual(of('lower'), ['pure']);
      assert.deepEqual(of('count'), ['pure']);
      assert.deepEqual(of('now'), ['read']);
      assert.deepEqual(of('query_to_xml'), ['execute-code+data-read']);
      assert.deepEqual(of('ts_rewrite').toSorted(), ['execute-code+data-read', 'pure']);
      assert.deepEqual(of('pg_read_file'), ['file-read+data-read']);
      assert.deepEqual(of('lo_export'), ['file-write+data-read']);
      assert.deepEqual(of('set_config'), ['settings']);
      assert.deepEqual(of('nextval'), ['write']);
      assert.deepEqual(of('pg_sleep'), ['lock']);
      assert.deepEqual(of('pg_terminate_backend'), ['admin']);
      assert.deepEqual(of('pg_stat_get_activity'), ['data-read']);
      const digest = catalogue.functions('public', 'digest')[0];
      assert.deepEqual([digest?.extension, digest?.safety], ['pgcrypto', 'pure']);
      const dblink = catalogue.functions('public', 'dblink_exec')[0];
      assert.deepEqual(dblink?.effects, ['network', 'execute-code', 'data-read']);
    });

    it('lose it when something else runs under their name', async () => {
      const lower = (catalogue: Catalogue): string | undefined =>
        catalogue.functions('pg_catalog', 'lower').find((info) => info.argTypes[0] === 25)?.safety;
      assert.equal(lower(await read()), 'pure');
      // The same oid, the same name, other code.
      await client.query('BEGIN');
      await client.query(`CREATE OR REPLACE FUNCTION pg_catalog.lower(text) RETURNS text
        LANGUAGE internal IMMUTABLE STRICT AS 'upper'`);
      await client.query('COMMIT');
      assert.equal(lower(await read()), 'unknown');
      await client.query(`CREATE OR REPLACE FUNCTION pg_catalog.lower(text) RETURNS text
        LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'lower'`);
      assert.equal(lower(await read()), 'pure');
      await client.query(`CREATE FUNCTION pg_catalog.harmless(text) RETURNS text
        LANGUAGE internal AS 'lower'`);
      const catalogue = await read();
      assert.equal(catalogue.functions('pg_catalog', 'harmless')[0]?.safety, 'unknown');
      await client.query(`CREATE FUNCTION public.digest(text) RETURNS text LANGUAGE sql
        AS 'SELECT $1'; ALTER EXTENSION pgcrypto ADD FUNCTION public.digest(text)`);
      const joined = (await read()).functions('public', 'digest');
      const found = new Set(joined.map((info) => `${info.argTypes.length} ${info.safety}`));
      assert.deepEqual(found, new Set(['1 unknown', '2 pure']));
    });
  });
}
