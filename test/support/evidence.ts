/** What a gateway has kept in its home: recordings read and checked as an auditor would. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  RecordedCommand,
  RecordingSummary,
  VerifyReport,
} from '#core/ports/recording-archive.ts';
import { DirectoryArchive } from '#recording/archive.ts';
import { renderers } from '#recording/renderers/renderers.ts';

const reading = { reader: 'tests', identities: [] };
const everything = { identity: undefined, target: undefined, since: undefined, limit: 1e9 };

export interface Evidence {
  readonly archive: DirectoryArchive;
  /** Newest first. */
  summaries(): Promise<readonly RecordingSummary[]>;
  /** Commands of one recording; fails at the first thing that is wrong with it. */
  commands(session: string): Promise<readonly RecordedCommand[]>;
  /** Everything readable of one recording, as text: an export with bytes decoded, and a replay. */
  text(session: string): Promise<string>;
  /** One report a recording, under the keys that the gateway kept. */
  verify(): Promise<readonly VerifyReport[]>;
  /** The lines of the event file. */
  events(): readonly AuditLine[];
}

/** An event as the file has it. */
export interface AuditLine {
  readonly number: number;
  readonly type: string;
  readonly actor: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Reads the evidence in a gateway's home. */
export function evidenceOf(home: string): Evidence {
  const archive = new DirectoryArchive({
    directory: join(home, 'recordings'),
    keysDirectory: join(home, 'keys'),
    tell: () => Promise.resolve(),
    renderers,
  });
  const summaries = () => archive.list(everything);
  return {
    archive,
    summaries,
    async commands(session) {
      const found: RecordedCommand[] = [];
      for await (const item of archive.commands(session, reading)) {
        if ('problem' in item) assert.fail(`${session}: ${JSON.stringify(item.problem)}`);
        found.push(item);
      }
      return found;
    },
    async text(session) {
      const parts: string[] = [];
      for await (const bytes of archive.export(session, 'raw', reading)) {
        parts.push(Buffer.from(bytes).toString('utf8'));
      }
      for await (const bytes of archive.export(session, 'ndjson', reading)) {
        parts.push(Buffer.from(bytes).toString('utf8'));
      }
      for await (const line of archive.replay(session, reading)) parts.push(line.text);
      return parts.join('\n');
    },
    async verify() {
      const paths = (await summaries()).map(({ path }) => path);
      return archive.verify(paths, [...archive.publicKeys().values()]);
    },
    events() {
      const lines = readFileSync(join(home, 'events.ndjson'), 'utf8').split('\n');
      return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
    },
  };
}
