/**
 * The fields of commands, verdicts and marks: how the data path writes them. `entries.ts` reads
 * them back. Values are kept as they are: a text field is the command's whole text, a parameter is
 * its bytes, and NULL differs from empty.
 */
import type { BoundValue, Command } from '#core/command.ts';
import type { Facts } from '#core/facts.ts';
import type { History } from '#core/history.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal, Verdict } from '#core/verdict.ts';
import type { FrameWriter } from './frames.ts';

/** Fields of a command. Parameters repeat, in order. */
export const commandFields = {
  id: 1,
  kind: 2,
  text: 3,
  state: 4,
  facts: 5,
  /** What its identity did before at the target, as far as the command goes. */
  history: 6,
  /** Type name only: NULL. */
  parameterNull: 16,
  /** Type name, a zero byte, the value. */
  parameterText: 17,
  parameterBinary: 18,
} as const;

/** Fields of a verdict. Those that do not apply are left out. */
export const verdictFields = {
  command: 1,
  outcome: 2,
  rule: 3,
  reason: 4,
  policy: 5,
  hold: 6,
  observed: 7,
  decision: 8,
  liftedMasks: 9,
  refusal: 10,
} as const;

/** Fields of a mark. */
export const markFields = { kind: 1, data: 2 } as const;

const encoder = new TextEncoder();
/** The analyser gives the same facts object for the same text, so most commands find theirs. */
const factsJson = new WeakMap<Facts, Uint8Array>();
const historyJson = new WeakMap<History, Uint8Array>();

/** Writes a command as one record. */
export function writeCommand(frames: FrameWriter, command: Command): void {
  frames.begin('command');
  frames.text(commandFields.id, command.id);
  frames.text(commandFields.kind, command.kind);
  frames.text(commandFields.state, command.state);
  frames.bytes(commandFields.facts, encodeFacts(command.facts));
  if (command.history !== undefined) {
    frames.bytes(commandFields.history, encodeHistory(command.history));
  }
  frames.text(commandFields.text, command.text);
  for (const value of command.parameters) writeParameter(frames, value);
  frames.end();
}

/** Writes a verdict and what came of it as one record. */
export function writeVerdict(
  frames: FrameWriter,
  command: Command,
  verdict: Verdict,
  result: AllowedCommand | Refusal,
): void {
  frames.begin('verdict');
  frames.text(verdictFields.command, command.id);
  frames.text(verdictFields.outcome, verdict.outcome);
  frames.text(verdictFields.rule, verdict.rule);
  frames.text(verdictFields.reason, verdict.reason);
  frames.text(verdictFields.policy, verdict.policy);
  if (verdict.hold !== undefined) frames.text(verdictFields.hold, JSON.stringify(verdict.hold));
  if (verdict.observed.length > 0) {
    frames.text(verdictFields.observed, JSON.stringify(verdict.observed));
  }
  if (result.refused) {
    frames.text(verdictFields.refusal, JSON.stringify(result));
  } else {
    frames.text(verdictFields.decision, result.decision);
    if (result.liftedMasks.length > 0) {
      frames.text(verdictFields.liftedMasks, JSON.stringify(result.liftedMasks));
    }
  }
  frames.end();
}

/** Writes a mark as one record. */
export function writeMark(
  frames: FrameWriter,
  kind: string,
  data: Readonly<Record<string, unknown>>,
): void {
  frames.begin('mark');
  frames.text(markFields.kind, kind);
  frames.text(markFields.data, JSON.stringify(data));
  frames.end();
}

function writeParameter(frames: FrameWriter, value: BoundValue): void {
  if (value.bytes === null) {
    frames.text(commandFields.parameterNull, value.type);
    return;
  }
  const tag = value.format === 'text' ? commandFields.parameterText : commandFields.parameterBinary;
  // One field for type and value, so that a reader cannot pair them wrongly.
  frames.prefixed(tag, value.type, value.bytes);
}

function encodeHistory(history: History): Uint8Array {
  let bytes = historyJson.get(history);
  if (bytes === undefined) {
    const { novel, since = null } = history;
    bytes = encoder.encode(JSON.stringify({ novel, since }));
    historyJson.set(history, bytes);
  }
  return bytes;
}

function encodeFacts(facts: Facts): Uint8Array {
  let bytes = factsJson.get(facts);
  if (bytes === undefined) {
    bytes = encoder.encode(JSON.stringify(facts));
    factsJson.set(facts, bytes);
  }
  return bytes;
}
