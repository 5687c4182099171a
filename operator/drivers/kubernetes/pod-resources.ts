/** What the pod of a runtime asks for and may use, and how it remembers its class. Pure. */
import { compareQuantities } from '../../../api/quantity.ts';
import type { ResourceClass, RuntimeRequest } from '../../pool/driver.ts';
import { type JsonObject, overlay } from './overlay.ts';

/** What a dedicated runtime may use on top of its project's quota: Node, the link, the host thread. */
const OVERHEAD_MB = 128;
const OVERHEAD_CPU_PERCENT = 50;
const MILLICORES_PER_PERCENT = 10;

const MEMORY_ANNOTATION = 'agentpool.dev/memory-mb';
const CPU_ANNOTATION = 'agentpool.dev/cpu-percent';

/**
 * A dedicated runtime has its project's memory and the overhead, for sure: it asks for as much as it may use. CPU time it only shares:
 * it asks for what shared ones ask for, at most what it may use.
 */
export function resourcesOf({ role, template, resources }: RuntimeRequest): JsonObject {
  const shared = template.spec.runtime.resources;
  if (role === 'shared') return shared;
  const { memoryMb, cpuPercent } = resources;
  const most = {
    ...(memoryMb === undefined ? {} : { memory: `${memoryMb + OVERHEAD_MB}Mi` }),
    ...(cpuPercent === undefined ? {} : { cpu: cpuLimit(cpuPercent) }),
  };
  const { cpu, ...sure } = most;
  const asked = shared.requests?.['cpu'];
  const isTooMuch = cpu !== undefined && asked !== undefined && compareQuantities(asked, cpu) > 0;
  const requests = isTooMuch ? { ...sure, cpu } : sure;
  return overlay(shared, { requests, limits: most });
}

function cpuLimit(cpuPercent: number): string {
  return `${(cpuPercent + OVERHEAD_CPU_PERCENT) * MILLICORES_PER_PERCENT}m`;
}

export function classAnnotations({ memoryMb, cpuPercent }: ResourceClass): JsonObject {
  return {
    ...(memoryMb === undefined ? {} : { [MEMORY_ANNOTATION]: String(memoryMb) }),
    ...(cpuPercent === undefined ? {} : { [CPU_ANNOTATION]: String(cpuPercent) }),
  };
}

export function classOfAnnotations(annotations: Readonly<Record<string, string>>): ResourceClass {
  const memoryMb = Number(annotations[MEMORY_ANNOTATION]);
  const cpuPercent = Number(annotations[CPU_ANNOTATION]);
  return { ...(memoryMb > 0 ? { memoryMb } : {}), ...(cpuPercent > 0 ? { cpuPercent } : {}) };
}
