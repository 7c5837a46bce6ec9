import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { defaultLimits } from '#core/limits.ts';
import { loadConfig, readPolicyFiles } from './load.ts';
import { durationMs, sizeBytes } from './units.ts';

const owned = { issuer: z.looseObject({}), grant: z.looseObject({}), person: z.looseObject({}) };

function file(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'sp-config-')), 'sallyport.yaml');
  writeFileSync(path, text);
  return path;
}

const minimal = `version: 1
listeners:
  - { name: pg, protocol: postgres, address: "127.0.0.1:6432" }
targets:
  - name: orders
    protocol: postgres
    address: db.internal:5432
    accounts: [{ name: readonly, password: "env:P" }]
`;

describe('configuration', () => {
  it('fills in defaults that are safe', () => {
    const { config } = loadConfig(file(minimal), owned);
    assert.equal(config.targets[0]?.tls.mode, 'verify-full');
    assert.equal(config.listeners[0]?.plaintext, 'loopback');
    assert.equal(config.credentials.lifeMax, 900_000);
    assert.deepEqual(config.api.address, { host: '127.0.0.1', port: 7080 });
    assert.deepEqual(config.limits, defaultLimits);
  });

  it('lets limits be set by name, and no others', () => {
    const { config } = loadConfig(file(`${minimal}limits: { sessionsMax: 7 }\n`), owned);
    assert.deepEqual(config.limits, { ...defaultLimits, sessionsMax: 7 });
    assert.throws(() => loadConfig(file(`${minimal}limits: { sesionsMax: 7 }\n`), owned), {
      code: 'SP_CONFIG',
    });
  });

  it('says every problem at once, each at its place', () => {
    const bad = minimal
      .replace('version: 1', 'version: 1\nsurprise: true')
      .replace('db.internal:5432', 'db.internal')
      .replace('env:P', 'hunter2');
    assert.throws(
      () => loadConfig(file(bad), owned),
      (error: Error) => {
        assert.match(error.message, /surprise/);
        assert.match(error.message, /:8:14: targets\.0\.address/);
        assert.match(error.message, /targets\.0\.accounts\.0\.password/);
        assert.ok(!error.message.includes('hunter2'), 'a secret in an error');
        return true;
      },
    );
  });

  it('refuses what does not fit together', () => {
    const bad = minimal.replace('"127.0.0.1:6432" }', '"127.0.0.1:6432", target: other }');
    assert.throws(() => loadConfig(file(bad), owned), /no target 'other'/);
    const twice = minimal.replace('[{ name: readonly', '[{ name: readonly }, { name: readonly');
    assert.throws(() => loadConfig(file(twice), owned), /there twice/);
  });

  it('refuses files that are missing, not text, or not YAML', () => {
    assert.throws(() => loadConfig('/nowhere/sallyport.yaml', owned), { code: 'SP_CONFIG' });
    assert.throws(() => loadConfig(file('a: [1'), owned), { code: 'SP_CONFIG' });
    assert.throws(() => readPolicyFiles('/nowhere', ['policies']), { code: 'SP_CONFIG' });
  });

  it('reads units', () => {
    assert.equal(durationMs.parse('15m'), 900_000);
    assert.equal(sizeBytes.parse('16MiB'), 16 * 1024 * 1024);
    for (const bad of ['15', 'm', '1e3s', '-1s', '1 s']) {
      assert.equal(durationMs.safeParse(bad).success, false, bad);
      assert.equal(sizeBytes.safeParse(bad).success, false, bad);
    }
  });
});
