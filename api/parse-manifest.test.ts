import { describe, expect, it } from '@jest/globals';
import { formatProblem, joinManifests, parseManifests } from './parse-manifest.ts';

const HEAD = 'apiVersion: agentpool.dev/v1alpha1\nkind: AgentPool\n';

function problemsOf(text: string): string[] {
  const parsed = parseManifests(text, 'p.yaml');
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
}

describe('what a wrong document is told', () => {
  it.each<[string, string, string[]]>([
    [
      'an empty file',
      '',
      [
        'p.yaml:1: holds no AgentPool; start with "apiVersion: agentpool.dev/v1alpha1" and "kind: AgentPool"',
      ],
    ],
    [
      'a file of comments',
      `# nothing\n`,
      [
        'p.yaml:1: holds no AgentPool; start with "apiVersion: agentpool.dev/v1alpha1" and "kind: AgentPool"',
      ],
    ],
    [
      'only separators',
      `---\n---\n`,
      [
        'p.yaml:1: holds no AgentPool; start with "apiVersion: agentpool.dev/v1alpha1" and "kind: AgentPool"',
      ],
    ],
    ['a scalar', 'hello', ['p.yaml:1: must be an AgentPool (a mapping), but is "hello"']],
    ['a list', `- a\n- b`, ['p.yaml:1: must be an AgentPool (a mapping), but is a list']],
    [
      'a tab as indentation',
      `a:\n	- b`,
      ['p.yaml:2: not valid YAML: tabs are not allowed as indentation'],
    ],
    [
      'a list that is not closed',
      'a: [1, 2',
      [
        'p.yaml:1: not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
      ],
    ],
    [
      'a mapping out of line',
      `a:\n  b: 1\n c: 2`,
      ['p.yaml:3: not valid YAML: all mapping items must start at the same column'],
    ],
    [
      'a key twice',
      `kind: AgentPool\nkind: AgentPool\n`,
      ['p.yaml:2: not valid YAML: map keys must be unique'],
    ],
    [
      'an alias to nothing',
      'a: *nope',
      [
        'p.yaml:1: not valid YAML: unresolved alias (the anchor must be set before the alias): nope',
      ],
    ],
    [
      'aliases that multiply',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c]\n`,
      ['p.yaml:1: not valid YAML: excessive alias count indicates a resource exhaustion attack'],
    ],
    [
      'JSON without a colon',
      '{"apiVersion": "agentpool.dev/v1alpha1", "kind" "AgentPool"}',
      ['p.yaml:1: not valid YAML: missing , or : between flow map items'],
    ],
    [
      'JSON with a wrong value',
      `{"apiVersion": "agentpool.dev/v1alpha1",\n "kind": "AgentPool",\n "metadata": {"name": "a"},\n "spec": {"replicas": -1}}`,
      [
        'p.yaml:4: spec.replicas: must be a whole number from 0 to 1000, but is -1; the default is 1',
      ],
    ],
    [
      'another kind',
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n`,
      ['p.yaml:2: kind: must be "AgentPool", but is "Deployment"'],
    ],
    [
      'a List',
      `apiVersion: v1\nkind: List\nitems: []\n`,
      [
        'p.yaml:2: kind: must be "AgentPool", but is "List"; write each item as a document of its own, with a line "---" between them',
      ],
    ],
    [
      'no kind',
      `apiVersion: agentpool.dev/v1alpha1\nmetadata: {name: a}\n`,
      ['p.yaml:1: kind is missing; write "kind: AgentPool"'],
    ],
    [
      'no apiVersion',
      `kind: AgentPool\nmetadata: {name: a}\n`,
      ['p.yaml:1: apiVersion is missing; write "apiVersion: agentpool.dev/v1alpha1"'],
    ],
    [
      'apiVersion misspelt',
      `apiversion: agentpool.dev/v1alpha1\nkind: AgentPool\nmetadata: {name: a}\n`,
      ['p.yaml:1: apiversion: unknown field; did you mean "apiVersion"?'],
    ],
    [
      'another version',
      `apiVersion: agentpool.dev/v1\nkind: AgentPool\nmetadata: {name: a}\n`,
      ['p.yaml:1: apiVersion: must be "agentpool.dev/v1alpha1", but is "agentpool.dev/v1"'],
    ],
    [
      'no metadata',
      HEAD,
      [
        'p.yaml:1: metadata: required, but missing; must be a mapping with the fields name, namespace, generation, labels, annotations. Name, namespace, labels.',
      ],
    ],
    [
      'empty metadata',
      `${HEAD}metadata:\n`,
      [
        'p.yaml:3: metadata: required, but missing; must be a mapping with the fields name, namespace, generation, labels, annotations. Name, namespace, labels.',
      ],
    ],
    [
      'no name',
      `${HEAD}metadata: {}\n`,
      [
        'p.yaml:3: metadata.name: required, but missing; must be a string of 1 to 63 characters. Name of the pool, unique in its namespace; callers use it.',
      ],
    ],
    [
      'a name in capitals',
      `${HEAD}metadata: {name: My_Pool}\n`,
      [
        'p.yaml:3: metadata.name: must be a DNS label: 1 to 63 lower case letters, digits and -, first and last a letter or digit, but is "My_Pool"',
      ],
    ],
    [
      'a name of 64 letters',
      `${HEAD}metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n`,
      [
        'p.yaml:3: metadata.name: must be a string of 1 to 63 characters, but is "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…"',
      ],
    ],
    [
      'a number as name',
      `${HEAD}metadata:\n  name: 12\n`,
      [
        'p.yaml:4: metadata.name: must be a string of 1 to 63 characters, but is 12; put it in quotes',
      ],
    ],
    [
      'an empty name',
      `${HEAD}metadata: {name: ""}\n`,
      ['p.yaml:3: metadata.name: must be a string of 1 to 63 characters, but is ""'],
    ],
    [
      'a slash in the namespace',
      `${HEAD}metadata: {name: a, namespace: a/b}\n`,
      [
        'p.yaml:3: metadata.namespace: must be a DNS label: 1 to 63 lower case letters, digits and -, first and last a letter or digit, but is "a/b"',
      ],
    ],
    [
      'a number as label',
      `${HEAD}metadata: {name: a, labels: {a/b: 5}}\n`,
      [
        'p.yaml:3: metadata.labels["a/b"]: must be a string of at most 65536 characters, but is 5; put it in quotes',
      ],
    ],
    [
      'labels as a list',
      `${HEAD}metadata: {name: a, labels: [x]}\n`,
      ['p.yaml:3: metadata.labels: must be a mapping, but is a list'],
    ],
    [
      'an unknown field at the top',
      `${HEAD}metadata: {name: a}\nspecs: {}\n`,
      [
        'p.yaml:4: specs: unknown field; did you mean "spec"? known fields here: apiVersion, kind, metadata, spec, status',
      ],
    ],
    [
      'the same pool twice',
      `${HEAD}metadata: {name: a}\n---\n${HEAD}metadata: {name: a, namespace: default}\n`,
      [
        'p.yaml:7: metadata.name: the pool default/a is already at p.yaml:3; rename or remove one of the two',
      ],
    ],
    [
      'two wrong documents',
      `${HEAD}metadata: {name: a}\nspec:\n  queue: {depthMax: 0}\n  replicas: x\n---\n${HEAD}metadata: {name: b}\nspec: {maxInstances: 0}\n`,
      [
        'p.yaml:5: spec.queue.depthMax: must be a whole number from 1 to 100000, but is 0; the default is 1000',
        'p.yaml:6: spec.replicas: must be a whole number from 0 to 1000, but is "x"; the default is 1',
        'p.yaml:11: spec.maxInstances: must be a whole number from 1 to 1000000, but is 0; the default is 100',
      ],
    ],
    [
      'a right and a broken document',
      `${HEAD}metadata: {name: a}\n---\na: [\n`,
      [
        'p.yaml:6: not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
      ],
    ],
  ])('%s', (_name, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});

describe('what a hostile document is told', () => {
  it.each<[string, string, string]>([
    [
      'endless nesting',
      '['.repeat(50_000),
      'p.yaml:1: not valid YAML: nested too deeply; flatten it',
    ],
    [
      'more text than anybody writes',
      ' '.repeat(4_194_305),
      'p.yaml:1: has more than 4194304 characters; split the file',
    ],
    [
      'a name that is longer than the limit, shortened',
      `${HEAD}metadata: {name: a}\nspec: {replicas: ${'x'.repeat(1_000)}}`,
      `p.yaml:4: spec.replicas: must be a whole number from 0 to 1000, but is "${'x'.repeat(60)}…"; the default is 1`,
    ],
    [
      'configuration above its bytes',
      `${HEAD}metadata: {name: a}\nspec: {runtime: {config: {a: ${'x'.repeat(65_530)}}}}`,
      'p.yaml:4: spec.runtime.config: has 65538 bytes as JSON, the limit is 65536; keep large data in a file of the agent module',
    ],
    [
      'configuration above its depth',
      `${HEAD}metadata: {name: a}\nspec: {runtime: {config: {a: ${'['.repeat(32)}${']'.repeat(32)}}}}`,
      'p.yaml:4: spec.runtime.config: is nested deeper than 32 levels; flatten it',
    ],
    [
      'a list above its length',
      `${HEAD}metadata: {name: a}\nspec: {runtime: {env: [${'{name: A}, '.repeat(201)}]}}`,
      'p.yaml:4: spec.runtime.env: has 201 items, at most 200 are allowed; remove some',
    ],
  ])('%s', (_name, text, problem) => {
    expect(problemsOf(text)).toContain(problem);
  });

  it('shows fifty problems of a file and counts the others', () => {
    const projects = Array.from(
      { length: 60 },
      (_, index) => `- {tenant: a, project: p${index}, x: 1}`,
    );
    const problems = problemsOf(
      `${HEAD}metadata: {name: a}\nspec:\n  projects:\n${projects.map((line) => `  ${line}\n`).join('')}`,
    );
    expect(problems).toHaveLength(51);
    expect(problems.at(-1)).toBe(
      'p.yaml:55: 10 more problems are not shown; correct those above first',
    );
  });
});

describe('a right file', () => {
  it('gives its pools in order, with their places', () => {
    const parsed = parseManifests(
      `---\n${HEAD}metadata: {name: a}\n---\n---\n${HEAD}metadata:\n  name: b\n  namespace: other\n`,
      'p.yaml',
    );
    const places = parsed.ok
      ? parsed.pools.map(({ pool: { metadata }, document, line }) => [
          `${metadata.namespace}/${metadata.name}`,
          document,
          line,
        ])
      : parsed;
    expect(places).toEqual([
      ['default/a', 1, 4],
      ['other/b', 3, 10],
    ]);
  });

  it('may be JSON', () => {
    const text = JSON.stringify({
      apiVersion: 'agentpool.dev/v1alpha1',
      kind: 'AgentPool',
      metadata: { name: 'a' },
      spec: { replicas: 3 },
    });
    expect(parseManifests(text, 'p.json')).toMatchObject({
      ok: true,
      pools: [{ pool: { spec: { replicas: 3 } } }],
    });
  });

  it('may reuse parts by anchors and merge keys', () => {
    const text = `${HEAD}metadata: {name: a}\nspec:\n  tiers:\n    warm: {quota: &q {memoryMb: 64}}\n    cold: {quota: {<<: *q, requestsPerMinute: 7}}\n`;
    expect(parseManifests(text, 'p.yaml')).toMatchObject({
      ok: true,
      pools: [
        { pool: { spec: { tiers: { cold: { quota: { memoryMb: 64, requestsPerMinute: 7 } } } } } },
      ],
    });
  });

  it('may be what the client printed, status and all', () => {
    const text = `${HEAD}metadata: {name: a, generation: 4}\nspec: {}\nstatus: {replicas: many}\n`;
    const parsed = parseManifests(text, 'p.yaml');
    expect(parsed.ok && parsed.pools[0]?.pool).not.toHaveProperty('status');
  });

  it('takes defaults from outside only where it says nothing', () => {
    const defaults = { replicas: 7, tiers: { warm: { idleSeconds: 9, quota: { memoryMb: 64 } } } };
    const text = `${HEAD}metadata: {name: a}\nspec: {tiers: {warm: {idleSeconds: 5}}}`;
    expect(parseManifests(text, 'p.yaml', defaults)).toMatchObject({
      pools: [
        {
          pool: {
            spec: {
              replicas: 7,
              tiers: { warm: { idleSeconds: 5, quota: { memoryMb: 64, requestsPerMinute: 100 } } },
            },
          },
        },
      ],
    });
  });
});

describe('several files', () => {
  it('may not hold the same pool', () => {
    const parts = ['a.yaml', 'b.yaml'].map((name) =>
      parseManifests(`${HEAD}metadata: {name: a}\n`, name),
    );
    const joined = joinManifests(parts);
    expect(joined.ok ? [] : joined.problems.map(formatProblem)).toEqual([
      'b.yaml:3: metadata.name: the pool default/a is already at a.yaml:3; rename or remove one of the two',
    ]);
  });

  it('give all their pools, and no pool when one file is wrong', () => {
    const right = parseManifests(`${HEAD}metadata: {name: a}\n`, 'a.yaml');
    const other = parseManifests(`${HEAD}metadata: {name: b}\n`, 'b.yaml');
    const wrong = parseManifests('hello', 'c.yaml');
    expect(joinManifests([right, other])).toMatchObject({ ok: true, pools: [{}, {}] });
    expect(joinManifests([right, wrong])).toMatchObject({
      ok: false,
      problems: [{ source: 'c.yaml' }],
    });
  });
});
