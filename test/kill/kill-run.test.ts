import { describe, expect, it } from '@jest/globals';
import { killRun } from './kill-run.ts';

const SEED = Number(process.env['KILL_SEED'] ?? 20261121);

describe('the kill run', () => {
  it(`keeps every acknowledged turn through 16 faults (seed ${String(SEED)})`, async () => {
    const report = await killRun({
      seed: SEED,
      projects: 200,
      tenants: 20,
      inFlight: 50,
      faults: 16,
      acks: 2_000,
      gapMsMin: 1_500,
      gapMsMax: 5_000,
      log: () => undefined,
    });
    expect(report.contradictions).toEqual([]);
    expect(report.contradictionsAfterColdStart).toEqual([]);
    expect({ share: report.firstSendShare, errors: report.errorsOutside }).toEqual({
      share: expect.anything(),
      errors: expect.anything(),
    });
    expect(report.firstSendShare).toBeGreaterThanOrEqual(0.95);
    expect(report.acknowledged).toBeGreaterThanOrEqual(2_000);
  }, 420_000);
});
