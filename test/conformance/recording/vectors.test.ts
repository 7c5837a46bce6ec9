/**
 * Recordings of version 1, kept as they were written: every later gateway reads and verifies them.
 * `vectors.json` has the files in base64, the public key, and an age identity for those encrypted.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { DirectoryArchive } from '#recording/archive.ts';
import { strangerVerifies } from './stranger.ts';

interface Vector {
  readonly name: string;
  readonly verdict: string;
  readonly hash: string;
  readonly commands: readonly string[];
  readonly file: string;
}

interface Vectors {
  readonly publicKey: string;
  readonly identity: string;
  readonly vectors: readonly Vector[];
}

const { publicKey, identity, vectors }: Vectors = JSON.parse(
  readFileSync(new URL('vectors.json', import.meta.url), 'utf8'),
);

describe('recordings of version 1', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-vectors-'));
  const archive = new DirectoryArchive({
    directory,
    keysDirectory: join(directory, 'keys'),
    tell: () => Promise.resolve(),
    renderers: {},
  });
  after(() => rmSync(directory, { recursive: true }));

  for (const { name, verdict, hash, commands, file } of vectors) {
    const path = join(directory, `${name}.sprec`);
    const bytes = Buffer.from(file, 'base64');
    writeFileSync(path, bytes);

    it(`verifies and reads: ${name}`, async () => {
      const [report] = await archive.verify([path], [publicKey]);
      assert.deepEqual([report?.verdict, report?.hash], [verdict, hash]);
      const texts: string[] = [];
      for await (const item of archive.commands(path, { reader: 'test', identities: [identity] })) {
        assert.ok('text' in item, JSON.stringify(item));
        texts.push(item.text);
      }
      assert.deepEqual(texts, commands);
    });

    it(`is what a stranger makes of the format's page: ${name}`, () => {
      assert.deepEqual(strangerVerifies(bytes, publicKey), { holds: true, hash });
    });

    it(`is bad in the same block for a stranger, whatever byte changes: ${name}`, async () => {
      for (let at = 0; at < bytes.length; at += 7) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ 0x10;
        writeFileSync(path, changed);
        const [report] = await archive.verify([path], [publicKey]);
        const finding = strangerVerifies(changed, publicKey);
        assert.ok(!finding.holds, `byte ${at}`);
        assert.equal(report?.problem?.block, finding.block, `byte ${at}`);
      }
      writeFileSync(path, bytes);
    });
  }
});
