/**
 * What streams into a pod may be. A command is what a grant is for, as with SSH, and is judged;
 * everything else is a right of its own, which the grant names as a feature. A person has a
 * terminal, a shell and what runs already without one, since the policy still has to allow it.
 */
import type { SessionContext } from '#core/command.ts';

type Holder = Pick<SessionContext, 'features'> & {
  readonly identity: Pick<SessionContext['identity'], 'kind'>;
};

const has = ({ identity, features }: Holder, ...names: readonly string[]): boolean =>
  identity.kind === 'human' || names.some((name) => features.includes(name));

/** A pseudo-terminal: programs behave as if somebody watched. */
export const mayHaveTerminal = (holder: Holder): boolean => has(holder, 'pty', 'shell');

/** A shell that is told what to do, which cannot be judged command by command. */
export const mayHaveShell = (holder: Holder): boolean => has(holder, 'shell');

/** The streams of a program that runs already. */
export const mayAttach = (holder: Holder): boolean => has(holder, 'attach');

/** A connection to a port of a pod: `port-forward`, or `port-forward:PORT` for that one alone. */
export const mayForward = ({ features }: Holder, port: number): boolean =>
  features.includes('port-forward') || features.includes(`port-forward:${port}`);
