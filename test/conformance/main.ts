/** `npm run conformance -- postgres|ssh`: other people's test suites, through the gateway. */
const suites: Readonly<Record<string, string>> = {
  postgres: './postgres/main.ts',
  ssh: './ssh/main.ts',
};

const [name = '', ...rest] = process.argv.slice(2);
const file = Object.hasOwn(suites, name) ? suites[name] : undefined;
if (file === undefined) {
  console.error(`usage: npm run conformance -- <${Object.keys(suites).join('|')}>`);
  process.exitCode = 2;
} else {
  const suite: { readonly main: (args: readonly string[]) => Promise<boolean> } = await import(
    file
  );
  process.exitCode = (await suite.main(rest)) ? 0 : 1;
}
