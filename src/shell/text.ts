/** Texts before the parser: what it must not be given. */
import { parse, type Script } from 'unbash';
import { Unreadable } from './ledger.ts';

/** Openers of what the parser looks at again, and of what nests. */
const openers = /[$<>](?=\()|\$(?=[{[])|`|\(/g;

/**
 * Parses a text.
 *
 * @throws Unreadable when it is no shell command, or would cost too much to look at.
 */
export function readText(text: string, expansionsMax: number): Script {
  // Control characters are read differently by shells, terminals and people.
  if (hasControl(text)) throw new Unreadable('a control character');
  if (!text.isWellFormed()) throw new Unreadable('not Unicode');
  // In some locales such a character and the backslash behind it are one character.
  if (/[\u{80}-\u{10ffff}][\\`]/u.test(text)) {
    throw new Unreadable('a backslash after a foreign character');
  }
  if ((text.match(openers)?.length ?? 0) > expansionsMax) {
    throw new Unreadable('too many expansions');
  }
  if ((text.match(/<</g)?.length ?? 0) > 32) throw new Unreadable('too many here-documents');
  let script: Script & { readonly errors?: readonly unknown[] | undefined };
  try {
    script = parse(text);
  } catch {
    throw new Unreadable('not a shell command');
  }
  if (script.errors !== undefined) throw new Unreadable('not a shell command');
  return script;
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    // Tab and line feed are the shell's; the last one stands for bytes that were no text.
    if ((code < 0x20 && code !== 9 && code !== 10) || code === 0x7f || code === 0xfffd) return true;
  }
  return false;
}
