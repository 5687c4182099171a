/** Who owns a project: asks the project's script, and the pool's keys only where the record alone cannot tell. */
import { poolKeyOfProject, type ProjectKey } from '../../../core/identifiers.ts';
import { StoreError } from '../store-error.ts';
import type { Activation, Claim, ClaimAnswer, ClaimRequest, Owner } from '../store.ts';
import { CLAIM, PAUSE, RELEASE } from './ownership-scripts.ts';
import { ENTER } from './pool-scripts.ts';
import {
  isTrue,
  leasesOf,
  numberOf,
  overrideOf,
  rateOf,
  stateOf,
  textOrEmpty,
  unpackLogEntry,
} from './redis-codec.ts';
import { read, type RedisContext } from './redis-context.ts';
import type { RedisErasure } from './redis-erasure.ts';
import type { RedisLeases } from './redis-leases.ts';
import type { ReplicaGate } from './replica-gate.ts';

/** Each more only when somebody else changed the owner between two looks. */
const TRIES_MAX = 10;
/** State and log that come with the claim itself; more is asked for once there is room. */
const INLINE_BYTES_MAX = 512 * 1024;
/** A project's state (limits.stateBytesMax), with its names. */
const STATE_BYTES_MAX = 40 * 1024 * 1024;

/** What the pool's keys said, for the next try. */
interface Known {
  /** Of the owner whose lease was looked at. */
  readonly claimId?: string;
  readonly isAlive?: boolean;
  /** From which a new record goes on. */
  readonly epoch?: number;
}

type ScriptAnswer = readonly [Buffer, ...unknown[]];

export class RedisOwnership {
  readonly #context: RedisContext;
  readonly #leases: RedisLeases;
  readonly #replicas: ReplicaGate;
  readonly #erasure: RedisErasure;

  constructor(
    context: RedisContext,
    leases: RedisLeases,
    replicas: ReplicaGate,
    erasure: RedisErasure,
  ) {
    this.#context = context;
    this.#erasure = erasure;
    this.#leases = leases;
    this.#replicas = replicas;
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const { keys } = this.#context;
    // Another slot, but the same round trip.
    const override = read(this.#context, 'claim', [
      'HGET',
      keys.poolOf(request.key).overrides,
      request.key,
    ]);
    const overridden = unknownUnless(override);
    // Of the two failures the claim's own tells its outcome.
    overridden.catch(() => undefined);
    const answer = await this.#claim(request);
    if (answer.type !== 'claimed') return answer;
    await this.#replicas.wait('claim');
    const found = overrideOf(await overridden);
    if (found === undefined) return answer;
    return { type: 'claimed', activation: { ...answer.activation, override: found } };
  }

  async #claim(request: ClaimRequest): Promise<ClaimAnswer> {
    let known: Known = {};
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const answer = await this.#tryClaim(request, known);
      switch (textOrEmpty(answer[0])) {
        case 'claimed':
          return { type: 'claimed', activation: await this.#activation(request, answer) };
        case 'limited':
          return { type: 'limited', retryAfterMs: numberOf(answer[1]) };
        case 'owned': {
          const seen = await this.#lookAtOwner(request.key, answer);
          if (seen.owner !== undefined && !isTakeoverOf(request, seen.owner))
            return { type: 'moved', owner: seen.owner };
          known = { claimId: seen.claimId, isAlive: seen.owner !== undefined };
          break;
        }
        default:
          known = await this.#makeWay(request.key, textOrEmpty(answer[0]));
      }
    }
    throw new StoreError('claim: the owner changed again and again', 'not-applied');
  }

  /** From here on nobody else commits: what is read after the claim is what it was granted with. */
  async #activation(request: ClaimRequest, answer: ScriptAnswer): Promise<Activation> {
    const [, epoch, seq, paused, leases, rate, state, log, bytes] = answer;
    const found = { epoch, seq, paused, leases, rate };
    if (Array.isArray(state)) return activationOf(request, { ...found, state, log });
    const { answers, connection, keys } = this.#context;
    const { state: stateKey, log: logKey } = keys.project(request.key);
    const room = Math.min(Number(bytes), STATE_BYTES_MAX);
    const calls = [
      { name: 'claim', writes: true, command: 'HGETALL', args: [stateKey], answerBytes: room },
      { name: 'claim', writes: true, command: 'LRANGE', args: [logKey, 0, -1] },
    ];
    const [all, entries] = await unknownUnless(
      answers.within(room, () => connection.callAll(calls)),
    );
    return activationOf(request, { ...found, state: all, log: entries });
  }

  async readOwner(key: ProjectKey): Promise<Owner | undefined> {
    const { record } = this.#context.keys.project(key);
    const reply = await read(this.#context, 'readOwner', ['HMGET', record, 'owner', 'epoch']);
    const [owner, epoch] = reply as readonly unknown[];
    if (!Buffer.isBuffer(owner)) return undefined;
    return this.#leases.ownerOf(poolKeyOfProject(key), owner.toString(), numberOf(epoch));
  }

  async release(claim: Claim): Promise<void> {
    const { connection, keys, time } = this.#context;
    await connection.run(RELEASE, [keys.project(claim.key).record], [time(), claim.claimId]);
  }

  async setPaused(key: ProjectKey, paused: boolean, epoch: number): Promise<'set' | 'changed'> {
    const { connection, keys, time } = this.#context;
    const { record } = keys.project(key);
    let known: Known = {};
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const args = [time(), paused ? 1 : 0, epoch, known.claimId ?? '', known.epoch ?? ''];
      const answer = (await connection.run(PAUSE, [record], args)) as ScriptAnswer;
      const type = textOrEmpty(answer[0]);
      if (type === 'set' || type === 'changed') return type;
      if (type === 'owned') {
        const { owner, claimId } = await this.#lookAtOwner(key, answer);
        if (owner !== undefined) return 'changed';
        known = { claimId };
      } else known = await this.#makeWay(key, type);
    }
    throw new StoreError('setPaused: the owner changed again and again', 'not-applied');
  }

  /** There is no record, or one that is being erased. */
  async #makeWay(key: ProjectKey, type: string): Promise<Known> {
    if (type === 'erasing') {
      await this.#erasure.end(key);
      return {};
    }
    const { connection, keys, time } = this.#context;
    const { projects, counters } = keys.poolOf(key);
    return { epoch: numberOf(await connection.run(ENTER, [projects, counters], [time(), key])) };
  }

  async #tryClaim(request: ClaimRequest, known: Known): Promise<ScriptAnswer> {
    const { answers, connection, keys, time } = this.#context;
    const { record, state, log } = keys.project(request.key);
    const { takeover } = request;
    const args = [
      time(),
      request.incarnation,
      request.claimId,
      takeover?.incarnation ?? '',
      takeover?.epoch ?? '',
      takeover?.refused === true ? 1 : 0,
      known.claimId ?? '',
      known.isAlive === true ? 1 : 0,
      known.epoch ?? '',
      INLINE_BYTES_MAX,
    ];
    const answer = await answers.within(INLINE_BYTES_MAX, () =>
      connection.run(CLAIM, [record, state, log], args),
    );
    return answer as ScriptAnswer;
  }

  async #lookAtOwner(
    key: ProjectKey,
    answer: ScriptAnswer,
  ): Promise<{ readonly claimId: string; readonly owner?: Owner }> {
    const [, incarnation, claimId, epoch] = answer;
    const owner = await this.#leases.ownerOf(
      poolKeyOfProject(key),
      textOrEmpty(incarnation),
      numberOf(epoch ?? null),
    );
    return { claimId: textOrEmpty(claimId), ...(owner === undefined ? {} : { owner }) };
  }
}

function isTakeoverOf({ takeover }: ClaimRequest, owner: Owner): boolean {
  return takeover?.incarnation === owner.incarnation && takeover.epoch === owner.epoch;
}

/** The claim itself may have been granted. */
function unknownUnless<Answer>(asked: Promise<Answer>): Promise<Answer> {
  return asked.catch((error: unknown) => {
    throw new StoreError(`claim: ${(error as Error).message}`, 'unknown', error);
  });
}

type Granted = Readonly<
  Record<'epoch' | 'seq' | 'paused' | 'leases' | 'rate' | 'state' | 'log', unknown>
>;

function activationOf(request: ClaimRequest, granted: Granted): Activation {
  const { key, incarnation, claimId } = request;
  const { epoch, seq, paused, leases, rate, state, log } = granted;
  const bucket = rateOf(rate);
  return {
    claim: { key, incarnation, claimId, epoch: numberOf(epoch), seq: numberOf(seq) },
    paused: isTrue(paused),
    leases: leasesOf(leases),
    state: stateOf(state as readonly Buffer[]),
    results: (log as readonly Buffer[]).map(unpackLogEntry),
    known: numberOf(seq) > 0,
    ...(bucket === undefined ? {} : { rate: bucket }),
  };
}
