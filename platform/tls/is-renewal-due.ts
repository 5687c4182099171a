/** Says when a certificate is to be replaced. Issues none: that takes packages that few processes need. */
import { X509Certificate } from 'node:crypto';

/** How much of its life a certificate has had when it is replaced. */
const RENEWAL_SHARE = 2 / 3;

/** Whether to issue anew: two thirds of its life are over, it names others, or another authority (if one is said) has signed it. Unreadable: true. */
export function isRenewalDue(
  certificatePem: string,
  wanted: {
    readonly dnsNames: readonly string[];
    readonly authorityPem?: string;
    readonly nowMs: number;
  },
): boolean {
  const certificate = parsed(certificatePem);
  if (certificate === undefined) return true;
  const fromMs = Date.parse(certificate.validFrom);
  const lifeMs = Date.parse(certificate.validTo) - fromMs;
  const names = new Set((certificate.subjectAltName ?? '').split(', '));
  return (
    wanted.nowMs >= fromMs + lifeMs * RENEWAL_SHARE ||
    !wanted.dnsNames.every((name) => names.has(`DNS:${name}`)) ||
    (wanted.authorityPem !== undefined && !isOf(certificate, parsed(wanted.authorityPem)))
  );
}

function isOf(certificate: X509Certificate, authority: X509Certificate | undefined): boolean {
  return authority !== undefined && certificate.verify(authority.publicKey);
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
