/** What the reviewed lists say of a function. */
import type { FunctionInfo } from './catalogue.ts';

/** Everything known of a function before its review is looked up. */
export type FunctionIdentity = Omit<FunctionInfo, 'safety' | 'effects'>;

export type Review = Pick<FunctionInfo, 'safety' | 'effects'>;

const unreviewed: Review = { safety: 'unknown', effects: [] };

export function reviewOf(
  _info: FunctionIdentity,
  _typeNames: readonly string[],
  _library: string | undefined,
): Review {
  return unreviewed;
}
