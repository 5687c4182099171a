/** What one project may use: the quota of its tier with the project's own fields laid over it. */

export interface ProjectQuota {
  readonly memoryMb: number;
  /** Tasks of the project that run at once. */
  readonly maxConcurrentRequests: number;
  readonly requestsPerMinute: number;
}

/** A field that the project does not name is its tier's. */
export function resolveQuota(
  ofTier: ProjectQuota,
  ofProject: Partial<ProjectQuota> | undefined,
): ProjectQuota {
  return {
    memoryMb: ofProject?.memoryMb ?? ofTier.memoryMb,
    maxConcurrentRequests: ofProject?.maxConcurrentRequests ?? ofTier.maxConcurrentRequests,
    requestsPerMinute: ofProject?.requestsPerMinute ?? ofTier.requestsPerMinute,
  };
}
