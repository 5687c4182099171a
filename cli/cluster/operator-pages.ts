/** What the operator answers over HTTP: `/healthz`, `/readyz`, `/metrics`. Nothing else. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '../../platform/metrics/registry.ts';

export interface OperatorPages {
  /** `host:port` as it was bound. */
  readonly address: string;
  close(): void;
}

export interface PagesOptions {
  readonly host: string;
  readonly port: number;
  readonly metrics: Metrics;
  /** What is missing before it can take over; undefined: nothing. */
  readonly notReady: () => string | undefined;
}

/** Rejects when the address cannot be had. */
export async function serveOperatorPages(options: PagesOptions): Promise<OperatorPages> {
  const { host, port, metrics, notReady } = options;
  const server = createServer((request, response) => {
    switch (request.url) {
      case '/healthz':
        text(response, 200, 'ok');
        return;
      case '/readyz': {
        const missing = notReady();
        text(response, missing === undefined ? 200 : 503, missing ?? 'ok');
        return;
      }
      case '/metrics':
        return void metrics.text([]).then(
          (page) => response.writeHead(200, { 'content-type': metrics.contentType }).end(page),
          () => response.writeHead(500).end(),
        );
      default:
        text(response, 404, 'not found');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return {
    address: `${host}:${bound.port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(`${body}\n`);
}
