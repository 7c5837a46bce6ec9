/**
 * Asks `sallyport policy explain` about every case, as somebody does who never starts a gateway: it
 * must hold or deny what has to be blocked, and allow what has to pass. What must come back masked
 * may be allowed (results are masked) or not.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { TestGateway } from '../../support/gateway.ts';
import type { Case } from './cases.ts';
import { filledIn } from './play.ts';
import type { Scratch } from './scratch.ts';

export interface Explained {
  readonly one: Case;
  readonly good: boolean;
  /** The verdict, or what went wrong. */
  readonly verdict: string;
  /** The rule and why, for the report. */
  readonly why: string;
}

const entry = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** Whether a case says everything itself: explaining knows nothing of what others do meanwhile. */
const isWhole = ({ input }: Case): boolean =>
  typeof input === 'string' ||
  !input.some((frame) => 'elsewhere' in frame || 'wait_ms' in frame || 'raw_hex' in frame);

/** One answer for each case that can be explained, in order. */
export async function explainCases(
  all: readonly Case[],
  scratch: Scratch,
  gateway: TestGateway,
): Promise<readonly Explained[]> {
  const cases = all.filter(isWhole);
  const namespace = await scratch.database();
  const lines: string[] = [];
  for (const one of cases) {
    const input = [...(one.pre ?? []), ...(await filledIn(one, scratch))];
    const { id, protocol, startup } = one;
    lines.push(JSON.stringify({ id, protocol, input, namespace, ...(startup && { startup }) }));
  }
  const answers = await ask(lines, gateway);
  if (answers.length !== cases.length) throw new Error(`${answers.length} answers`);
  return cases.map((one, at) => judged(one, answers[at] ?? {}));
}

async function ask(
  lines: readonly string[],
  gateway: TestGateway,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const config = `${gateway.home}/sallyport.yaml`;
  const options = ['-c', config, '--target', 'scratch', '--identity', 'ci/job-1'];
  const child = spawn(process.execPath, [entry, 'policy', 'explain', ...options, '-'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  child.stdin.end(lines.join('\n'));
  const output = await text(child.stdout);
  await ended;
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Record<string, unknown> => JSON.parse(line));
}

function judged(one: Case, answer: Readonly<Record<string, unknown>>): Explained {
  const { verdict, rule, reason, error, facts } = answer;
  const outcome = typeof verdict === 'string' ? verdict : `error: ${String(error)}`;
  const why = `${String(rule)}: ${String(reason)} ${JSON.stringify(facts)}`;
  const blocked = outcome === 'hold' || outcome === 'deny';
  const good =
    (one.must === 'block' && blocked) ||
    (one.must === 'allow' && outcome === 'allow') ||
    (one.must === 'mask' && (blocked || outcome === 'allow'));
  return { one, good, verdict: outcome, why };
}
