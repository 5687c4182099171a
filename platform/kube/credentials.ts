/** What a request to the API server is signed with, and where it goes: the port of what knows service accounts and kubeconfigs. Types only. */
export interface TlsIdentity {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  /** The kubeconfig says insecure-skip-tls-verify. */
  readonly isUnverified?: boolean;
}

export interface Credentials {
  /** Authorization, or nothing where the client certificate says who calls. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsIdentity;
}

export interface ClusterAccess {
  readonly server: URL;
  /** As fresh as the files; cheap to ask before each request. @throws where a credential plugin fails. */
  credentials(): Promise<Credentials>;
  /** The API server did not take them (401): the next ones are read anew. */
  refresh(): void;
}
