/**
 * Stands in for a kubelet: a server that says of every request that it was asked, and answers with
 * logs. What gets as far as this would have reached a container or a node.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { Duplex } from 'node:stream';

export interface Kubelet {
  readonly port: number;
  /** Method and path of what was asked since the last call. */
  asked(): readonly string[];
  stop(): Promise<void>;
}

/**
 * @param certificate - files of the certificate that the cluster trusts its nodes by.
 * @param log - what every container has said.
 */
export async function startKubelet(
  certificate: { readonly cert: string; readonly key: string },
  log: string,
): Promise<Kubelet> {
  const seen: string[] = [];
  const server = createServer({
    cert: readFileSync(certificate.cert),
    key: readFileSync(certificate.key),
  });
  server.on('request', (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.setHeader('content-type', 'text/plain');
    response.end(request.url?.startsWith('/containerLogs/') === true ? log : 'the kubelet');
  });
  server.on('upgrade', (request, socket: Duplex) => {
    seen.push(`${request.method} ${request.url}`);
    socket.end('HTTP/1.1 500 Stand-in\r\nContent-Length: 0\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    asked: () => seen.splice(0),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
