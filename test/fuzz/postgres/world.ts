/**
 * A real server with two databases that differ in their canaries alone, the relay with the real
 * analyser and the real masks in front of it, and connections through it and past it.
 */
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import type { Command } from '#core/command.ts';
import type { MaskSet } from '#core/masking.ts';
import type { Refusal } from '#core/verdict.ts';
import { createMaskSet } from '#masking/mask-set.ts';
import { createSqlAnalyser } from '#protocols/postgres/sql/analyser.ts';
import type {
  SqlAnalyser,
  SqlAnalysis,
  SqlState,
  SqlStatement,
} from '#protocols/postgres/sql/types.ts';
import { type PostgresVersion, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { startRelay, type TestRelay } from '../../support/relay.ts';
import { type Received, WireClient } from '../../evasion/postgres/wire.ts';
import { endsBatch } from '../../evasion/postgres/wire.ts';
import { Canaries } from './canaries.ts';
import type { FuzzCase } from './carriers.ts';
import { maskedColumns, schemaSql } from './schema.ts';

/** Makes the analyser forget something, to see that it is noticed. */
export type Hole = (statement: SqlStatement) => SqlStatement;

/** The databases; a connection past the relay is to the first. */
export const databases = ['fuzz_a', 'fuzz_b'] as const;
export type Database = (typeof databases)[number];

/** What came of one step of a case. */
export interface Answer {
  readonly received: readonly Received[];
  /** What the analyser said of its statements, in order. */
  readonly statements: readonly SqlStatement[];
}

/** A relay is replaced after so many cases: what a test's tape keeps is never taken away. */
const relayCasesMax = 2_000;
const answerMsMax = 20_000;

export interface WorldOptions {
  readonly version: PostgresVersion;
  readonly hole?: Hole | undefined;
}

export class World {
  readonly canaries: Readonly<Record<Database, Canaries>>;
  readonly #server: TestPostgres;
  readonly #analyser: Watched;
  readonly #clients: Map<string, WireClient> = new Map();
  readonly #masks: MaskSet = createMaskSet(
    [{ id: 'masked', columns: maskedColumns, detect: [], transform: { kind: 'redact' } }],
    { version: 'fuzz', hash: (_, text) => text },
  );
  #relay: TestRelay | undefined;
  #cases = 0;

  private constructor(
    server: TestPostgres,
    analyser: Watched,
    canaries: Readonly<Record<Database, Canaries>>,
  ) {
    this.#server = server;
    this.#analyser = analyser;
    this.canaries = canaries;
  }

  static async start({ version, hole }: WorldOptions): Promise<World> {
    const server = await startPostgres({ version, settings: { autovacuum: false, jit: false } });
    try {
      const canaries = { fuzz_a: new Canaries(1), fuzz_b: new Canaries(2) };
      for (const name of databases) {
        await server.query(`CREATE DATABASE ${name}`);
        await server.query(schemaSql(canaries[name]), name);
        await server.query(`ALTER DATABASE ${name} SET statement_timeout = '1s'`);
        await server.query(`ALTER DATABASE ${name} SET max_parallel_workers_per_gather = 0`);
      }
      const inner = await createSqlAnalyser({ clock: systemClock, limits: defaultLimits });
      return new World(server, new Watched(inner, hole), canaries);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** The answers through the relay, a list a database. */
  async through(one: FuzzCase): Promise<Readonly<Record<Database, readonly Answer[]>>> {
    if (this.#cases === relayCasesMax) await this.#stopRelay();
    this.#cases += 1;
    this.#relay ??= await startRelay({
      host: this.#server.host,
      port: this.#server.port,
      username: 'postgres',
      analyser: this.#analyser,
      masks: () => this.#masks,
      judge,
    });
    const { port } = this.#relay;
    const [a, b] = await Promise.all(databases.map((name) => this.#play(one, port, name)));
    return { fuzz_a: a ?? [], fuzz_b: b ?? [] };
  }

  /** The answers of the server itself. */
  past(one: FuzzCase): Promise<readonly Answer[]> {
    return this.#play(one, this.#server.port, 'fuzz_a');
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.values()) client.close();
    await this.#stopRelay();
    await this.#analyser.close();
    await this.#server.stop();
  }

  async #play(one: FuzzCase, port: number, database: Database): Promise<readonly Answer[]> {
    const client = await this.#client(port, database);
    const answers: Answer[] = [];
    for (const step of one.steps) {
      client.received.length = 0;
      this.#analyser.seen[database].length = 0;
      client.send(step);
      const batches = step.filter(endsBatch).length;
      if (!(await client.ready(batches, 0, answerMsMax))) client.close();
      answers.push({
        received: client.received.splice(0),
        statements: this.#analyser.seen[database].splice(0),
      });
      if (client.closed) break;
    }
    return answers;
  }

  async #client(port: number, database: Database): Promise<WireClient> {
    const key = `${port} ${database}`;
    const known = this.#clients.get(key);
    if (known !== undefined && !known.closed) return known;
    const startup = { user: 'postgres', database };
    const client = await WireClient.connect({ port, password: 'secret', startup });
    if (client.closed) throw new Error(`no connection to ${key}`);
    this.#clients.set(key, client);
    return client;
  }

  async #stopRelay(): Promise<void> {
    const relay = this.#relay;
    this.#relay = undefined;
    this.#cases = 0;
    await relay?.stop();
  }
}

/** An analyser that is listened to, and which may have a hole. */
class Watched implements SqlAnalyser {
  readonly seen: Readonly<Record<Database, SqlStatement[]>> = { fuzz_a: [], fuzz_b: [] };
  readonly #inner: SqlAnalyser & { close(): Promise<void> };
  readonly #hole: Hole;

  constructor(inner: SqlAnalyser & { close(): Promise<void> }, hole: Hole | undefined) {
    this.#inner = inner;
    this.#hole = hole ?? ((statement) => statement);
  }

  analyse(text: string, state: SqlState, masks: MaskSet): SqlAnalysis | Promise<SqlAnalysis> {
    const found = this.#inner.analyse(text, state, masks);
    return found instanceof Promise
      ? found.then((analysis) => this.#keep(analysis, state))
      : this.#keep(found, state);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #keep(analysis: SqlAnalysis, { database }: SqlState): SqlAnalysis {
    const statements = analysis.statements.map(this.#hole);
    const name = databases.find((each) => each === database);
    if (name !== undefined) this.seen[name].push(...statements);
    return { ...analysis, statements };
  }
}

/** What the templates would deny: copies of masked values, and writes that are not understood. */
function judge({ facts }: Command): 'allow' | Refusal {
  const copies = facts.columns.some(({ masked, use }) => masked && use === 'copy');
  const harmless = facts.effects.every((effect) => harmlessEffects.has(effect));
  if (!copies && (facts.analysis === 'complete' || harmless)) return 'allow';
  return {
    refused: true,
    code: 'SP_POLICY_DENIED',
    rule: copies ? 'copies-masked' : 'not-understood',
    reason: 'not here',
    hint: '',
    hold: undefined,
    endsSession: false,
  };
}

const harmlessEffects: ReadonlySet<string> = new Set([
  'read',
  'session',
  'transaction',
  'copy-out',
]);
