/** Shares a runtime's concurrency out among the links of its gateways; pure. */

/**
 * Whole credits per link, their sum `total` (0 links: none). Every link gets one while there are enough (those with more demand first), then
 * demand is met, in proportion where it exceeds what is there, and the rest is spread evenly, so that a quiet gateway can start a burst.
 */
export function splitCredit(total: number, demands: readonly number[]): number[] {
  const wanted = demands.map((demand) => Math.max(1, Math.floor(demand)));
  const shares = demands.map(() => 0);
  const floor = Math.min(total, demands.length);
  for (const index of byDemand(wanted).slice(0, floor)) shares[index] = 1;
  if (floor < demands.length || demands.length === 0) return shares;
  let left = total - floor;
  const open = wanted.map((demand) => demand - 1);
  const openSum = open.reduce((sum, demand) => sum + demand, 0);
  const met = openSum <= left ? open : proportional(left, open, openSum);
  met.forEach((credits, index) => (shares[index] = (shares[index] ?? 0) + credits));
  left -= met.reduce((sum, credits) => sum + credits, 0);
  return shares.map(
    (share, index) =>
      share + Math.floor(left / shares.length) + (index < left % shares.length ? 1 : 0),
  );
}

/** Indices, largest demand first, equal ones in order. */
function byDemand(demands: readonly number[]): number[] {
  return demands
    .map((_, index) => index)
    .sort((a, b) => (demands[b] ?? 0) - (demands[a] ?? 0) || a - b);
}

/** Largest remainder method. */
function proportional(total: number, demands: readonly number[], sum: number): number[] {
  const exact = demands.map((demand) => (total * demand) / sum);
  const shares = exact.map(Math.floor);
  let left = total - shares.reduce((whole, share) => whole + share, 0);
  const remainders = exact.map((value, index) => value - (shares[index] ?? 0));
  for (const index of byDemand(remainders)) {
    if (left === 0) break;
    shares[index] = (shares[index] ?? 0) + 1;
    left -= 1;
  }
  return shares;
}
