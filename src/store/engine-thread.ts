/** The thread behind {@link ThreadedEngine}: one connection, one request at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import { InlineEngine, type SqlValue } from './engine.ts';

/** A statement to run; `sql` null closes the connection and ends the thread. */
export interface EngineRequest {
  readonly id: number;
  readonly sql: string | null;
  readonly parameters: readonly SqlValue[];
}

export type EngineAnswer =
  | { readonly id: number; readonly rows: readonly unknown[]; readonly changes: number }
  | { readonly id: number; readonly failure: string };

const port = parentPort;
const data: unknown = workerData;
if (
  port !== null &&
  typeof data === 'object' &&
  data !== null &&
  'path' in data &&
  typeof data.path === 'string'
) {
  const engine = new InlineEngine(data.path);
  const answer = (message: EngineAnswer): void => port.postMessage(message);
  port.on('message', ({ id, sql, parameters }: EngineRequest) => {
    try {
      if (sql === null) {
        void engine.close();
        answer({ id, rows: [], changes: 0 });
        port.close();
        return;
      }
      answer({ id, ...engine.runNow(sql, parameters) });
    } catch (thrown) {
      answer({ id, failure: String(thrown instanceof Error ? (thrown.cause ?? thrown) : thrown) });
    }
  });
}
