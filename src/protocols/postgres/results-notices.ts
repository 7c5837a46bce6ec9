/**
 * The ways besides rows by which a value can leave: texts of errors and notices, payloads of
 * notifications, values of reported settings, labels of columns.
 */
import type { MaskSet } from '#core/masking.ts';
import { headerBytes, int32 } from './codec/frames.ts';
import { backend } from './codec/messages.ts';
import {
  type FieldDescription,
  type NoticeField,
  readNoticeFields,
  stringEnd,
} from './codec/read.ts';
import { MessageWriter } from './codec/write.ts';

/** Fields that the server's source and the client's own text decide, and no value. */
const harmless = 'SVCPFLR';

/**
 * An ErrorResponse or NoticeResponse without what may carry masked values; undefined when it can
 * leave as it is.
 *
 * @param leaky - whether a statement ran that can put masked values into messages.
 */
export function noticeWithheld(
  bytes: Uint8Array,
  at: number,
  end: number,
  masks: MaskSet,
  leaky: boolean,
): Uint8Array | undefined {
  if (masks.empty) return undefined;
  const fields = readNoticeFields(bytes, at, end);
  const writer = new MessageWriter().begin(bytes[at] ?? 0);
  if (fields === undefined) return generic(writer, '').byte(0).end().done();
  if (leaky && masks.columns.length > 0) return stripped(writer, bytes, fields);
  return scanned(writer, bytes, fields, masks);
}

function stripped(
  writer: MessageWriter,
  bytes: Uint8Array,
  fields: readonly NoticeField[],
): Uint8Array {
  let sqlstate = '';
  for (const { code, start, end } of fields) {
    if (!harmless.includes(code)) continue;
    writer.byte(code.charCodeAt(0)).bytes(bytes.subarray(start, end)).byte(0);
    if (code === 'C')
      sqlstate = String.fromCharCode(...bytes.subarray(start, Math.min(end, start + 5)));
  }
  return generic(writer, sqlstate).byte(0).end().done();
}

const generic = (writer: MessageWriter, sqlstate: string): MessageWriter => {
  const meaning = classes.get(sqlstate.slice(0, 2)) ?? 'a message of the server';
  return writer.byte(0x4d).string(`${meaning} (its text was withheld: it may hold masked values)`);
};

/** Meanings of SQLSTATE classes, from appendix A of PostgreSQL's documentation. */
const classes: ReadonlyMap<string, string> = new Map([
  ['00', 'a notice'],
  ['01', 'a warning'],
  ['02', 'no data'],
  ['08', 'connection exception'],
  ['0A', 'feature not supported'],
  ['21', 'cardinality violation'],
  ['22', 'data exception'],
  ['23', 'integrity constraint violation'],
  ['24', 'invalid cursor state'],
  ['25', 'invalid transaction state'],
  ['26', 'invalid SQL statement name'],
  ['2B', 'dependent privilege descriptors still exist'],
  ['2F', 'SQL routine exception'],
  ['34', 'invalid cursor name'],
  ['38', 'external routine exception'],
  ['3D', 'invalid catalog name'],
  ['3F', 'invalid schema name'],
  ['40', 'transaction rollback'],
  ['42', 'syntax error or access rule violation'],
  ['44', 'WITH CHECK OPTION violation'],
  ['53', 'insufficient resources'],
  ['54', 'program limit exceeded'],
  ['55', 'object not in prerequisite state'],
  ['57', 'operator intervention'],
  ['58', 'system error'],
  ['P0', 'PL/pgSQL error'],
  ['XX', 'internal error'],
]);

function scanned(
  writer: MessageWriter,
  bytes: Uint8Array,
  fields: readonly NoticeField[],
  masks: MaskSet,
): Uint8Array | undefined {
  const { content } = masks;
  if (content === undefined) return undefined;
  let found = false;
  for (const { code, start, end } of fields) {
    const masked = harmless.includes(code) ? undefined : content.cell(bytes, start, end, 'text', 0);
    if (masked !== undefined) found = true;
    writer
      .byte(code.charCodeAt(0))
      .bytes(masked ?? bytes.subarray(start, end))
      .byte(0);
  }
  return found ? writer.byte(0).end().done() : undefined;
}

/** A NotificationResponse without its payload, which another session may have read anywhere. */
export function notificationWithheld(
  bytes: Uint8Array,
  at: number,
  end: number,
  masks: MaskSet,
): Uint8Array | undefined {
  const channelAt = at + headerBytes + 4;
  const channelEnd = stringEnd(bytes, channelAt, end);
  if (masks.empty || channelEnd < 0) return undefined;
  const payload = bytes.subarray(channelEnd + 1, Math.max(channelEnd + 1, end - 1));
  const masked =
    masks.columns.length > 0
      ? new Uint8Array(0)
      : masks.content?.cell(payload, 0, payload.length, 'text', 0);
  if (masked === undefined) return undefined;
  return new MessageWriter()
    .begin(backend.notificationResponse)
    .int32(int32(bytes, at + headerBytes))
    .bytes(bytes.subarray(channelAt, channelEnd))
    .byte(0)
    .bytes(masked)
    .byte(0)
    .end()
    .done();
}

/** Reported settings whose values the server chooses from a fixed set, or that it fixed itself. */
const enumerated: ReadonlySet<string> = new Set([
  'client_encoding',
  'DateStyle',
  'default_transaction_read_only',
  'in_hot_standby',
  'integer_datetimes',
  'IntervalStyle',
  'is_superuser',
  'scram_iterations',
  'server_encoding',
  'server_version',
  'session_authorization',
  'standard_conforming_strings',
]);

/** Whether a reported setting can carry no text that a statement computed. */
export const isEnumerated = (name: string): boolean => enumerated.has(name);

/** A RowDescription whose labels say nothing. */
export function labelsWithheld(fields: readonly FieldDescription[]): Uint8Array {
  const writer = new MessageWriter().begin(backend.rowDescription).int16(fields.length);
  for (const [index, field] of fields.entries()) {
    writer
      .string(`column${index + 1}`)
      .int32(field.tableOid)
      .int16(field.attnum);
    writer.int32(field.typeOid).int16(field.typeBytes).int32(field.typmod).int16(field.format);
  }
  return writer.end().done();
}
