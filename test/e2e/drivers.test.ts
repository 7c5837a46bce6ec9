/**
 * Debian's psycopg 2, psycopg 3 and pgjdbc: pipelines, server-side cursors, COPY, binary values,
 * prepared statements and cancel, directly and through the gateway, print the same lines.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { drive, drivers } from '../conformance/postgres/drivers.ts';
import { allowEverything, startGateway, type TestGateway } from '../support/gateway.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

/** Everything is watched, and every write counted, below its limits. */
const limited = `rules:
  - { id: everything, then: allow }
  - id: watched
    match: { protocols: [postgres] }
    then: allow
    limits: { rowsReturned: 1000000, bytes: 1GiB, time: 1h }
  - id: counted
    match: { protocols: [postgres] }
    when: >-
      facts.analysis == 'complete' && facts.effects.exists(e, e in ['insert', 'update', 'delete'])
      && !facts.effects.exists(e, e in ['copy-in', 'create'])
    then: allow
    limits: { rowsAffected: 1000000, rowsAffectedTotal: 1000000 }
`;

for (const [name, policy] of [
  ['drivers', allowEverything],
  ['drivers under limits', limited],
] as const) {
  describe(name, () => {
    let server: TestPostgres;
    let gateway: TestGateway;
    before(async () => {
      server = await startPostgres({ version: 15 });
      gateway = await startGateway({
        targets: [{ name: 'drivers', host: server.host, port: server.port, accounts: ['*'] }],
        policies: { 'policy.yaml': policy },
      });
    });
    after(async () => {
      await gateway.stop();
      await server.stop();
    });

    for (const driver of drivers) {
      it(`${driver.name} sees no difference`, async () => {
        const own = { port: server.port, user: 'postgres', password: 'none' };
        const direct = await drive(driver, own);
        const through = await drive(driver, {
          port: gateway.port,
          user: 'postgres@drivers',
          password: gateway.credential,
        });
        assert.ok(direct.split('\n').length > 5, direct);
        assert.equal(through, direct);
      });
    }
  });
}
