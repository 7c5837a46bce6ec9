import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Detection } from '#masking/detect.ts';
import { maskScan } from './mask.ts';

async function scan(...lines: string[]): Promise<unknown[]> {
  const answers: unknown[] = [];
  for await (const line of maskScan(lines, new Detection())) answers.push(JSON.parse(line));
  return answers;
}

describe('mask scan', () => {
  it('finds entities in values and texts, in UTF-16 offsets', async () => {
    assert.deepEqual(
      await scan(
        '{"id":1,"text":"😀 é j@example.com"}',
        '',
        '{"id":"b","value":"123456789","column":"ssn"}',
        '{"id":2,"value":"123456789"}',
      ),
      [
        {
          id: 1,
          entities: [{ entity: 'EMAIL', detector: 'email', start: 5, end: 18, confidence: 0.97 }],
        },
        {
          id: 'b',
          entities: [{ entity: 'US_SSN', detector: 'us-ssn', start: 0, end: 9, confidence: 0.95 }],
        },
        { id: 2, entities: [] },
      ],
    );
  });

  it('reads NULL, and JSON that is not in a string', async () => {
    assert.deepEqual(
      await scan('{"id":1,"value":null,"column":"ssn"}', '{"id":2,"value":{"ssn":"123-45-6789"}}'),
      [
        { id: 1, entities: [] },
        {
          id: 2,
          entities: [{ entity: 'US_SSN', detector: 'us-ssn', start: 8, end: 19, confidence: 0.95 }],
        },
      ],
    );
  });

  it('answers lines that are no questions, and goes on', async () => {
    assert.deepEqual(await scan('nonsense', '7', '{"id":1}', '{"text":1}', '{"id":2,"value":4}'), [
      { line: 1, error: 'not JSON' },
      { line: 2, error: 'not an object' },
      { line: 3, error: 'neither `value` nor `text`' },
      { line: 4, error: '`text` is not a string' },
      { id: 2, entities: [] },
    ]);
  });
});
