import { describe, expect, it } from '@jest/globals';
import { spec } from '../../../test/builders/pool-builders.ts';
import type { ResourceClass } from '../../pool/driver.ts';
import { classAnnotations, classOfAnnotations, resourcesOf } from './pod-resources.ts';

const of = (role: 'shared' | 'dedicated', resources: object | undefined, of: ResourceClass) =>
  resourcesOf({
    name: 'main-d01234-0',
    pool: 'team~main',
    role,
    template: {
      revision: '0123456789',
      module: { digest: 'd', path: 'a.ts' },
      spec: spec({ runtime: resources === undefined ? {} : { resources } }),
    },
    resources: of,
  });

describe('what the pod of a runtime may use', () => {
  it.each<[string, object | undefined, ResourceClass, object]>([
    [
      'the quota of its project with the overhead',
      undefined,
      { memoryMb: 512, cpuPercent: 100 },
      { requests: { cpu: '100m', memory: '640Mi' }, limits: { cpu: '1500m', memory: '640Mi' } },
    ],
    [
      'no more CPU than its quota, though shared ones ask for more: a request above a limit is refused',
      { requests: { cpu: 4 } },
      { memoryMb: 128, cpuPercent: 50 },
      { requests: { cpu: '1000m', memory: '256Mi' }, limits: { cpu: '1000m', memory: '256Mi' } },
    ],
    ...['1k', '1Ki', '1M', '2e3', '1000.5m'].map((cpu): [string, object, ResourceClass, object] => [
      `no more CPU than its quota, though shared ones ask for ${cpu}`,
      { requests: { cpu } },
      { memoryMb: 128, cpuPercent: 50 },
      { requests: { cpu: '1000m', memory: '256Mi' }, limits: { cpu: '1000m', memory: '256Mi' } },
    ]),
    [
      'what shared ones ask for, where that is less',
      { requests: { cpu: '0.5' }, limits: { cpu: '8' } },
      { memoryMb: 128, cpuPercent: 10 },
      { requests: { cpu: '0.5', memory: '256Mi' }, limits: { cpu: '600m', memory: '256Mi' } },
    ],
    [
      'as much as it wants of what its class does not name',
      { limits: { cpu: 2 } },
      {},
      { limits: { cpu: 2 }, requests: {} },
    ],
  ])('dedicated: %s', (_, resources, ofClass, expected) => {
    expect(of('dedicated', resources, ofClass)).toEqual(expected);
  });

  it('shared: what the manifest says', () => {
    const resources = { requests: { cpu: '50m' }, limits: { memory: '2Gi' } };
    expect(of('shared', resources, { memoryMb: 512, cpuPercent: 100 })).toEqual(resources);
  });

  it.each<[ResourceClass]>([[{}], [{ memoryMb: 512 }], [{ memoryMb: 512, cpuPercent: 100 }]])(
    'a pod remembers its class: %j',
    (ofClass) => {
      expect(classOfAnnotations(classAnnotations(ofClass) as Record<string, string>)).toEqual(
        ofClass,
      );
    },
  );
});
