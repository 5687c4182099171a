/** Credentials for gRPC servers and channels from certificates that may be exchanged at any time: running connections stay, new ones use what is current. */
import { ChannelCredentials, experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { TlsMaterial, TlsSource } from '../tls/tls-material.ts';

type CaListener = (update: { readonly caCertificate: Buffer } | null) => void;
type IdentityListener = (
  update: { readonly certificate: Buffer; readonly privateKey: Buffer } | null,
) => void;

/** With a `ca` in the source the client must show a certificate that it has signed. */
export function serverTls(source: TlsSource): ServerCredentials {
  const provider = new SourceProvider(source);
  const isMutual = source.current.ca !== undefined;
  return experimental.createCertificateProviderServerCredentials(
    provider,
    // It takes the identity first, whatever its parameters are called; null: asks for no certificate.
    isMutual ? provider : null,
    isMutual,
  );
}

/** How a process dials another inside. */
export interface ChannelTls {
  /** For a channel that is opened now. */
  credentials(): ChannelCredentials;
}

/** One for all dials of a process: the context of the current certificates is made once. */
export function channelTls(source: TlsSource): ChannelTls {
  let of: TlsMaterial | undefined;
  let made: ChannelCredentials | undefined;
  return {
    credentials() {
      if (made !== undefined && of === source.current) return made;
      of = source.current;
      const { certificate, key, ca } = of;
      if (ca === undefined) throw new Error('a certificate authority is needed to dial inside');
      made = ChannelCredentials.createSsl(
        Buffer.from(ca),
        Buffer.from(key),
        Buffer.from(certificate),
      );
      return made;
    },
  };
}

/** Each listener is told when it has been added (grpc-js does not listen while it adds), and after each change as long as the server lives. */
class SourceProvider {
  readonly #source: TlsSource;
  readonly #ends = new Map<CaListener | IdentityListener, () => void>();

  constructor(source: TlsSource) {
    this.#source = source;
  }

  addCaCertificateListener(listener: CaListener): void {
    this.#follow(listener, ({ ca }) =>
      listener(ca === undefined ? null : { caCertificate: Buffer.from(ca) }),
    );
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#unfollow(listener);
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#follow(listener, ({ certificate, key }) =>
      listener({ certificate: Buffer.from(certificate), privateKey: Buffer.from(key) }),
    );
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#unfollow(listener);
  }

  #follow(listener: CaListener | IdentityListener, tell: (material: TlsMaterial) => void): void {
    const told = (): void => tell(this.#source.current);
    this.#ends.set(listener, this.#source.onChange(told));
    process.nextTick(told);
  }

  #unfollow(listener: CaListener | IdentityListener): void {
    this.#ends.get(listener)?.();
    this.#ends.delete(listener);
  }
}
