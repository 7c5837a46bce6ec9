import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { grantSchema, issuerSchema, personSchema } from './config.ts';

const page = readFileSync(new URL('../../docs/operate/identity.md', import.meta.url), 'utf8');

describe('docs/operate/identity.md', () => {
  it('has examples that the configuration accepts', () => {
    const schema = z.strictObject({
      issuers: z.array(issuerSchema).optional(),
      people: z.array(personSchema).optional(),
      grants: z.array(grantSchema).optional(),
    });
    const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
    assert.equal(blocks.length, 8);
    for (const text of blocks) {
      const result = schema.safeParse(parse(text));
      assert.ok(result.success, `${text}\n${result.error?.message}`);
    }
  });
});
