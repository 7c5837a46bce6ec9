import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { notStatements, statementRow, statementTable } from './statements.ts';

/** Names of all nodes that are statements, from the types of PostgreSQL's grammar. */
function statementsOfTheGrammar(): readonly string[] {
  const require = createRequire(createRequire(import.meta.url).resolve('libpg-query'));
  const types = readFileSync(require.resolve('@pgsql/types/types.d.ts'), 'utf8');
  const union = types.slice(
    types.indexOf('export type Node = '),
    types.indexOf('export interface'),
  );
  return [...union.matchAll(/(\w+Stmt): \1;/g)].flatMap((match) => match[1] ?? []);
}

describe('the table of statements', () => {
  it('has a row for every statement of the grammar', () => {
    const grammar = statementsOfTheGrammar();
    assert.ok(grammar.length > 100, 'the check found too few statements to be looking at them');
    const expected = grammar.filter((name) => !notStatements.includes(name)).toSorted();
    assert.deepEqual(Object.keys(statementTable).toSorted(), expected);
  });

  it('leaves no statement without an effect or code of its own', () => {
    for (const [name, row] of Object.entries(statementTable)) {
      assert.ok(row.treatment === 'walked' || row.effects.length > 0, name);
      if (row.treatment === 'opaque') assert.ok(row.partial !== undefined, name);
    }
  });

  it('knows nothing but what it lists', () => {
    assert.equal(statementRow('NoSuchStmt'), undefined);
    assert.equal(statementRow('toString'), undefined);
  });
});
