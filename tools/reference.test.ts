/** Generated pages equal the tables that they come from; UPDATE_GOLDEN=1 writes them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { configJsonSchema } from '../src/config/schema.ts';
import { errorTable } from '../src/core/errors.ts';
import { ownedSchemas } from '../src/main/load.ts';

function golden(name: string, text: string): void {
  const path = new URL(`../docs/reference/${name}`, import.meta.url);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text);
  assert.equal(readFileSync(path, 'utf8'), text, `docs/reference/${name} is not up to date`);
}

function errorsPage(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { text, audience, sqlstate, mysql, http }]) =>
      `| \`${code}\` | ${text} | ${audience} | ${sqlstate} | ${mysql} | ${http} |`,
  );
  return `# Errors

Generated from \`src/core/errors.ts\`. The code is stable; the text is what the other end is told.

| code | text | mistake of | SQLSTATE | MySQL | HTTP |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}

describe('reference', () => {
  it('has every error', () => {
    golden('errors.md', errorsPage());
  });

  it('has the configuration’s JSON Schema', () => {
    golden('config.schema.json', `${JSON.stringify(configJsonSchema(ownedSchemas), null, 2)}\n`);
  });
});
