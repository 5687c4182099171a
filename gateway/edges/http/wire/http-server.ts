/** The server beneath the HTTP edge: plain, or TLS with a certificate that may be exchanged while it runs. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { TlsMaterial, TlsSource } from '../../../../platform/tls/tls-material.ts';
import { HTTP_OPTIONS } from './server-options.ts';

/** With `tls`: new handshakes use what is current; running connections stay. */
export function createHttpServer(handler: RequestListener, tls: TlsSource | undefined): Server {
  if (tls === undefined) return createServer(HTTP_OPTIONS, handler);
  const server = createTlsServer({ ...HTTP_OPTIONS, ...contextOf(tls.current) }, handler);
  const end = tls.onChange(() => server.setSecureContext(contextOf(tls.current)));
  server.on('close', end);
  return server;
}

const TLS_VERSION_MIN = 'TLSv1.2';

function contextOf({ certificate, key }: TlsMaterial) {
  return { cert: certificate, key, minVersion: TLS_VERSION_MIN } as const;
}
