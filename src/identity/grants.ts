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
      readonly purpose: string | undefined;
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
   * The grant that lets an identity in; of several the one that lasts longest. A credential that
   * names no purpose gets a grant without one where there is one, and never a choice of purposes:
   * which of them holds must not depend on which lasts longer.
   */
  resolve(identity: Identity, target: Target, wish: GrantWish, now: EpochMs): GrantDecision {
    const decisions = this.#grants
      .filter((grant) => concerns(grant, identity, target))
      .map((grant) => decide(grant, { identity, target, ...wish, now }));
    const allowed = decisions.filter((each) => each.allowed);
    const plain = allowed.filter(({ purpose }) => purpose === wish.purpose);
    const fitting = plain.length > 0 ? plain : allowed;
    if (new Set(fitting.map(({ purpose }) => purpose)).size > 1) {
      return { allowed: false, why: 'the credential has to name a purpose' };
    }
    const [first, ...more] = fitting;
    if (first === undefined) {
      return decisions.at(-1) ?? { allowed: false, why: 'no grant names this identity and target' };
    }
    return more.reduce((best, each) => (each.expiresAt > best.expiresAt ? each : best), first);
  }
}

/** What a session asks for besides its target. */
export interface GrantWish {
  /** As the client named it; undefined: the grant's own. */
  readonly account: string | undefined;
  /** As the credential's scope names it; undefined: it names none. */
  readonly purpose: string | undefined;
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

interface Wish extends GrantWish {
  readonly identity: Identity;
  readonly target: Target;
  readonly now: EpochMs;
}

function decide(grant: GrantConfig, wish: Wish): GrantDecision {
  const { identity, target, account, purpose, now } = wish;
  const no = (why: string): GrantDecision => ({ allowed: false, why: `${grant.id}: ${why}` });
  if (purpose !== undefined && grant.purpose !== purpose) return no('for another purpose');
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
    purpose: grant.purpose,
  };
}
