/**
 * Patterns of `matches()`: RE2, so that no text can make one run longer than its length allows.
 * CEL compiles a pattern at each call; patterns here are literals, so they are compiled once.
 */
import { RE2JS } from 're2js';

const PATTERNS_MAX = 1_000;
const compiled = new Map<string, RE2JS>();

/** The engine, in the form that `celEnv` takes. */
export const patterns: { compile(pattern: string): { test(text: string): boolean } } = {
  compile(pattern) {
    const known = compiled.get(pattern);
    if (known !== undefined) return known;
    const fresh = RE2JS.compile(pattern);
    // Reloads bring new patterns; what an old policy used may go.
    if (compiled.size >= PATTERNS_MAX) compiled.clear();
    compiled.set(pattern, fresh);
    return fresh;
  },
};

/** Why a pattern cannot be used, or undefined. */
export function patternFault(pattern: string): string | undefined {
  try {
    patterns.compile(pattern);
    return undefined;
  } catch (thrown) {
    return `not an RE2 pattern: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
}
