/** Rendezvous hashing: which of the nodes a key belongs to, so that a lost or new node moves only its own share of keys. Knows nothing of runtimes. */

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The node with the highest score for this key; undefined without nodes. The order of the nodes does not count, so
 * every gateway that sees the same set agrees.
 */
export function pickRendezvous<Node>(
  key: string,
  nodes: readonly Node[],
  idOf: (node: Node) => string,
): Node | undefined {
  const keyHash = fnv1a(FNV_OFFSET, key);
  let best: Node | undefined;
  let bestScore = -1;
  let bestId = '';
  for (const node of nodes) {
    const id = idOf(node);
    const score = scramble(fnv1a(keyHash, id));
    if (score < bestScore || (score === bestScore && id > bestId)) continue;
    best = node;
    bestScore = score;
    bestId = id;
  }
  return best;
}

/** FNV-1a over UTF-16 code units, continued from `hash`. */
function fnv1a(hash: number, text: string): number {
  let result = hash;
  for (let index = 0; index < text.length; index += 1)
    result = Math.imul(result ^ text.charCodeAt(index), FNV_PRIME);
  return result;
}

/** The finaliser of MurmurHash3: FNV-1a alone leaves the high bits of similar ids alike, and the highest score wins. */
function scramble(hash: number): number {
  let result = hash ^ (hash >>> 16);
  result = Math.imul(result, 0x85ebca6b);
  result ^= result >>> 13;
  result = Math.imul(result, 0xc2b2ae35);
  return (result ^ (result >>> 16)) >>> 0;
}
