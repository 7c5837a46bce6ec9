/**
 * Statements out of psql's scripts: variables are put in, what psql does by itself is left out, and
 * so are the data that stand behind a COPY.
 */
import type { ParsedText, SqlParser } from '#protocols/postgres/sql/parser.ts';

/** Lines that are joined before a text is given up as not SQL. */
const textCharsMax = 40_000;

/** Each statement of a script, in order. `variables` are those that its surroundings set. */
export async function* statementsOf(
  script: string,
  parser: SqlParser,
  variables: ReadonlyMap<string, string>,
): AsyncGenerator<string> {
  const known = new Map(variables);
  let text = '';
  let isData = false;
  for (const line of script.split('\n')) {
    if (isData) {
      isData = line !== '\\.';
      continue;
    }
    if (/^\s*\\/.test(line)) {
      setVariable(line, known);
      continue;
    }
    // The end of a statement by another command than a semicolon: psql does more with it.
    const isPsqls = /\\(gset|gexec|gdesc|gx|g|bind|crosstabview|watch|;)(\s|$)/.test(line);
    text = isPsqls ? '' : `${text}${withVariables(line, known)}\n`;
    if (!/;\s*(--.*)?$/.test(line) || text.trim() === '') continue;
    const parsed = await parser.parse(text);
    if (parsed.kind === 'tree') {
      for (const { start, end } of parsed.statements) yield text.slice(start, end).trim();
      isData = /^\s*copy\s[^;]*\sfrom\s+stdin/is.test(text);
    } else if (text.length < textCharsMax && isUnfinished(parsed)) continue;
    text = '';
  }
}

/** A quote that is open holds the semicolon. */
const isUnfinished = (parsed: ParsedText): boolean =>
  parsed.kind === 'syntax-error' && /unterminated|end of input/.test(parsed.message);

/** `\set name parts …` and `\getenv name VARIABLE`. */
function setVariable(line: string, known: Map<string, string>): void {
  const [, command, name = '', rest = ''] =
    /^\s*\\(set|getenv)\s+(\w+)\s*(.*?)\s*$/.exec(line) ?? [];
  if (command === 'getenv') known.set(name, known.get(rest) ?? '');
  if (command !== 'set') return;
  const parts = rest.match(/'(?:[^']|'')*'|\S+/g) ?? [];
  const value = parts.map((part) =>
    part.startsWith("'") ? part.slice(1, -1).replaceAll("''", "'") : withVariables(part, known),
  );
  known.set(name, value.join(''));
}

/** `:name`, `:'name'` and `:"name"`, where the name is known. */
const withVariables = (line: string, known: ReadonlyMap<string, string>): string =>
  line.replaceAll(/(?<!:):(['"]?)(\w+)\1/g, (all, quote: string, name: string) => {
    const value = known.get(name);
    return value === undefined ? all : `${quote}${value.replaceAll(quote, quote + quote)}${quote}`;
  });
