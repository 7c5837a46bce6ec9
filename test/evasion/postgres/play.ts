/** Plays one case on one connection, and says what came of it. */
import { existsSync, readFileSync } from 'node:fs';
import { type Case, type Frame, framesOf } from './cases.ts';
import { refusalsIn, textOf } from './answers.ts';
import type { Scratch } from './scratch.ts';
import { endsBatch, type Received, WireClient } from './wire.ts';

/** Where to play: through the gateway, or at the server itself. */
export interface Door {
  readonly port: number;
  readonly password: string;
}

export interface Played {
  readonly received: readonly Received[];
  /** The login was refused. */
  readonly turnedAway: boolean;
  readonly closed: boolean;
  /** Codes of the gateway's refusals. */
  readonly refusals: readonly string[];
  /** Whether what the case is about was seen to happen. */
  readonly happened: boolean;
  readonly why: string;
  /** Whether the database is as it was. */
  readonly unchanged: boolean;
}

const answerMsMax = 15_000;
const ownPort = 56_543;

export async function play(one: Case, scratch: Scratch, door: Door): Promise<Played> {
  scratch.clearFiles();
  const database = await scratch.database();
  const server = { port: scratch.server.port, password: '' };
  const victim =
    one.victim === true
      ? await login(server, database, { application_name: 'ev_victim' })
      : undefined;
  // Nobody waits for a person here. The server takes it for a setting of no meaning.
  const startup = { 'sallyport.hold': 'refuse', ...one.startup };
  const client = await login(door, database, startup);
  const turnedAway = client.closed;
  const waitMs = one.ms ?? answerMsMax;
  await converse(one.pre ?? [], { client, scratch, waitMs });
  // What comes before has to run, or the rest would show nothing.
  const unprepared = one.pre !== undefined && refusalsIn(client.received).length > 0;
  const greeting = turnedAway ? 0 : client.received.length;
  const late = !(await converse(await filledIn(one, scratch), { client, scratch, waitMs }));
  const { received } = client;
  const refusals = refusalsIn(received.slice(greeting));
  const locked = await isLocked(one, scratch, database);
  client.close();
  victim?.close();
  const seen = { answers: received.slice(greeting), late, locked, scratch, database };
  const proof = unprepared
    ? { happened: refusals.length === 0, why: 'pre' }
    : await evidence(one, seen);
  const unchanged = await scratch.isUnchanged();
  // It may have nothing to do, where the case was stopped.
  if (one.cleanup !== undefined) {
    await scratch.server.query(one.cleanup, database).catch(() => undefined);
  }
  if (!unchanged || one.cleanup !== undefined) await scratch.discard();
  return { received, turnedAway, closed: client.closed, refusals, unchanged, ...proof };
}

/** The numbers of types that are named. */
async function typeNumbers(
  frames: readonly Frame[],
  scratch: Scratch,
  database: string,
): Promise<ReadonlyMap<number | string, number>> {
  const found = new Map<number | string, number>();
  for (const type of frames.flatMap((frame) =>
    'parse' in frame ? (frame.parse.types ?? []) : [],
  )) {
    if (typeof type === 'number' || found.has(type)) continue;
    found.set(type, Number(await scratch.value(`select '${type}'::regtype::oid`, database)));
  }
  return found;
}

function login(
  door: Door,
  database: string,
  startup: Readonly<Record<string, string>>,
): Promise<WireClient> {
  const { port, password } = door;
  return WireClient.connect({
    port,
    password,
    startup: { user: 'postgres', database, ...startup },
  });
}

/** The messages, with names of this run in place of the corpus's own. */
export async function filledIn(one: Case, scratch: Scratch): Promise<readonly Frame[]> {
  const database = await scratch.database();
  const frames = framesOf(one);
  const oid =
    one.fn_oid === undefined
      ? undefined
      : await scratch.value(`select '${one.fn_oid}'::regprocedure::oid`, database);
  const numbers = await typeNumbers(frames, scratch, database);
  return frames.map((frame) => {
    if ('parse' in frame && frame.parse.types !== undefined) {
      const types = frame.parse.types.map((type) => numbers.get(type) ?? type);
      return { parse: { ...frame.parse, types } };
    }
    if ('function_call' in frame && oid !== undefined) {
      return { function_call: { ...frame.function_call, oid: oid ?? 0 } };
    }
    if ('query' in frame && one.subst_db === true) {
      const query = frame.query
        .replaceAll('$DB$', database)
        .replaceAll(`port=${ownPort}`, `port=${scratch.server.port}`);
      return { query };
    }
    return frame;
  });
}

interface Conversation {
  readonly client: WireClient;
  readonly scratch: Scratch;
  readonly waitMs: number;
}

/**
 * Sends the messages as a client does: on to the next batch when the last was answered.
 *
 * @returns false when an answer did not come in time.
 */
async function converse(
  frames: readonly Frame[],
  { client, scratch, waitMs }: Conversation,
): Promise<boolean> {
  let inTime = true;
  for (const batch of batches(frames)) {
    if (client.closed) break;
    const [first] = batch;
    if (first !== undefined && isAside(first)) {
      await aside(first, scratch);
      continue;
    }
    const from = client.received.length;
    client.send(batch);
    const owed = batch.filter((frame) => endsBatch(frame)).length;
    if (owed === 0) await client.pause(300);
    else if (!(await client.ready(owed, from, waitMs))) inTime = false;
  }
  return inTime;
}

const isAside = (frame: Frame): boolean => 'elsewhere' in frame || 'wait_ms' in frame;

/** What happens beside the connection. */
async function aside(frame: Frame, scratch: Scratch): Promise<void> {
  if ('elsewhere' in frame) {
    await scratch.server.query(frame.elsewhere, await scratch.database());
  } else if ('wait_ms' in frame) {
    await new Promise((resolve) => setTimeout(resolve, frame.wait_ms));
  }
}

function batches(frames: readonly Frame[]): readonly (readonly Frame[])[] {
  const found: Frame[][] = [];
  let current: Frame[] = [];
  for (const frame of frames) {
    if (isAside(frame) && current.length > 0) {
      found.push(current);
      current = [];
    }
    current.push(frame);
    if (!endsBatch(frame) && !isAside(frame)) continue;
    found.push(current);
    current = [];
  }
  return current.length > 0 ? [...found, current] : found;
}

async function isLocked(one: Case, scratch: Scratch, database: string): Promise<boolean> {
  const { lock } = one.proof;
  if (lock === undefined) return false;
  const count = `select count(*) from pg_locks
    where relation = '${lock}'::regclass and mode = 'AccessExclusiveLock' and granted`;
  return (await scratch.value(count, database)) === '1';
}

interface Seen {
  readonly answers: readonly Received[];
  readonly late: boolean;
  readonly locked: boolean;
  readonly scratch: Scratch;
  readonly database: string;
}

/** Whether what the case intends has happened, by each thing that proves it. */
async function evidence(
  one: Case,
  seen: Seen,
): Promise<{ readonly happened: boolean; readonly why: string }> {
  const { proof } = one;
  const missing: string[] = [];
  const ask = (name: string, holds: boolean): void => {
    if (!holds) missing.push(name);
  };
  if (proof.sql !== undefined) {
    ask('effect', await comesTrue(proof.sql, proof.equals ?? null, seen));
  }
  if (proof.out !== undefined) {
    const pattern =
      proof.out === 'HOSTNAME' ? readFileSync('/etc/hostname', 'utf8').trim() : proof.out;
    const told = textOf(seen.answers);
    ask('output', told !== '' && new RegExp(pattern).test(told));
  }
  if (proof.outbytes !== undefined) {
    const bytes = seen.answers.reduce((sum, { body }) => sum + body.length, 0);
    ask('bytes', bytes >= proof.outbytes);
  }
  if (proof.file !== undefined) ask('file', existsSync(proof.file));
  if (proof.timeout === true) ask('delay', seen.late);
  if (proof.lock !== undefined) ask('lock', seen.locked);
  return { happened: missing.length === 0, why: missing.join(', ') };
}

/** Waits a little: what a connection's end undoes is undone soon, not at once. */
async function comesTrue(sql: string, wanted: string | null, seen: Seen): Promise<boolean> {
  const last = 3;
  for (let attempt = 0; ; attempt += 1) {
    let got: string | null | undefined;
    try {
      got = await seen.scratch.value(sql, seen.database);
    } catch {
      // The table is gone, or was never made: then it has no such value.
      got = undefined;
    }
    if (got === wanted) return true;
    if (attempt === last) return false;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
