/** `npm run fuzz -- postgres|facts|calls`: what random statements show that no list of cases would. */
interface Fuzzer {
  readonly main: (args: readonly string[]) => Promise<boolean>;
}

const fuzzers: Readonly<Record<string, () => Promise<Fuzzer>>> = {
  postgres: () => import('./postgres/main.ts'),
  facts: () => import('./facts/main.ts'),
  calls: () => import('./calls/main.ts'),
};

const [name = '', ...rest] = process.argv.slice(2);
const load = Object.hasOwn(fuzzers, name) ? fuzzers[name] : undefined;
if (load === undefined) {
  console.error(`usage: npm run fuzz -- ${Object.keys(fuzzers).join(' | ')} [options]`);
  process.exitCode = 2;
} else {
  process.exitCode = (await (await load()).main(rest)) ? 0 : 1;
}
