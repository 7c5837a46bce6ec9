import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { recorderBench } from '../../test/support/recording.ts';
import { DirectoryArchive } from './archive.ts';

const ROUNDS = 20;
const child = new URL('../../test/support/recording-child.ts', import.meta.url).pathname;

/** Starts a writer, kills it after `lines` commands; every command that it promised. */
function killedWriter(
  home: string,
  run: string,
  recipients: string,
  lines: number,
): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const writer = spawn(process.execPath, [child, home, run, recipients]);
    let out = '';
    let error = '';
    let seen = 0;
    writer.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString('latin1');
      seen += chunk.length;
      if (seen > lines * 12) writer.kill('SIGKILL');
    });
    writer.stderr.on('data', (chunk: Buffer) => {
      error += chunk.toString();
    });
    writer.on('close', () => {
      const whole = out.split('\n').slice(0, -1);
      if (whole.length === 0) reject(new Error(error));
      else resolve(whole);
    });
  });
}

describe('kill -9', () => {
  it(`loses no committed command, ${ROUNDS} times`, { timeout: 300_000 }, async () => {
    const home = mkdtempSync(join(tmpdir(), 'sallyport-crash-'));
    const identity = await generateIdentity();
    const recipient = await identityToRecipient(identity);
    const bench = recorderBench(home);
    const reading = { reader: 'test', identities: [identity] };
    const keys = [bench.options.signingKey.publicPem];
    const archive = new DirectoryArchive({
      directory: bench.directory,
      keysDirectory: join(home, 'keys'),
      tell: () => Promise.resolve(),
      renderers: {},
    });
    let commands = 0;
    let recovered = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const run = `r${round}`;
      // Every other round is encrypted; the recorder that recovers has no identity.
      const promised = await killedWriter(home, run, round % 2 ? recipient : '-', 20 * round + 1);
      const recorder = await bench.open();
      assert.ok(recorder.recovered.every(({ outcome }) => outcome === 'recovered'));
      assert.deepEqual(
        recorder.recovered.flatMap(({ lost }) => lost ?? []),
        [],
      );
      recovered += recorder.recovered.length;
      await recorder.close();
      const files = readdirSync(bench.directory).filter((name) => name.startsWith(`${run}-`));
      const found = new Set<string>();
      for (const file of files) {
        const path = join(bench.directory, file);
        const [report] = await archive.verify([path], keys);
        assert.equal(report?.verdict, 'recovered', JSON.stringify(report));
        for await (const item of archive.commands(path, reading)) {
          assert.ok(!('problem' in item), JSON.stringify(item));
          if (item.verdict?.allowed) found.add(item.id);
        }
      }
      assert.deepEqual(
        promised.filter((id) => !found.has(id)),
        [],
      );
      commands += promised.length;
      for (const file of files) rmSync(join(bench.directory, file));
    }
    assert.deepEqual(readdirSync(join(bench.directory, 'journal')), []);
    assert.ok(
      commands > 500 && recovered > ROUNDS,
      `${commands} commands, ${recovered} recordings`,
    );
    bench.remove();
  });
});
