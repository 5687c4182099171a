/** The environment of a runtime: what a program needs to run at all, and what the manifest gives; nothing else of the parent's. */

const INHERITED = [
  'PATH',
  'HOME',
  'TZ',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'TMPDIR',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/** @param parent the parent's environment; its secrets stay with it. */
export function childEnvironment(
  parent: Readonly<Record<string, string | undefined>>,
  manifest: readonly { readonly name: string; readonly value: string }[],
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = parent[name];
    if (value !== undefined) environment[name] = value;
  }
  for (const { name, value } of manifest) environment[name] = value;
  return environment;
}
