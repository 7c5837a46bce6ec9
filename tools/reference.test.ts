/** Generated pages equal the tables that they come from; UPDATE_GOLDEN=1 writes them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { configJsonSchema } from '../src/config/schema.ts';
import { ownedSchemas } from '../src/main/load.ts';
import { detectorReference } from './reference/detectors.ts';
import { errorReference } from './reference/errors.ts';
import { eventsReference } from './reference/events.ts';
import { openApiDocument } from './reference/openapi.ts';
import { policyReference } from './reference/policy.ts';

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const pages: readonly (readonly [name: string, text: () => string])[] = [
  ['errors.md', errorReference],
  ['events.md', eventsReference],
  ['policy.md', policyReference],
  ['detectors.md', detectorReference],
  ['openapi.json', () => json(openApiDocument())],
  ['config.schema.json', () => json(configJsonSchema(ownedSchemas))],
];

describe('docs/reference', () => {
  for (const [name, text] of pages) {
    it(`has ${name} as the code has it`, () => {
      const path = new URL(`../docs/reference/${name}`, import.meta.url);
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text());
      assert.equal(readFileSync(path, 'utf8'), text(), 'run it with UPDATE_GOLDEN=1');
    });
  }
});
