/** Builds what a PostgreSQL server sends, message by message. */
import { backend } from '#protocols/postgres/codec/messages.ts';
import { MessageWriter } from '#protocols/postgres/codec/write.ts';

export interface Field {
  readonly name: string;
  readonly tableOid?: number;
  readonly attnum?: number;
  readonly typeOid: number;
  readonly format?: number;
}

export type Cell = Uint8Array | string | null;

export const rowDescription = (fields: readonly Field[]): Uint8Array => {
  const writer = new MessageWriter().begin(backend.rowDescription).int16(fields.length);
  for (const { name, tableOid = 0, attnum = 0, typeOid, format = 0 } of fields) {
    writer.string(name).int32(tableOid).int16(attnum).int32(typeOid);
    writer.int16(-1).int32(-1).int16(format);
  }
  return writer.end().done();
};

export const dataRow = (cells: readonly Cell[]): Uint8Array => {
  const writer = new MessageWriter().begin(backend.dataRow).int16(cells.length);
  for (const cell of cells) {
    const bytes = typeof cell === 'string' ? new TextEncoder().encode(cell) : cell;
    if (bytes === null) writer.int32(-1);
    else writer.int32(bytes.length).bytes(bytes);
  }
  return writer.end().done();
};

export const commandComplete = (tag: string): Uint8Array =>
  new MessageWriter().begin(backend.commandComplete).string(tag).end().done();

export const copyOutResponse = (columns: number, binary: boolean): Uint8Array => {
  const format = binary ? 1 : 0;
  const writer = new MessageWriter().begin(backend.copyOutResponse).byte(format).int16(columns);
  for (let index = 0; index < columns; index += 1) writer.int16(format);
  return writer.end().done();
};

export const copyData = (bytes: Uint8Array | string): Uint8Array => {
  const payload = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  return new MessageWriter().begin(backend.copyData).bytes(payload).end().done();
};

export const bare = (type: number): Uint8Array => new MessageWriter().begin(type).end().done();

export const readyForQuery = (status: 'I' | 'T' | 'E' = 'I'): Uint8Array =>
  new MessageWriter().begin(backend.readyForQuery).byte(status.charCodeAt(0)).end().done();

export const errorResponse = (
  fields: Readonly<Record<string, string>>,
  type: number = backend.errorResponse,
): Uint8Array => {
  const writer = new MessageWriter().begin(type);
  for (const [code, value] of Object.entries(fields)) writer.byte(code.charCodeAt(0)).string(value);
  return writer.byte(0).end().done();
};
