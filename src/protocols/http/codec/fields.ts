/**
 * The fields of a head, in order. Names are in lower case; one with an underscore is not the same
 * as one with a dash, but programs behind CGI take it for that, see {@link looseName}.
 */

/** One line of a head. */
export interface Field {
  readonly name: string;
  /** Without white space around it. */
  readonly value: string;
}

/** Every value of a name, in order. */
export function valuesOf(fields: readonly Field[], name: string): readonly string[] {
  const found: string[] = [];
  for (const field of fields) if (field.name === name) found.push(field.value);
  return found;
}

/** The first value of a name. */
export function valueOf(fields: readonly Field[], name: string): string | undefined {
  for (const field of fields) if (field.name === name) return field.value;
  return undefined;
}

const none: readonly string[] = [];

/** The members of a list field, over all its lines: in lower case, without parameters' meaning. */
export function membersOf(fields: readonly Field[], name: string): readonly string[] {
  let members: string[] | undefined;
  for (const field of fields) {
    if (field.name !== name) continue;
    members ??= [];
    for (const part of field.value.split(',')) {
      const member = part.trim().toLowerCase();
      if (member !== '') members.push(member);
    }
  }
  return members ?? none;
}

/** What servers that turn fields into environment variables take a name for. */
export const looseName = (name: string): string => name.replaceAll('_', '-');

/** Fields that belong to one connection and not to the message (RFC 9110 section 7.6.1). */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The fields that go on to the next connection: neither hop-by-hop nor named by `Connection`. */
export function endToEnd(fields: readonly Field[]): readonly Field[] {
  const named = membersOf(fields, 'connection');
  return fields.filter(({ name }) => !hopByHop.has(name) && !named.includes(name));
}
