/**
 * Which identities reach which targets, with which accounts, when and for how long. Pure. What no
 * grant names is out of reach; a grant never lengthens what the credential allows.
 */
import { GatewayError } from '#core/errors.ts';
import type { Identity } from '#core/identity.ts';
import { asEpochMs, type EpochMs } from '#core/ids.ts';
import { selectsIdentity, selectsTarget } from '#core/selectors.ts';
import { type Account, accountNamed, type Target } from '#core/target.ts';
import type { GrantConfig } from './config.ts';
import { windowEnd } from './hours.ts';

/** What the grants say of one wish. */
export type GrantDecision =
  | {
      readonly allowed: true;
      readonly grant: string;
      readonly account: Account;
      /** The session ends at this time at the latest. */
      readonly expiresAt: EpochMs;
      readonly features: readonly string[];
    }
  | { readonly allowed: false; readonly why: string };

export class Grants {
  readonly #grants: readonly GrantConfig[];

  constructor(grants: readonly GrantConfig[]) {
    const ids = new Set(grants.map(({ id }) => id));
    if (ids.size !== grants.length) {
      throw new GatewayError('SP_CONFIG', { detail: 'two grants have one id' });
    }
    this.#grants = grants;
  }

  /**
   * The grant that lets an identity in; of several the one that lasts longest.
   *
   * @param account - as the client named it; undefined: the grant's own.
   */
  resolve(
    identity: Identity,
    target: Target,
    account: string | undefined,
    now: EpochMs,
  ): GrantDecision {
    let best: GrantDecision = { allowed: false, why: 'no grant names this identity and target' };
    for (const grant of this.#grants) {
      if (!concerns(grant, identity, target)) continue;
      const decision = decide(grant, { identity, target, account, now });
      const better = !best.allowed || (decision.allowed && decision.expiresAt > best.expiresAt);
      if (better) best = decision;
    }
    return best;
  }
}

function concerns(grant: GrantConfig, identity: Identity, target: Target): boolean {
  return (
    grant.identities.some((selector) => selectsIdentity(selector, identity)) &&
    grant.targets.some((selector) => selectsTarget(selector, target)) &&
    Object.entries(grant.claims).every(
      ([name, values]) =>
        Object.hasOwn(identity.claims, name) && values.includes(identity.claims[name] ?? ''),
    )
  );
}

interface Wish {
  readonly identity: Identity;
  readonly target: Target;
  readonly account: string | undefined;
  readonly now: EpochMs;
}

function decide(grant: GrantConfig, { identity, target, account, now }: Wish): GrantDecision {
  const no = (why: string): GrantDecision => ({ allowed: false, why: `${grant.id}: ${why}` });
  if (grant.from !== undefined && now < grant.from) return no('not yet');
  if (grant.until !== undefined && now >= grant.until) return no('no longer');
  const end = grant.hours === undefined ? Number.POSITIVE_INFINITY : windowEnd(grant.hours, now);
  if (end === undefined) return no('not at this hour');
  const [only] = grant.accounts.length === 1 ? grant.accounts.filter((each) => each !== '*') : [];
  const name = account ?? grant.defaultAccount ?? only;
  if (name === undefined) return no('the client has to name an account');
  // `*` grants every account that the target has.
  if (!grant.accounts.includes(name) && !grant.accounts.includes('*')) return no('another account');
  const found = accountNamed(target, name);
  if (found === undefined) return no('the target has no such account');
  const expiresAt = Math.min(
    identity.expiresAt,
    grant.until ?? Number.POSITIVE_INFINITY,
    end,
    now + (grant.sessionMax ?? Number.POSITIVE_INFINITY),
  );
  if (expiresAt <= now) return no('over');
  return {
    allowed: true,
    grant: grant.id,
    account: found,
    expiresAt: asEpochMs(expiresAt),
    features: grant.features,
  };
}
