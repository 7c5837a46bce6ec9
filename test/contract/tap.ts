/**
 * Stands between the gateway and a target: records every byte that reaches the target, and hands
 * its
 * answers on in pieces of a chosen size, so that values are cut anywhere.
 */
import { createServer, connect, type Socket } from 'node:net';

export interface Tap {
  readonly port: number;
  /** Everything that the gateway sent to the target, over all connections. */
  received(): Buffer;
  /** Bytes of one piece of an answer; 0 leaves answers as they come. */
  pieceBytes: number;
  /** Connections that are open. */
  readonly open: number;
  stop(): Promise<void>;
}

export async function startTap(target: {
  readonly host: string;
  readonly port: number;
}): Promise<Tap> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const tap = { pieceBytes: 0 };
  let open = 0;
  const server = createServer((near) => {
    const far = connect(target.port, target.host);
    open += 1;
    near.setNoDelay(true);
    far.setNoDelay(true);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    near.on('data', (chunk) => {
      chunks.push(chunk);
      far.write(chunk);
    });
    far.on('data', (chunk) => {
      const size = tap.pieceBytes === 0 ? chunk.length : tap.pieceBytes;
      for (let at = 0; at < chunk.length; at += size) near.write(chunk.subarray(at, at + size));
    });
    near.on('close', () => {
      open -= 1;
      far.destroy();
    });
    far.on('close', () => near.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return Object.defineProperties(
    {
      port: typeof address === 'object' && address !== null ? address.port : 0,
      received: () => Buffer.concat(chunks),
      pieceBytes: 0,
      open: 0,
      async stop() {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      },
    },
    {
      pieceBytes: {
        get: () => tap.pieceBytes,
        set: (value: number) => {
          tap.pieceBytes = value;
        },
      },
      open: { get: () => open },
    },
  );
}
