/**
 * The one table of detectors. Policies name what is in it, the engine runs what is in it, the
 * reference in `docs/reference/detectors.md` is made from it.
 */
import { contactDetectors } from './contact.ts';
import type { Detector } from './detector.ts';
import { deviceDetectors } from './device.ts';
import { financialDetectors } from './financial.ts';
import { americanDetectors } from './national-americas.ts';
import { europeanDetectors } from './national-europe.ts';
import { furtherNationalDetectors } from './national-further.ts';
import { otherNationalDetectors } from './national-rest.ts';
import { furtherSecrets } from './secrets-further.ts';
import { namedSecrets, prefixedSecrets, specialCategories } from './secrets.ts';

/** Every detector; its place is its number. */
export const detectors: readonly Detector[] = [
  ...contactDetectors,
  ...financialDetectors,
  ...deviceDetectors,
  ...americanDetectors,
  ...europeanDetectors,
  ...otherNationalDetectors,
  ...furtherNationalDetectors,
  ...prefixedSecrets,
  ...furtherSecrets,
  ...namedSecrets,
  ...specialCategories,
];

/** Every name that a policy may use under `detect`: detectors and groups. */
export const knownDetectors: ReadonlySet<string> = new Set(
  detectors.flatMap((detector) => [detector.name, ...detector.groups]),
);

/** The detectors that a name stands for: itself, or the members of a group. */
export function detectorsNamed(name: string): readonly Detector[] {
  return detectors.filter(
    (detector) => detector.name === name || detector.groups.some((group) => group === name),
  );
}
