/**
 * The credentials of a kubeconfig, read by the Kubernetes package: certificates, tokens, exec plugins, OIDC. Only its configuration is
 * loaded, and only here: it costs a start 0.4 s, which a pod does not pay.
 */
import type { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import type { ClusterAccess, Credentials, TlsIdentity } from './credentials.ts';

/** The part of the package's request options that it fills. */
interface Filled {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
  rejectUnauthorized?: boolean;
  headers: Record<string, string>;
  auth?: string;
}

/** @throws where a file cannot be read, or none names a current context with a cluster. */
export async function openKubeconfig(files: readonly string[]): Promise<ClusterAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js');
  const load = (): KubeConfig => {
    const config = new KubeConfig();
    for (const [index, file] of files.entries()) {
      if (index === 0) config.loadFromFile(file);
      else config.mergeConfig(loadOne(new KubeConfig(), file), true);
    }
    return config;
  };
  return new KubeconfigAccess(load);
}

function loadOne(config: KubeConfig, file: string): KubeConfig {
  config.loadFromFile(file);
  return config;
}

class KubeconfigAccess implements ClusterAccess {
  readonly server: URL;
  readonly #load: () => KubeConfig;
  #config: KubeConfig;

  constructor(load: () => KubeConfig) {
    this.#load = load;
    this.#config = load();
    const cluster = this.#config.getCurrentCluster();
    if (cluster === null)
      throw new Error('the kubeconfig has no current context, or its cluster is missing');
    if (cluster.proxyUrl !== undefined)
      throw new Error('the kubeconfig asks for a proxy (proxy-url), which is not supported');
    this.server = new URL(cluster.server);
  }

  async credentials(): Promise<Credentials> {
    const filled: Filled = { headers: {} };
    await this.#config.applyToHTTPSOptions(filled);
    const basic =
      filled.auth === undefined ? undefined : Buffer.from(filled.auth).toString('base64');
    const headers = Object.entries(filled.headers).map(([name, value]) => [
      name.toLowerCase(),
      value,
    ]);
    return {
      headers: {
        ...(basic !== undefined && { authorization: `Basic ${basic}` }),
        ...(Object.fromEntries(headers) as Record<string, string>),
      },
      tls: tlsOf(filled),
    };
  }

  /** A new reading forgets the tokens that plugins gave. */
  refresh(): void {
    this.#config = this.#load();
  }
}

function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: Filled): TlsIdentity {
  return {
    ...(ca !== undefined && { ca: ca.toString() }),
    ...(cert !== undefined && { cert: cert.toString() }),
    ...(key !== undefined && { key: key.toString() }),
    ...(servername !== undefined && { serverName: servername }),
    ...(rejectUnauthorized === false && { isUnverified: true }),
  };
}
