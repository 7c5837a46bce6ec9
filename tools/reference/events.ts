/** Writes `docs/reference/events.md` from the catalogue. */
import { z } from 'zod';
import { type EventType, eventTypes } from '#core/events.ts';
import { catalogue } from '../../src/events/catalogue.ts';

const head = `# Events

Generated from \`src/events/catalogue.ts\`; do not edit.

Each event is one line of JSON in the event file and one row of the store:

| field | meaning |
|---|---|
| \`number\` | rises by one, without gaps, for the life of an installation |
| \`id\` | UUIDv7; deduplicate by it, since delivery is at least once |
| \`at\` | milliseconds since 1970-01-01T00:00:00Z |
| \`type\` | one of those below |
| \`actor\` | identity id of who did it, or \`system\` |
| \`session\`, \`target\` | where it fits |
| \`data\` | as below; never a value of a result, never the text of a statement |

A consumer must ignore fields that it does not know. \`data.dropped\` names keys that the gateway
held back because the catalogue does not list them.
`;

/** The whole page. */
export function eventsReference(): string {
  return [head, ...eventTypes.map(section)].join('\n');
}

function section(type: EventType): string {
  const { version, when, data, example } = catalogue[type];
  const rows = Object.entries(data.shape).map(([name, schema]) => {
    const required = z.safeParse(schema, undefined).success ? 'no' : 'yes';
    return `| \`${name}\` | ${kindOf(schema)} | ${required} |`;
  });
  return `## ${type}

${when} Version ${version}.

| data | type | always there |
|---|---|---|
${rows.join('\n')}

\`\`\`json
${JSON.stringify(example, null, 2)}
\`\`\`
`;
}

/** A type in words, from its JSON Schema. */
function kindOf(schema: z.core.$ZodType): string {
  const { type, enum: values, anyOf, items } = z.toJSONSchema(schema);
  if (values !== undefined) return values.map((value) => `\`${String(value)}\``).join(', ');
  if (anyOf !== undefined) {
    return anyOf.map((one) => (typeof one === 'object' ? String(one.type) : '')).join(' or ');
  }
  if (type === 'array' && typeof items === 'object' && !Array.isArray(items)) {
    return `list of ${String(items.type)}`;
  }
  return String(type);
}
