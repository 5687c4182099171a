/** Addresses as URLs and gRPC targets write them. */
import { isIPv6 } from 'node:net';

/** `10.0.0.1:50051`, `[fd00::1]:50051`. */
export function hostAndPort(host: string, port: number | string): string {
  return `${urlHost(host)}:${port}`;
}

/** An address of IPv6 stands in brackets. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
