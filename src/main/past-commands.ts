/** Commands that were decided before, from the recordings of an installation. */
import { asEpochMs, type EpochMs } from '#core/ids.ts';
import type { PastCommand } from '#core/ports/policy-tools.ts';
import type {
  Reading,
  RecordedCommand,
  RecordedVerdict,
  RecordingArchive,
  RecordingSummary,
} from '#core/ports/recording-archive.ts';
import type { Outcome } from '#core/verdict.ts';
import { plainTarget } from '#policy/cases.ts';
import { isProtocol } from '#policy/inputs.ts';
import { factsFromJson, historyFromJson } from '#policy/simulate.ts';

export interface PastOptions {
  readonly archive: RecordingArchive;
  readonly reading: Reading;
  readonly since: EpochMs;
  /** Tells of a recording, or a part of one, that could not be looked at. */
  readonly missed: (message: string) => void;
}

/** Every command that was decided at or after `since`, session by session, the oldest first. */
export async function* pastCommands(options: PastOptions): AsyncGenerator<PastCommand> {
  const { archive, since } = options;
  const all = { identity: undefined, target: undefined, since: undefined };
  const summaries = await archive.list({ ...all, limit: Number.POSITIVE_INFINITY });
  for (const summary of summaries.toReversed()) {
    if (summary.endedAt !== undefined && summary.endedAt < since) continue;
    yield* commandsOf(summary, options);
  }
}

async function* commandsOf(
  summary: RecordingSummary,
  { archive, reading, since, missed }: PastOptions,
): AsyncGenerator<PastCommand> {
  const { path, protocol } = summary;
  try {
    if (!isProtocol(protocol)) throw new Error(`no protocol '${protocol}'`);
    const { identity, target, purpose } = await archive.subject(path);
    const session = {
      identity,
      target: plainTarget(target.name, protocol, target.labels),
      purpose,
    };
    for await (const item of archive.commands(path, reading)) {
      if ('problem' in item) {
        const { kind, detail } = item.problem;
        // That a session which still runs has no end is no damage.
        const runs = summary.state === 'open' && (kind === 'unsealed' || kind === 'truncated');
        if (!runs) missed(`${path}: ${kind}: ${detail}`);
      } else if (item.verdict !== undefined) {
        const command = pastCommand(summary, session, item, item.verdict);
        if (command === undefined) missed(`${path}: command ${item.id}: unknown verdict`);
        else if (command.at >= since) yield command;
      }
    }
  } catch (thrown) {
    missed(`${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}

function pastCommand(
  summary: RecordingSummary,
  of: Pick<PastCommand, 'identity' | 'target' | 'purpose'>,
  command: RecordedCommand,
  verdict: RecordedVerdict,
): PastCommand | undefined {
  const { session, startedAt, account, namespace } = summary;
  const outcome = outcomes.find((each) => each === verdict.outcome);
  if (outcome === undefined) return undefined;
  const facts = factsFromJson(command.facts);
  return {
    ...of,
    id: command.id,
    at: asEpochMs(startedAt + Math.floor(command.atUs / 1000)),
    account,
    namespace,
    session,
    kind: command.kind === 'prepare' ? 'prepare' : 'execute',
    text: command.text,
    parameterCount: command.parameters.length,
    facts,
    history: historyFromJson(command.history, facts),
    verdict: { outcome, rule: verdict.rule },
  };
}

const outcomes: readonly Outcome[] = ['allow', 'hold', 'deny'];
