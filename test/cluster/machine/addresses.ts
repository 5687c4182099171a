/** Who has which address in a cluster's network 10.X.0.0/16: the machines and the outside .0, Services .64 to .127, the pods of node n .128+n. */

/** The pods of this node: `10.100.129.0/24`. */
export function podRange(network: number, node: number): string {
  return `10.${network}.${128 + node}.0/24`;
}

export function nodeAddress(network: number, node: number): string {
  return `10.${network}.0.${10 + node}`;
}

/** The API server, and the cluster's DNS. */
export function controlAddress(network: number): string {
  return `10.${network}.0.1`;
}

/** The machine that runs the tests, as pods and nodes reach it. */
export function outsideAddress(network: number): string {
  return `10.${network}.0.254`;
}

export function clusterRange(network: number): string {
  return `10.${network}.0.0/16`;
}

/** Of all nodes. */
export function podsRange(network: number): string {
  return `10.${network}.128.0/17`;
}

export function serviceRange(network: number): string {
  return `10.${network}.64.0/18`;
}

/** The Service `kubernetes`. */
export function kubernetesAddress(network: number): string {
  return `10.${network}.64.1`;
}
