/** The columns of `kubectl get agentpools`. */
interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  /** 1: only with `-o wide`. */
  readonly priority?: number;
}

function condition(type: string, part: string): string {
  return `.status.conditions[?(@.type=="${type}")].${part}`;
}

export const PRINTER_COLUMNS: readonly PrinterColumn[] = [
  {
    name: 'Ready',
    type: 'string',
    jsonPath: condition('Ready', 'status'),
    description: 'Whether all that the spec asks for is there.',
  },
  {
    name: 'Desired',
    type: 'integer',
    jsonPath: '.status.desiredReplicas',
    description: 'Shared runtimes wanted.',
  },
  {
    name: 'Replicas',
    type: 'integer',
    jsonPath: '.status.readyReplicas',
    description: 'Shared runtimes that serve.',
  },
  {
    name: 'Hot',
    type: 'integer',
    jsonPath: '.status.tiers[?(@.name=="HOT")].ready',
    description: 'Live HOT instances.',
  },
  {
    name: 'Warm',
    type: 'integer',
    jsonPath: '.status.tiers[?(@.name=="WARM")].ready',
    description: 'Live WARM instances.',
  },
  {
    name: 'Reason',
    type: 'string',
    jsonPath: condition('Ready', 'reason'),
    description: 'Why it is ready or not.',
  },
  {
    name: 'Age',
    type: 'date',
    jsonPath: '.metadata.creationTimestamp',
    description: 'Since when it exists.',
  },
  {
    name: 'Image',
    type: 'string',
    jsonPath: '.spec.runtime.image',
    description: 'Image of the runtimes.',
    priority: 1,
  },
  {
    name: 'Revision',
    type: 'string',
    jsonPath: '.status.updateRevision',
    description: 'Revision of the spec.',
    priority: 1,
  },
  {
    name: 'Endpoint',
    type: 'string',
    jsonPath: '.status.endpoint',
    description: 'Where the pool is called.',
    priority: 1,
  },
];
