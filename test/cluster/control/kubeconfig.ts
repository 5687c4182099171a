/** Writes a kubeconfig with everything inside, so that it works from any folder and container. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Authority, Identity } from './certificates.ts';

export interface KubeconfigPlace {
  readonly authority: Authority;
  /** `https://127.0.0.1:6443`. */
  readonly server: string;
}

/** Returns the file's path. JSON is YAML. */
export async function writeKubeconfig(
  { authority, server }: KubeconfigPlace,
  file: string,
  name: string,
  identity: Identity,
): Promise<string> {
  const { certificate, key } = await authority.issue(name, identity);
  const text = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
    clusters: [
      {
        name: 'test',
        cluster: { server, 'certificate-authority-data': base64(authority.certificate) },
      },
    ],
    users: [
      {
        name: 'user',
        user: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) },
      },
    ],
  };
  writeFileSync(file, `${JSON.stringify(text, undefined, 2)}\n`, { mode: 0o600 });
  return file;
}

function base64(file: string): string {
  return readFileSync(file).toString('base64');
}
