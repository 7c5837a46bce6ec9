/**
 * Shapes: a small language for what identifiers look like, compiled to class tables and matched
 * over bytes. It is a subset of regular expressions without alternation and without backtracking,
 * so a match costs one step a byte, and the same text is the documentation.
 *
 *   #   a digit                 [A-FXY2-7]      one of a set
 *   @   a letter                {3} {10,} {2,8} ?   how many
 *   *   a letter or digit       \# \. ...       that character itself
 *   &   a hexadecimal digit     anything else   itself, exactly
 *
 * Sets match exactly; the classes match both cases. Quantifiers take as much as they can.
 */

interface Step {
  /** 256 entries: whether a byte is in the set. */
  readonly set: Uint8Array;
  readonly min: number;
  readonly max: number;
}

/** A compiled shape. */
export interface Shape {
  readonly source: string;
  readonly steps: readonly Step[];
  /** Letters and digits (separators not counted) that a match may have. */
  readonly compactMin: number;
  readonly compactMax: number;
  /** Digits among them. */
  readonly digitsMin: number;
  readonly digitsMax: number;
  /** Digits with at most single signs between them that every match has in one place. */
  readonly groupMin: number;
  /** Letters and digits without a sign between them that every match has in one place. */
  readonly runMin: number;
}

/** Longest run that an open quantifier takes. */
const RUN_MAX = 2_048;

/** A beginning has to begin with something: any digit is nothing. */
const FIRST_MAX = 6;

const CLASSES: Readonly<Record<string, string>> = {
  '#': '0-9',
  '@': 'A-Za-z',
  '*': '0-9A-Za-z',
  '&': '0-9A-Fa-f',
};

/** Compiles a shape; throws on one that is not well formed, so a table with a fault never loads. */
export function compileShape(source: string): Shape {
  const steps: Step[] = [];
  let at = 0;
  while (at < source.length) {
    const atom = /^(?:\[([^\]]+)\]|\\(.)|(.))/s.exec(source.slice(at));
    if (atom === null) throw new SyntaxError(`shape ${source}: stuck at ${at}`);
    at += atom[0].length;
    const quantifier = /^(?:\{(\d+)(?:(,)(\d*))?\}|(\?))/.exec(source.slice(at));
    at += quantifier?.[0].length ?? 0;
    steps.push({ set: toSet(atom[1], atom[2], atom[3]), ...toCounts(quantifier) });
  }
  const sum = (of: (step: Step) => number, when: (step: Step) => boolean): number =>
    steps.reduce((total, step) => total + (when(step) ? of(step) : 0), 0);
  const hasJoint = (step: Step): boolean => some(step.set, 32, 47, /[ +./-]/);
  const isToken = (step: Step): boolean => some(step.set, 48, 122, /[0-9A-Za-z]/);
  return {
    source,
    steps,
    compactMin: sum(
      (step) => step.min,
      (step) => isToken(step) && !hasJoint(step),
    ),
    compactMax: sum((step) => step.max, isToken),
    digitsMin: sum(
      (step) => step.min,
      (step) => isToken(step) && !some(step.set, 65, 122, /[A-Za-z]/),
    ),
    digitsMax: sum(
      (step) => step.max,
      (step) => some(step.set, 48, 57, /[0-9]/),
    ),
    groupMin: longest(
      steps,
      (set) => some(set, 48, 57, /[0-9]/),
      (set) => some(set, 65, 122, /[A-Za-z]/),
    ),
    runMin: longest(
      steps,
      (set) => some(set, 48, 122, /[0-9A-Za-z]/),
      (set) => some(set, 32, 126, /[^0-9A-Za-z]/),
    ),
  };
}

/** The most that steps which count add up to between steps that break. */
function longest(
  steps: readonly Step[],
  counts: (set: Uint8Array) => boolean,
  breaks: (set: Uint8Array) => boolean,
): number {
  let best = 0;
  let sum = 0;
  for (const { set, min } of steps) {
    if (breaks(set)) sum = 0;
    else if (counts(set)) sum += min;
    best = Math.max(best, sum);
  }
  return best;
}

function some(set: Uint8Array, from: number, to: number, wanted: RegExp): boolean {
  for (let byte = from; byte <= to; byte += 1) {
    if (set[byte] === 1 && wanted.test(String.fromCharCode(byte))) return true;
  }
  return false;
}

function toCounts(quantifier: RegExpExecArray | null): { min: number; max: number } {
  if (quantifier === null) return { min: 1, max: 1 };
  if (quantifier[4] !== undefined) return { min: 0, max: 1 };
  const min = Number(quantifier[1]);
  if (quantifier[2] === undefined) return { min, max: min };
  return { min, max: quantifier[3] ? Number(quantifier[3]) : RUN_MAX };
}

function toSet(
  list: string | undefined,
  escaped: string | undefined,
  plain: string | undefined,
): Uint8Array {
  const set = new Uint8Array(256);
  const ranges = list ?? (escaped === undefined ? CLASSES[plain ?? ''] : undefined);
  if (ranges === undefined) {
    set[(escaped ?? plain ?? '').charCodeAt(0)] = 1;
    return set;
  }
  for (let i = 0; i < ranges.length; i += 1) {
    const low = ranges.charCodeAt(i);
    // A hyphen at the end of a list is a hyphen.
    const isRange = ranges[i + 1] === '-' && i + 2 < ranges.length;
    const high = isRange ? ranges.charCodeAt(i + 2) : low;
    for (let byte = low; byte <= high; byte += 1) set[byte] = 1;
    if (isRange) i += 2;
  }
  return set;
}

/**
 * Matches `shape` at `at`.
 *
 * @returns the end of the match, -1 when there is none. Never reads at or past `end`.
 */
export function matchShape(shape: Shape, bytes: Uint8Array, at: number, end: number): number {
  const { steps } = shape;
  let here = at;
  for (let i = 0; i < steps.length; i += 1) {
    const step = steps[i];
    if (step === undefined) break;
    const { set, min, max } = step;
    const least = here + min;
    const stop = here + max < end ? here + max : end;
    while (here < stop && set[bytes[here] ?? 0] === 1) here += 1;
    if (here < least) return -1;
  }
  return here;
}

/** How many bytes before its first letter or digit a shape starts. */
export function leadOf(shape: Shape): number {
  let lead = 0;
  for (const step of shape.steps) {
    if (step.min !== step.max || some(step.set, 48, 122, /[0-9A-Za-z]/)) break;
    lead += step.min;
  }
  return lead;
}

/** The first three bytes of a token, and the fourth; letters folded, -1 for any. */
export type Beginning = readonly [number, number, number, number];

/**
 * Every four bytes with which a match can go on after its lead; undefined when there are more than
 * `limit`, or what it begins with is no beginning.
 */
export function beginningsOf(shape: Shape, limit: number): readonly Beginning[] | undefined {
  const places: number[][] = [];
  let skip = leadOf(shape);
  for (const step of shape.steps) {
    if (step.min !== step.max && places.length + step.min < 3) return undefined;
    for (let i = 0; i < step.min && places.length < 4; i += 1) {
      if (skip > 0) skip -= 1;
      else places.push(members(step.set));
    }
    if (step.min !== step.max) break;
  }
  const [first = [], second = [], third = [], fourth = [-1]] = places;
  const count = first.length * second.length * third.length;
  if (count === 0 || count > limit || first.length > FIRST_MAX) return undefined;
  return first.flatMap((a) =>
    second.flatMap((b) => third.flatMap((c) => fourth.map((d): Beginning => [a, b, c, d]))),
  );
}

function members(set: Uint8Array): number[] {
  const folded = new Set<number>();
  set.forEach((member, byte) => {
    if (member === 1) folded.add(byte >= 65 && byte <= 90 ? byte | 0x20 : byte);
  });
  return [...folded];
}
