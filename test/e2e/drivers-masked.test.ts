/**
 * psql, psycopg 2 and 3, asyncpg, node-postgres and pgjdbc over a table with masked columns, in
 * every way that they have to read rows: nothing masked comes, in values that they can read, and
 * what names nothing masked is what the server gives.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  judgeLines,
  maskedDrivers,
  maskedPolicy,
  maskedSchema,
} from '../conformance/postgres/masked.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

describe('drivers over masked columns', () => {
  let server: TestPostgres;
  let gateway: TestGateway;
  before(async () => {
    server = await startPostgres({ version: 15 });
    await server.query(maskedSchema);
    gateway = await startGateway({
      targets: [{ name: 'drivers', host: server.host, port: server.port, accounts: ['*'] }],
      policies: { 'policy.yaml': maskedPolicy },
    });
  });
  after(async () => {
    await gateway.stop();
    await server.stop();
  });

  for (const driver of maskedDrivers) {
    it(`${driver.name} sees none of their values`, async () => {
      const direct = await driver.run({ port: server.port, user: 'postgres', password: 'none' });
      const through = await driver.run({
        port: gateway.port,
        user: 'postgres@drivers',
        password: gateway.credential,
      });
      assert.ok(direct.split('\n').length > 50, direct);
      assert.deepEqual(judgeLines(direct, through), []);
    });
  }
});
