/** The store port over the socket of the process that has the store: for runtimes and further gateways. Never sends anything twice. */
import type { PoolKey, ProjectKey } from '../../core/identifiers.ts';
import type { TierOverride } from '../../core/tier.ts';
import { ChangeTopics } from './change-topics.ts';
import { StoreChannel, type ChannelOptions } from './store-channel.ts';
import { StoreError } from './store-error.ts';
import { TOPICS } from './store-methods.ts';
import type * as port from './store.ts';

const CONNECT_MS_MAX = 10_000;

export class StoreClient implements port.Store {
  readonly #channel: StoreChannel;
  readonly #topics: ChangeTopics;
  #kind: port.Store['kind'] = 'memory';

  /** Tries for 10 s, then throws a StoreError with the last reason; later losses are healed in the background. */
  static connect(options: ChannelOptions): Promise<StoreClient> {
    return new Promise((resolve, reject) => {
      const client = new StoreClient(options, () => {
        timer.cancel();
        resolve(client);
      });
      const timer = options.clock.after(CONNECT_MS_MAX, () => {
        void client.close();
        reject(
          new StoreError(
            `no connection to the store: ${client.#channel.lastProblem}`,
            'not-applied',
          ),
        );
      });
    });
  }

  private constructor(options: ChannelOptions, onWelcome: () => void) {
    this.#topics = new ChangeTopics();
    this.#channel = new StoreChannel(options, {
      onWelcome: (kind) => {
        this.#kind = kind;
        // Whatever happened while there was no connection went unheard.
        for (const topic of TOPICS) this.#topics.notify(topic);
        onWelcome();
      },
      onChanged: (topic, pool) => {
        this.#topics.notify(topic, pool);
      },
    });
  }

  get kind(): port.Store['kind'] {
    return this.#kind;
  }

  async heartbeat(record: port.RuntimeRecord, ttlMs: number): Promise<void> {
    await this.#channel.call('heartbeat', [record, ttlMs]);
  }

  async deregister(incarnation: string): Promise<void> {
    await this.#channel.call('deregister', [incarnation]);
  }

  async listRuntimes(pool?: PoolKey): Promise<readonly port.RuntimeRecord[]> {
    return (await this.#channel.call(
      'listRuntimes',
      pool === undefined ? [] : [pool],
    )) as readonly port.RuntimeRecord[];
  }

  async claim(request: port.ClaimRequest): Promise<port.ClaimAnswer> {
    return (await this.#channel.call('claim', [request])) as port.ClaimAnswer;
  }

  async commit(commit: port.Commit): Promise<port.CommitAnswer> {
    return (await this.#channel.call('commit', [commit])) as port.CommitAnswer;
  }

  async release(claim: port.Claim): Promise<void> {
    await this.#channel.call('release', [claim]);
  }

  async readProject(key: ProjectKey): Promise<port.ProjectRecord | undefined> {
    return (await this.#channel.call('readProject', [key])) as port.ProjectRecord | undefined;
  }

  async readProjects(
    keys: readonly ProjectKey[],
  ): Promise<readonly (port.ProjectRecord | undefined)[]> {
    return (await this.#channel.call('readProjects', [keys])) as readonly (
      port.ProjectRecord | undefined
    )[];
  }

  async readOwner(key: ProjectKey): Promise<port.Owner | undefined> {
    return (await this.#channel.call('readOwner', [key])) as port.Owner | undefined;
  }

  async setPaused(key: ProjectKey, paused: boolean, epoch: number): Promise<'set' | 'changed'> {
    return (await this.#channel.call('setPaused', [key, paused, epoch])) as 'set' | 'changed';
  }

  async listProjects(
    pool: PoolKey,
    page: port.Page & { readonly tenant?: string },
  ): Promise<readonly port.ProjectRecord[]> {
    return (await this.#channel.call('listProjects', [
      pool,
      page,
    ])) as readonly port.ProjectRecord[];
  }

  async eraseProject(key: ProjectKey, unchanged?: port.SeenProject): Promise<boolean> {
    const args = unchanged === undefined ? [key] : [key, unchanged];
    return (await this.#channel.call('eraseProject', args)) as boolean;
  }

  async endErasures(pool: PoolKey, which: 'begun' | 'listed'): Promise<boolean> {
    return (await this.#channel.call('endErasures', [pool, which])) as boolean;
  }

  async readResult(key: ProjectKey, requestId: string): Promise<port.StoredResult | undefined> {
    return (await this.#channel.call('readResult', [key, requestId])) as
      port.StoredResult | undefined;
  }

  async readTurns(
    key: ProjectKey,
    conversation: string,
    window: { readonly limit: number; readonly before?: number },
  ): Promise<readonly port.Turn[]> {
    return (await this.#channel.call('readTurns', [
      key,
      conversation,
      window,
    ])) as readonly port.Turn[];
  }

  async readConversation(
    key: ProjectKey,
    conversation: string,
  ): Promise<port.ConversationSummary | undefined> {
    const answer = await this.#channel.call('readConversation', [key, conversation]);
    return answer as port.ConversationSummary | undefined;
  }

  async listConversations(
    key: ProjectKey,
    page: port.Page,
  ): Promise<readonly port.ConversationSummary[]> {
    return (await this.#channel.call('listConversations', [
      key,
      page,
    ])) as readonly port.ConversationSummary[];
  }

  async setTierOverride(
    key: ProjectKey,
    override: Omit<TierOverride, 'generation'> | undefined,
    expected: number,
  ): Promise<'set' | 'conflict'> {
    return (await this.#channel.call('setTierOverride', [key, override, expected])) as
      'set' | 'conflict';
  }

  async readTierOverride(key: ProjectKey): Promise<TierOverride | undefined> {
    return (await this.#channel.call('readTierOverride', [key])) as TierOverride | undefined;
  }

  async listTierOverrides(
    pool: PoolKey,
  ): Promise<readonly { readonly key: ProjectKey; readonly override: TierOverride }[]> {
    const answer = await this.#channel.call('listTierOverrides', [pool]);
    return answer as readonly { readonly key: ProjectKey; readonly override: TierOverride }[];
  }

  async putPool(record: port.PoolRecord): Promise<void> {
    await this.#channel.call('putPool', [record]);
  }

  async deletePool(key: PoolKey): Promise<void> {
    await this.#channel.call('deletePool', [key]);
  }

  async listPools(pool?: PoolKey): Promise<readonly port.PoolRecord[]> {
    const args = pool === undefined ? [] : [pool];
    return (await this.#channel.call('listPools', args)) as readonly port.PoolRecord[];
  }

  subscribe(topic: port.Topic, onChange: port.OnChange): () => void {
    return this.#topics.subscribe(topic, onChange);
  }

  async close(): Promise<void> {
    this.#topics.close();
    this.#channel.close();
  }
}
