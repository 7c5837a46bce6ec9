/** `npm run evasion -- postgres`: every known way around the gateway, tried on a real server. */
const protocols: Readonly<
  Record<string, () => Promise<{ main(args: readonly string[]): Promise<boolean> }>>
> = {
  postgres: () => import('./postgres/main.ts'),
  shell: () => import('./shell/main.ts'),
  http: () => import('./http/main.ts'),
  kubernetes: () => import('./kubernetes/main.ts'),
};

const [name = '', ...rest] = process.argv.slice(2);
const load = Object.hasOwn(protocols, name) ? protocols[name] : undefined;
if (load === undefined) {
  console.error(`usage: npm run evasion -- ${Object.keys(protocols).join(' | ')} [options]`);
  process.exitCode = 2;
} else {
  const suite = await load();
  process.exitCode = (await suite.main(rest)) ? 0 : 1;
}
