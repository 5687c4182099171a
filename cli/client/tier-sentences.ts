/** A project's tier in words: which one it should have, who says so, and where it lives now. */
import { at, textAt } from '../output/json-value.ts';
import { formatAge } from '../output/quantity.ts';

/** @param tier the answer of `…/tier`. */
export function tierSentences(tier: unknown, nowMs: number): string {
  const desired = textAt(tier, 'desired');
  const current = textAt(tier, 'current');
  const lines = [`Tier ${desired}: ${textAt(tier, 'reason')}.`.replace(/\.\.$/, '.')];
  const expires = at(tier, 'expires');
  if (typeof expires === 'string')
    lines.push(`The override ends in ${formatAge(nowMs, Date.parse(expires))}.`);
  if (at(tier, 'current') === undefined)
    lines.push('It is not live now: the next task activates it.');
  else if (current === desired) lines.push(`It is live in ${current}.`);
  else lines.push(`It is still live in ${current}, and moves when no task of it runs.`);
  return lines.join('\n');
}
