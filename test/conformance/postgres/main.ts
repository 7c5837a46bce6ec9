/**
 * `npm run conformance -- postgres [regress|drivers] [test …]`: PostgreSQL's regression schedule
 * and the drivers of Debian, directly and through the gateway, with everything allowed and
 * recorded; the drivers once more over a table with masked columns.
 */
import { allowEverything, startGateway } from '../../support/gateway.ts';
import { compareDrivers } from './drivers.ts';
import { compareMasked } from './masked.ts';
import { diffsOf, runRegress, startSuiteServer } from './regress.ts';
import { regressionSuite } from './suite.ts';

export async function main(args: readonly string[]): Promise<boolean> {
  const [part, ...only] = args;
  let good = true;
  if (part === undefined || part === 'regress') good = (await regress(only)) && good;
  if (part === undefined || part === 'drivers') {
    good = (await compareDrivers()) && good;
    good = (await compareMasked()) && good;
  }
  return good;
}

async function regress(only: readonly string[]): Promise<boolean> {
  const suite = regressionSuite();
  console.log(`PostgreSQL ${suite.version} regression schedule`);
  const server = await startSuiteServer(suite);
  const gateway = await startGateway({
    targets: [{ name: 'regress', host: server.host, port: server.port, accounts: ['*'] }],
    bind: 'regress',
    // psql's large object commands use the fast path.
    features: ['function-call'],
    policies: { 'policy.yaml': allowEverything },
  });
  try {
    const direct = await runRegress(suite, { port: server.port, password: '' }, only);
    const through = await runRegress(
      suite,
      { port: gateway.port, password: gateway.credential },
      only,
    );
    const differing = [...direct.tests].filter(([name, how]) => through.tests.get(name) !== how);
    const passed = (tests: ReadonlyMap<string, string>): number =>
      [...tests.values()].filter((how) => how === 'ok').length;
    console.log(`directly: ${passed(direct.tests)} of ${direct.tests.size} pass`);
    console.log(`through:  ${passed(through.tests)} of ${through.tests.size} pass`);
    for (const [name, how] of differing) {
      console.log(
        `differs: ${name}: directly ${how}, through ${through.tests.get(name) ?? 'not run'}`,
      );
    }
    if (differing.length > 0) console.log(diffsOf(through).slice(0, 20_000), through.directory);
    return differing.length === 0 && direct.tests.size > 0;
  } finally {
    await gateway.stop();
    await server.stop();
  }
}
