/** Certificate authorities and folders of PEM files for tests, as an installation has them. */
import 'reflect-metadata';
import { BasicConstraintsExtension, X509CertificateGenerator } from '@peculiar/x509';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueCertificate, type KeyPairPem } from '../../platform/tls/issue-certificate.ts';

const DAY_MS = 86_400_000;

const KEY_ARGUMENTS = {
  rsa: ['rsa:2048'],
  ec: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ed25519: ['ed25519'],
} as const;

/** A self-signed authority made by openssl: another hand than the one under test. */
export function makeAuthority(
  name = 'test authority',
  kind: keyof typeof KEY_ARGUMENTS = 'ec',
): KeyPairPem {
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-ca-'));
  const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
  try {
    execFileSync(
      'openssl',
      ['req', '-x509', '-nodes', '-days', '2', '-subj', `/CN=${name}`]
        .concat(['-addext', 'keyUsage=critical,keyCertSign,cRLSign'])
        .concat(['-newkey', ...KEY_ARGUMENTS[kind], '-keyout', key, '-out', certificate]),
      { stdio: 'ignore' },
    );
    return { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An authority below another one, whose key is EC. */
export async function makeIntermediate(authority: KeyPairPem): Promise<KeyPairPem> {
  const EC = { name: 'ECDSA', namedCurve: 'P-256' };
  const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const pkcs8 = createPrivateKey(authority.key).export({ type: 'pkcs8', format: 'der' });
  const certificate = await X509CertificateGenerator.create({
    subject: 'CN=between',
    issuer: new X509Certificate(authority.certificate).subject,
    publicKey: keys.publicKey,
    signingKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, EC, false, ['sign']),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  const pem = Buffer.from(key).toString('base64');
  return {
    certificate: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${pem}\n-----END PRIVATE KEY-----\n`,
  };
}

export function issueFor(
  authority: KeyPairPem,
  ...dnsNames: readonly [string, ...string[]]
): Promise<KeyPairPem> {
  return issueCertificate(authority, {
    dnsNames: [...dnsNames],
    lifetimeMs: DAY_MS,
    nowMs: Date.now(),
  });
}

/** `tls.crt`, `tls.key`, `ca.crt` and whatever else a Secret would hold. */
export function writeSecret(folder: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** As a mounted Secret has them. */
export function tlsFiles(
  pair: KeyPairPem,
  authority?: KeyPairPem,
): Readonly<Record<'tls.crt' | 'tls.key', string>> & { readonly 'ca.crt'?: string } {
  return {
    'tls.crt': pair.certificate,
    'tls.key': pair.key,
    ...(authority === undefined ? {} : { 'ca.crt': authority.certificate }),
  };
}
