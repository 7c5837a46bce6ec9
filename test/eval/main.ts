/** `npm run eval -- <name>`: scores something against labelled data. */
const evaluations: Readonly<Record<string, () => Promise<unknown>>> = {
  masking: () => import('./masking.ts'),
};

const [name = ''] = process.argv.slice(2);
const run = Object.hasOwn(evaluations, name) ? evaluations[name] : undefined;
if (run === undefined) {
  console.error(`usage: npm run eval -- ${Object.keys(evaluations).join(' | ')}`);
  process.exit(2);
}
await run();
