import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Names } from './relay-names.ts';

const one = { text: 'one' };
const two = { text: 'two' };

describe('names', () => {
  it('mean what the server has confirmed, or what their own segment will make of them', () => {
    const names = new Names<object>();
    const change = names.change('s', one, 1);
    assert.equal(names.lookup('s', 1), one);
    assert.equal(names.lookup('s', 2), 'wait');
    change.confirmed();
    assert.equal(names.lookup('s', 2), one);
  });

  it('keep their meaning when the server skipped the change', () => {
    const names = new Names<object>();
    names.set('s', one);
    const closed = names.change('s', undefined, 3);
    const changed = names.change('s', two, 3);
    assert.equal(names.lookup('s', 3), two);
    closed.dropped();
    assert.equal(names.lookup('s', 3), two);
    changed.dropped();
    assert.equal(names.lookup('s', 4), one);
  });

  it('are unknown once they are closed', () => {
    const names = new Names<object>();
    names.set('s', one);
    const change = names.change('s', undefined, 1);
    assert.equal(names.lookup('s', 1), undefined);
    change.confirmed();
    assert.equal(names.lookup('s', 2), undefined);
    assert.equal(names.size, 0);
  });

  it('follow a later change while an earlier one is confirmed', () => {
    const names = new Names<object>();
    const first = names.change('s', one, 1);
    const second = names.change('s', two, 2);
    first.confirmed();
    assert.equal(names.lookup('s', 3), 'wait');
    assert.equal(names.lookup('s', 2), two);
    second.dropped();
    assert.equal(names.lookup('s', 3), one);
  });
});
