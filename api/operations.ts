/** The parts of the spec about running it: link, health, recovery, circuit breaker, roll-out and disruptions. */
import { z } from 'zod';
import { withRules } from './rules.ts';
import { SECONDS_PER_DAY, wholeNumber } from './whole-number.ts';

const MINUTE_MS = 60_000;
const RECONNECT_MIN_MS = 50;

export const link = withRules(
  z.strictObject({
    pingMs: wholeNumber(
      { min: 100, max: 10 * MINUTE_MS },
      'Milliseconds of silence after which a gateway pings a runtime; it pings every 5 s at least.',
    ).default(1_000),
    pingTimeoutMs: wholeNumber(
      { min: 100, max: MINUTE_MS },
      'Milliseconds without any byte after a ping until the link counts as broken.',
    ).default(1_000),
    connectTimeoutMs: wholeNumber(
      { min: 100, max: MINUTE_MS },
      'Milliseconds that opening a link may take.',
    ).default(2_000),
    reconnectMinMs: wholeNumber(
      { min: 1, max: MINUTE_MS },
      'Milliseconds before the first attempt to reconnect; doubled after each failure.',
    ).default(RECONNECT_MIN_MS),
    reconnectMaxMs: wholeNumber(
      // Not below the default of reconnectMinMs, which may come from elsewhere than this one.
      { min: RECONNECT_MIN_MS, max: 10 * MINUTE_MS },
      'Longest wait between attempts to reconnect, in milliseconds.',
    ).default(5_000),
  }),
  [
    {
      cel: 'self.reconnectMinMs <= self.reconnectMaxMs',
      message:
        'reconnectMinMs must not be above reconnectMaxMs: lower reconnectMinMs or raise reconnectMaxMs',
      field: ['reconnectMinMs'],
      holds: (self) => self.reconnectMinMs <= self.reconnectMaxMs,
    },
  ],
);

export const health = z.strictObject({
  initializeTimeoutSeconds: wholeNumber(
    { min: 1, max: 3_600 },
    'Seconds that loading the agent module and initialize of an instance may take.',
  ).default(60),
});

export const recovery = z.strictObject({
  maxFailuresPerHour: wholeNumber(
    { min: 0, max: 1_000 },
    'Failures of one instance per hour after which it is not activated again and its tasks get CIRCUIT_OPEN.',
  ).default(5),
});

export const circuitBreaker = z.strictObject({
  resetTimeoutSeconds: wholeNumber(
    { min: 1, max: SECONDS_PER_DAY },
    'Seconds that a quarantined project gets CIRCUIT_OPEN before it is tried again.',
  ).default(30),
});

export const disruption = z.strictObject({
  maxUnavailable: wholeNumber(
    { min: 0, max: 1_000 },
    'Ready runtimes of each role that the draining of nodes may take away at once, in a cluster. Standbys that have no place, or no node, are not counted.',
  ).default(1),
});

export const updateStrategy = withRules(
  z.strictObject({
    maxUnavailable: wholeNumber(
      { min: 0, max: 1_000 },
      'Shared runtimes that may be missing while a change rolls out, and HOT projects whose runtime may be, where maxSurge is 0.',
    ).default(0),
    maxSurge: wholeNumber(
      { min: 0, max: 1_000 },
      'Shared runtimes above replicas while a change rolls out, and as many above the places of HOT projects.',
    ).default(1),
    progressDeadlineSeconds: wholeNumber(
      { min: 1, max: SECONDS_PER_DAY },
      'Seconds without progress after which a roll-out counts as stalled.',
    ).default(600),
    onFailure: z
      .enum(['Pause'])
      .default('Pause')
      .describe('Pause: a stalled roll-out stops, what still runs goes on serving.'),
  }),
  [
    {
      cel: 'self.maxUnavailable + self.maxSurge > 0',
      message:
        'maxUnavailable and maxSurge must not both be 0, nothing could roll: set maxSurge to 1',
      field: ['maxSurge'],
      holds: (self) => self.maxUnavailable + self.maxSurge > 0,
    },
  ],
);
