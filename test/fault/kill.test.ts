/**
 * Law 1 under `kill -9`: whatever the server's own log shows to have arrived there is in a recording
 * that verifies, however often the gateway dies in the middle of a load.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { evidenceOf } from '../support/evidence.ts';
import {
  allowEverything,
  startGateway,
  type TestGateway,
  type TestIssuers,
} from '../support/gateway.ts';
import { startIssuer } from '../support/issuer.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

const KILLS = 20;
const CLIENTS = 6;
/** Statements that are answered before a kill: from none, so that logins are hit too. */
const ANSWERS_MAX = 400;
const MARKER = /mark-\d+-\d+-\d+/g;

describe('kill -9 of the gateway in the middle of a load', () => {
  let home = '';
  let issuers: TestIssuers;
  let server: TestPostgres;
  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'sp-kill-'));
    issuers = { workloads: await startIssuer(), people: await startIssuer() };
    server = await startPostgres({
      version: 18,
      settings: { log_statement: 'all', log_parameter_max_length: -1 },
    });
  });
  after(async () => {
    await server.stop();
    await Promise.all([issuers.workloads.stop(), issuers.people.stop()]);
    rmSync(home, { recursive: true, force: true });
  });
  const start = (): Promise<TestGateway> =>
    startGateway({
      home,
      issuers,
      targets: [{ name: 'load', host: server.host, port: server.port, accounts: ['*'] }],
      policies: { 'policy.yaml': allowEverything },
    });

  it(`loses nothing that reached the server, ${KILLS} times`, async () => {
    for (let round = 1; round <= KILLS; round += 1) {
      const gateway = await start();
      await loadUntilKilled(gateway, round);
    }
    const last = await start();
    await last.stop();
    const arrived = new Set(server.log().match(MARKER));
    assert.ok(arrived.size > KILLS * CLIENTS, `the load was no load: ${arrived.size}`);
    const evidence = evidenceOf(home);
    const reports = await evidence.verify();
    const failed = reports.filter(({ verdict }) => verdict === 'failed');
    assert.deepEqual(failed, []);
    assert.ok(reports.some(({ verdict }) => verdict === 'recovered'));
    const recorded = new Set<string>();
    for (const { session, state } of await evidence.summaries()) {
      assert.notEqual(state, 'open', `${session} was not recovered`);
      for (const command of await evidence.commands(session)) {
        if (command.verdict?.allowed !== true) continue;
        for (const mark of markersOf(command)) recorded.add(mark);
      }
    }
    const lost = [...arrived].filter((mark) => !recorded.has(mark));
    assert.deepEqual(lost, [], `${lost.length} of ${arrived.size} statements are in no recording`);
  });

  it('numbers events over all those deaths without a gap', () => {
    const numbers = evidenceOf(home)
      .events()
      .map(({ number }) => number);
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    );
  });
});

function markersOf(command: {
  readonly text: string;
  readonly parameters: readonly { readonly bytes: Uint8Array | null }[];
}): readonly string[] {
  const values = command.parameters.map(({ bytes }) => Buffer.from(bytes ?? []).toString('utf8'));
  return [command.text, ...values].flatMap((text) => text.match(MARKER) ?? []);
}

/** Drives clients until enough was answered, then kills; returns when all have noticed. */
async function loadUntilKilled(gateway: TestGateway, round: number): Promise<void> {
  const enough = Math.floor((ANSWERS_MAX * (round - 1)) / KILLS);
  let answered = 0;
  let killed: Promise<void> | undefined;
  const onAnswer = (): void => {
    answered += 1;
    if (answered >= enough) killed ??= gateway.kill('SIGKILL');
  };
  await Promise.all(
    Array.from({ length: CLIENTS }, (_, index) =>
      oneClient(gateway, `${round}-${index}`, onAnswer),
    ),
  );
  await killed;
}

/** Sends statements of every kind, each with a marker of its own, until the connection dies. */
async function oneClient(gateway: TestGateway, name: string, onAnswer: () => void): Promise<void> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: gateway.port,
    user: 'postgres@load',
    password: gateway.credential,
    database: 'postgres',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    for (let serial = 0; ; serial += 3) {
      const mark = (at: number): string => `mark-${name}-${serial + at}`;
      await client.query(`select '${mark(0)}'; select '${mark(1)}'`);
      onAnswer();
      const shape = serial % 2 === 0 ? { name: 'one' } : {};
      await client.query({ ...shape, text: 'select $1::text', values: [mark(2)] });
      onAnswer();
    }
  } catch (error) {
    // The kill; before it nothing may fail.
    if (error instanceof pg.DatabaseError) throw error;
  }
  onAnswer();
}
