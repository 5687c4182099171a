import { createPrivateKey, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { makeAuthority } from '../../test/builders/certificates.ts';
import { isRenewalDue } from './is-renewal-due.ts';
import { issueCertificate, type KeyPairPem } from './issue-certificate.ts';

const HOUR_MS = 3_600_000;
const NAME = 'main.default.runtime.agentpool.dev';
const nowMs = Date.now();

function issue(
  authority: KeyPairPem,
  dnsNames: readonly [string, ...string[]] = [NAME],
): Promise<KeyPairPem> {
  return issueCertificate(authority, { dnsNames: [...dnsNames], lifetimeMs: 9 * HOUR_MS, nowMs });
}

describe('a certificate', () => {
  it.each(['rsa', 'ec', 'ed25519'] as const)(
    'is issued by an authority with a key of %s',
    async (kind) => {
      const authority = makeAuthority('the one', kind);
      const { certificate, key } = await issue(authority);
      const made = new X509Certificate(certificate);
      const from = new X509Certificate(authority.certificate);
      expect(made.verify(from.publicKey)).toBe(true);
      expect(made.checkIssued(from)).toBe(true);
      expect(made.checkPrivateKey(createPrivateKey(key))).toBe(true);
      expect(made.ca).toBe(false);
      expect(made.checkHost(NAME)).toBe(NAME);
      expect(made.checkHost('other.default.runtime.agentpool.dev')).toBeUndefined();
    },
  );

  it('is issued by an authority whose key is in PKCS#1, as Helm makes them', async () => {
    const { certificate, key } = makeAuthority('helm', 'rsa');
    const pkcs1 = createPrivateKey(key).export({ type: 'pkcs1', format: 'pem' }).toString();
    const made = new X509Certificate((await issue({ certificate, key: pkcs1 })).certificate);
    expect(made.checkIssued(new X509Certificate(certificate))).toBe(true);
  });

  it('holds for all its names, long ones too', async () => {
    const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.runtime.agentpool.dev`;
    const made = new X509Certificate((await issue(makeAuthority(), [long, 'b'])).certificate);
    expect(made.checkHost(long)).toBe(long);
    expect(made.subject).toBe('CN=b');
  });

  it('is no older than its authority', async () => {
    const authority = makeAuthority();
    const long = await issueCertificate(authority, {
      dnsNames: [NAME],
      lifetimeMs: 1_000 * 24 * HOUR_MS,
      nowMs,
    });
    expect(new X509Certificate(long.certificate).validTo).toBe(
      new X509Certificate(authority.certificate).validTo,
    );
  });

  it('has a serial number of its own', async () => {
    const authority = makeAuthority();
    const [one, two] = await Promise.all([issue(authority), issue(authority)]);
    expect(new X509Certificate(one.certificate).serialNumber).not.toBe(
      new X509Certificate(two.certificate).serialNumber,
    );
  });
});

describe('renewal', () => {
  const authority = makeAuthority();
  const other = makeAuthority();
  let certificate: string;
  beforeAll(async () => {
    certificate = (await issue(authority)).certificate;
  });

  it.each<[string, boolean, object]>([
    ['is not due at once', false, {}],
    ['is not due before two thirds of its life', false, { nowMs: nowMs + 5.9 * HOUR_MS }],
    ['is due after two thirds of its life', true, { nowMs: nowMs + 6.1 * HOUR_MS }],
    ['is due for another name', true, { dnsNames: [NAME, 'other'] }],
    ['is due under another authority', true, { authorityPem: other.certificate }],
    ['is due where the authority cannot be read', true, { authorityPem: 'x' }],
  ])('%s', (_name, due, change) => {
    const wanted = { dnsNames: [NAME], authorityPem: authority.certificate, nowMs };
    expect(isRenewalDue(certificate, { ...wanted, ...change })).toBe(due);
  });

  it('is due for what is no certificate', () => {
    expect(isRenewalDue('x', { dnsNames: [], authorityPem: authority.certificate, nowMs })).toBe(
      true,
    );
  });
});
