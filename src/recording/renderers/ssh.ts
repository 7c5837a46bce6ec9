/**
 * Shows an SSH session from its recorded messages: what its channels wrote, line by line, and how
 * they ended. What was typed on a terminal is not shown: the terminal showed it, or it was hidden
 * on purpose. Commands are shown by the index of commands.
 */
import type { ReplayRenderer } from '#core/ports/recording-archive.ts';
import { type ChannelEvent, SshChannels } from '../ssh-channels.ts';

const LINE_CHARS_MAX = 8 * 1024;
const CHANNELS_MAX = 256;

/** Makes the renderer of one session. */
export function sshRenderer(): ReplayRenderer {
  const channels = new SshChannels();
  const open = new Map<string, Lines>();
  let isTold = false;
  return {
    render(direction, bytes) {
      const shown: string[] = [];
      channels.push(direction, bytes, (event) => show(event, open, shown));
      if (channels.isLost && !isTold) {
        isTold = true;
        shown.push('(the rest is not in step and cannot be shown)');
      }
      return shown;
    },
  };
}

function show(event: ChannelEvent, open: Map<string, Lines>, shown: string[]): void {
  switch (event.kind) {
    case 'output':
    case 'errors':
    case 'input': {
      if (event.isBinary || (event.kind === 'input' && event.hasTerminal)) return;
      linesOf(event, open).push(event.bytes, shown);
      return;
    }
    case 'exited':
      for (const key of ['output', 'errors', 'input']) {
        const lines = open.get(`${event.channel} ${key}`);
        lines?.end(shown);
        open.delete(`${event.channel} ${key}`);
      }
      shown.push(`[${event.channel}] (exit ${event.status})`);
      return;
    case 'started':
      shown.push(`[${event.channel}] (started: ${event.what.slice(0, LINE_CHARS_MAX)})`);
      return;
    case 'resized':
      return;
  }
}

function linesOf(
  event: { readonly channel: number; readonly kind: string },
  open: Map<string, Lines>,
): Lines {
  const key = `${event.channel} ${event.kind}`;
  let lines = open.get(key);
  if (lines === undefined) {
    if (open.size >= CHANNELS_MAX) open.clear();
    const mark = { output: '', errors: '! ', input: '< ' }[event.kind] ?? '';
    lines = new Lines(`[${event.channel}] ${mark}`);
    open.set(key, lines);
  }
  return lines;
}

/** Text in lines, whatever way it came; a line that is too long is cut into several. */
class Lines {
  readonly #prefix: string;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  push(bytes: Uint8Array, shown: string[]): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(/\r?\n/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) shown.push(`${this.#prefix}${line.slice(0, LINE_CHARS_MAX)}`);
    while (this.#rest.length > LINE_CHARS_MAX) {
      shown.push(`${this.#prefix}${this.#rest.slice(0, LINE_CHARS_MAX)}`);
      this.#rest = this.#rest.slice(LINE_CHARS_MAX);
    }
  }

  end(shown: string[]): void {
    if (this.#rest !== '') shown.push(`${this.#prefix}${this.#rest}`);
    this.#rest = '';
  }
}
