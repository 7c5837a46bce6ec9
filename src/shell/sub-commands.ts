/** Programs whose first operand says what they do: `systemctl`, `docker`, `kubectl`. */
import type { Effect } from '#core/facts.ts';
import { textOf } from './arguments.ts';
import type { Call } from './call.ts';
import { applyGrammar, type Grammar, hasAny, readLine } from './grammar.ts';
import type { Role } from './roles.ts';

/** A sub-command: what it does, and the role of what follows. */
export interface Sub {
  readonly does: readonly Effect[];
  readonly rest?: Role;
  readonly grammar?: Grammar;
  /** Reads what follows by itself: a program with sub-commands of its own. */
  readonly inner?: (call: Call) => void;
}

/**
 * A program whose first operand says what it does; what is not in its table is a doubt, and may do
 * `otherwise`. `alone` is what it does without a command, where that is certain.
 */
export function subCommands(
  global: Grammar,
  table: Readonly<Record<string, Sub>>,
  otherwise: readonly Effect[],
  alone?: readonly Effect[],
): (call: Call) => void {
  return (call) => {
    const { ledger } = call;
    const line = readLine(call, { ...global, stops: true });
    const [verb, ...args] = line.operands;
    if (verb === undefined) {
      if (alone === undefined && !hasAny(line, 'help version h V')) {
        ledger.doubt(`${call.name} without a command`);
      }
      ledger.effect(...(alone ?? []));
      return;
    }
    const name = textOf(verb) ?? '';
    const sub = Object.hasOwn(table, name) ? table[name] : undefined;
    if (sub === undefined) {
      ledger.effect(...otherwise);
      ledger.doubt(`what ${call.name} ${name.slice(0, 30)} does`);
      return;
    }
    ledger.verb(`${call.name} ${name}`);
    ledger.effect(...sub.does);
    if (sub.inner !== undefined) {
      sub.inner({ ...call, name: `${call.name} ${name}`, args });
      return;
    }
    const rest = sub.rest === undefined ? {} : { rest: sub.rest };
    applyGrammar({ ...call, args }, { ...global, ...sub.grammar, ...rest });
  };
}

/** The same row for several sub-commands, separated by blanks. */
export const subs = (
  words: string,
  does: readonly Effect[],
  rest?: Role,
  grammar?: Grammar,
): Readonly<Record<string, Sub>> =>
  Object.fromEntries(
    words.split(' ').map((word) => [
      word,
      {
        does,
        ...(rest === undefined ? {} : { rest }),
        ...(grammar === undefined ? {} : { grammar }),
      },
    ]),
  );
