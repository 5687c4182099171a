/**
 * Where no token protects the gateway, the browser of whoever runs it must not either be used against it: only requests for this
 * machine's own names are served (DNS rebinding), and none that another site's page sends.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { urlHost } from '../../../../platform/host-and-port.ts';
import { HttpError } from './problem.ts';

const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

export type HostGuard = (headers: IncomingHttpHeaders) => void;

export const allowAnyHost: HostGuard = () => undefined;

/** @param listenHost as configured; its name or address is allowed too. @returns throws FORBIDDEN. */
export function createHostGuard(listenHost: string): HostGuard {
  const own = urlHost(listenHost).toLowerCase();
  return ({ host = '', origin }) => {
    const name = host.replace(/:\d*$/, '').toLowerCase();
    if (!LOOPBACK.test(name) && name !== own)
      throw new HttpError(
        'FORBIDDEN',
        `this gateway has no tokens and serves its own machine only, under its names and not as ${JSON.stringify(host)}: call localhost, or start it with --tokens`,
        {
          field: 'host',
        },
      );
    if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`)
      throw new HttpError(
        'FORBIDDEN',
        'this gateway has no tokens and takes no requests of pages from elsewhere: start it with --tokens',
        { field: 'origin' },
      );
  };
}
