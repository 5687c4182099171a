/** The methods of the port as they go over the wire: which of them write, and whose keys they touch. */
import type { PoolKey } from '../../core/identifiers.ts';
import type { PoolRecord, RuntimeRecord, Store, Topic } from './store.ts';

export type StoreMethod = Exclude<keyof Store, 'kind' | 'durability' | 'subscribe' | 'close'>;

/** What a connection may touch: the keys of this pool; `*`: everything. */
export type StoreScope = PoolKey;

export const TOPICS: readonly Topic[] = ['pools', 'reports', 'runtimes', 'tiers'];

interface MethodRow {
  readonly writes: boolean;
  /** The keys (of pools or projects) in the arguments; 'everybody': only for the scope `*`; 'nothing': no key, see `restrict`. */
  readonly touches: 'everybody' | 'nothing' | ((args: readonly unknown[]) => unknown);
}

type Keyed =
  | { readonly key?: unknown; readonly pool?: unknown; readonly claim?: { readonly key?: unknown } }
  | undefined;

const first = (args: readonly unknown[]): unknown => args[0];
const keyOfFirst = (args: readonly unknown[]): unknown => (args[0] as Keyed)?.key;

export const STORE_METHODS: Readonly<Record<StoreMethod, MethodRow>> = {
  heartbeat: { writes: true, touches: (args) => (args[0] as Keyed)?.pool },
  deregister: { writes: true, touches: 'nothing' },
  listRuntimes: { writes: false, touches: 'nothing' },
  claim: { writes: true, touches: keyOfFirst },
  commit: { writes: true, touches: (args) => (args[0] as Keyed)?.claim?.key },
  release: { writes: true, touches: keyOfFirst },
  readProject: { writes: false, touches: first },
  readProjects: { writes: false, touches: first },
  readOwner: { writes: false, touches: first },
  setPaused: { writes: true, touches: first },
  listProjects: { writes: false, touches: first },
  eraseProject: { writes: true, touches: first },
  endErasures: { writes: true, touches: first },
  readResult: { writes: false, touches: first },
  readTurns: { writes: false, touches: first },
  readConversation: { writes: false, touches: first },
  listConversations: { writes: false, touches: first },
  setTierOverride: { writes: true, touches: first },
  readTierOverride: { writes: false, touches: first },
  listTierOverrides: { writes: false, touches: first },
  putPool: { writes: true, touches: 'everybody' },
  deletePool: { writes: true, touches: 'everybody' },
  listPools: { writes: false, touches: 'nothing' },
};

export function isStoreMethod(name: unknown): name is StoreMethod {
  return typeof name === 'string' && Object.hasOwn(STORE_METHODS, name);
}

export function isAllowed(
  scope: StoreScope,
  method: StoreMethod,
  args: readonly unknown[],
): boolean {
  const { touches } = STORE_METHODS[method];
  if (scope === '*' || touches === 'nothing') return true;
  if (touches === 'everybody') return false;
  const keys: unknown = touches(args);
  return (Array.isArray(keys) ? keys : [keys]).every((key: unknown) => isWithin(scope, key));
}

/** Takes out of an answer what is not of the scope's pool. */
export function restrict(scope: StoreScope, method: StoreMethod, answer: unknown): unknown {
  if (scope === '*') return answer;
  if (method === 'listRuntimes')
    return (answer as readonly RuntimeRecord[]).filter(({ pool }) => pool === scope);
  if (method === 'listPools')
    return (answer as readonly PoolRecord[]).filter(({ key }) => key === scope);
  return answer;
}

function isWithin(scope: PoolKey, key: unknown): boolean {
  return typeof key === 'string' && (key === scope || key.startsWith(`${scope}~`));
}
