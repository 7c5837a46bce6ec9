/**
 * Drivers that Debian ships, each driven by one script, directly and through the gateway: the lines
 * that they print must be the same.
 */
import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ensurePackages } from '../../support/debian.ts';
import { allowEverything, startGateway } from '../../support/gateway.ts';
import { startPostgres } from '../../support/postgres.ts';

const scripts = fileURLToPath(new URL('drivers', import.meta.url));

interface Connection {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

interface Driver {
  readonly name: string;
  readonly command: (connection: Connection) => readonly [string, ...string[]];
}

const dsn = ({ port, user, password }: Connection): string =>
  `host=127.0.0.1 port=${port} user=${user} password=${password} dbname=postgres sslmode=disable`;

export const drivers: readonly Driver[] = [
  {
    name: 'psycopg2',
    command: (to) => ['/usr/bin/python3', `${scripts}/psycopg2_driver.py`, dsn(to)],
  },
  {
    name: 'psycopg3',
    command: (to) => ['/usr/bin/python3', `${scripts}/psycopg3_driver.py`, dsn(to)],
  },
  {
    name: 'pgjdbc',
    command: (to) => [
      'java',
      '-cp',
      '/usr/share/java/postgresql.jar',
      `${scripts}/Pgjdbc.java`,
      `jdbc:postgresql://127.0.0.1:${to.port}/postgres?sslmode=disable`,
      to.user,
      to.password,
    ],
  },
];

/** What the drivers come in; a JDK that is there, whoever's it is, will do. */
export const driverPackages: readonly string[] = [
  'postgresql-15',
  'python3-psycopg2',
  'python3-psycopg',
  'python3-asyncpg',
  'libpostgresql-jdbc-java',
  ...(spawnSync('javac', ['-version']).status === 0 ? [] : ['default-jdk-headless']),
];

/** What a driver's script printed. The issuer of tokens is in this process: it must not block. */
export function drive(driver: Driver, connection: Connection): Promise<string> {
  const [command, ...args] = driver.command(connection);
  return new Promise((resolve) => {
    execFile(command, args, { encoding: 'utf8', timeout: 120_000 }, (error, stdout, stderr) =>
      resolve(error === null ? stdout : `${stdout}\n${stderr}`),
    );
  });
}

export async function compareDrivers(): Promise<boolean> {
  ensurePackages(driverPackages);
  const server = await startPostgres({ version: 15 });
  const gateway = await startGateway({
    targets: [{ name: 'drivers', host: server.host, port: server.port, accounts: ['*'] }],
    policies: { 'policy.yaml': allowEverything },
  });
  let good = true;
  try {
    for (const driver of drivers) {
      const direct = await drive(driver, { port: server.port, user: 'postgres', password: 'none' });
      const through = await drive(driver, {
        port: gateway.port,
        user: 'postgres@drivers',
        password: gateway.credential,
      });
      const same = direct === through && direct.trim() !== '';
      good = good && same;
      console.log(`${driver.name}: ${same ? 'the same' : 'DIFFERS'} (${steps(direct)} steps)`);
      if (!same) console.log(`directly:\n${direct}\nthrough:\n${through}`);
    }
    return good;
  } finally {
    await gateway.stop();
    await server.stop();
  }
}

const steps = (output: string): number => output.trim().split('\n').length;
