/** Faults planted into production sources while they are loaded: each must break an invariant, or the simulation proves nothing. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Must occur exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'skip-the-seq-check',
    file: 'core/ownership.ts',
    find: "return record?.seq === claim.seq ? 'accepted' : 'refused';",
    replace: "return 'accepted';",
  },
  {
    name: 'compare-epochs',
    file: 'core/ownership.ts',
    find: 'return record?.owner !== undefined && record.owner.claimId === claimId;',
    replace: 'return record !== undefined;',
  },
  {
    name: 'acknowledge-before-commit',
    file: 'agent-runtime/host/committer.ts',
    find: 'this.#waiting.push(change);',
    replace:
      "change.settled('committed'); this.#waiting.push({ ...change, settled: () => undefined });",
  },
  {
    name: 'resend-an-unknown-outcome',
    file: 'agent-runtime/host/committer.ts',
    find: "return answer === 'again' || answer === 'unanswered' ? this.#resolve(commit, answer) : answer;",
    replace:
      "if (answer !== 'again' && answer !== 'unanswered') return answer; const now = await this.#ports.store.readProject(commit.claim.key).catch(() => undefined); return this.#send({ ...commit, claim: { ...commit.claim, seq: now?.seq ?? commit.claim.seq } });",
  },
  {
    name: 'no-self-fencing',
    file: 'agent-runtime/host/lease.ts',
    find: 'return this.#ports.clock.nowMs() - this.#renewedAtMs < LEASE_FENCE_MS;',
    replace: 'return this.#renewedAtMs > 0;',
  },
  {
    name: 'lose-a-join',
    file: 'agent-runtime/host/intake.ts',
    find: 'const known = instance.tasks.find(requestId);',
    replace: 'const known = undefined;',
  },
  {
    name: 'forget-an-edge-of-the-state-machine',
    file: 'core/instance-state.ts',
    find: "READY: ['BUSY', 'PAUSED', 'TERMINATED'],",
    replace: "READY: ['BUSY', 'PAUSED'],",
  },
  {
    name: 'keep-the-credit-of-a-lost-task',
    file: 'gateway/admission/admission.ts',
    find: 'runtime.unfinished -= 1;',
    replace: '',
  },
  {
    name: 'keep-runtimes-that-have-gone',
    file: 'platform/store/runtime-changes.ts',
    find: 'else byIncarnation.delete(change.incarnation);',
    replace: '',
  },
];
