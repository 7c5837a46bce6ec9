import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { GatewayError } from '#core/errors.ts';
import { SecretResolver } from './secrets.ts';
import { builtInSources } from './sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-secrets-'));
after(() => rmSync(folder, { recursive: true }));

const secrets = new SecretResolver(builtInSources({ PASSWORD: 'hunter2', EMPTY: '' }));
const value = async (reference: string): Promise<string> =>
  (await secrets.resolve(reference)).reveal();

describe('references to secrets', () => {
  it('are resolved from the environment and from files', async () => {
    assert.equal(await value('env:PASSWORD'), 'hunter2');
    const path = join(folder, 'a');
    writeFileSync(path, 'first\n');
    assert.equal(await value(`file:${path}`), 'first');
    assert.equal(await value(`file:${path}`), 'first');
    writeFileSync(`${path}.new`, ' two words \r\n');
    renameSync(`${path}.new`, path);
    assert.equal(await value(`file:${path}`), ' two words ');
  });

  it('follow a symbolic link that is moved to another file', async () => {
    for (const name of ['one', 'two']) writeFileSync(join(folder, name), name);
    const link = join(folder, 'link');
    symlinkSync(join(folder, 'one'), link);
    assert.equal(await value(`file:${link}`), 'one');
    symlinkSync(join(folder, 'two'), `${link}.new`);
    renameSync(`${link}.new`, link);
    assert.equal(await value(`file:${link}`), 'two');
  });

  it('are refused with a reason that holds no secret', async () => {
    writeFileSync(join(folder, 'empty'), '\n');
    writeFileSync(join(folder, 'large'), 'x'.repeat(70_000));
    const cases: readonly (readonly [string, RegExp])[] = [
      ['hunter2', /must be a reference/],
      ['plain:hunter2', /must be a reference/],
      [':hunter2', /must be a reference/],
      ['vault:mount/path#hunter2', /vault: are not built in/],
      ['env:', /names no variable/],
      ['env:A-B', /names no variable/],
      ['env:MISSING', /MISSING is not set/],
      ['env:EMPTY', /EMPTY is not set/],
      ['env:constructor', /constructor is not set/],
      ['file:relative', /not an absolute path/],
      [`file:${folder}/missing`, /no secret at file:/],
      [`file:${folder}`, /no secret at file:/],
      [`file:${folder}/empty`, /no secret at file:/],
      [`file:${folder}/large`, /no secret at file:/],
    ];
    for (const [reference, expected] of cases) {
      await assert.rejects(secrets.resolve(reference), (error: unknown) => {
        assert.ok(error instanceof GatewayError && error.code === 'SP_CONFIG', reference);
        assert.match(error.message, expected);
        assert.equal(inspect(error).includes('hunter2'), false);
        return true;
      });
    }
    assert.throws(() => secrets.check('hunter2'), { code: 'SP_CONFIG' });
    assert.throws(() => secrets.check('file:x'), { code: 'SP_CONFIG' });
    secrets.check('env:NOT_YET_SET');
  });
});
