import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type RefList, RefListReader } from './git.ts';

const zero = '0'.repeat(40);
const [a, b] = ['a'.repeat(40), 'b'.repeat(40)];

const packet = (text: string): string =>
  (Buffer.byteLength(text) + 4).toString(16).padStart(4, '0') + text;
const list = (...lines: readonly string[]): Uint8Array =>
  Buffer.from(`${lines.map(packet).join('')}0000PACK`);

const readRefChanges = (bytes: Uint8Array): RefList => new RefListReader().read(bytes);

describe('the refs of a push', () => {
  const push = list(
    `${zero} ${a} refs/heads/new\0report-status side-band-64k agent=git/2.39`,
    `${a} ${b} refs/heads/main\n`,
    `${b} ${zero} refs/tags/old`,
  );

  it('are what the client names', () => {
    assert.deepEqual(readRefChanges(push), {
      kind: 'changes',
      changes: [
        { kind: 'create', name: 'refs/heads/new', from: zero, to: a },
        { kind: 'update', name: 'refs/heads/main', from: a, to: b },
        { kind: 'delete', name: 'refs/tags/old', from: b, to: zero },
      ],
    });
  });

  it('are known only when all of the list is there', () => {
    const size = push.length - 'PACK'.length;
    for (let length = 0; length < size; length += 1) {
      assert.deepEqual(readRefChanges(push.subarray(0, length)), { kind: 'more' }, `${length}`);
    }
    assert.equal(readRefChanges(push.subarray(0, size)).kind, 'changes');
    const reader = new RefListReader();
    for (let length = 1; length < size; length += 1) reader.read(push.subarray(0, length));
    assert.deepEqual(reader.read(push.subarray(0, size)), readRefChanges(push));
  });

  it('may be none, and begin with shallow commits', () => {
    assert.deepEqual(readRefChanges(list()), { kind: 'changes', changes: [] });
    const found = readRefChanges(list(`shallow ${a}`, `${zero} ${a} refs/heads/x\0caps`));
    assert.equal(found.kind === 'changes' && found.changes.length, 1);
  });

  for (const [what, bytes] of [
    ['a signed push', list('push-cert\0caps\n')],
    ['no packet', Buffer.from('PACK')],
    ['a length of less than itself', Buffer.from('0001')],
    ['a name that is no ref', list(`${zero} ${a} HEAD`)],
    ['a name that leaves its folder', list(`${zero} ${a} refs/heads/../x`)],
    ['a name with a control character', list(`${zero} ${a} refs/heads/\u001b[2J`)],
    ['two names', list(`${zero} ${a} refs/heads/a refs/heads/b`)],
    ['a NUL in a later line', list(`${zero} ${a} refs/heads/a`, `${a} ${b} refs/heads/b\0x`)],
    ['a change from nothing to nothing', list(`${zero} ${zero} refs/heads/a`)],
    ['ids of different lengths', list(`${'0'.repeat(64)} ${a} refs/heads/a`)],
    ['bytes that are not UTF-8', Buffer.from('0006\xff\xff', 'latin1')],
    ['more refs than are looked at', list(...Array(1001).fill(`${zero} ${a} refs/heads/a`))],
  ] as const) {
    it(`are not guessed: ${what}`, () => {
      assert.equal(readRefChanges(bytes).kind, 'refused');
    });
  }

  it('never throws, and never asks for more than it looks at', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .array(fc.constantFrom('0000', '0032', 'ffff', zero, a, ' ', 'refs/heads/x', '\0'))
        .map((parts) => new Uint8Array(Buffer.from(parts.join('')))),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        assert.match(readRefChanges(input).kind, /^(changes|more|refused)$/);
      }),
    );
    assert.equal(readRefChanges(Buffer.from('ffff'.padEnd(300_000, 'x'))).kind, 'refused');
  });
});
