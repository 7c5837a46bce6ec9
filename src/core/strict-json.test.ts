import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { strictJson } from './strict-json.ts';

const reason = (text: string, depthMax = 8): string => {
  const read = strictJson(text, depthMax);
  return read.ok ? 'read' : read.reason;
};

describe('strict JSON', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const read = strictJson(text, 32);
        if (read.ok) assert.deepEqual(read.value, JSON.parse(text));
        else assert.equal(read.reason, 'a key stands twice');
      }),
    );
  });

  it('refuses equal keys, however they are written', () => {
    assert.equal(reason('{"a":1,"a":2}'), 'a key stands twice');
    assert.equal(reason('{"a":1 , "\\u0061"\n:2}'), 'a key stands twice');
    assert.equal(reason('[{"x":{"a":1,"b":[],"a":1}}]'), 'a key stands twice');
    assert.equal(reason('{"é":1,"\\u00e9":2}'), 'a key stands twice');
    assert.equal(reason('{"__proto__":1,"__proto__":2}'), 'a key stands twice');
  });

  it('takes equal keys of different objects, and texts that look like keys', () => {
    assert.equal(reason('{"a":{"a":1},"b":[{"a":1},{"a":2}]}'), 'read');
    assert.equal(reason('{"a":"a","b":"a"}'), 'read');
    assert.equal(reason('{"a":"\\"a\\":1,\\"a\\":2"}'), 'read');
  });

  it('finds every repeated key that is put into an object', () => {
    const keys = fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(keys, fc.nat(), fc.json(), (names, pick, value) => {
        const again = names[pick % names.length] ?? '';
        const members = [...names, again].map((name) => `${JSON.stringify(name)} : ${value}`);
        assert.notEqual(reason(`{${members.join(',')}}`, 64), 'read');
      }),
    );
  });

  it('refuses what is not JSON and what is too deep', () => {
    for (const text of [
      '',
      '{',
      '{"a"}',
      "{'a':1}",
      '{"a":1}}',
      '[1,]',
      '"\\',
      'NaN',
      '{"a":1}x',
    ]) {
      assert.equal(reason(text), 'not JSON', text);
    }
    assert.equal(reason('[[[[[[[[[]]]]]]]]]'), 'nested too deep');
    assert.equal(reason('['.repeat(1_000_000)), 'nested too deep');
  });
});
