import { describe, expect, it } from '@jest/globals';
import { formatProblem, parseManifests } from './parse-manifest.ts';

const HEAD = 'apiVersion: agentpool.dev/v1alpha1\nkind: AgentPool\n';
const SPEC_FIELDS =
  'runtime, replicas, maxInstances, operatingMode, tiers, projects, tenants, tenantLimits, maxTenants, limits, queue, checkpoint, deletionPolicy, link, health, recovery, circuitBreaker, updateStrategy, disruption, networkPolicy';

/** Lines 1 to 3 are the head, line 4 is `spec:`; what is given starts in line 5. */
function withSpec(spec: string): string {
  return `${HEAD}metadata: {name: a}\nspec:\n${spec.replaceAll(/^/gm, '  ')}\n`;
}

function problemsOf(text: string): string[] {
  const parsed = parseManifests(text, 'p.yaml');
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
}

describe('what a wrong field of the spec is told', () => {
  it.each<[string, string[]]>([
    ['- a', [`p.yaml:4: spec: must be a mapping with the fields ${SPEC_FIELDS}, but is a list`]],
    [
      'scaling: {mode: Auto}',
      [`p.yaml:5: spec.scaling: unknown field; known fields here: ${SPEC_FIELDS}`],
    ],
    [
      'replica: 2',
      [
        `p.yaml:5: spec.replica: unknown field; did you mean "replicas"? known fields here: ${SPEC_FIELDS}`,
      ],
    ],
    ['models: []', [`p.yaml:5: spec.models: unknown field; known fields here: ${SPEC_FIELDS}`]],
    [
      '__proto__: {a: 1}',
      [`p.yaml:5: spec.__proto__: unknown field; known fields here: ${SPEC_FIELDS}`],
    ],
    [
      `tiers:\n  hot:\n    stand_by: 2`,
      [
        'p.yaml:7: spec.tiers.hot.stand_by: unknown field; did you mean "standby"? known fields here: standby, maxInstances, idleSeconds, quota, podTemplate',
      ],
    ],
    [
      'replicas: two',
      [
        'p.yaml:5: spec.replicas: must be a whole number from 0 to 1000, but is "two"; the default is 1',
      ],
    ],
    [
      'replicas: 1.5',
      [
        'p.yaml:5: spec.replicas: must be a whole number from 0 to 1000, but is 1.5; the default is 1',
      ],
    ],
    [
      'replicas: -1',
      [
        'p.yaml:5: spec.replicas: must be a whole number from 0 to 1000, but is -1; the default is 1',
      ],
    ],
    [
      'replicas: 100000',
      [
        'p.yaml:5: spec.replicas: must be a whole number from 0 to 1000, but is 100000; the default is 1',
      ],
    ],
    [
      'replicas: "2"',
      [
        'p.yaml:5: spec.replicas: must be a whole number from 0 to 1000, but is "2"; the default is 1',
      ],
    ],
    [
      'replicas: [1]',
      [
        'p.yaml:5: spec.replicas: must be a whole number from 0 to 1000, but is a list; the default is 1',
      ],
    ],
    [
      'replicas: .inf',
      [
        'p.yaml:5: spec.replicas: must be a whole number from 0 to 1000, but is Infinity; the default is 1',
      ],
    ],
    [
      'replicas: true',
      [
        'p.yaml:5: spec.replicas: must be a whole number from 0 to 1000, but is true; the default is 1',
      ],
    ],
    [
      'replicas: –',
      [
        'p.yaml:5: spec.replicas: must be a whole number from 0 to 1000, but is "–"; leave the field out for none or the default',
      ],
    ],
    [
      'operatingMode: running',
      [
        'p.yaml:5: spec.operatingMode: must be one of Running, Suspended, but is "running"; did you mean "Running"?',
      ],
    ],
    [
      'operatingMode: Stopped',
      [
        'p.yaml:5: spec.operatingMode: must be one of Running, Suspended, but is "Stopped"; the default is "Running"',
      ],
    ],
    [
      'operatingMode: 1',
      [
        'p.yaml:5: spec.operatingMode: must be one of Running, Suspended, but is 1; put it in quotes',
      ],
    ],
    [
      'tiers: {default: hot}',
      [
        'p.yaml:5: spec.tiers.default: must be one of HOT, WARM, COLD, but is "hot"; did you mean "HOT"?',
      ],
    ],
    [
      'tiers: {default: LUKEWARM}',
      [
        'p.yaml:5: spec.tiers.default: must be one of HOT, WARM, COLD, but is "LUKEWARM"; the default is "WARM"',
      ],
    ],
    [
      'tiers: {hot: {standby: 11}}',
      [
        'p.yaml:5: spec.tiers.hot.standby: standby must not be above maxInstances: lower standby or raise maxInstances',
      ],
    ],
    [
      `tiers:\n  warm:\n    idleSeconds: 0`,
      [
        'p.yaml:7: spec.tiers.warm.idleSeconds: must be a whole number from 1 to 31536000, but is 0; the default is 300',
      ],
    ],
    [
      'tiers: HOT',
      [
        'p.yaml:5: spec.tiers: must be a mapping with the fields default, hot, warm, cold, but is "HOT"',
      ],
    ],
    [
      'tiers: {warm: {quota: {cpuPercent: 50}}}',
      [
        'p.yaml:5: spec.tiers.warm.quota.cpuPercent: unknown field; known fields here: memoryMb, maxConcurrentRequests, requestsPerMinute',
      ],
    ],
    [
      'tiers: {warm: {quota: {memoryMb: 512Mi}}}',
      [
        'p.yaml:5: spec.tiers.warm.quota.memoryMb: must be a whole number from 16 to 65536, but is "512Mi"; the default is 512',
      ],
    ],
    [
      `projects:\n- {project: x}`,
      [
        'p.yaml:6: spec.projects[0].tenant: required, but missing; must be a string of 1 to 253 characters. Tenant of the project.',
      ],
    ],
    [
      `projects:\n- {tenant: a/b, project: x}`,
      [
        'p.yaml:6: spec.projects[0].tenant: must be 1 to 253 characters of A-Z a-z 0-9 . _ : @ - and neither "." nor "..", but is "a/b"',
      ],
    ],
    [
      `projects:\n- {tenant: .., project: x}`,
      [
        'p.yaml:6: spec.projects[0].tenant: must be 1 to 253 characters of A-Z a-z 0-9 . _ : @ - and neither "." nor ".."',
      ],
    ],
    [
      `projects:\n- {tenant: "", project: x}`,
      ['p.yaml:6: spec.projects[0].tenant: must be a string of 1 to 253 characters, but is ""'],
    ],
    [
      `projects:\n- {tenant: 42, project: x}`,
      [
        'p.yaml:6: spec.projects[0].tenant: must be a string of 1 to 253 characters, but is 42; put it in quotes',
      ],
    ],
    [
      `projects:\n- {tenant: a, project: x}\n- {tenant: a, project: y}\n- {tenant: a, project: x}`,
      [
        'p.yaml:8: spec.projects[2]: an item with tenant "a" and project "x" is already at [0] of this list; keep one of the two',
      ],
    ],
    ['projects: {a: x}', ['p.yaml:5: spec.projects: must be a list, but is a mapping']],
    [
      `projects:\n- {tenant: a, project: x, prewarm: true}`,
      [
        'p.yaml:6: spec.projects[0].prewarm: unknown field; known fields here: tenant, project, tier, quota, config',
      ],
    ],
    [
      `projects:\n-\n- {tenant: a, project: x}`,
      [
        'p.yaml:6: spec.projects[0]: required, but missing; must be a mapping with the fields tenant, project, tier, quota, config',
      ],
    ],
    [
      `projects:\n- tenant: a\n  project: x\n  tier: Hot`,
      [
        'p.yaml:8: spec.projects[0].tier: must be one of HOT, WARM, COLD, but is "Hot"; did you mean "HOT"?',
      ],
    ],
    [
      'tenants: [{name: a}, {name: a}]',
      [
        'p.yaml:5: spec.tenants[1]: an item with name "a" is already at [0] of this list; keep one of the two',
      ],
    ],
    [
      `maxTenants: 1\ntenants: [{name: a}, {name: b}]`,
      [
        'p.yaml:5: spec.maxTenants: maxTenants must not be below the number of entries of tenants: raise maxTenants',
      ],
    ],
    [
      'tenants: [{name: a, limits: {queueDepth: 3}}]',
      [
        'p.yaml:5: spec.tenants[0].limits.queueDepth: unknown field; did you mean "queueDepthMax"? known fields here: maxInstances, queueDepthMax, requestsPerMinute',
      ],
    ],
    [
      `runtime:\n  env:\n  - {name: A, value: 1}`,
      [
        'p.yaml:7: spec.runtime.env[0].value: must be a string of at most 32768 characters, but is 1; put it in quotes',
      ],
    ],
    [
      `runtime:\n  env:\n  - {name: "1A", value: x}`,
      [
        'p.yaml:7: spec.runtime.env[0].name: must be the name of an environment variable: a letter or _ first, then letters, digits, _ . or -, but is "1A"',
      ],
    ],
    ['runtime: {env: {A: b}}', ['p.yaml:5: spec.runtime.env: must be a list, but is a mapping']],
    [
      'runtime: {env: [{name: A}, {name: A}]}',
      [
        'p.yaml:5: spec.runtime.env[1]: an item with name "A" is already at [0] of this list; keep one of the two',
      ],
    ],
    [
      'runtime: {imag: x}',
      [
        'p.yaml:5: spec.runtime.imag: unknown field; did you mean "image"? known fields here: image, imagePullPolicy, agentModule, moduleFrom, isolation, config, maxConcurrentTasks, env, envFrom, resources, podTemplate',
      ],
    ],
    [
      'runtime: {isolation: worker-thread}',
      [
        'p.yaml:5: spec.runtime.isolation: must be one of WorkerThread, Shared, but is "worker-thread"; did you mean "WorkerThread"?',
      ],
    ],
    [
      'runtime: {isolation: Process}',
      [
        'p.yaml:5: spec.runtime.isolation: must be one of WorkerThread, Shared, but is "Process"; the default is "WorkerThread"',
      ],
    ],
    [
      'runtime: {agentModule: ""}',
      [
        'p.yaml:5: spec.runtime.agentModule: must be a string of 1 to 1024 characters, but is ""; the default is "./agents.ts"',
      ],
    ],
    ['runtime: {config: [1]}', ['p.yaml:5: spec.runtime.config: must be a mapping, but is a list']],
    [
      'runtime: {config: {a: .nan}}',
      [
        'p.yaml:5: spec.runtime.config: holds a value that JSON does not know (a binary, a date, .nan or .inf); write it as a string',
      ],
    ],
    [
      `limits: {conversationWindowTurns: 200}\ncheckpoint: {retention: {turnsMaxPerConversation: 100}}`,
      [
        'p.yaml:5: spec.limits.conversationWindowTurns: limits.conversationWindowTurns must not be above checkpoint.retention.turnsMaxPerConversation: lower the window or keep more turns',
      ],
    ],
    [
      'checkpoint: {mode: Interval}',
      [
        'p.yaml:5: spec.checkpoint.mode: must be EveryRequest, but is "Interval"; the default is "EveryRequest"',
      ],
    ],
    [
      'runtime: {resources: {limits: {cpu: 0.5}}}',
      [
        'p.yaml:5: spec.runtime.resources.limits.cpu: must be a quantity such as 500m, 2 or "0.5" (in quotes where it has a point), but is 0.5',
      ],
    ],
    [
      'runtime: {resources: {requests: {cpu: 2, memory: 2Gi}, limits: {cpu: 1500m, memory: 2Gi}}}',
      [
        'p.yaml:5: spec.runtime.resources.requests.cpu: requests.cpu must not be above limits.cpu: lower the request or raise the limit',
      ],
    ],
    [
      'runtime: {podTemplate: {spec: {hostNetwork: true}}}',
      [
        'p.yaml:5: spec.runtime.podTemplate.spec.hostNetwork: hostNetwork is set by the operator (runtimes would share one port); leave it out',
      ],
    ],
    [
      'runtime: {podTemplate: {spec: {containers: [{name: runtime, image: x}]}}}',
      [
        'p.yaml:5: spec.runtime.podTemplate.spec.containers[0].image: image of the container runtime is set by the operator (write runtime.image); leave it out',
      ],
    ],
    [
      'runtime: {podTemplate: {metadata: {labels: {team: a b}}}}',
      [
        'p.yaml:5: spec.runtime.podTemplate.metadata.labels.team: must be the value of a label: letters, digits, -, _ and ., first and last a letter or digit, but is "a b"',
      ],
    ],
    [
      'runtime: {podTemplate: {metadata: {labels: {app.kubernetes.io/managed-by: helm}}}}',
      [
        'p.yaml:5: spec.runtime.podTemplate.metadata.labels: app.kubernetes.io/name, app.kubernetes.io/instance, app.kubernetes.io/component, app.kubernetes.io/managed-by are set by the operator, which finds pods by them; leave them out',
      ],
    ],
    [
      'runtime: {podTemplate: {metadata: {annotations: {a b: c}}}}',
      [
        'p.yaml:5: spec.runtime.podTemplate.metadata.annotations["a b"]: this key must be a name of at most 63 letters, digits, -, _ and ., first and last a letter or digit, with a DNS name and a / before it or without',
      ],
    ],
    [
      'runtime: {resources: {limits: {a b: 1}}}',
      [
        'p.yaml:5: spec.runtime.resources.limits["a b"]: this key must be the name of a resource, such as cpu or memory',
      ],
    ],
    [
      'runtime: {moduleFrom: {configMapRef: {name: c, key: agents.py}}}',
      [
        'p.yaml:5: spec.runtime.moduleFrom.configMapRef.key: must be the name of a .ts, .mts, .js or .mjs file, but is "agents.py"',
      ],
    ],
    [
      'checkpoint: {storage: lmdb}',
      ['p.yaml:5: spec.checkpoint.storage: must be one of embedded, memory, redis, but is "lmdb"'],
    ],
    [
      'checkpoint: {intervalSeconds: 3}',
      [
        'p.yaml:5: spec.checkpoint.intervalSeconds: unknown field; known fields here: mode, durability, storage, retention',
      ],
    ],
    [
      'link: {reconnectMinMs: 9000}',
      [
        'p.yaml:5: spec.link.reconnectMinMs: reconnectMinMs must not be above reconnectMaxMs: lower reconnectMinMs or raise reconnectMaxMs',
      ],
    ],
    [
      'updateStrategy: {maxSurge: 0}',
      [
        'p.yaml:5: spec.updateStrategy.maxSurge: maxUnavailable and maxSurge must not both be 0, nothing could roll: set maxSurge to 1',
      ],
    ],
    [
      'updateStrategy: {onFailure: Rollback}',
      [
        'p.yaml:5: spec.updateStrategy.onFailure: must be Pause, but is "Rollback"; the default is "Pause"',
      ],
    ],
    [
      'health: {intervalSeconds: 30}',
      [
        'p.yaml:5: spec.health.intervalSeconds: unknown field; known fields here: initializeTimeoutSeconds',
      ],
    ],
    [
      'deletionPolicy: Keep',
      [
        'p.yaml:5: spec.deletionPolicy: must be one of Retain, Delete, but is "Keep"; the default is "Retain"',
      ],
    ],
  ])('%j', (spec, problems) => {
    expect(problemsOf(withSpec(spec))).toEqual(problems);
  });
});
