/** What is asked for by name and is not there: one wording for every process that finds out. */
import { AppError } from './errors.ts';

/** More names would not help. */
const NAMES_SHOWN_MAX = 10;

export function unknownAgent(name: string, known: readonly string[]): AppError {
  const shown = known.slice(0, NAMES_SHOWN_MAX).join(', ');
  const more = known.length > NAMES_SHOWN_MAX ? ' …' : '';
  return new AppError('UNKNOWN_AGENT', `the pool has no agent ${name}: it has ${shown}${more}`, {
    field: 'agent',
    metadata: { agent: name },
  });
}

export function unknownInstance(): AppError {
  return new AppError(
    'UNKNOWN_INSTANCE',
    'there is no live instance with this id (namespace~pool~tenant~project): a task or CreateInstance makes one',
    { field: 'id' },
  );
}

export function unknownLease(): AppError {
  return new AppError('LEASE_UNKNOWN', 'the lease has ended or never was: acquire a new one', {
    field: 'lease_id',
  });
}
