/** Issues the certificates that runtimes, gateways and the operator show each other, from a certificate authority given as PEM. */
import 'reflect-metadata';
import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A certificate (or chain) with its private key, both PEM. */
export interface KeyPairPem {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  /** All names that it stands for; the first is its common name where it fits. */
  readonly dnsNames: readonly [string, ...string[]];
  readonly lifetimeMs: number;
  /** Wall clock. */
  readonly nowMs: number;
}

/** Clocks of other machines may be behind. */
const BACKDATE_MS = 10 * 60_000;
/** RFC 5280: longest common name. */
const COMMON_NAME_CHARACTERS_MAX = 64;

const LEAF_KEYS = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Fresh key, good for both ends of a connection. Throws when the authority's PEM cannot be used. */
export async function issueCertificate(
  authority: KeyPairPem,
  { dnsNames, lifetimeMs, nowMs }: CertificateRequest,
): Promise<KeyPairPem> {
  const issuer = new X509Certificate(authority.certificate);
  const { signingKey, signingAlgorithm } = await signerOf(createPrivateKey(authority.key));
  const keys = await webcrypto.subtle.generateKey(LEAF_KEYS, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [dnsNames.find(isCommonName) ?? 'agentpool'] }],
    issuer: issuer.subject,
    // Positive and below 20 bytes (RFC 5280), random by what a fresh key is.
    serialNumber: await serialOf(keys.publicKey),
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(Math.min(nowMs + lifetimeMs, issuer.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: 'dns', value }))),
      await AuthorityKeyIdentifierExtension.create(issuer),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
  };
}

function isCommonName(name: string): boolean {
  return name.length <= COMMON_NAME_CHARACTERS_MAX;
}

async function serialOf(key: webcrypto.CryptoKey): Promise<string> {
  const spki = await webcrypto.subtle.exportKey('spki', key);
  const digest = Buffer.from(await webcrypto.subtle.digest('SHA-256', spki));
  return `01${digest.toString('hex', 0, 15)}`;
}

interface Signer {
  readonly signingKey: webcrypto.CryptoKey;
  readonly signingAlgorithm: { readonly name: string; readonly hash?: string };
}

const CURVES: Readonly<Record<string, readonly [string, string]>> = {
  prime256v1: ['P-256', 'SHA-256'],
  secp384r1: ['P-384', 'SHA-384'],
  secp521r1: ['P-521', 'SHA-512'],
};

/** Helm makes RSA keys in PKCS#1, cert-manager what it is told, openssl anything: node reads them all. */
async function signerOf(key: KeyObject): Promise<Signer> {
  const algorithm = algorithmOf(key);
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
  return { signingKey, signingAlgorithm: algorithm };
}

function algorithmOf(
  key: KeyObject,
): { readonly name: string } & Partial<Record<'hash' | 'namedCurve', string>> {
  const type = key.asymmetricKeyType;
  if (type === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  if (type === 'ed25519') return { name: 'Ed25519' };
  const [namedCurve, hash] = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? [];
  if (namedCurve === undefined || hash === undefined)
    throw new Error(
      `a certificate authority with a key of type ${type ?? 'unknown'} cannot be used; use RSA, EC or Ed25519`,
    );
  return { name: 'ECDSA', namedCurve, hash };
}
