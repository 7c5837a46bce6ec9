/**
 * What identities did before at each target: in memory while they are here, written behind, so that
 * no command waits for a store. Commands of all sessions of one identity at one target share it.
 *
 * Invariants. A deed is known only after a command that did it went on to the target. What cannot
 * be told (the store did not answer, a bound was reached, a name is too long) is new, and spends a
 * budget whole. Disclosures count from the permit on, so that commands that are judged together
 * count together.
 */
import type { Clock } from '#core/clock.ts';
import type { Facts } from '#core/facts.ts';
import { askedAbout, type Deed, deedsOf, type History } from '#core/history.ts';
import { asEpochMs, type EpochMs } from '#core/ids.ts';
import { type Limits, policyLimits } from '#core/limits.ts';
import type { MaskSet } from '#core/masking.ts';
import type {
  Disclosure,
  FirstDeed,
  HistoryStore,
  Place,
  PlaceHistory,
} from '#core/ports/history.ts';

export interface PastParts {
  readonly store: HistoryStore;
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'historyDeedsMax' | 'historyTotalMax'>;
  /** For the operator's log. */
  readonly warn: (message: string, error: unknown) => void;
}

/** How long what happened may be in memory alone. */
const BEHIND_MS = 500;
/** Characters of a name that is remembered; a longer one is always new. */
const NAME_CHARS_MAX = 1_000;

const keyOf = ({ kind, name, access }: Deed): string => `${kind}\n${access}\n${name}`;

/** The past of one identity at one target. */
class Memory {
  readonly place: Place;
  /** First times by deed, the oldest first. */
  readonly #deeds = new Map<string, EpochMs>();
  /** Times by mask, the oldest first. */
  readonly #disclosures = new Map<string, EpochMs[]>();
  /** Rises when something is forgotten: what was known before may be new by now. */
  generation = 0;
  /** Sessions that use it. */
  users = 0;
  isLoaded = false;
  deedsBehind: FirstDeed[] = [];
  disclosuresBehind: Disclosure[] = [];
  /** Set while what is behind is being written. */
  isWriting = false;

  constructor(place: Place) {
    this.place = place;
  }

  get size(): number {
    let size = this.#deeds.size;
    for (const times of this.#disclosures.values()) size += times.length;
    return size;
  }

  /** Whether nothing is lost when it goes. */
  get isIdle(): boolean {
    const behind = this.deedsBehind.length + this.disclosuresBehind.length;
    return this.users === 0 && behind === 0 && !this.isWriting;
  }

  fill({ deeds, disclosures }: PlaceHistory): void {
    for (const deed of deeds) this.#deeds.set(keyOf(deed), deed.at);
    for (const { mask, at } of disclosures) this.#note(mask, at);
    // What happened while nothing was known yet stands before what was looked up.
    for (const times of this.#disclosures.values()) times.sort((left, right) => left - right);
    this.isLoaded = true;
  }

  firstTime(deed: Deed): EpochMs | undefined {
    return this.isLoaded && isNamed(deed) ? this.#deeds.get(keyOf(deed)) : undefined;
  }

  add(deed: Deed, at: EpochMs, deedsMax: number): void {
    this.#deeds.set(keyOf(deed), at);
    this.deedsBehind.push({ ...deed, at });
    const [oldest] = this.#deeds.keys();
    if (this.#deeds.size <= deedsMax || oldest === undefined) return;
    this.#deeds.delete(oldest);
    this.generation += 1;
  }

  disclose(mask: string, at: EpochMs): void {
    this.#note(mask, at);
    this.disclosuresBehind.push({ mask, at });
  }

  #note(mask: string, at: EpochMs): void {
    const times = this.#disclosures.get(mask) ?? [];
    times.push(at);
    // No budget counts more, nor looks back further than a load does.
    if (times.length > policyLimits.budgetMax) times.shift();
    this.#disclosures.set(mask, times);
  }

  told(mask: string, since: EpochMs): number {
    if (!this.isLoaded) return Number.POSITIVE_INFINITY;
    const times = this.#disclosures.get(mask) ?? [];
    let count = 0;
    while (count < times.length && (times.at(-1 - count) ?? 0) >= since) count += 1;
    return count;
  }
}

const isNamed = ({ name }: Deed): boolean => name !== '' && name.length <= NAME_CHARS_MAX;

/** The pasts of all who are here, and of some who were. */
export class Pasts {
  readonly #parts: PastParts;
  readonly #memories = new Map<string, Memory>();
  readonly #loading = new Map<string, Promise<void>>();
  #cancelWrite: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** Deeds and disclosures in memory, all places together. */
  #total = 0;

  constructor(parts: PastParts) {
    this.#parts = parts;
  }

  /**
   * Opens the past of an identity at a target for one session. Waits for the store; when that does
   * not answer everything is new, until another session opens it.
   *
   * @param masks - those in force for the session, read for each command.
   */
  async open(place: Place, masks: () => MaskSet): Promise<SessionPast> {
    const key = `${place.target}\n${place.identity}`;
    const memory = this.#memories.get(key) ?? new Memory(place);
    this.#memories.delete(key);
    // The places that were opened last stand last.
    this.#memories.set(key, memory);
    memory.users += 1;
    if (!memory.isLoaded) {
      const loading = this.#loading.get(key) ?? this.#load(memory);
      this.#loading.set(key, loading);
      await loading;
      this.#loading.delete(key);
    }
    return new SessionPast({ memory, masks, pasts: this });
  }

  /** Writes what is behind, now; what cannot be written is lost. */
  async close(): Promise<void> {
    this.#cancelWrite?.();
    await this.#write();
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
  }

  /** @internal the command's deeds are done by now. */
  did(memory: Memory, deeds: readonly Deed[]): void {
    if (!memory.isLoaded) return;
    const { clock, limits } = this.#parts;
    for (const deed of deeds) {
      if (!isNamed(deed) || memory.firstTime(deed) !== undefined || !this.#makeRoom()) continue;
      const before = memory.size;
      memory.add(deed, clock.now(), limits.historyDeedsMax);
      this.#total += memory.size - before;
      this.#writeSoon();
    }
  }

  /** @internal one more command that tells something of these masks. */
  told(memory: Memory, masks: readonly string[]): void {
    for (const mask of masks) {
      const before = memory.size;
      memory.disclose(mask, this.#parts.clock.now());
      this.#total += memory.size - before;
    }
    if (masks.length > 0) this.#writeSoon();
  }

  async #load(memory: Memory): Promise<void> {
    const { store, clock, warn } = this.#parts;
    try {
      const since = asEpochMs(clock.now() - policyLimits.budgetMsMax);
      memory.fill(await store.load(memory.place, since));
      this.#total += memory.size;
      this.#makeRoom();
    } catch (thrown) {
      warn('what an identity did before cannot be looked up: all of it counts as new', thrown);
    }
  }

  /** Forgets places where nobody is, the longest unused first; answers whether there is room. */
  #makeRoom(): boolean {
    const { historyTotalMax } = this.#parts.limits;
    if (this.#total < historyTotalMax) return true;
    for (const [key, memory] of this.#memories) {
      if (!memory.isIdle) continue;
      this.#memories.delete(key);
      this.#total -= memory.size;
      if (this.#total < historyTotalMax) return true;
    }
    return false;
  }

  /** For another try. Deeds above the bound would be forgotten, disclosures above it never count. */
  #putBack(memory: Memory, lost: PlaceHistory | undefined): void {
    if (lost === undefined) return;
    const { historyDeedsMax } = this.#parts.limits;
    memory.deedsBehind = [...lost.deeds, ...memory.deedsBehind].slice(-historyDeedsMax);
    memory.disclosuresBehind = [...lost.disclosures, ...memory.disclosuresBehind].slice(
      -historyDeedsMax,
    );
  }

  #writeSoon(): void {
    this.#cancelWrite ??= this.#parts.clock.after(BEHIND_MS, () => {
      void this.#write();
    });
  }

  #write(): Promise<void> {
    this.#cancelWrite = undefined;
    this.#writing = this.#writing.then(() => this.#writeBehind());
    return this.#writing;
  }

  async #writeBehind(): Promise<void> {
    const { store, warn } = this.#parts;
    const behind = [...this.#memories.values()].filter(
      ({ deedsBehind, disclosuresBehind }) => deedsBehind.length + disclosuresBehind.length > 0,
    );
    if (behind.length === 0) return;
    const more = behind.map((memory) => {
      const { place, deedsBehind: deeds, disclosuresBehind: disclosures } = memory;
      memory.deedsBehind = [];
      memory.disclosuresBehind = [];
      memory.isWriting = true;
      return { ...place, deeds, disclosures };
    });
    try {
      await store.save(more);
    } catch (thrown) {
      warn('what identities did is not written yet', thrown);
      for (const [index, memory] of behind.entries()) this.#putBack(memory, more[index]);
      this.#writeSoon();
    } finally {
      for (const memory of behind) memory.isWriting = false;
    }
  }
}

/** What is known of a command in one session, for as long as it stays true. */
interface Known {
  readonly history: History;
  /** Masks that it asks about. */
  readonly asked: readonly string[];
  readonly masks: MaskSet;
  readonly generation: number;
}

/** The past as one session asks about it. */
export class SessionPast {
  readonly #memory: Memory;
  readonly #masks: () => MaskSet;
  readonly #pasts: Pasts;
  /** Of commands that have nothing new in them. */
  readonly #known = new WeakMap<Facts, Known>();
  #isOver = false;

  constructor(parts: {
    readonly memory: Memory;
    readonly masks: () => MaskSet;
    readonly pasts: Pasts;
  }) {
    this.#memory = parts.memory;
    this.#masks = parts.masks;
    this.#pasts = parts.pasts;
  }

  /** The history of a command with these facts; the same object while it says the same. */
  of(facts: Facts): History {
    return this.#know(facts).history;
  }

  /** A command with these facts went on to the target. */
  did(facts: Facts): void {
    if (this.#know(facts).history.novel.length > 0) {
      this.#pasts.did(this.#memory, deedsOf(facts));
    }
  }

  /** A command with these facts may run. */
  told(facts: Facts): void {
    const { asked } = this.#know(facts);
    if (asked.length > 0) this.#pasts.told(this.#memory, asked);
  }

  #know(facts: Facts): Known {
    const { generation } = this.#memory;
    const masks = this.#masks();
    const known = this.#known.get(facts);
    if (known?.masks === masks && known.generation === generation) return known;
    const asked = masksAskedAbout(facts, masks);
    const made = { history: this.#history(facts, asked), asked, masks, generation };
    // What is new may be known with the next command; what is known stays so until it is forgotten.
    if (made.history.novel.length === 0) this.#known.set(facts, made);
    return made;
  }

  #history(facts: Facts, asked: readonly string[]): History {
    const memory = this.#memory;
    const novel: Deed[] = [];
    let latest = 0;
    for (const deed of deedsOf(facts)) {
      const at = memory.firstTime(deed);
      if (at === undefined) novel.push(deed);
      else latest = Math.max(latest, at);
    }
    return {
      novel,
      since: novel.length > 0 ? undefined : asEpochMs(latest),
      told: (since) =>
        asked.length === 0
          ? undefined
          : asked.reduce((most, mask) => Math.max(most, memory.told(mask, since)), 0),
    };
  }

  /** The session is over. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#memory.users -= 1;
  }
}

/** Ids of the masks that a command asks about; a column whose mask cannot be named counts alone. */
function masksAskedAbout(facts: Facts, masks: MaskSet): readonly string[] {
  const names = askedAbout(facts);
  if (names.length === 0) return names;
  const ids = names.map((name) => {
    const [schema = '', table = '', column, ...more] = name.split('.');
    if (column === undefined || more.length > 0) return name;
    return masks.column(schema, table, column)?.id ?? name;
  });
  return [...new Set(ids)];
}
