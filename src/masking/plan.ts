/**
 * What a set of detectors needs done, worked out once: which anchors the kernel looks for, which
 * shapes fit a token of so many characters and digits, which words start something.
 */
import { ascii } from './bytes.ts';
import type { Detector, Recogniser } from './detectors/detector.ts';
import { ibanCountries } from './detectors/financial.ts';
import { detectors } from './detectors/table.ts';
import { followPhrases, keyEndings, type NameHints, hintsOfName, noHints } from './dictionary.ts';
import { anchor, type KernelOptions } from './kernel/kernel.ts';
import { type CompiledPattern, isColumnOf } from './patterns.ts';
import { personPhrases, placePhrases } from './people.ts';
import {
  type Beginning,
  beginningsOf,
  compileShape,
  leadOf,
  matchShape,
  type Shape,
} from './shape.ts';

/** A shape, and whose it is. */
export interface ShapeEntry {
  readonly detector: number;
  readonly shape: Shape;
  /** Whether it needs a name or a word. */
  readonly needsName: boolean;
}

/** Shapes by {@link countKey}. */
export type CountTable = readonly (readonly ShapeEntry[] | undefined)[];

/** What may start at a token whose first three bytes are known. */
export type WordEntry =
  | { readonly kind: 'shape'; readonly lead: number; readonly entry: ShapeEntry }
  /** A phrase after which a value stands. */
  | {
      readonly kind: 'phrase';
      readonly words: string;
      /** The words as bytes, small letters. */
      readonly bytes: Uint8Array;
      /** The last of them with the bit of small letters. */
      readonly last: number;
      readonly detector: number;
    }
  | { readonly kind: 'iban' | 'private-key' | 'pgpass' | 'command' | 'flag' };

/** More characters than an identifier has; see {@link Plan.byCount}. */
const COUNT_MAX = 64;
/** Beginnings that make a shape findable by them; with more it is found as a token. */
const BEGINNINGS_MAX = 160;
const HINTS_MAX = 8_192;
/** Recognisers whose values are found without a key. */
const ANCHORED: ReadonlySet<Recogniser> = new Set([
  'email',
  'phone',
  'ip',
  'mac',
  'private-key',
  'anything',
]);
/** Digits in a group, and characters in a token, that are worth a look. */
const DIGITS_MIN = 6;
const CARD_DIGITS_MIN = 12;
const LONG_MIN = 15;

export class Plan {
  /** By detector number, 1 for those that are wanted. */
  readonly enabled: Uint8Array;
  /** By detector number: its name, its entity, and how sure it is; the customer's patterns last. */
  readonly kinds: readonly Pick<Detector, 'name' | 'entity' | 'confidence'>[];
  /** The customer's patterns that are wanted, with their numbers. */
  readonly patterns: readonly { readonly number: number; readonly pattern: CompiledPattern }[];
  /** By {@link countKey}: the shapes of tokens with so many characters, so many of them digits. */
  readonly byCount: {
    /** Those that are clear by themselves. */
    readonly free: CountTable;
    /** Those that need a name. */
    readonly near: CountTable;
    /** By characters, 1 where there is any of the first kind: most lengths are nothing. */
    readonly freeLengths: Uint8Array;
  };
  /** By {@link wordKey}. */
  readonly byWord: ReadonlyMap<number, readonly WordEntry[]>;
  /** Shapes without a beginning of their own that are no groups of letters and digits. */
  readonly atTokens: {
    readonly digits: readonly ShapeEntry[];
    readonly long: readonly ShapeEntry[];
  };
  /** A token with fewer bytes has none of the known beginnings before what makes it a value. */
  readonly tokenBytesMin: number;
  /** By length: whether digits alone can be something that needs no name. */
  readonly bareDigits: Uint8Array;
  /** Every shape of a detector, for values whose name is known. */
  readonly shapes: readonly (readonly ShapeEntry[])[];
  readonly kernel: KernelOptions;
  readonly #hints: NameHints[] = [noHints];
  readonly #hintByName: Map<string, number> = new Map();

  /**
   * @param wanted - names of detectors and patterns, no groups.
   * @param patterns - the customer's own.
   */
  constructor(wanted: ReadonlySet<string>, patterns: readonly CompiledPattern[] = []) {
    this.kinds = [...detectors, ...patterns];
    this.enabled = Uint8Array.from(this.kinds, ({ name }) => (wanted.has(name) ? 1 : 0));
    this.patterns = patterns
      .map((pattern, index) => ({ number: detectors.length + index, pattern }))
      .filter(({ number }) => this.enabled[number] === 1);
    compiledShapes ??= detectors.map(shapesOf);
    this.shapes = compiledShapes;
    const active = this.shapes.filter((_, index) => this.enabled[index] === 1).flat();
    const words = new Words();
    const asTokens: ShapeEntry[] = [];
    for (const entry of active) {
      if (!addBeginnings(words, entry)) asTokens.push(entry);
    }
    this.#addWords(words);
    const isGroups = ({ shape }: ShapeEntry): boolean =>
      !/[:_~]|[A-Za-z]-/.test(shape.source.replace(/\[[^_:\]]*\]/g, ''));
    const odd = asTokens.filter((entry) => !isGroups(entry));
    this.atTokens = {
      digits: odd.filter(({ shape }) => shape.groupMin >= DIGITS_MIN),
      long: odd.filter(({ shape }) => shape.groupMin < DIGITS_MIN && shape.runMin >= LONG_MIN),
    };
    const groups = asTokens.filter(isGroups);
    const free = countTable(groups.filter(({ needsName }) => !needsName));
    this.byCount = {
      free,
      freeLengths: Uint8Array.from({ length: COUNT_MAX }, (_, length) => {
        const row = free.slice(countKey(length, 0), countKey(length + 1, 0));
        return row.some((entries) => entries !== undefined) ? 1 : 0;
      }),
      near: countTable(groups.filter(({ needsName }) => needsName)),
    };
    this.byWord = words.entries;
    this.tokenBytesMin = this.patterns.length > 0 ? 0 : tokenBytesMin(words);
    this.bareDigits = bareDigitsOf(groups.filter(({ needsName }) => !needsName));
    this.kernel = this.#kernelOptions(words.beginnings, asTokens);
  }

  /** Whether the detector of that name is wanted. */
  has(name: string): boolean {
    return this.enabled[indexOf(name)] === 1;
  }

  /** The number for what a name says; see `ContentScanner.hint`. */
  hint(name: string): number {
    const known = this.#hintByName.get(name);
    if (known !== undefined) return known;
    const all = hintsOfName(name);
    const own = this.patterns.filter(({ pattern }) => isColumnOf(pattern, name));
    const hints = [
      ...all.hints.filter(({ detector }) => this.enabled[detector] === 1),
      ...own.map(({ number }) => ({ detector: number, weak: false })),
    ];
    let number = 0;
    if (hints.length > 0 || all.isVersion) {
      // Names come from queries, so there may be any number of them; hints are few.
      number = this.#hints.findIndex((other) => sameHints(other, { ...all, hints }));
      if (number < 0) number = this.#hints.push({ ...all, hints }) - 1;
    }
    if (this.#hintByName.size >= HINTS_MAX) this.#hintByName.clear();
    this.#hintByName.set(name, number);
    return number;
  }

  /** What {@link hint} stands for. */
  hints(number: number): NameHints {
    return this.#hints[number] ?? noHints;
  }

  #addWords(words: Words): void {
    const push = (word: string, entry: WordEntry): void => {
      const [a = 0, b = 0, c = 0, d = -1] = ascii(word);
      words.add([a, b, c, d], entry);
    };
    const phrases = [
      ...followPhrases(),
      ...personPhrases.map((text) => ({ words: text, detector: indexOf('person') })),
      ...placePhrases.map((text) => ({ words: text, detector: indexOf('address') })),
    ];
    for (const { words: text, detector } of phrases) {
      if (this.enabled[detector] !== 1 || !/^[a-z]/.test(text)) continue;
      const bytes = ascii(text);
      const last = (bytes.at(-1) ?? 0) | 32;
      const entry: WordEntry = { kind: 'phrase', words: text, bytes, last, detector };
      // After a short one there may be a dot or a colon, and then anything.
      if (text.length > 3) push(text, entry);
      else for (const next of text.length === 2 ? [' ', '.', ':'] : ['']) push(text + next, entry);
    }
    if (this.has('iban')) {
      const ibanEntry: WordEntry = { kind: 'iban' };
      for (const country of ibanCountries) {
        for (let digit = 0; digit < 100; digit += 1) {
          push(country.toLowerCase() + String(digit).padStart(2, '0'), ibanEntry);
        }
      }
    }
    if (this.has('private-key')) push('begi', { kind: 'private-key' });
    if (this.has('password')) {
      // The ports that such a server listens on.
      for (const port of ['5432', '5433', '6432']) push(port, { kind: 'pgpass' });
      for (const word of [
        'sshpass',
        'mysql',
        'mariadb',
        'redis-cli',
        'curl',
        'mongosh',
        'ldapsearch',
        'ldapmodify',
        'docker',
        'podman',
        'htpasswd',
        'openssl',
        'sqlcmd',
        'rabbitmqctl',
        'vault',
        'snmpwalk',
      ]) {
        push(word, { kind: 'command' });
      }
      for (const word of ['pass', 'pwd ', 'secr', 'toke', 'key ', 'key>'])
        push(word, { kind: 'flag' });
    }
  }

  /** Whether values of a detector can be told by their key and by nothing else. */
  #needsKey({ names, recogniser, check }: Detector, index: number): boolean {
    if (recogniser !== undefined) return !ANCHORED.has(recogniser);
    if (names === undefined) return false;
    const isFound = ({ shape }: ShapeEntry): boolean => shape.groupMin >= DIGITS_MIN;
    return check === undefined || this.shapes[index]?.every(isFound) !== true;
  }

  #kernelOptions(words: readonly Beginning[], tokens: readonly ShapeEntry[]): KernelOptions {
    const kinds: number[] = [];
    const keyed = detectors.some(
      (detector, index) => this.enabled[index] === 1 && this.#needsKey(detector, index),
    );
    if (this.has('email')) kinds.push(anchor.at);
    if (words.length > 0) kinds.push(anchor.word);
    if (keyed) kinds.push(anchor.key);
    if (this.has('ip-address') || this.has('mac-address')) kinds.push(anchor.colons);
    if (this.has('azure-client-secret')) kinds.push(anchor.tilde);
    const numbers = tokens.filter(({ shape }) => shape.groupMin >= DIGITS_MIN);
    const isLong = tokens.some(
      ({ shape }) => shape.groupMin < DIGITS_MIN && shape.runMin >= LONG_MIN,
    );
    const isCardOnly = numbers.every(({ shape }) => shape.groupMin >= CARD_DIGITS_MIN);
    const loose = this.has('phone') || this.has('ip-address');
    if (numbers.length > 0 || loose) kinds.push(anchor.digits);
    if (isLong) kinds.push(anchor.long);
    return {
      kinds,
      words,
      keyEndings,
      digitsMin: isCardOnly && !loose ? CARD_DIGITS_MIN : DIGITS_MIN,
      longMin: LONG_MIN,
    };
  }
}

/** The shapes of all detectors: the same for every plan, and compiled with the first. */
let compiledShapes: readonly (readonly ShapeEntry[])[] | undefined;

/** The number of a detector; throws for a name that is not in the table. */
export function indexOf(name: string): number {
  const index = detectors.findIndex((detector) => detector.name === name);
  if (index < 0) throw new RangeError(`no detector ${name}`);
  return index;
}

/** The key of {@link Plan.byWord}: three bytes, letters folded. */
export const wordKey = (a: number, b: number, c: number): number =>
  (a | (b << 8) | (c << 16) | 0x202020) & 0xffffff;

/** The key of {@link Plan.byCount}. */
export const countKey = (characters: number, digits: number): number =>
  characters * COUNT_MAX + digits;

function shapesOf(detector: Detector, index: number): ShapeEntry[] {
  const entry =
    (needsName: boolean) =>
    (source: string): ShapeEntry => ({
      detector: index,
      shape: compileShape(source),
      needsName,
    });
  return [...(detector.free ?? []).map(entry(false)), ...(detector.near ?? []).map(entry(true))];
}

/** What may start at a token, by its first three bytes, and the four that the kernel looks for. */
class Words {
  readonly entries: Map<number, WordEntry[]> = new Map();
  readonly beginnings: Beginning[] = [];

  add(beginning: Beginning, entry: WordEntry): void {
    const key = wordKey(beginning[0], beginning[1], beginning[2]);
    const list = this.entries.get(key) ?? [];
    if (!list.includes(entry)) list.push(entry);
    this.entries.set(key, list);
    this.beginnings.push(beginning);
  }
}

/** Files a shape under its beginnings; false when it has too many to be found by them. */
function addBeginnings(words: Words, entry: ShapeEntry): boolean {
  if (entry.needsName) return false;
  const beginnings = beginningsOf(entry.shape, BEGINNINGS_MAX);
  if (beginnings === undefined) return false;
  const word: WordEntry = { kind: 'shape', lead: leadOf(entry.shape), entry };
  for (const beginning of beginnings) words.add(beginning, word);
  return true;
}

/** The fewest bytes of what starts as a word does; other than shapes they need a sign or a space. */
function tokenBytesMin({ entries }: Words): number {
  let least = LONG_MIN;
  for (const word of [...entries.values()].flat()) {
    if (word.kind !== 'shape') continue;
    const bytes = word.entry.shape.steps.reduce((sum, { min }) => sum + min, 0);
    least = Math.min(least, bytes);
  }
  return least;
}

function countTable(entries: readonly ShapeEntry[]): CountTable {
  const table = Array.from(
    { length: COUNT_MAX * COUNT_MAX },
    (): ShapeEntry[] | undefined => undefined,
  );
  for (const entry of entries) {
    const { compactMin, compactMax, digitsMin, digitsMax } = entry.shape;
    for (let length = compactMin; length <= Math.min(compactMax, COUNT_MAX - 1); length += 1) {
      for (let digits = digitsMin; digits <= Math.min(digitsMax, length); digits += 1) {
        const key = countKey(length, digits);
        const list = table[key] ?? [];
        list.push(entry);
        table[key] = list;
      }
    }
  }
  return table;
}

function bareDigitsOf(entries: readonly ShapeEntry[]): Uint8Array {
  const lengths = new Uint8Array(COUNT_MAX);
  for (let length = 1; length < COUNT_MAX; length += 1) {
    for (const digit of '123456789') {
      const number = ascii(digit.repeat(length));
      if (entries.some(({ shape }) => matchShape(shape, number, 0, length) === length)) {
        lengths[length] = 1;
      }
    }
  }
  return lengths;
}

function sameHints(a: NameHints, b: NameHints): boolean {
  return (
    a.isVersion === b.isVersion &&
    a.isSession === b.isSession &&
    a.hints.length === b.hints.length &&
    a.hints.every(
      ({ detector, weak }, i) => detector === b.hints[i]?.detector && weak === b.hints[i]?.weak,
    )
  );
}
