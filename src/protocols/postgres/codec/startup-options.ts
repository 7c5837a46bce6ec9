/**
 * The `options` start-up parameter: a command line in one string, with rules of its own. White
 * space separates, a backslash takes the next character as it is, and only settings are legal:
 * `-c name=value`, `-cname=value`, `--name=value`. In names `-` means `_`.
 */
import { GatewayError } from '#core/errors.ts';

const space = /^[ \t\n\v\f\r]$/;

/** Splits as PostgreSQL does. A backslash at the very end stands for nothing. */
export function splitOptions(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at += 1) {
    let letter = text.charAt(at);
    if (space.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    if (letter === '\\') {
      at += 1;
      letter = text.charAt(at);
    }
    word = (word ?? '') + letter;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/**
 * The settings of an `options` value, in order, names in lower case.
 *
 * @throws GatewayError `SP_UNSUPPORTED` for every other switch, `SP_FRAME_MALFORMED` for a setting
 * without a value.
 */
export function readOptions(text: string): (readonly [name: string, value: string])[] {
  const words = splitOptions(text);
  const settings: (readonly [string, string])[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    let setting: string | undefined;
    if (word === '-c') {
      at += 1;
      setting = words[at];
    } else if (word.startsWith('-c') || (word.startsWith('--') && word.length > 2)) {
      setting = word.slice(2);
    } else {
      throw new GatewayError('SP_UNSUPPORTED', {
        detail: 'a command-line switch in "options" that is not -c or --name=value',
      });
    }
    const equals = setting?.indexOf('=') ?? -1;
    if (setting === undefined || equals < 1) {
      throw new GatewayError('SP_FRAME_MALFORMED', {
        detail: '"options" has a setting without a value',
      });
    }
    const name = setting.slice(0, equals).replaceAll('-', '_').toLowerCase();
    settings.push([name, setting.slice(equals + 1)]);
  }
  return settings;
}
