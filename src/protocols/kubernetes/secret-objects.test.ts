import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { MaskSet } from '#core/masking.ts';
import type { Json, JsonObject } from '#core/strict-json.ts';
import { maskSecrets, masksSecrets } from './secret-objects.ts';

const set = (columns: readonly string[]): MaskSet => ({
  version: '1',
  empty: false,
  columns,
  content: undefined,
  column: (schema, table, column) =>
    columns.includes(`${schema}.${table}.${column}`)
      ? { id: 'm', transform: { kind: 'redact' } }
      : undefined,
  replace: () => '[masked]',
  without: () => set(columns),
});
const masks = set(['core.secrets.data', 'core.secrets.stringData']);
const canary = 'canary-of-a-secret';
const encoded = Buffer.from(canary).toString('base64');

const secret = (extra: JsonObject = {}): JsonObject => ({
  kind: 'Secret',
  metadata: {
    name: 'db',
    annotations: {
      other: 'kept',
      'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({
        kind: 'Secret',
        data: { password: encoded },
        stringData: { plain: canary },
      }),
    },
  },
  data: { password: encoded, empty: '' },
  ...extra,
});

const leaks = (value: Json): boolean => {
  const text = JSON.stringify(value);
  return text.includes(canary) || text.includes(encoded);
};

describe('Secrets', () => {
  it('are masked alone, in lists, tables and watches', () => {
    const applied = { metadata: secret()['metadata'] ?? null };
    const answers: readonly Json[] = [
      secret(),
      { kind: 'SecretList', items: [secret(), secret()] },
      { kind: 'List', items: [{ kind: 'SecretList', items: [secret()] }] },
      { kind: 'Table', rows: [{ cells: ['db', 'Opaque', 1], object: secret() }] },
      {
        kind: 'Table',
        rows: [{ cells: ['db'], object: { kind: 'PartialObjectMetadata', ...applied } }],
      },
      { type: 'ADDED', object: secret() },
      { type: 'ADDED', object: { kind: 'Table', rows: [{ object: secret() }] } },
      secret({ stringData: { plain: canary }, kind: 'Unexpected' }),
    ];
    for (const answer of answers) {
      assert.ok(leaks(answer));
      assert.ok(!leaks(maskSecrets(answer, masks)), JSON.stringify(answer));
    }
  });

  it('stay valid: the same keys, base64, and all else as it was', () => {
    assert.deepEqual(maskSecrets(secret(), masks), {
      kind: 'Secret',
      metadata: {
        name: 'db',
        annotations: {
          other: 'kept',
          'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify({
            kind: 'Secret',
            data: { password: 'W21hc2tlZF0=' },
            stringData: { plain: '[masked]' },
          })}\n`,
        },
      },
      data: { password: 'W21hc2tlZF0=', empty: 'W21hc2tlZF0=' },
    });
  });

  it('give no annotation that is not what kubectl wrote', () => {
    for (const applied of [canary, `["${canary}"]`, `{"data":1,"data":"${canary}"}`]) {
      const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': applied };
      assert.ok(!leaks(maskSecrets({ metadata: { annotations } }, masks)), applied);
    }
  });

  it('hold nothing under data, whatever its shape', () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 3 }), fc.string(), (shape, key) => {
        const value: Json = JSON.parse(JSON.stringify({ ...shape, [key]: { deep: canary } }));
        assert.ok(!leaks(maskSecrets({ kind: 'Secret', data: value }, masks)));
      }),
    );
  });

  it('are as they were where no mask covers them', () => {
    assert.equal(masksSecrets(set([])), false);
    assert.equal(masksSecrets(masks), true);
    assert.deepEqual(maskSecrets(secret(), set([])), secret());
    const status = { kind: 'Status', status: 'Failure', message: 'not found' };
    assert.deepEqual(maskSecrets(status, masks), status);
  });
});
