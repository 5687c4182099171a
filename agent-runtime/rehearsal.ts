/**
 * Plays some tasks through the real code of a runtime, before them being bound where it is dedicated, for nobody: V8 compiles a function when it is
 * first called, and so not while somebody waits for the first task. Store, metrics, link and worker are its own: it changes nothing and leaves nothing.
 */
import type { ProjectKey } from '../core/identifiers.ts';
import type { Clock } from '../platform/clock.ts';
import { ClosableClock } from '../platform/closable-clock.ts';
import { linkInMemory, type LinkInMemory } from '../platform/link/grpc-link-in-memory.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN, type FromRuntime } from '../platform/link/frames.ts';
import { createLinkServer, type LinkServer } from '../platform/link/link-server.ts';
import { type Log, silentLog } from '../platform/log.ts';
import { createMetrics } from '../platform/metrics/registry.ts';
import type { Random } from '../platform/random.ts';
import type { Store } from '../platform/store/store.ts';
import type { HostIdentity } from './host/host-ports.ts';
import { RuntimeHost } from './host/runtime-host.ts';
import { within } from './host/within.ts';
import { REHEARSED, rehearsalWorkers } from './rehearsal-worker.ts';

export const REHEARSAL_MS_MAX = 1_000;
/** The first is activated for, the second finds a live instance, the third a conversation, and streams. */
const TASKS = 3;
const INPUT = new TextEncoder().encode('{}');
const LAST_FRAMES: ReadonlySet<FromRuntime['type']> = new Set(['result', 'failed', 'elsewhere']);

export interface RehearsalParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Asked for the pool, as its rules are those that will hold. */
  readonly store: Pick<Store, 'listPools'>;
  /** An empty one that nobody else knows. */
  readonly memoryStore: (clock: Clock) => Store;
  readonly identity: HostIdentity;
}

/** Never rejects: what could not be played in time is left to whoever comes first. */
export async function rehearse(parts: RehearsalParts): Promise<void> {
  const { clock, log } = parts;
  let stage: Stage | undefined;
  try {
    stage = new Stage(parts);
    const played = await within(clock, REHEARSAL_MS_MAX, stage.play());
    if (played === 'late') log.debug('rehearsal given up: it takes too long');
  } catch (error) {
    log.debug('rehearsal given up', { err: error });
  } finally {
    stage?.leave();
  }
}

class Stage {
  readonly #parts: RehearsalParts;
  readonly #clock: ClosableClock;
  readonly #store: Store;
  readonly #links: LinkServer;
  readonly #host: RuntimeHost;
  readonly #gateway: LinkInMemory;
  readonly #failed = Promise.withResolvers<never>();
  #answered: () => void = () => undefined;
  #isOver = false;

  constructor(parts: RehearsalParts) {
    const { identity, random, memoryStore } = parts;
    const { incarnation, revision } = identity;
    this.#parts = parts;
    this.#clock = new ClosableClock(parts.clock);
    this.#store = memoryStore(this.#clock);
    this.#links = createLinkServer(
      { incarnation, revision, maxConcurrentTasks: 1 },
      { task: (task) => this.#host.task(task), call: (request) => this.#host.call(request) },
      this.#clock,
    );
    this.#host = new RuntimeHost(
      {
        clock: this.#clock,
        random,
        store: this.#store,
        log: silentLog,
        metrics: createMetrics(false),
        startWorker: rehearsalWorkers((error) => this.#failed.reject(error)),
        hub: this.#links.hub,
        peers: { ping: async () => 'refused', yieldProject: async () => false },
        processMemory: () => ({ rssBytes: 0, limitBytes: undefined }),
      },
      identity,
    );
    this.#gateway = linkInMemory(({ type }) => {
      if (LAST_FRAMES.has(type)) this.#answered();
    });
  }

  play(): Promise<void> {
    return Promise.race([this.#play(), this.#failed.promise]);
  }

  /** Whatever is under way. */
  leave(): void {
    this.#isOver = true;
    this.#links.close('the rehearsal is over');
    this.#host.stop();
    this.#clock.close();
  }

  async #play(): Promise<void> {
    const { store, identity } = this.#parts;
    const pools = await store.listPools(identity.pool);
    if (this.#isOver) return;
    for (const pool of pools) await this.#store.putPool(pool);
    const project = `${identity.pool}~${REHEARSED}~${REHEARSED}`;
    await this.#host.start();
    this.#host.open();
    if (identity.role === 'dedicated') await this.#promote(project);
    this.#greet();
    for (let task = 1; task <= TASKS; task += 1) await this.#ask(project, task);
  }

  async #promote(project: ProjectKey): Promise<void> {
    const promoted = { tier: 'HOT', sinceMs: this.#clock.wallMs() } as const;
    await this.#store.setTierOverride(project, promoted, 0);
    const bound = this.#whenBound(project);
    await this.#host.bind(project);
    await bound;
  }

  #whenBound(project: ProjectKey): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#store.subscribe('runtimes', () => {
      void this.#store.listRuntimes().then(([own]) => {
        if (own?.bound === project && own.ready) resolve(undefined);
      });
    });
    return promise;
  }

  #greet(): void {
    const protocols = { protocolMin: PROTOCOL_MIN, protocolMax: PROTOCOL_MAX };
    this.#links.accept(this.#gateway.channel);
    this.#gateway.send({ type: 'hello', gateway: REHEARSED, ...protocols });
    this.#gateway.send({ type: 'ping', nonce: 1, demand: 1 });
  }

  /** Resolves when it is answered, whatever that is. */
  #ask(project: ProjectKey, task: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#answered = () => resolve(undefined);
    const header = {
      project,
      requestId: String(task),
      agent: REHEARSED,
      conversationId: task === 1 ? '1' : '2',
      newConversation: task < TASKS,
      attempt: 1,
      priority: 'NORMAL',
      remainingMs: REHEARSAL_MS_MAX,
      queueMs: REHEARSAL_MS_MAX,
      queuedMs: 0,
      metadata: {},
      principal: { subject: REHEARSED, role: 'caller' },
      arm: 'json_utf8',
      digest: '',
      stream: task === TASKS,
      onDisconnect: 'CANCEL',
    } as const;
    this.#gateway.send({ type: 'task', task, header, body: INPUT, more: false });
    return promise;
  }
}
