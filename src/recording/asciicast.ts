/**
 * Exports a session as asciicast v3 (https://docs.asciinema.org/manual/asciicast/v3/): what its
 * terminals and commands wrote, as one recording that any asciinema player shows.
 *
 * What was typed is left out: a terminal echoed it into its output, or did not because it was a
 * password. Commands and verdicts are markers. Files and other bytes that are not for eyes are not
 * in it; `raw` and `ndjson` have everything.
 */
import { printableLine } from '#core/printable.ts';
import type { ReadItem } from './archive.ts';
import type { Entry } from './entries.ts';
import { verdictText } from './replay.ts';
import { type ChannelEvent, SshChannels } from './ssh-channels.ts';
import { textOf } from './json.ts';

/** The size of a session that has no terminal. */
const COLUMNS = 80;
const ROWS = 24;
const MARKER_CHARS_MAX = 1_024;

const encoder = new TextEncoder();
const nothing = new Uint8Array(0);

/** Makes the exporter of one recording. */
export function asciicastExporter(): (item: ReadItem) => Uint8Array {
  const cast = new Asciicast();
  return (item) => cast.take(item);
}

class Asciicast {
  #channels = new SshChannels();
  readonly #decoders = new Map<string, InstanceType<typeof TextDecoder>>();
  #lastUs = 0;
  #exit = '0';

  take(item: ReadItem): Uint8Array {
    switch (item.kind) {
      case 'context': {
        const { startedAt, session, account, target } = item.context;
        const head = {
          version: 3,
          term: { cols: COLUMNS, rows: ROWS },
          timestamp: Math.floor(startedAt / 1000),
          title: printableLine(`${account}@${textOf(target, 'name')} ${session}`),
        };
        return encoder.encode(`${JSON.stringify(head)}\n`);
      }
      case 'entry':
        return this.#entry(item.entry);
      case 'seal':
        return this.#line(this.#lastUs, 'x', this.#exit);
      case 'problem':
        return this.#line(this.#lastUs, 'm', printableLine(`problem: ${item.problem.detail}`));
    }
  }

  #entry(entry: Entry): Uint8Array {
    switch (entry.kind) {
      case 'data': {
        const lines: Uint8Array[] = [];
        this.#channels.push(entry.direction, entry.bytes, (event) => {
          lines.push(this.#event(entry.atUs, event));
        });
        return Buffer.concat(lines);
      }
      case 'command': {
        const { atUs, text } = entry.command;
        return this.#line(atUs, 'm', printableLine(text.slice(0, MARKER_CHARS_MAX)));
      }
      case 'verdict':
        return this.#line(entry.atUs, 'm', verdictText(entry.verdict));
      case 'mark':
        // From here on it is channels, whatever the session spoke before.
        if (entry.mark === 'channels') this.#channels = new SshChannels();
        return nothing;
    }
  }

  #event(atUs: number, event: ChannelEvent): Uint8Array {
    switch (event.kind) {
      case 'resized':
        return this.#line(atUs, 'r', `${event.columns}x${event.rows}`);
      case 'exited':
        this.#exit = /^\d+$/.test(event.status) ? event.status : '1';
        return nothing;
      case 'output':
      case 'errors': {
        if (event.isBinary) return nothing;
        const text = this.#decoder(`${event.channel} ${event.kind}`).decode(event.bytes, {
          stream: true,
        });
        // Where no terminal added the carriage returns, a player needs them.
        const shown = event.hasTerminal ? text : text.replaceAll('\n', '\r\n');
        return this.#line(atUs, 'o', shown);
      }
      case 'input':
      case 'started':
        return nothing;
    }
  }

  #decoder(key: string): InstanceType<typeof TextDecoder> {
    let decoder = this.#decoders.get(key);
    if (decoder === undefined) {
      if (this.#decoders.size > 256) this.#decoders.clear();
      decoder = new TextDecoder();
      this.#decoders.set(key, decoder);
    }
    return decoder;
  }

  /** Times are seconds since the event before. */
  #line(atUs: number, code: string, data: string): Uint8Array {
    const seconds = Math.max(0, atUs - this.#lastUs) / 1e6;
    this.#lastUs = Math.max(this.#lastUs, atUs);
    return encoder.encode(`[${seconds.toFixed(6)}, "${code}", ${JSON.stringify(data)}]\n`);
  }
}
