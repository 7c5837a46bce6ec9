/** Whether values of a type can be read, written and converted without unreviewed code. */
import type { Oid } from './catalogue.ts';
import { emptyScope, type Scope } from './scope.ts';
import { walkText } from './texts.ts';
import { unsafeType } from './traits.ts';
import { clean } from './values.ts';
import type { Walk } from './walk.ts';

/** Types below it came with the server, except those of the catalogues' rows, which are as safe. */
const firstOtherType: Oid = 10_000;

/** Notes what using values of `type` may run: its text functions, its constraints. */
export function checkType(walk: Walk, type: Oid): void {
  const { env, facts } = walk;
  if (type < firstOtherType || env.checkedTypes.has(type)) return;
  env.checkedTypes.add(type);
  const reached = new Set<Oid>();
  const unsafe = unsafeType(env.catalogue, type, reached);
  if (unsafe !== undefined) facts.partial(`type ${unsafe} runs code that is not reviewed`);
  for (const oid of reached) {
    const info = env.catalogue.typeByOid(oid);
    for (const constraint of info?.constraints ?? []) {
      walkText(walk, constraint, constraintScope(info?.baseOid ?? 0));
    }
  }
}

/**
 * In a domain's constraint `VALUE` stands for the value. A constraint only decides whether a value
 * is refused, so nothing is lost by not tracing what the value carries.
 */
function constraintScope(base: Oid): Scope {
  const visible = [{ name: 'value', value: clean(base) }];
  return { ...emptyScope, sources: { items: [], visible, open: false } };
}
