/** What a revision is made of, as it is kept in the cluster: the same when it is read, and nothing else is believed. */
import { describe, expect, it } from '@jest/globals';
import {
  type AgentPoolSpec,
  agentPoolSpecSchema,
  type AgentPoolSpecInput,
} from '../../../api/agent-pool.ts';
import type { RuntimeTemplate } from '../../pool/driver.ts';
import { templateOf } from '../../pool/observe.ts';
import { templateFrom, templateText } from './template-text.ts';

const specOf = (input: AgentPoolSpecInput): AgentPoolSpec => agentPoolSpecSchema.parse(input);
const moduleFrom = { configMapRef: { name: 'agents', key: 'agents.ts' } };
const IN_IMAGE = { digest: 'd1', path: './agents.ts' };
const MOUNTED = {
  digest: 'd1',
  image: 'agents:default',
  path: '/etc/agentpool/module/agents.ts',
  mounted: { configMap: 'agents', key: 'agents.ts', digest: 't1' },
};
const LIVE = specOf({
  replicas: 7,
  limits: { taskTimeoutSeconds: 77 },
  runtime: {
    ...{ image: 'agents:2', imagePullPolicy: 'Never', config: { b: 2 } },
    podTemplate: { spec: { priorityClassName: 'low' } },
  },
  tiers: {
    hot: { maxInstances: 9, podTemplate: { spec: { priorityClassName: 'new' } } },
  },
});

describe('what a revision is made of', () => {
  it.each<[string, AgentPoolSpecInput, RuntimeTemplate['module']]>([
    ['an image', { runtime: { image: 'agents:1' } }, IN_IMAGE],
    ['a key of a ConfigMap', { runtime: { moduleFrom } }, MOUNTED],
    [
      'all that makes a revision',
      {
        runtime: {
          ...{ image: 'agents:1', agentModule: './b.ts', isolation: 'Shared' },
          config: { z: 1, a: [{ y: 1, x: 2 }] },
          env: [{ name: 'B', value: '1' }, { name: 'A' }],
          envFrom: [{ secretRef: { name: 's' } }],
          resources: { limits: { memory: '2Gi' } },
          podTemplate: { spec: { nodeSelector: { disk: 'fast' } } },
        },
        tiers: {
          hot: { podTemplate: { spec: { priorityClassName: 'high' } } },
          warm: { podTemplate: { spec: { runtimeClassName: 'gvisor' } } },
        },
      },
      { digest: 'd1', path: './b.ts' },
    ],
  ])('is the same when it is read: %s', (_what, input, module) => {
    const template = templateOf(specOf(input), module);
    const read = templateFrom(templateText(template), template.revision, { live: LIVE });
    expect(read).toMatchObject({ revision: template.revision, module });
    expect(read.spec.runtime).toEqual({
      ...template.spec.runtime,
      imagePullPolicy: LIVE.runtime.imagePullPolicy,
      maxConcurrentTasks: LIVE.runtime.maxConcurrentTasks,
    });
    for (const tier of ['hot', 'warm'] as const)
      expect(read.spec.tiers[tier].podTemplate).toEqual(template.spec.tiers[tier].podTemplate);
    expect(templateText(read)).toBe(templateText(template));
  });

  it('leaves all else as it is now', () => {
    const template = templateOf(specOf({ runtime: { image: 'agents:1' } }), IN_IMAGE);
    const { spec } = templateFrom(templateText(template), template.revision, { live: LIVE });
    expect(spec.replicas).toBe(7);
    expect(spec.limits.taskTimeoutSeconds).toBe(77);
    expect(spec.tiers.hot.maxInstances).toBe(9);
  });

  it('is made again only where its store still is', () => {
    const template = templateOf(specOf({ runtime: { image: 'agents:1' } }), IN_IMAGE);
    const from = (text: string, storePlace?: string): string =>
      templateFrom(text, template.revision, { live: LIVE, ...(storePlace && { storePlace }) })
        .revision;
    expect(from(templateText(template, 'here'), 'here')).toBe(template.revision);
    const words = 'its store is another place than now';
    expect(() => from(templateText(template, 'here'), 'there')).toThrow(words);
    expect(() => from(templateText(template), 'there')).toThrow(words);
    expect(() => from(templateText(template, 'here'))).toThrow(words);
  });

  it('is not believed without an image: that of today may be another', () => {
    const template = templateOf(specOf({ runtime: { moduleFrom } }), { ...MOUNTED });
    const kept = JSON.parse(templateText(template)) as Record<string, unknown>;
    delete kept['image'];
    const text = JSON.stringify(kept);
    expect(() => templateFrom(text, template.revision, { live: LIVE })).toThrow(
      'it does not say which image it ran',
    );
  });

  const good = templateOf(specOf({ runtime: { image: 'agents:1' } }), IN_IMAGE);
  const edited = (edit: (kept: Record<string, unknown>) => void): string => {
    const kept = JSON.parse(templateText(good)) as Record<string, unknown>;
    edit(kept);
    return JSON.stringify(kept);
  };
  it.each<[string, string, RegExp]>([
    ['no JSON', 'x', /JSON/],
    ['no object', '[]', /expected object/],
    ['something more', edited((kept) => (kept['serviceAccount'] = 'x')), /serviceAccount/],
    ['something less', edited((kept) => delete kept['moduleDigest']), /moduleDigest/],
    [
      'another image',
      edited((kept) => ((kept['runtime'] as { image: string }).image = 'evil:1')),
      /it is of revision/,
    ],
    [
      'what no spec may say',
      edited((kept) => ((kept['runtime'] as { podTemplate: object }).podTemplate = { status: {} })),
      /status|Unrecognized/,
    ],
  ])('is not believed where it is %s', (_what, text, words) => {
    expect(() => templateFrom(text, good.revision, { live: LIVE })).toThrow(words);
  });
});
