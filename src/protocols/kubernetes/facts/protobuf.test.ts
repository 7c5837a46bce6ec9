import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readProtobuf } from './protobuf.ts';
import { type RequestInfo, requestInfo } from './request-info.ts';

type Part = readonly [number: number, value: number | string | readonly Part[] | Uint8Array];

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, BigInt(value));
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return [...bytes, Number(left)];
}

/** A message, as protobuf writes it. */
function message(parts: readonly Part[]): Uint8Array {
  const pieces = parts.map(([number, value]) => {
    if (typeof value === 'number')
      return Uint8Array.from([...varint(number * 8), ...varint(value)]);
    const bytes =
      typeof value === 'string'
        ? Buffer.from(value)
        : value instanceof Uint8Array
          ? value
          : message(value);
    return Buffer.concat([
      Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length)]),
      bytes,
    ]);
  });
  return Buffer.concat(pieces);
}

const enveloped = (object: readonly Part[]): Uint8Array =>
  Buffer.concat([
    Buffer.from('k8s\0'),
    message([
      [1, [[1, 'v1']]],
      [2, object],
      [3, ''],
      [4, ''],
    ]),
  ]);

function info(path: string): RequestInfo {
  const read = requestInfo('POST', path, '');
  assert.ok(typeof read !== 'string');
  return read;
}

const pods = info('/api/v1/namespaces/app/pods');
const deployments = info('/apis/apps/v1/namespaces/app/deployments');

describe('protobuf of the API', () => {
  it('is read as the JSON that it stands for', () => {
    const container: readonly Part[] = [
      [1, 'c'],
      [2, 'evil/x:1'],
      [
        15,
        [
          [2, 1],
          [1, [[1, 'SYS_ADMIN']]],
        ],
      ],
      [
        7,
        [
          [1, 'E'],
          [2, ''],
          [
            3,
            [
              [
                4,
                [
                  [1, [[1, 'db']]],
                  [2, 'key'],
                ],
              ],
            ],
          ],
        ],
      ],
    ];
    const spec: readonly Part[] = [
      [
        1,
        [
          [1, 'v'],
          [2, [[1, [[1, '/']]]]],
        ],
      ],
      [2, container],
      [8, ''],
      [11, 1],
    ];
    assert.deepEqual(
      readProtobuf(
        enveloped([
          [
            1,
            [
              [1, 'web'],
              [3, 'app'],
            ],
          ],
          [2, spec],
        ]),
        pods,
      ),
      {
        metadata: { name: 'web', namespace: 'app' },
        spec: {
          volumes: [{ name: 'v', hostPath: { path: '/' } }],
          containers: [
            {
              name: 'c',
              image: 'evil/x:1',
              securityContext: { privileged: true, capabilities: { add: ['SYS_ADMIN'] } },
              env: [
                { name: 'E', value: {}, valueFrom: { secretKeyRef: { name: 'db', key: 'key' } } },
              ],
            },
          ],
          hostNetwork: true,
        },
      },
    );
  });

  it('keeps a number of zero, and minus one', () => {
    const read = readProtobuf(enveloped([[2, [[1, 0]]]]), deployments);
    assert.deepEqual(read, { spec: { replicas: 0 } });
    assert.deepEqual(readProtobuf(enveloped([[2, [[1, -1]]]]), deployments), {
      spec: { replicas: -1 },
    });
  });

  it('names what it does not know, so that nothing takes it for harmless', () => {
    const read = readProtobuf(enveloped([[2, [[99, 'x']]]]), pods);
    assert.deepEqual(read, { spec: { 'field 99': true } });
  });

  it('is not read where two readers could differ', () => {
    const twice = enveloped([
      [2, [[10, 'a']]],
      [2, [[10, 'b']]],
    ]);
    assert.equal(readProtobuf(twice, pods), undefined);
    const raw = message([[2, [[1, []]]]]);
    for (const bytes of [
      new Uint8Array(0),
      Buffer.from('{}'),
      Buffer.concat([Buffer.from('k8s\0'), raw, raw]),
      Buffer.concat([
        Buffer.from('k8s\0'),
        message([
          [2, []],
          [3, 'gzip'],
        ]),
      ]),
      Buffer.concat([Buffer.from('k8s\0'), raw, Uint8Array.of(0x0b)]),
    ]) {
      assert.equal(readProtobuf(bytes, pods), undefined, Buffer.from(bytes).toString('hex'));
    }
    const revisions = info('/apis/apps/v1/namespaces/app/controllerrevisions');
    assert.equal(readProtobuf(enveloped([]), revisions), undefined, 'no shape, but pods inside');
  });

  it('never throws', () => {
    const start = Buffer.from('k8s\0');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        readProtobuf(Buffer.concat([start, noise]), pods);
        readProtobuf(enveloped([[2, noise]]), deployments);
      }),
      { numRuns: 2_000 },
    );
  });
});
