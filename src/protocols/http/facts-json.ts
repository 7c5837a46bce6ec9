/** The values of a JSON body by their names, within bounds. */
import type { FieldFact } from '#core/facts.ts';
import { httpLimits } from '#core/limits.ts';
import { isJsonObject, type Json, strictJson } from '#core/strict-json.ts';

/** What a body was found to hold. */
export interface Collected {
  readonly fields: FieldFact[];
  /** Why that is not all. */
  readonly reasons: Set<string>;
}

/** Adds a value, within the bounds. */
export function addField(into: Collected, name: string, value: string): void {
  const { fieldFactsMax, fieldCharsMax } = httpLimits;
  if (into.fields.length >= fieldFactsMax) {
    into.reasons.add('more values than are looked at');
    return;
  }
  if (value.length > fieldCharsMax || name.length > fieldCharsMax) {
    into.reasons.add('a value longer than is looked at');
  }
  into.fields.push({ name: name.slice(0, fieldCharsMax), value: value.slice(0, fieldCharsMax) });
}

/**
 * Collects the values of a JSON text under `name`: `name.key`, `name.list[]`. Of a text that means
 * two things to two readers nothing is collected.
 *
 * @returns whether it was read.
 */
export function collectJson(text: string, name: string, into: Collected): boolean {
  const read = strictJson(text, httpLimits.depthMax);
  if (!read.ok) {
    into.reasons.add(`a body of JSON: ${read.reason}`);
    return false;
  }
  collect(read.value, name, into);
  return true;
}

function collect(value: Json, name: string, into: Collected): void {
  if (Array.isArray(value)) {
    addField(into, name, '');
    for (const each of value) collect(each, `${name}[]`, into);
  } else if (isJsonObject(value)) {
    addField(into, name, '');
    for (const [key, each] of Object.entries(value)) collect(each, `${name}.${key}`, into);
  } else addField(into, name, scalarText(value));
}

const scalarText = (value: Json): string =>
  typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
