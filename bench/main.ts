/** `npm run bench -- <suite>`: speed and memory beside a named peer, in one run, as ratios. */
const suites: Readonly<Record<string, string>> = {
  postgres: './postgres.ts',
  masking: './masking.ts',
  recording: './recording.ts',
  facts: './facts.ts',
  http: './http.ts',
  kubernetes: './kubernetes.ts',
  ssh: './ssh.ts',
};

const [name = '', ...rest] = process.argv.slice(2);
const file = Object.hasOwn(suites, name) ? suites[name] : undefined;
if (file === undefined) {
  console.error(`usage: npm run bench -- <${Object.keys(suites).join('|')}> [options]`);
  process.exitCode = 2;
} else {
  const suite: { readonly main: (args: readonly string[]) => Promise<void> } = await import(file);
  await suite.main(rest);
}
