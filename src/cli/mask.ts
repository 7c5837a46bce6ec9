/**
 * `mask scan`: reads JSON lines, each a value or a text, and says line by line what is in it. For
 * trying detectors on one's own data, and for those who score them.
 */
import type { ContentDetector, Finding } from '#core/masking.ts';

/** What one line of input becomes. */
export type ScanAnswer =
  | { readonly id: unknown; readonly entities: readonly Finding[] }
  /** A line that is no question; `line` counts from 1. */
  | { readonly line: number; readonly error: string };

/**
 * Answers each line of JSON: `{"id", "value", "column"?}` for a database value, `{"id", "text"}`
 * for a text. Blank lines are passed over; a line that cannot be read is answered and the next one
 * read.
 */
export async function* maskScan(
  lines: AsyncIterable<string> | Iterable<string>,
  detector: ContentDetector,
): AsyncGenerator<string> {
  let line = 0;
  for await (const text of lines) {
    line += 1;
    if (text.trim() !== '') yield JSON.stringify(answer(text, line, detector));
  }
}

function answer(text: string, line: number, detector: ContentDetector): ScanAnswer {
  let question: unknown;
  try {
    question = JSON.parse(text);
  } catch {
    return { line, error: 'not JSON' };
  }
  if (typeof question !== 'object' || question === null) return { line, error: 'not an object' };
  const { id, value, column, text: prose } = toFields(question);
  if (prose !== undefined) {
    return typeof prose === 'string'
      ? { id, entities: detector.text(prose) }
      : { line, error: '`text` is not a string' };
  }
  if (column !== undefined && column !== null && typeof column !== 'string') {
    return { line, error: '`column` is not a string' };
  }
  const name = typeof column === 'string' ? column : undefined;
  if (typeof value === 'string') return { id, entities: detector.value(value, name) };
  // As a database would write it.
  if (typeof value === 'number' || typeof value === 'boolean') {
    return { id, entities: detector.value(String(value), name) };
  }
  // NULL has nothing in it; an object or a list is a value of type JSON.
  if (value === null) return { id, entities: [] };
  if (typeof value === 'object') {
    return { id, entities: detector.value(JSON.stringify(value), name, 'json') };
  }
  return { line, error: 'neither `value` nor `text`' };
}

interface Fields {
  readonly id?: unknown;
  readonly value?: unknown;
  readonly column?: unknown;
  readonly text?: unknown;
}

const toFields = (question: object): Fields => question;
