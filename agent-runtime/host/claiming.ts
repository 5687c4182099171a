/**
 * Takes ownership of one project, with the rules of takeover: an owner that a gateway cannot reach is asked here whether it lives,
 * and asked to let go before anything is taken from it. Starts nothing.
 */
import { AppError } from '../../core/errors.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { Clock } from '../../platform/clock.ts';
import type { TaskHeader } from '../../platform/link/frames.ts';
import type { PeerClient } from '../../platform/link/task-link.ts';
import type {
  Activation,
  ClaimAnswer,
  ClaimRequest,
  Owner,
  Store,
} from '../../platform/store/store.ts';
import type { Lease } from './lease.ts';
import { storeLost } from './run-outcome.ts';

/** An owner's event loop that does not answer within this time is taken for dead. */
export const PEER_PING_MS = 500;
/** How long an owner that lives may take to let go. */
export const PEER_YIELD_MS = 2_000;
const STORE_RETRY_MS = 100;
/** A store that does not answer for longer ends the attempt; the task is told. */
const STORE_AWAY_MS_MAX = 5_000;

export interface ClaimPorts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'claim'>;
  readonly lease: Pick<Lease, 'held'>;
  readonly peers: PeerClient;
  readonly incarnation: string;
}

export interface ClaimWish {
  readonly key: ProjectKey;
  readonly claimId: string;
  /** What the gateway of the first waiting task asked for. */
  readonly takeover: TaskHeader['takeover'];
  /** Somebody still waits. Asked before each wait. */
  wanted(): boolean;
  /** A takeover was refused for now: from here on it is waiting in a queue. */
  limited(): void;
}

export type Claimed =
  | { readonly type: 'claimed'; readonly activation: Activation }
  | { readonly type: 'moved'; readonly owner: Owner }
  | { readonly type: 'failed'; readonly error: AppError };

export async function claimProject(ports: ClaimPorts, wish: ClaimWish): Promise<Claimed> {
  const request = { key: wish.key, incarnation: ports.incarnation, claimId: wish.claimId };
  const first = await askStore(ports, request);
  if (first.type !== 'moved' || !isUnreachable(first.owner, wish)) return settled(first);
  const pinged = await ports.peers.ping(first.owner.address, PEER_PING_MS);
  if (pinged === 'alive') {
    await ports.peers.yieldProject(first.owner.address, wish.key, PEER_YIELD_MS);
    return settled(await askStore(ports, request));
  }
  const { incarnation, epoch } = first.owner;
  return takeOver(ports, wish, {
    ...request,
    takeover: { incarnation, epoch, refused: pinged === 'refused' },
  });
}

type Answer =
  | Exclude<ClaimAnswer, { readonly type: 'limited' }>
  | { readonly type: 'failed'; readonly error: AppError };

async function takeOver(
  ports: ClaimPorts,
  wish: ClaimWish,
  request: ClaimRequest,
): Promise<Claimed> {
  for (;;) {
    const answer = await askStore(ports, request);
    if (answer.type !== 'limited') return settled(answer);
    wish.limited();
    const error = new AppError(
      'OWNER_UNREACHABLE',
      'the project was taken over a moment ago and must not move again yet: try again',
      {
        retryAfterMs: answer.retryAfterMs,
      },
    );
    if (!wish.wanted()) return { type: 'failed', error };
    await ports.clock.sleep(answer.retryAfterMs);
    if (!wish.wanted()) return { type: 'failed', error };
  }
}

/** The gateway means exactly this owner; a later one has to be tried first. */
function isUnreachable(owner: Owner, { takeover }: ClaimWish): boolean {
  return takeover?.incarnation === owner.incarnation && takeover.epoch === owner.epoch;
}

function settled(answer: ClaimAnswer | Answer): Claimed {
  if (answer.type !== 'limited') return answer;
  // Only an attempt with takeover can be limited, and that one waits.
  return { type: 'failed', error: storeLost() };
}

/** The same claim id is answered the same, so an unknown outcome can be asked again. */
async function askStore(ports: ClaimPorts, request: ClaimRequest): Promise<ClaimAnswer | Answer> {
  const { clock, store, lease } = ports;
  const untilMs = clock.nowMs() + STORE_AWAY_MS_MAX;
  for (;;) {
    if (!lease.held) return { type: 'failed', error: storeLost() };
    try {
      return await store.claim(request);
    } catch (error) {
      if (clock.nowMs() >= untilMs) return { type: 'failed', error: AppError.from(error) };
    }
    await clock.sleep(STORE_RETRY_MS);
  }
}
