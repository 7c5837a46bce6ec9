/**
 * What a `git push` asks for, before its pack: the lines of gitprotocol-pack's `update-requests`,
 * each behind its length in four hexadecimal digits, up to the flush packet `0000`.
 */
/** A change of one ref. Whether an update keeps the history is not known from it. */
export interface RefChange {
  readonly kind: 'create' | 'update' | 'delete';
  /** Its full name, such as `refs/heads/main`. */
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** Changes of one push; more are refused. */
const CHANGES_MAX = 1_000;
/** Bytes of the list of changes; it has to fit into the window of a channel. */
const LIST_BYTES_MAX = 256 * 1024;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What was read of a list: all of it, not all of it yet, or why it is none that is looked at. */
export type RefList =
  | { readonly kind: 'changes'; readonly changes: readonly RefChange[] }
  | { readonly kind: 'more' }
  | { readonly kind: 'refused'; readonly reason: string };

const refused = (reason: string): RefList => ({ kind: 'refused', reason });

/** Reads the list of changes. What is signed is refused like what is not known. */
export class RefListReader {
  readonly #changes: RefChange[] = [];
  #at = 0;

  /** Goes on where it stopped; `bytes` is everything that came so far. */
  read(bytes: Uint8Array): RefList {
    while (this.#at + 4 <= bytes.length) {
      const start = this.#at + 4;
      const digits = decode(bytes.subarray(this.#at, start)) ?? '';
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) return refused('no packet of git');
      const length = Number.parseInt(digits, 16);
      if (length === 0) return { kind: 'changes', changes: this.#changes };
      if (length < 5) return refused('no packet of git');
      const end = this.#at + length;
      if (end > LIST_BYTES_MAX || this.#changes.length >= CHANGES_MAX) {
        return refused('a push of more refs than are looked at');
      }
      if (end > bytes.length) break;
      const text = decode(bytes.subarray(start, end));
      const change = text === undefined ? undefined : readLine(text, this.#changes.length === 0);
      if (change === undefined) return refused('a line of a push that is not known');
      if (change !== 'shallow') this.#changes.push(change);
      this.#at = end;
    }
    return { kind: 'more' };
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const line = /^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs\/\S+)$/;
/** What `git check-ref-format` never lets through. */
const notInName = /[~^:?*[\\\p{Cc}]|\.\./u;

/** One line; undefined when it is not known. */
function readLine(text: string, isFirst: boolean): RefChange | 'shallow' | undefined {
  // Behind the first change are the client's capabilities.
  const end = isFirst ? text.indexOf('\0') : -1;
  const words = (end < 0 ? text : text.slice(0, end)).replace(/\n$/, '');
  if (/^shallow ([0-9a-f]{40}|[0-9a-f]{64})$/.test(words)) return 'shallow';
  const [, from = '', to = '', name = ''] = line.exec(words) ?? [];
  const isNothing = (id: string): boolean => /^0*$/.test(id);
  const isKnown = name !== '' && !notInName.test(name) && from.length === to.length;
  if (!isKnown || (isNothing(from) && isNothing(to))) return undefined;
  return { kind: isNothing(from) ? 'create' : isNothing(to) ? 'delete' : 'update', name, from, to };
}
