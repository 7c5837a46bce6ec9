/**
 * What a channel may be. Commands and file operations are what a grant of an SSH target is for, and
 * each is judged; everything else on a connection is a right of its own, which the grant names as a
 * feature. A person has a terminal and a shell without one, since the policy still has to allow it.
 */
import type { SessionContext } from '#core/command.ts';

type Holder = Pick<SessionContext, 'features' | 'identity'>;

const isPerson = ({ identity }: Holder): boolean => identity.kind === 'human';

/** A pseudo-terminal: programs behave as if somebody watched. */
export const mayHaveTerminal = (holder: Holder): boolean =>
  isPerson(holder) || holder.features.includes('pty') || holder.features.includes('shell');

/** An interactive shell, which cannot be judged command by command. */
export const mayHaveShell = (holder: Holder): boolean =>
  isPerson(holder) || holder.features.includes('shell');

/** The client's agent, which signs with the keys of whoever runs it, lent to the target. */
export const mayLendAgent = ({ features }: Pick<SessionContext, 'features'>): boolean =>
  features.includes('agent');
