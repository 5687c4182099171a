/** What one end of a TLS connection shows and whom it trusts, checked before it is used: a wrong pair is told at once, not by failing handshakes. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Followed } from './secret-folder.ts';

/** All PEM. */
export interface TlsMaterial {
  readonly certificate: string;
  readonly key: string;
  /** Who must have signed the other end's certificate; absent: the other end shows none. */
  readonly ca?: string;
}

/** Followed: new handshakes use what is current. */
export type TlsSource = Pick<Followed<TlsMaterial>, 'current' | 'onChange'>;

/** Throws with one sentence that names the file. */
export function tlsMaterialOf(files: {
  readonly 'tls.crt': string;
  readonly 'tls.key': string;
  readonly 'ca.crt'?: string;
}): TlsMaterial {
  const { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': ca } = files;
  const shown = parsedOr('tls.crt holds no certificate', () => new X509Certificate(certificate));
  const privateKey = parsedOr('tls.key holds no private key', () => createPrivateKey(key));
  if (!shown.checkPrivateKey(privateKey)) throw new Error('tls.key is not the key of tls.crt');
  if (ca !== undefined) {
    const trusted = parsedOr('ca.crt holds no certificate', () => certificatesOf(ca));
    if (!isIssuedBy(certificatesOf(certificate), trusted))
      throw new Error('tls.crt is not of an authority in ca.crt: the other end would refuse it');
  }
  parsedOr('tls.crt, tls.key and ca.crt do not work together', () =>
    createSecureContext({ cert: certificate, key, ca }),
  );
  return { certificate, key, ...(ca === undefined ? {} : { ca }) };
}

/** Whether who trusts `caPem` trusts what shows `shownPem`, or what has been signed by it. By names and keys: says nothing of dates. */
export function isTrusted(shownPem: string, caPem: string): boolean {
  return isIssuedBy(certificatesOf(shownPem), certificatesOf(caPem));
}

/** Those of the first as they are, then what the second has besides. Throws where one of them holds none. */
export function joinedCertificates(pem: string, morePem: string): string {
  const known = new Set(certificatesOf(pem).map(({ fingerprint256 }) => fingerprint256));
  const more = certificatesOf(morePem).filter(({ fingerprint256 }) => !known.has(fingerprint256));
  return [pem, ...more.map((one) => one.toString())].join('\n');
}

/** What an authority that is none of the first rank must show with what it has signed; of one of the first rank nothing. */
export function certificatesBetween(authorityPem: string): string {
  const between = certificatesOf(authorityPem).filter((one) => !one.checkIssued(one));
  return between.map((one) => one.toString()).join('');
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

function certificatesOf(pem: string): readonly X509Certificate[] {
  const found = pem.match(CERTIFICATE) ?? [];
  // Throws what is wrong where there is none at all.
  return (found.length === 0 ? [pem] : found).map((one) => new X509Certificate(one));
}

/** @param shown the certificate, then those between it and an authority, in any order. */
function isIssuedBy(
  [leaf, ...between]: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
): boolean {
  if (leaf === undefined) return false;
  const isBy = (issuer: X509Certificate): boolean =>
    leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
  if (trusted.some((one) => one.fingerprint256 === leaf.fingerprint256 || isBy(one))) return true;
  // Each one is used once, so this ends.
  return between.some(
    (next) =>
      isBy(next) && isIssuedBy([next, ...between.filter((other) => other !== next)], trusted),
  );
}

function parsedOr<Value>(problem: string, parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    throw new Error(problem, { cause: error });
  }
}
