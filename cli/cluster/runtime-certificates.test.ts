/** The certificates of runtimes while one authority takes the place of another: whoever trusts what it did so far is shown nothing else. */
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import type { Log } from '../../platform/log.ts';
import { silentLog } from '../../platform/log.ts';
import type { KeyPairPem } from '../../platform/tls/issue-certificate.ts';
import { type TlsMaterial, tlsMaterialOf } from '../../platform/tls/tls-material.ts';
import { issueFor, makeAuthority, makeIntermediate } from '../../test/builders/certificates.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { AUTHORITY_SETTLES_MS, RuntimeCertificates } from './runtime-certificates.ts';

const POOL = 'team~main';
const NAME = 'main.team.runtime.agentpool.dev';
const DAY_MS = 86_400_000;
// One takes the place of another under its name, as cert-manager renews them.
const [first, second] = [makeAuthority('inside'), makeAuthority('inside')];

const caOf = (...authorities: readonly KeyPairPem[]): string =>
  authorities.map(({ certificate }) => certificate.trim()).join('\n');

async function operatorOf(authority: KeyPairPem): Promise<{
  link: { current: TlsMaterial };
  authority: { current: KeyPairPem };
  clock: FakeClock;
  said: string[];
  log: Log;
  start: () => RuntimeCertificates;
}> {
  const own = await issueFor(authority, 'operator.agentpool.dev');
  const said: string[] = [];
  const world = {
    link: { current: { ...own, ca: caOf(authority) } as TlsMaterial },
    authority: { current: authority },
    clock: new FakeClock(1_000_000, Date.now()),
    said,
    log: { ...silentLog, error: (message: string) => said.push(message) },
  };
  return { ...world, start: () => new RuntimeCertificates(world) };
}

const isBy = ({ certificate, key }: KeyPairPem, ...trusted: readonly KeyPairPem[]): boolean => {
  try {
    tlsMaterialOf({ 'tls.crt': certificate, 'tls.key': key, 'ca.crt': caOf(...trusted) });
    return true;
  } catch {
    return false;
  }
};

describe('an authority that operator and gateways do not trust yet', () => {
  it('changes no certificate, and is told once', async () => {
    const world = await operatorOf(first);
    const certificates = world.start();
    const before = await certificates.pairFor(POOL, undefined);
    world.authority.current = second;
    for (const hours of [0, 6, 12]) {
      await world.clock.advance(hours * 3_600_000);
      expect(await certificates.pairFor(POOL, before)).toBe(before);
    }
    expect(world.said).toEqual([expect.stringMatching(/ca\.crt.*does not hold.*helm upgrade/)]);
  });

  it('is trusted by runtimes at once, beside the one before', async () => {
    const world = await operatorOf(first);
    const certificates = world.start();
    expect(certificates.ca).toBe(caOf(first));
    world.authority.current = second;
    expect(certificates.ca.trim()).toBe(caOf(first, second));
    for (const one of [first, second])
      expect(await handshake(await issueFor(one, NAME), certificates.ca)).toBe('trusted');
  });

  it('signs nothing for new pools either: the one before does', async () => {
    const world = await operatorOf(first);
    const certificates = world.start();
    world.authority.current = second;
    expect(isBy(await certificates.pairFor(POOL, undefined), first)).toBe(true);
  });

  it('leaves an operator that does not know the one before with what runtimes have', async () => {
    const world = await operatorOf(first);
    const before = await world.start().pairFor(POOL, undefined);
    world.authority.current = second;
    const later = world.start();
    expect(await later.pairFor(POOL, before)).toBe(before);
    // Renewal is due, and cannot be.
    await world.clock.advance(1.8 * DAY_MS);
    expect(await later.pairFor(POOL, before)).toBe(before);
    const refused = { reason: 'ReconcileFailed', message: expect.stringContaining('helm upgrade') };
    await expect(later.pairFor('team~other', undefined)).rejects.toMatchObject(refused);
    await world.clock.advance(DAY_MS);
    await expect(later.pairFor(POOL, before)).rejects.toMatchObject(refused);
  });
});

describe('once operator and gateways trust it beside the one before', () => {
  it('it signs, when all have had the time to hear of it', async () => {
    const world = await operatorOf(first);
    const certificates = world.start();
    const before = await certificates.pairFor(POOL, undefined);
    world.authority.current = second;
    expect(await certificates.pairFor(POOL, before)).toBe(before);
    world.link.current = { ...world.link.current, ca: caOf(second, first) };
    expect(await certificates.pairFor(POOL, before)).toBe(before);
    expect(isBy(await certificates.pairFor('team~other', undefined), first)).toBe(true);
    await world.clock.advance(AUTHORITY_SETTLES_MS);
    const after = await certificates.pairFor(POOL, before);
    expect([isBy(after, first), isBy(after, second)]).toEqual([false, true]);
    expect(await handshake(after, world.link.current.ca)).toBe('trusted');
    expect(await certificates.pairFor(POOL, after)).toBe(after);
  });

  it('an operator that starts waits as long with those that are there', async () => {
    const world = await operatorOf(first);
    const before = await world.start().pairFor(POOL, undefined);
    world.authority.current = second;
    world.link.current = { ...world.link.current, ca: caOf(second, first) };
    const later = world.start();
    expect(await later.pairFor(POOL, before)).toBe(before);
    expect(isBy(await later.pairFor('team~other', undefined), second)).toBe(true);
    await world.clock.advance(AUTHORITY_SETTLES_MS);
    expect(isBy(await later.pairFor(POOL, before), second)).toBe(true);
  });
});

it('where nobody trusts the one before any more, it signs at once', async () => {
  const world = await operatorOf(first);
  const certificates = world.start();
  const before = await certificates.pairFor(POOL, undefined);
  world.authority.current = second;
  world.link.current = { ...world.link.current, ca: caOf(second) };
  expect(isBy(await certificates.pairFor(POOL, before), second)).toBe(true);
});

it('an authority below another shows itself with what it signs', async () => {
  const between = await makeIntermediate(first);
  const world = await operatorOf(first);
  world.authority.current = between;
  const made = await world.start().pairFor(POOL, undefined);
  expect(await handshake(made, world.link.current.ca)).toBe('trusted');
});

/** With a server that shows this, by a client that trusts these. */
async function handshake(shown: KeyPairPem, ca: string | undefined): Promise<string> {
  const server = createServer({ cert: shown.certificate, key: shown.key }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', servername: NAME, ...(ca && { ca }) });
  try {
    await once(socket, 'secureConnect');
    return 'trusted';
  } catch (error) {
    return (error as Error).message;
  } finally {
    socket.destroy();
    server.close();
  }
}
