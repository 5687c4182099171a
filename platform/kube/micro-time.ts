/** Times as the kinds with microseconds have them (leases, events): the API server refuses fewer than six digits. */
export function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}
