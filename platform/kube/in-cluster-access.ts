/** The credentials of a pod's service account. Its token lives an hour and its file is replaced by the kubelet: read again each minute. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { ClusterAccess, Credentials } from './credentials.ts';

export interface InClusterLocation {
  readonly type: 'in-cluster';
  /** `https://10.96.0.1:443`. */
  readonly server: string;
  /** Holds `token` and `ca.crt`, which the kubelet renews. */
  readonly folder: string;
}

const REREAD_MS = 60_000;

export class InClusterAccess implements ClusterAccess {
  readonly server: URL;
  readonly #folder: string;
  readonly #clock: Clock;
  #held: { readonly credentials: Promise<Credentials>; readonly untilMs: number } | undefined;

  constructor(location: InClusterLocation, clock: Clock) {
    this.server = new URL(location.server);
    this.#folder = location.folder;
    this.#clock = clock;
  }

  async credentials(): Promise<Credentials> {
    const nowMs = this.#clock.nowMs();
    if (this.#held === undefined || nowMs >= this.#held.untilMs)
      this.#held = { credentials: this.#read(), untilMs: nowMs + REREAD_MS };
    const held = this.#held;
    try {
      return await held.credentials;
    } catch (error) {
      // The file may be there in a moment: a failure is not kept for a minute.
      if (this.#held === held) this.#held = undefined;
      throw error;
    }
  }

  refresh(): void {
    this.#held = undefined;
  }

  async #read(): Promise<Credentials> {
    const [token, ca] = await Promise.all(
      ['token', 'ca.crt'].map((name) => readFile(join(this.#folder, name), 'utf8')),
    );
    return {
      headers: { authorization: `Bearer ${(token ?? '').trim()}` },
      tls: ca === undefined ? {} : { ca },
    };
  }
}
