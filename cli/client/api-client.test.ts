import { createServer as createPlainServer, type Server as PlainServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { issueFor, makeAuthority } from '../../test/builders/certificates.ts';
import { EXIT_CODES } from '../exit-code.ts';
import { createApiClient } from './api-client.ts';

let server: Server | PlainServer | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function listening(started: Server | PlainServer): Promise<number> {
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return (started.address() as AddressInfo).port;
}

it('says whose certificate it cannot check, and how to name the authority', async () => {
  const { certificate, key } = await issueFor(makeAuthority('ours'), 'localhost');
  const port = await listening(createServer({ cert: certificate, key }));
  const client = createApiClient({ server: `https://localhost:${port}` });
  await expect(client.call('GET', '/readyz')).rejects.toMatchObject({
    message: `cannot reach https://localhost:${port}: its certificate is signed by an authority that is not known here`,
    advice: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    exitCode: EXIT_CODES.Unavailable,
  });
});

it('says that a server speaks no TLS', async () => {
  const port = await listening(createPlainServer());
  const client = createApiClient({ server: `https://localhost:${port}` });
  await expect(client.call('GET', '/readyz')).rejects.toMatchObject({
    message: `cannot reach https://localhost:${port}: it speaks no TLS`,
    advice: expect.stringContaining('http://'),
  });
});
