/** The certificates of pools' runtimes, also while one authority takes the place of another: nobody is shown one that it does not trust yet. */
import { X509Certificate } from 'node:crypto';
import type { PoolKey } from '../../core/identifiers.ts';
import { Hindered } from '../../operator/pool/hindered.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { runtimeIdentity } from '../../platform/tls/identities.ts';
import { isRenewalDue } from '../../platform/tls/is-renewal-due.ts';
import type { KeyPairPem } from '../../platform/tls/issue-certificate.ts';
import type { Followed } from '../../platform/tls/secret-folder.ts';
import {
  certificatesBetween,
  isTrusted,
  joinedCertificates,
  type TlsMaterial,
} from '../../platform/tls/tls-material.ts';

export interface RuntimeCertificateSources {
  /** What this operator shows, and whom it trusts inside: gateways have the same or will. */
  readonly link: Pick<Followed<TlsMaterial>, 'current'>;
  readonly authority: Pick<Followed<KeyPairPem>, 'current'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Renewed at two thirds of this. */
const LIFETIME_MS = 90 * 24 * 60 * 60 * 1_000;
/** From when we trust an authority until what is signed by it is shown: gateways get their Secrets within two minutes or so. */
export const AUTHORITY_SETTLES_MS = 5 * 60_000;

const UNTRUSTED =
  'ca.crt of operator and gateways does not hold the authority of the Secret that signs the certificates of runtimes';
const ADVICE =
  'run `helm upgrade`, or add its tls.crt to ca.crt in the Secrets of your own for operator and gateways';

export class RuntimeCertificates {
  readonly #sources: RuntimeCertificateSources;
  /** The one that is, or was, trusted by all: of the start, as far as we know. */
  #settled: KeyPairPem | undefined;
  /** The one that is there now, and since when we trust it. */
  #current: { readonly certificate: string; readonly trustedSinceMs?: number };

  constructor(sources: RuntimeCertificateSources) {
    this.#sources = sources;
    const { current } = sources.authority;
    this.#current = { certificate: '' };
    if (this.#isTrusted(current.certificate)) this.#settled = current;
  }

  /** Whom runtimes trust. The authority that is to come is among them at once: so they take it when the others show it. */
  get ca(): string {
    const { link, authority } = this.#sources;
    const { certificate } = authority.current;
    return joinedCertificates(link.current.ca ?? certificate, certificate);
  }

  /** @param before what they have. @throws Hindered when they need one and none can be made that operator and gateways trust. */
  async pairFor(pool: PoolKey, before: KeyPairPem | undefined): Promise<KeyPairPem> {
    this.#look();
    const issuer = this.#issuer();
    if (before !== undefined && this.#mayStay(pool, before, issuer)) return before;
    if (issuer !== undefined) return this.#issue(pool, issuer);
    if (before !== undefined && this.#isTrusted(before.certificate) && this.#lives(before))
      return before;
    throw new Hindered('ReconcileFailed', `${UNTRUSTED}: ${ADVICE}`);
  }

  /** It is news, or not, that it is there, and that it is trusted. */
  #look(): void {
    const { authority, clock, log } = this.#sources;
    const { certificate } = authority.current;
    const isNew = certificate !== this.#current.certificate;
    if (!this.#isTrusted(certificate)) {
      if (isNew || this.#current.trustedSinceMs !== undefined)
        log.error(`${UNTRUSTED}: those that are there stay; ${ADVICE}`);
      this.#current = { certificate };
      return;
    }
    const nowMs = clock.nowMs();
    if (isNew || this.#current.trustedSinceMs === undefined)
      this.#current = { certificate, trustedSinceMs: nowMs };
    if (this.#hasSettled(nowMs)) this.#settled = authority.current;
  }

  #hasSettled(nowMs: number): boolean {
    const { trustedSinceMs } = this.#current;
    return trustedSinceMs !== undefined && nowMs >= trustedSinceMs + AUTHORITY_SETTLES_MS;
  }

  /** The one before as long as others may not trust the new one yet. */
  #issuer(): KeyPairPem | undefined {
    const settled = this.#settled;
    if (settled !== undefined && this.#isTrusted(settled.certificate)) return settled;
    return this.#current.trustedSinceMs === undefined ? undefined : this.#sources.authority.current;
  }

  #mayStay(pool: PoolKey, pair: KeyPairPem, issuer: KeyPairPem | undefined): boolean {
    if (!this.#isTrusted(pair.certificate)) return false;
    const { clock } = this.#sources;
    const wanted = { dnsNames: [runtimeIdentity(pool)], nowMs: clock.wallMs() };
    if (isRenewalDue(pair.certificate, wanted)) return false;
    const authorityPem = issuer?.certificate;
    if (authorityPem === undefined || !this.#hasSettled(clock.nowMs())) return true;
    return !isRenewalDue(pair.certificate, { ...wanted, authorityPem });
  }

  #isTrusted(certificate: string): boolean {
    const { ca } = this.#sources.link.current;
    try {
      return ca === undefined || isTrusted(certificate, ca);
    } catch {
      return false;
    }
  }

  #lives({ certificate }: KeyPairPem): boolean {
    return this.#sources.clock.wallMs() < Date.parse(new X509Certificate(certificate).validTo);
  }

  async #issue(pool: PoolKey, issuer: KeyPairPem): Promise<KeyPairPem> {
    const dnsNames = [runtimeIdentity(pool)] as const;
    // Its packages are a tenth of what the operator starts with, and one that stands by never needs them.
    const { issueCertificate } = await import('../../platform/tls/issue-certificate.ts');
    const nowMs = this.#sources.clock.wallMs();
    const made = await issueCertificate(issuer, { dnsNames, lifetimeMs: LIFETIME_MS, nowMs });
    return { ...made, certificate: made.certificate + certificatesBetween(issuer.certificate) };
  }
}
