/**
 * Every key that the Redis store uses (docs/redis.md explains each). What belongs to one project shares one hash tag, what
 * belongs to one pool another: a script touches one slot only, and a user of Redis can be limited to one pool by two patterns.
 */
import { poolKeyOfProject, type PoolKey, type ProjectKey } from '../../../core/identifiers.ts';
import { TOPICS } from '../store-methods.ts';
import type { Topic } from '../store.ts';

export const KEY_PREFIX = 'agentpool';

/** No braces (they would change the hash tag), no characters that mean something in patterns. */
export const KEY_PREFIX_PATTERN = /^[A-Za-z0-9._:-]{1,64}$/;

export interface ProjectKeys {
  readonly record: string;
  readonly state: string;
  readonly log: string;
  readonly results: string;
  readonly again: string;
  readonly conversations: string;
  readonly names: string;
}

export interface PoolKeys {
  readonly record: string;
  readonly told: string;
  readonly leases: string;
  readonly runtimes: string;
  readonly gone: string;
  readonly projects: string;
  readonly erasing: string;
  readonly counters: string;
  readonly overrides: string;
}

/** What a user of Redis may touch, as Redis writes it. */
export interface Patterns {
  readonly keys: readonly string[];
  readonly channels: readonly string[];
}

export class RedisKeys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** The set of all pools: the only key that belongs to no pool. */
  get pools(): string {
    return `${this.#prefix}:pools`;
  }

  project(key: ProjectKey): ProjectKeys {
    const tagged = this.#tagged(key);
    return {
      record: `${tagged}:record`,
      state: `${tagged}:state`,
      log: `${tagged}:log`,
      results: `${tagged}:results`,
      again: `${tagged}:again`,
      conversations: `${tagged}:conversations`,
      names: `${tagged}:names`,
    };
  }

  turns(key: ProjectKey, conversation: string): string {
    return `${this.#tagged(key)}:turns:${conversation}`;
  }

  pool(key: PoolKey): PoolKeys {
    const tagged = this.#tagged(key);
    return {
      record: `${tagged}:pool`,
      told: `${tagged}:told`,
      leases: `${tagged}:leases`,
      runtimes: `${tagged}:runtimes`,
      gone: `${tagged}:gone`,
      projects: `${tagged}:projects`,
      erasing: `${tagged}:erasing`,
      counters: `${tagged}:counters`,
      overrides: `${tagged}:overrides`,
    };
  }

  poolOf(key: ProjectKey): PoolKeys {
    return this.pool(poolKeyOfProject(key));
  }

  /** On which changes of one pool are announced, so that who follows one topic is not woken by another; only those of `runtimes` say what. */
  channel(pool: PoolKey, topic: Topic): string {
    return `${this.channels.slice(0, -1)}${pool}:${topic}`;
  }

  /** On which changes of one project's tier are announced, beside the pool's channel. */
  tierChannel(project: ProjectKey): string {
    return `${this.#prefix}:tier:${project}`;
  }

  /** Of all keys and channels. */
  get patterns(): Patterns {
    return { keys: [`${this.#prefix}:*`], channels: [this.channels, this.tierChannel('*')] };
  }

  /** Of the keys and channels of one pool and its projects. */
  patternsOf(pool: PoolKey): Patterns {
    return {
      keys: [`${this.#tagged(pool)}:*`, `${this.#prefix}:{${pool}~*`],
      channels: [`${this.channels.slice(0, -1)}${pool}:*`, this.tierChannel(`${pool}~*`)],
    };
  }

  /** The user of Redis that may touch these and no others. */
  userOf(pool: PoolKey): string {
    return `${this.#prefix}:${pool}`;
  }

  /** The pattern of all channels of pools. */
  get channels(): string {
    return `${this.#prefix}:changed:*`;
  }

  /** Undefined: none of ours. */
  ofChannel(channel: string): { readonly pool: PoolKey; readonly topic: Topic } | undefined {
    const ofProject = this.tierChannel('');
    if (channel.startsWith(ofProject))
      return { pool: poolKeyOfProject(channel.slice(ofProject.length)), topic: 'tiers' };
    const start = this.channels.length - 1;
    const end = channel.lastIndexOf(':');
    const topic = channel.slice(end + 1);
    return isTopic(topic) ? { pool: channel.slice(start, end), topic } : undefined;
  }

  #tagged(tag: string): string {
    return `${this.#prefix}:{${tag}}`;
  }
}

function isTopic(text: string): text is Topic {
  return (TOPICS as readonly string[]).includes(text);
}
