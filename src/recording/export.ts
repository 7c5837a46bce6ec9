/**
 * Exports: what a reading gives, in forms for other tools.
 *
 * - `ndjson`: one object a line, `type` first; bytes in base64.
 * - `sql`: the commands as a script with their verdicts as comments. What was refused is a comment
 *   too, so that running the script cannot do what the gateway prevented.
 * - `raw`: the bytes of both directions: for each piece one byte `<` (from the client) or `>`, the
 *   time in microseconds (8 bytes), the length (4 bytes), both big-endian, and the piece.
 * - `asciicast`: for players of terminal sessions; see `asciicast.ts`.
 */
import type { ExportFormat, RecordedCommand } from '#core/ports/recording-archive.ts';
import type { ReadItem } from './archive.ts';
import { asciicastExporter } from './asciicast.ts';
import { type Entry } from './entries.ts';
import { writeUint53 } from './format.ts';
import { printableLine } from '#core/printable.ts';
import { parameterText, verdictText } from './replay.ts';

type Exporter = (item: ReadItem) => Uint8Array;

const encoder = new TextEncoder();
const nothing = new Uint8Array(0);
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Makes the exporter of each format; one an export. */
export const exporters: Readonly<Record<ExportFormat, () => Exporter>> = {
  ndjson: () => (item) => encoder.encode(`${JSON.stringify(jsonOf(item))}\n`),
  sql: () => sqlExporter(),
  raw: () => rawOf,
  asciicast: asciicastExporter,
};

function jsonOf(item: ReadItem): object {
  switch (item.kind) {
    case 'context': {
      const { encryption, ...context } = item.context;
      return { type: 'session', ...context, recipients: encryption?.recipients ?? [] };
    }
    case 'entry':
      return entryJson(item.entry);
    case 'seal':
      return { type: 'end', ...item.seal };
    case 'problem':
      return { type: 'problem', ...item.problem };
  }
}

function entryJson(entry: Entry): object {
  switch (entry.kind) {
    case 'data':
      return { type: entry.direction, atUs: entry.atUs, bytes: base64(entry.bytes) };
    case 'command': {
      const { verdict: _none, parameters, ...command } = entry.command;
      const values = parameters.map(({ bytes, ...parameter }) => ({
        ...parameter,
        bytes: bytes === null ? null : base64(bytes),
      }));
      return { type: 'command', ...command, parameters: values };
    }
    case 'verdict':
      return { type: 'verdict', atUs: entry.atUs, command: entry.command, ...entry.verdict };
    case 'mark':
      return { type: 'mark', atUs: entry.atUs, mark: entry.mark, data: entry.data };
  }
}

function sqlExporter(): Exporter {
  let command: RecordedCommand | undefined;
  const flush = (comment: string, live: boolean): string => {
    if (command === undefined) return '';
    const { text, parameters, atUs, kind } = command;
    command = undefined;
    const values = parameters.map((value, index) => `-- $${index + 1} = ${parameterText(value)}\n`);
    const body = live && kind === 'execute' ? statement(text) : commented(text);
    return `-- ${(atUs / 1e6).toFixed(6)} s, ${kind}: ${comment}\n${values.join('')}${body}\n\n`;
  };
  return (item) => {
    if (item.kind === 'entry' && item.entry.kind === 'verdict') {
      const { verdict } = item.entry;
      return encoder.encode(flush(verdictText(verdict), verdict.allowed));
    }
    let text = item.kind === 'entry' ? '' : flush('no verdict', false);
    if (item.kind === 'entry' && item.entry.kind === 'command') {
      text += flush('no verdict', false);
      ({ command } = item.entry);
    } else if (item.kind === 'context') {
      const { session, account, startedAt } = item.context;
      const when = new Date(startedAt).toISOString();
      text += `-- ${printableLine(`session ${session}, account ${account}, ${when}`)}\n\n`;
    } else if (item.kind === 'problem') {
      const { kind, block, detail } = item.problem;
      text += `-- ${printableLine(`${kind}: block ${block}: ${detail}`)}\n`;
    }
    return encoder.encode(text);
  };
}

/** On a line of its own, the end is out of reach of a comment in the last line. */
const statement = (text: string): string => (/;\s*$/.test(text) ? text : `${text}\n;`);

/** Each line a comment. A carriage return ends a line for some readers, so it counts as one. */
const commented = (text: string): string =>
  text
    .split(/\r\n|\r|\n/)
    .map((line) => `-- ${line}`)
    .join('\n');

function rawOf(item: ReadItem): Uint8Array {
  if (item.kind !== 'entry' || item.entry.kind !== 'data') return nothing;
  const { direction, atUs, bytes } = item.entry;
  const out = new Uint8Array(13 + bytes.length);
  const view = new DataView(out.buffer);
  out[0] = direction === 'from-client' ? 0x3c : 0x3e;
  writeUint53(view, 1, atUs);
  view.setUint32(9, bytes.length);
  out.set(bytes, 13);
  return out;
}
