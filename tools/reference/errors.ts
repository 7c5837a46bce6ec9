/** Writes `docs/reference/errors.md` from the table of errors. */
import { errorTable } from '../../src/core/errors.ts';

/** The page. */
export function errorReference(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { text, audience, sqlstate, mysql, http, exit }]) =>
      `| \`${code}\` | ${text} | ${audience} | ${sqlstate} | ${mysql} | ${http} | ${exit} |`,
  );
  return `# Errors

Generated from \`src/core/errors.ts\`. The code is stable; the text is what the other end is told.

| code | text | mistake of | SQLSTATE | MySQL | HTTP | exit status |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}
