/** The event thread: owns the one connection that writes events, and the outbox file. */
import { parentPort, workerData } from 'node:worker_threads';
import { EventStore } from './event-store.ts';

/** What the thread is started with. */
export interface EventThreadData {
  readonly path: string;
  readonly file: string;
  readonly rotateBytes: number;
}

/** The lines of a batch as one text, which crosses threads far cheaper than objects; null: close. */
export interface EventRequest {
  readonly id: number;
  readonly batch: string | null;
}

/** `id` 0 is the answer to the start: where numbers go on. */
export type EventAnswer =
  | { readonly id: number; readonly lastNumber: number }
  | { readonly id: number; readonly failure: string };

function serve(data: EventThreadData): void {
  const port = parentPort;
  if (port === null) return;
  const answer = (message: EventAnswer): void => port.postMessage(message);
  const failed = (id: number, thrown: unknown): void =>
    answer({ id, failure: thrown instanceof Error ? thrown.message : String(thrown) });
  let store: EventStore;
  try {
    store = new EventStore(data.path, data.file, data.rotateBytes);
    answer({ id: 0, lastNumber: store.lastNumber });
  } catch (thrown) {
    failed(0, thrown);
    return;
  }
  port.on('message', ({ id, batch }: EventRequest) => {
    try {
      if (batch === null) store.close();
      else store.append(batch.split('\n'));
      answer({ id, lastNumber: store.lastNumber });
      if (batch === null) port.close();
    } catch (thrown) {
      failed(id, thrown);
    }
  });
}

serve(workerData);
