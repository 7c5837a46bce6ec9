/**
 * Forward-only migrations: numbered, applied in order inside one write transaction (which is the
 * lock: a second process waits, then finds nothing to do), and checksummed, so that a migration
 * that was edited after it ran stops the gateway instead of surprising it.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import type { SqlEngine } from './engine.ts';
import { initial } from './migrations/0001-initial.ts';
import { disclosures } from './migrations/0002-disclosures.ts';

/** One step of the schema. Never edited once released. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly statements: readonly string[];
}

/** Every migration, in order. */
export const migrations: readonly Migration[] = [initial, disclosures];

/** What ties an applied migration to its text. */
export const checksumOf = (migration: Migration): string =>
  createHash('sha256').update(migration.statements.join(';\n')).digest('hex');

const bookkeeping = `create table if not exists migrations (
  number bigint primary key,
  name text not null,
  checksum text not null,
  created_at bigint not null
)`;

/**
 * Brings the schema up to date; all or nothing.
 *
 * @returns the numbers that were applied now.
 * @throws GatewayError `SP_STORE` when the database is newer than this program or was changed.
 */
export async function migrate(
  engine: SqlEngine,
  clock: Clock,
  steps: readonly Migration[] = migrations,
): Promise<readonly number[]> {
  await engine.run('begin immediate', []);
  try {
    await engine.run(bookkeeping, []);
    const { rows } = await engine.run('select number, checksum from migrations', []);
    const applied = readApplied(rows, steps);
    const now: number[] = [];
    for (const step of steps.filter(({ number }) => !applied.has(number))) {
      for (const statement of step.statements) await engine.run(statement, []);
      await engine.run(
        'insert into migrations (number, name, checksum, created_at) values (?, ?, ?, ?)',
        [step.number, step.name, checksumOf(step), clock.now()],
      );
      now.push(step.number);
    }
    await engine.run('commit', []);
    return now;
  } catch (thrown) {
    await engine.run('rollback', []).catch(() => undefined);
    if (thrown instanceof GatewayError) throw thrown;
    throw new GatewayError('SP_STORE', { detail: 'the schema was not migrated', cause: thrown });
  }
}

function readApplied(rows: readonly unknown[], steps: readonly Migration[]): Set<number> {
  const applied = new Set<number>();
  for (const row of rows) {
    if (typeof row !== 'object' || row === null || !('number' in row) || !('checksum' in row)) {
      throw new GatewayError('SP_STORE', { detail: 'the table of migrations is damaged' });
    }
    const step = steps.find(({ number }) => number === row.number);
    if (step === undefined) {
      throw new GatewayError('SP_STORE', {
        detail: `the database has migration ${String(row.number)}, which this version does not know`,
      });
    }
    if (checksumOf(step) !== row.checksum) {
      throw new GatewayError('SP_STORE', { detail: `migration ${step.number} was changed` });
    }
    applied.add(step.number);
  }
  return applied;
}
