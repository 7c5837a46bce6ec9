/**
 * Shows the answers of an HTTP session from the recorded bytes: heads and bodies as text, what is
 * no text as a count. A pure function of the bytes, bounded. What the client asked is shown by the
 * index of commands.
 */
import type { ReplayRenderer } from '#core/ports/recording-archive.ts';

const LINE_CHARS_MAX = 4_096;

/** Makes the renderer of one session. */
export function httpRenderer(): ReplayRenderer {
  return new HttpRenderer();
}

class HttpRenderer implements ReplayRenderer {
  #rest: string = '';
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  render(direction: 'from-client' | 'to-client', bytes: Uint8Array): readonly string[] {
    if (direction === 'from-client') return [`  > (${bytes.length} bytes from the client)`];
    if (bytes.includes(0)) {
      // No text; the decoder must not take its end for the beginning of a character.
      this.#decoder.decode();
      return [...this.#flush(), `  (${bytes.length} bytes that are no text)`];
    }
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    const shown = lines.map(line);
    // A body often has no line break at its end: what is here is shown, and goes on below.
    return [...shown, ...this.#flush()];
  }

  #flush(): readonly string[] {
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? [] : [line(rest)];
  }
}

function line(text: string): string {
  const plain = text.endsWith('\r') ? text.slice(0, -1) : text;
  const cut = plain.length > LINE_CHARS_MAX ? ` … (${plain.length} characters)` : '';
  return `  ${plain.slice(0, LINE_CHARS_MAX)}${cut}`;
}
