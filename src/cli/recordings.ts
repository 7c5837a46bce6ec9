/**
 * `sallyport recordings list | show | replay | verify | export`: options in, text and an exit code
 * out. The archive is handed in, so that the same commands work beside a gateway and on a
 * stranger's machine, where `verify` needs nothing but a public key and files.
 *
 * Exit codes: 0 fine, 1 something is wrong with a recording, 2 the request cannot be carried out.
 */
import { readFileSync } from 'node:fs';
import { GatewayError } from '#core/errors.ts';
import { asEpochMs } from '#core/ids.ts';
import {
  exportFormats,
  type RecordedCommand,
  type Reading,
  type RecordingArchive,
  type RecordingProblem,
  type RecordingSummary,
  type ReplayLine,
  type VerifyReport,
} from '#core/ports/recording-archive.ts';
import { printable, printableLine } from '#core/printable.ts';

/** Where a command writes. */
export interface RecordingsOutput {
  /** One line, without its end. */
  line(text: string): void;
  /** For the person, not for the pipe. */
  error(text: string): void;
  /** Bytes as they are; resolves when more may come. */
  bytes(chunk: Uint8Array): Promise<void>;
}

/** What every command works with. */
export interface RecordingsCommandContext {
  readonly archive: RecordingArchive;
  readonly output: RecordingsOutput;
  /** Who reads, for the event that says so. */
  readonly reader: string;
}

export interface ListOptions {
  readonly identity?: string | undefined;
  readonly target?: string | undefined;
  /** ISO 8601. */
  readonly since?: string | undefined;
  readonly limit?: number | undefined;
  readonly json?: boolean | undefined;
}

export interface ReadOptions {
  /** Session id or path. */
  readonly recording: string;
  /** Files with age identities. */
  readonly identityFiles?: readonly string[] | undefined;
  readonly json?: boolean | undefined;
}

export interface ExportOptions extends ReadOptions {
  readonly format: string;
}

export interface VerifyOptions {
  readonly recordings: readonly string[];
  /** Files with public keys in PEM; the gateway's own when there are none. */
  readonly publicKeyFiles?: readonly string[] | undefined;
  readonly json?: boolean | undefined;
}

const LIST_LIMIT = 50;

/** Lists recordings, newest first. */
export function listRecordings(
  context: RecordingsCommandContext,
  options: ListOptions,
): Promise<number> {
  return guarded(context, async () => {
    const since = options.since === undefined ? undefined : asEpochMs(Date.parse(options.since));
    if (since !== undefined && Number.isNaN(since)) {
      throw new GatewayError('SP_BAD_REQUEST', { detail: `${options.since} is no ISO 8601 time` });
    }
    const found = await context.archive.list({
      identity: options.identity,
      target: options.target,
      since,
      limit: options.limit ?? LIST_LIMIT,
    });
    for (const summary of found) {
      context.output.line(options.json ? JSON.stringify(summary) : listLine(summary));
    }
    if (found.length === 0 && !options.json) context.output.error('no recordings');
    return 0;
  });
}

/** Prints the facts of a session and its commands with their verdicts. */
export function showRecording(
  context: RecordingsCommandContext,
  options: ReadOptions,
): Promise<number> {
  return guarded(context, async () => {
    const { output, archive } = context;
    const summary = await archive.summary(options.recording);
    if (options.json) output.line(JSON.stringify(summary));
    else for (const line of summaryLines(summary)) output.line(line);
    let damaged = false;
    let number = 0;
    for await (const item of archive.commands(options.recording, readingOf(context, options))) {
      if ('problem' in item) {
        damaged = isDamage(item.problem, summary);
        output.error(problemLine(item.problem));
        continue;
      }
      number += 1;
      if (options.json) output.line(JSON.stringify(commandJson(item)));
      else for (const line of commandLines(item, number)) output.line(line);
    }
    return damaged ? 1 : 0;
  });
}

/** Prints what happened in the order in which it happened, with the answers. */
export function replayRecording(
  context: RecordingsCommandContext,
  options: ReadOptions,
): Promise<number> {
  return guarded(context, async () => {
    const { output, archive } = context;
    const summary = await archive.summary(options.recording);
    let status = 0;
    for await (const line of archive.replay(options.recording, readingOf(context, options))) {
      if (options.json) output.line(JSON.stringify(line));
      else output.line(replayText(line));
      if (line.kind === 'problem' && summary.state !== 'open') status = 1;
    }
    return status;
  });
}

/** Verifies recordings; names the first bad block of each that fails. */
export function verifyRecordings(
  context: RecordingsCommandContext,
  options: VerifyOptions,
): Promise<number> {
  return guarded(context, async () => {
    const { output, archive } = context;
    const files = options.publicKeyFiles ?? [];
    const keys =
      files.length > 0
        ? files.map((file) => readFileSync(file, 'utf8'))
        : [...archive.publicKeys().values()];
    if (keys.length === 0) {
      throw new GatewayError('SP_BAD_REQUEST', { detail: 'give a public key with --public-key' });
    }
    const reports = await archive.verify(options.recordings, keys);
    for (const report of reports) {
      output.line(options.json ? JSON.stringify(report) : verifyLine(report));
    }
    return reports.every((report) => report.problem === undefined) ? 0 : 1;
  });
}

/** Writes a recording in another format. */
export function exportRecording(
  context: RecordingsCommandContext,
  options: ExportOptions,
): Promise<number> {
  return guarded(context, async () => {
    const format = exportFormats.find((name) => name === options.format);
    if (format === undefined) {
      const detail = `the formats are ${exportFormats.join(', ')}`;
      throw new GatewayError('SP_BAD_REQUEST', { detail });
    }
    const { archive, output } = context;
    const reading = readingOf(context, options);
    for await (const chunk of archive.export(options.recording, format, reading)) {
      await output.bytes(chunk);
    }
    return 0;
  });
}

async function guarded(
  { output }: RecordingsCommandContext,
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run();
  } catch (thrown) {
    output.error(thrown instanceof Error ? thrown.message : String(thrown));
    return 2;
  }
}

/** age identity files hold one identity a line, and comments. */
function readingOf({ reader }: RecordingsCommandContext, options: ReadOptions): Reading {
  const identities = (options.identityFiles ?? [])
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return { reader, identities };
}

/** That a session that still runs has no seal is no damage. */
const isDamage = (problem: RecordingProblem, summary: RecordingSummary): boolean =>
  summary.state !== 'open' || (problem.kind !== 'unsealed' && problem.kind !== 'truncated');

const when = (ms: number): string => new Date(ms).toISOString();

function listLine(summary: RecordingSummary): string {
  const { session, state, startedAt, identity, account, target, commands, bytes } = summary;
  const count = commands === undefined ? '-' : String(commands);
  const who = printableLine(`${identity} ${account}@${target}`);
  return `${session}  ${when(startedAt)}  ${state.padEnd(9)}  ${who}  ${count} commands  ${bytes} B`;
}

function summaryLines(summary: RecordingSummary): string[] {
  const { startedAt, endedAt } = summary;
  const rows: readonly (readonly [string, string])[] = [
    ['session', summary.session],
    ['state', summary.state],
    ['identity', `${summary.identity} (${summary.identityName})`],
    ['owner', summary.owner ?? '-'],
    ['target', `${summary.account}@${summary.target}, ${summary.protocol}`],
    ['namespace', summary.namespace],
    ['client', `${summary.clientAddress} (says it is ${summary.clientName || 'nothing'})`],
    ['started', when(startedAt)],
    ['ended', endedAt === undefined ? '-' : when(endedAt)],
    ['end', [summary.endReason, summary.endDetail].filter((text) => text !== '').join(': ') || '-'],
    ['gateway', summary.gateway],
    ['encrypted', summary.encrypted ? 'yes' : 'no'],
    ['file', summary.path],
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)} ${printableLine(value)}`);
}

function commandLines(command: RecordedCommand, number: number): string[] {
  const { verdict } = command;
  const outcome =
    verdict === undefined
      ? 'no verdict'
      : `${verdict.outcome} by ${verdict.rule}${verdict.allowed ? '' : ` (${verdict.code})`}`;
  const seconds = (command.atUs / 1e6).toFixed(3);
  const head = `${String(number).padStart(5)}  ${seconds.padStart(10)} s  ${printableLine(outcome)}`;
  const values = command.parameters.length === 0 ? '' : `, ${command.parameters.length} values`;
  return [`${head}  ${command.kind}${values}`, ...printable(command.text).split('\n').map(indent)];
}

function commandJson(command: RecordedCommand): object {
  const parameters = command.parameters.map(({ bytes, ...parameter }) => ({
    ...parameter,
    bytes: bytes === null ? null : Buffer.from(bytes).toString('base64'),
  }));
  return { ...command, parameters };
}

function replayText({ atUs, kind, text }: ReplayLine): string {
  const time = `${(atUs / 1e6).toFixed(3).padStart(10)} `;
  const mark = {
    session: '#',
    command: '>',
    verdict: '=',
    answer: ' ',
    mark: '*',
    end: '#',
    problem: '!',
  };
  const [first = '', ...rest] = text.split('\n');
  return [`${time}${mark[kind]} ${first}`, ...rest.map((line) => `${' '.repeat(13)}${line}`)].join(
    '\n',
  );
}

function verifyLine(report: VerifyReport): string {
  const { path, verdict, problem, blocks, bytes, hash, keyIds, lost } = report;
  if (problem === undefined) {
    const note = verdict === 'recovered' ? ' (completed after the gateway died)' : '';
    const missing = lost === undefined ? '' : `; recovery says that something is lost: ${lost}`;
    const by = `signed by ${keyIds.join(', ')}`;
    return `ok      ${path}: ${blocks} blocks, ${bytes} bytes, ${by}, ${hash}${note}${missing}`;
  }
  return `FAILED  ${path}: ${printableLine(problemLine(problem))}; ${blocks} blocks before it hold`;
}

const problemLine = ({ kind, block, offset, detail }: RecordingProblem): string =>
  `${kind}: block ${block} at byte ${offset}: ${detail}`;

const indent = (line: string): string => `       ${line}`;
