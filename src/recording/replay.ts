/** Turns what was recorded into lines for a person, in the order in which it happened. */
import type {
  RecordedCommand,
  RecordedParameter,
  RecordedVerdict,
  ReplayLine,
  ReplayRenderer,
} from '#core/ports/recording-archive.ts';
import type { ReadItem } from './archive.ts';
import type { RecordedContext, RecordedSeal } from './documents.ts';
import type { Entry } from './entries.ts';
import { textOf } from './json.ts';
import { printable, printableLine } from '#core/printable.ts';

/** Characters of a parameter that are shown. */
const PARAMETER_CHARS_MAX = 1024;

/** The replay of one recording. */
export class Replay {
  readonly #renderers: Readonly<Record<string, () => ReplayRenderer>>;
  #renderer: ReplayRenderer | undefined;
  #lastUs = 0;

  constructor(renderers: Readonly<Record<string, () => ReplayRenderer>>) {
    this.#renderers = renderers;
  }

  /** The lines of the next item. */
  *lines(item: ReadItem): Generator<ReplayLine> {
    switch (item.kind) {
      case 'context':
        this.#render(item.context.protocol);
        yield { atUs: 0, kind: 'session', text: sessionText(item.context, item.trusted) };
        return;
      case 'entry':
        yield* this.#entry(item.entry);
        return;
      case 'seal':
        yield { atUs: this.#lastUs, kind: 'end', text: sealText(item.seal) };
        return;
      case 'problem': {
        const { kind, block, detail } = item.problem;
        yield { atUs: this.#lastUs, kind: 'problem', text: `${kind}: block ${block}: ${detail}` };
        return;
      }
    }
  }

  #render(protocol: string): void {
    if (Object.hasOwn(this.#renderers, protocol)) this.#renderer = this.#renderers[protocol]?.();
  }

  *#entry(entry: Entry): Generator<ReplayLine> {
    const atUs = entry.kind === 'command' ? entry.command.atUs : entry.atUs;
    this.#lastUs = atUs;
    switch (entry.kind) {
      case 'data':
        for (const text of this.#renderer?.render(entry.direction, entry.bytes) ?? []) {
          yield { atUs, kind: 'answer', text: printable(text) };
        }
        return;
      case 'command':
        yield { atUs, kind: 'command', text: commandText(entry.command) };
        return;
      case 'verdict':
        yield { atUs, kind: 'verdict', text: verdictText(entry.verdict) };
        return;
      case 'mark':
        // From here on it is channels of SSH, whatever the session spoke before.
        if (entry.mark === 'channels') this.#render('ssh');
        yield { atUs, kind: 'mark', text: printableLine(`${entry.mark} ${entry.data}`) };
        return;
    }
  }
}

/** A verdict in one line. */
export function verdictText(verdict: RecordedVerdict): string {
  const { outcome, rule, reason, allowed, code, refusal } = verdict;
  const result = allowed ? 'forwarded' : `refused, ${code}: ${refusal}`;
  return printableLine(`${outcome} by rule ${rule} (${reason}); ${result}`);
}

/** A parameter in one line, as SQL would write it where it can. */
export function parameterText({ bytes, format, type }: RecordedParameter): string {
  if (bytes === null) return 'NULL';
  const shown = bytes.subarray(0, PARAMETER_CHARS_MAX);
  const cut = shown.length < bytes.length ? ` … (${bytes.length} bytes)` : '';
  if (format === 'binary')
    return `'\\x${Buffer.from(shown).toString('hex')}' (binary ${type})${cut}`;
  return `'${printableLine(new TextDecoder().decode(shown)).replaceAll("'", "''")}'${cut}`;
}

function commandText(command: RecordedCommand): string {
  const lines = [printable(command.text)];
  command.parameters.forEach((parameter, index) => {
    lines.push(`  $${index + 1} = ${parameterText(parameter)}`);
  });
  return lines.join('\n');
}

function sessionText(context: RecordedContext, trusted: boolean): string {
  const { session, identity, target, account, protocol, clientAddress, startedAt } = context;
  const who = `${textOf(identity, 'id')} as ${account}@${textOf(target, 'name')}`;
  const when = new Date(startedAt).toISOString();
  const checked = trusted ? '' : '; signatures not checked: no public key is here';
  return printableLine(`${session}: ${who}, ${protocol} from ${clientAddress}, ${when}${checked}`);
}

function sealText(seal: RecordedSeal): string {
  const { state, reason, code, detail, lost } = seal;
  const why = [reason, code ?? '', detail].filter((part) => part !== '').join(', ');
  const missing = lost === undefined ? '' : `; lost: ${lost}`;
  return printableLine(`${state}: ${why}${missing}`);
}
