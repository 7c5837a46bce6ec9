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

/**
 * A connection from the target to another place: `direct-tcpip:HOST:PORT`, each may be `*`.
 * Compared as written: the target resolves the name, so an address is not granted by a name.
 */
export const mayForward = ({ features }: Holder, host: string, port: number): boolean =>
  features.some((feature) => {
    const match = /^direct-tcpip:(.+):(\*|\d{1,5})$/.exec(feature);
    if (match === null) return false;
    const [, grantedHost = '', grantedPort = ''] = match;
    const isHost = grantedHost === '*' || grantedHost.toLowerCase() === host.toLowerCase();
    return isHost && (grantedPort === '*' || Number(grantedPort) === port);
  });
