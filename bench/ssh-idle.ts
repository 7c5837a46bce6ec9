/** What an idle session costs in memory: logged in, one command that waits for input. */
import { Client } from 'ssh2';
import { residentKilobytes } from './process.ts';

/** Sessions whose cost is the first ones': code is compiled, pools are filled. */
const FIRST = 50;

/** Opens sessions through the gateway, and answers kilobytes of each. */
export async function idleKilobytes(options: {
  readonly port: number;
  readonly secret: string;
  readonly pid: number;
  readonly count: number;
}): Promise<number> {
  const { pid, count } = options;
  const clients: Client[] = [];
  const open = async (more: number): Promise<void> => {
    for (let at = 0; at < more; at += 1) clients.push(await openIdle(options));
  };
  try {
    await open(FIRST);
    const before = residentKilobytes(pid);
    await open(count);
    return Math.round((residentKilobytes(pid) - before) / count);
  } finally {
    for (const client of clients) client.destroy();
  }
}

function openIdle({
  port,
  secret,
}: {
  readonly port: number;
  readonly secret: string;
}): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.once('error', reject);
    client.once('ready', () => {
      client.exec('cat', (error) => {
        if (error === undefined) resolve(client);
        else reject(error);
      });
    });
    client.connect({ host: '127.0.0.1', port, username: 'deploy@web', password: secret });
  });
}
