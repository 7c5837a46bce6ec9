/**
 * Whether a sed script only edits the stream: GNU sed can run commands (`e`, and the flag of `s`)
 * and read and write files (`r`, `R`, `w`, `W`). Read by hand, since only this much is needed:
 * addresses, and the commands that print and change the line.
 */

/** Whether a script has nothing but the commands known here. */
export function isPlainSed(script: string): boolean {
  if (!/^[\x20-\x7e\n\t]*$/.test(script)) return false;
  let at = 0;
  for (let bound = 0; bound < 200; bound += 1) {
    at += /^[\s;{}]*/.exec(script.slice(at))?.[0].length ?? 0;
    if (at >= script.length) return true;
    const next = oneCommand(script, at);
    if (next === undefined) return false;
    at = next;
  }
  return false;
}

/** The end of the command at `start`, addresses before it included. */
function oneCommand(script: string, start: number): number | undefined {
  let at = address(script, start);
  if (at === undefined) return undefined;
  if (script[at] === ',') {
    at = address(script, at + 1);
    if (at === undefined) return undefined;
  }
  at += /^[ !]*/.exec(script.slice(at))?.[0].length ?? 0;
  const command = script[at] ?? '';
  if (command === '{') return at + 1;
  if (command === 's' || command === 'y') return substitution(script, at + 1, command);
  if (/[qQ]/.test(command)) return ended(script, /^[qQ] *\d{0,3}/, at);
  if (command === ':') return ended(script, /^: *\w+/, at);
  if (/[btT]/.test(command)) return ended(script, /^[btT] *\w*/, at);
  if (/[aic]/.test(command)) return textLine(script, at + 1);
  return /[pdDPnNgGhHxl=]/.test(command) ? ended(script, /^./, at) : undefined;
}

/** The text of `a`, `i` and `c` on the same line: without a backslash it ends with the line. */
function textLine(script: string, start: number): number | undefined {
  const text = /^[ \t]*[^\s\\][^\n\\]*(?=\n|$)/.exec(script.slice(start));
  return text === null ? undefined : start + text[0].length;
}

/** After a command there is only a separator. */
function ended(script: string, command: RegExp, at: number): number | undefined {
  const end = at + (command.exec(script.slice(at))?.[0].length ?? 1);
  return /^[ \t]*([;\n}]|$)/.test(script.slice(end)) ? end : undefined;
}

/** The end of a number, `$` or `/pattern/`; the start where there is none. */
function address(script: string, start: number): number | undefined {
  const plain = /^(\d+(~\d+)?|\$|[+~]\d+)/.exec(script.slice(start));
  if (plain !== null) return start + plain[0].length;
  if (script[start] !== '/') return start;
  const end = delimited(script, start + 1, '/');
  if (end === undefined) return undefined;
  return end + (/^[IM]*/.exec(script.slice(end))?.[0].length ?? 0);
}

function substitution(script: string, start: number, command: string): number | undefined {
  const mark = script[start] ?? '';
  if (!/[/|,#:!@%_=]/.test(mark)) return undefined;
  const middle = delimited(script, start + 1, mark);
  const end = middle === undefined ? undefined : delimited(script, middle, mark);
  if (end === undefined) return undefined;
  return ended(script, command === 's' ? /^[gpiIM0-9]*/ : /^/, end);
}

/** Behind the next unescaped mark; brackets with the mark in them are read in two ways. */
function delimited(script: string, start: number, mark: string): number | undefined {
  for (let at = start; at < script.length; at += 1) {
    const char = script[at];
    if (char === '\n') return undefined;
    if (char === '\\') at += 1;
    else if (char === mark) {
      const inside = script.slice(start, at);
      return inside.includes('[') && !/^([^[]|\[[^\]]+\])*$/.test(inside) ? undefined : at + 1;
    }
  }
  return undefined;
}
