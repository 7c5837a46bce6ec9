import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { GatewayError } from '#core/errors.ts';
import type { EventDraft } from '#core/events.ts';
import type { ReplayLine } from '#core/ports/recording-archive.ts';
import type { RecordingEntry } from '#core/ports/recordings.ts';
import type { SessionEnd } from '#core/protocol.ts';
import {
  type RecorderBench,
  recorderBench,
  testCommand,
  testContext,
  testPermit,
  testRefusal,
  testVerdict,
} from '../../test/support/recording.ts';
import { DirectoryArchive } from './archive.ts';
import { decodeContext, subjectOf } from './documents.ts';
import type { RecorderOptions } from './recorder.ts';
import { summarise } from './summary.ts';
import { postgresRenderer } from './renderers/postgres.ts';

const end: SessionEnd = { reason: 'client', code: undefined, detail: '' };
const CANARY = 'canary-4111111111111111';
const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const nobody = { reader: 'auditor', identities: [] };

describe('DirectoryArchive', () => {
  let bench: RecorderBench;
  let told: EventDraft[];
  let archive: DirectoryArchive;
  beforeEach(() => {
    bench = recorderBench();
    told = [];
    archive = new DirectoryArchive({
      directory: bench.directory,
      keysDirectory: join(bench.directory, '..', 'keys'),
      tell: (draft) => Promise.resolve(told.push(draft)),
      renderers: { postgres: postgresRenderer },
    });
  });
  afterEach(() => bench.remove());

  /** A read that is answered, then a drop that is refused; `look` runs before the end. */
  const record = async (
    session: string,
    change: Partial<RecorderOptions> = {},
    look: () => void = () => undefined,
  ): Promise<void> => {
    const recorder = await bench.open(change);
    const context = testContext(session);
    const tape = await recorder.start(context);
    const read = testCommand(context, 'c-1', `select '${CANARY}'`, [
      { type: '25', format: 'text', bytes: bytes("it's") },
      { type: '23', format: 'binary', bytes: bytes('\0\0\0\x07') },
      { type: '25', format: 'text', bytes: null },
    ]);
    tape.data('from-client', bytes(`Q${CANARY}`), 0, 24);
    tape.judged(read, testVerdict('allow'), testPermit(read));
    tape.commit();
    const answer = bytes(
      'T\0\0\0\x1a\0\x01n\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0' +
        `D\0\0\0\x20\0\x01\0\0\0\x16${CANARY.slice(0, 22)}C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I`,
    );
    tape.data('to-client', answer, 0, 40);
    tape.data('to-client', answer, 40, answer.length);
    const drop = testCommand(context, 'c-2', 'drop table customers;\n-- \u001b[2J');
    tape.judged(drop, testVerdict('deny'), testRefusal);
    tape.mark('lock.enforced', { lock: 'l-1' });
    tape.commit();
    look();
    await tape.seal(end);
    await recorder.close();
  };
  const gather = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
    const found: T[] = [];
    for await (const item of items) found.push(item);
    return found;
  };
  const text = async (chunks: AsyncIterable<Uint8Array>): Promise<string> =>
    Buffer.concat(await gather(chunks)).toString();

  it('lists and summarises without reading what is between', async () => {
    await record('s-1');
    await record('s-2');
    const all = { identity: undefined, target: undefined, since: undefined, limit: 10 };
    const list = await archive.list(all);
    assert.deepEqual(
      list.map(({ session }) => session),
      ['s-2', 's-1'],
    );
    const [latest] = list;
    assert.equal(latest?.state, 'sealed');
    assert.equal(latest.commands, 2);
    assert.equal(latest.identity, 'ci/build-17');
    assert.equal(latest.target, 'orders');
    assert.deepEqual(await archive.list({ ...all, target: 'other' }), []);
    assert.equal((await archive.list({ ...all, limit: 1 })).length, 1);
    assert.deepEqual(told, []);
    await assert.rejects(archive.summary('nothing'), GatewayError);
  });

  it('says whom and what the rules looked at, as the session began', async () => {
    await record('s-1');
    const { identity, target } = testContext('s-1');
    const { name, labels } = target;
    assert.deepEqual(await archive.subject('s-1'), { identity, target: { name, labels } });
    await assert.rejects(archive.subject('nothing'), { code: 'SP_NOT_FOUND' });
  });

  it('reads contexts that say less, or more than this release knows', () => {
    const subject = (identity: object, target: object): unknown => {
      const context = { session: 's-1', startedAt: 1, protocol: 'postgres', identity, target };
      const decoded = decodeContext(Buffer.from(JSON.stringify(context)));
      return decoded && subjectOf(decoded);
    };
    const plain = { id: 'ci/1', kind: 'workload', issuer: 'ci', subject: '1', displayName: 'one' };
    const lists = { groups: [], roles: [], owner: undefined, onBehalfOf: undefined, claims: {} };
    assert.deepEqual(subject(plain, { name: 'orders' }), {
      identity: { ...plain, ...lists, expiresAt: 0 },
      target: { name: 'orders', labels: {} },
    });
    const odd = { roles: ['auditor', 'emperor'], groups: ['a', 7], claims: { a: 'b', c: 7 }, x: 1 };
    assert.deepEqual(subject({ ...plain, ...odd }, { name: 'orders', labels: { env: 1 } }), {
      identity: {
        ...plain,
        ...lists,
        groups: ['a'],
        roles: ['auditor'],
        claims: { a: 'b' },
        expiresAt: 0,
      },
      target: { name: 'orders', labels: {} },
    });
    assert.equal(subject({ ...plain, kind: 'ghost' }, { name: 'orders' }), undefined);
    assert.equal(subject(plain, {}), undefined);
  });

  it('shows commands with verdicts and parameters, and tells who read', async () => {
    await record('s-1');
    const commands = await gather(archive.commands('s-1', nobody));
    assert.equal(commands.length, 2);
    const [read, drop] = commands;
    assert.ok(read && 'id' in read && drop && 'id' in drop);
    assert.deepEqual([read.verdict?.allowed, drop.verdict?.allowed], [true, false]);
    assert.equal(drop.verdict?.code, 'SP_POLICY_DENIED');
    assert.equal(read.parameters[2]?.bytes, null);
    assert.deepEqual(
      told.map(({ type, actor, session, data }) => [type, actor, session, data['how']]),
      [['recording.read', 'auditor', 's-1', 'show']],
    );
  });

  it('reads nothing when the reading cannot be told', async () => {
    await record('s-1');
    const mute = new DirectoryArchive({
      directory: bench.directory,
      keysDirectory: '/nowhere',
      tell: () => Promise.reject(new GatewayError('SP_STORE')),
      renderers: {},
    });
    await assert.rejects(gather(mute.replay('s-1', nobody)), GatewayError);
  });

  it('replays commands, verdicts and answers in order, safe for a terminal', async () => {
    await record('s-1');
    const lines = await gather(archive.replay('s-1', nobody));
    assert.deepEqual(
      lines.map(({ kind }: ReplayLine) => kind),
      [
        'session',
        'command',
        'verdict',
        'answer',
        'answer',
        'answer',
        'command',
        'verdict',
        'mark',
        'end',
      ],
    );
    const texts = lines.map((line) => line.text);
    assert.equal(
      texts[1],
      `select '${CANARY}'\n  $1 = 'it''s'\n  $2 = '\\x00000007' (binary 23)\n  $3 = NULL`,
    );
    assert.equal(texts[4], `  ${CANARY.slice(0, 22)}`);
    assert.equal(texts[5], '(SELECT 1)');
    assert.ok(texts[6]?.includes('\\u{1b}[2J'));
    assert.ok(!texts.join('').includes('\u001b'));
  });

  it('exports a script that cannot do what was refused', async () => {
    await record('s-1');
    const script = await text(archive.export('s-1', 'sql', nobody));
    const live = script.split('\n').filter((line) => line !== '' && !line.startsWith('--'));
    assert.deepEqual(live, [`select '${CANARY}'`, ';']);
    assert.match(script, /^-- drop table customers;$/m);
    assert.match(script, /refused, SP_POLICY_DENIED/);
  });

  it('exports lines of JSON, and the raw bytes of both directions', async () => {
    await record('s-1');
    const lines = (await text(archive.export('s-1', 'ndjson', nobody))).trimEnd().split('\n');
    const types = lines.map((line): unknown => JSON.parse(line).type);
    assert.deepEqual(types, [
      'session',
      'from-client',
      'command',
      'verdict',
      'to-client',
      'to-client',
      'command',
      'verdict',
      'mark',
      'end',
    ]);
    const raw = Buffer.concat(await gather(archive.export('s-1', 'raw', nobody)));
    assert.equal(raw[0], '<'.charCodeAt(0));
    assert.equal(raw.readUInt32BE(9), 24);
    assert.equal(raw[13 + 24], '>'.charCodeAt(0));
  });

  it('encrypts to age recipients: nothing readable stays, and only they read', async () => {
    const identity = await generateIdentity();
    const stranger = await generateIdentity();
    const recipients = [await identityToRecipient(identity)];
    await record('s-1', { recipients }, () => {
      // While it runs, and committed: in the journal, sealed.
      assert.ok(!contents(bench.directory).includes(CANARY.slice(0, 6)));
      assert.ok(contents(bench.directory).includes('SPJ1'));
    });
    assert.ok(!contents(bench.directory).includes(CANARY.slice(0, 6)));
    assert.ok(!contents(bench.directory).includes('canary-of-a-secret'));
    const [report] = await archive.verify(['s-1'], [bench.options.signingKey.publicPem]);
    assert.equal(report?.verdict, 'verified');
    for (const identities of [[], [stranger]]) {
      const reading = { reader: 'auditor', identities };
      await assert.rejects(
        gather(archive.commands('s-1', reading)),
        (thrown) => thrown instanceof GatewayError && thrown.code === 'SP_FORBIDDEN',
      );
    }
    const reading = { reader: 'auditor', identities: [stranger, identity] };
    const [read] = await gather(archive.commands('s-1', reading));
    assert.ok(read && 'id' in read);
    assert.equal(read.text, `select '${CANARY}'`);
  });

  it('finds a recording that was sealed since it was looked for', async () => {
    await record('s-1');
    const { state, session } = await summarise(join(bench.directory, 's-1.sprec.open'));
    assert.deepEqual([session, state], ['s-1', 'sealed']);
    await assert.rejects(summarise(join(bench.directory, 's-2.sprec.open')));
  });

  it('gives nothing of an edited block', async () => {
    await record('s-1');
    const path = join(bench.directory, 's-1.sprec');
    const file = readFileSync(path);
    // The first byte of the second block's payload.
    const at = file.indexOf('SPB1', 100) + 72;
    file[at] = (file[at] ?? 0) ^ 1;
    writeFileSync(path, file);
    const lines = await gather(archive.replay('s-1', nobody));
    assert.deepEqual(
      lines.map(({ kind }) => kind),
      ['session', 'problem'],
    );
    assert.match(lines[1]?.text ?? '', /^edited: block 1: /);
  });

  it('tells index, ledger and search of each recording', async () => {
    const entries: RecordingEntry[] = [];
    const steps: string[] = [];
    await record('s-1', {
      index: {
        put: (entry) => Promise.resolve(void entries.push(entry)),
        find: () => Promise.resolve(undefined),
        list: () => Promise.resolve([]),
      },
      ledger: {
        opened: (session) => Promise.resolve(`entry of ${session}`),
        sealed: ({ hash }) => Promise.resolve(void steps.push(hash)),
      },
      search: { sealed: ({ session }) => void steps.push(session) },
    });
    assert.deepEqual(
      entries.map(({ state, commands }) => [state, commands]),
      [
        ['open', 0],
        ['sealed', 2],
      ],
    );
    const [report] = await archive.verify(['s-1'], [bench.options.signingKey.publicPem]);
    assert.deepEqual(steps, [report?.hash, 's-1']);
    const [context] = (await text(archive.export('s-1', 'ndjson', nobody))).split('\n');
    assert.equal(JSON.parse(context ?? '').ledger, 'entry of s-1');
  });
});

/** Every byte that is in a directory and below. */
function contents(directory: string): string {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}
