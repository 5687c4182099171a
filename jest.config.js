// Jest in native ESM: the fast unit tests beside the sources, the slow tests that start processes, and those against a real API server
// (controller) and a real cluster. Types are checked by tsc, not here.
import { foreignKubeconfig, NEED_OUR_MACHINES } from './test/cluster/given-cluster.ts';

const shared = {
  testEnvironment: 'node',
  // Our own package by its name is its sources: nothing is built here.
  testEnvironmentOptions: { customExportConditions: ['agentpool-source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+[.]ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2024' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  setupFilesAfterEnv: ['<rootDir>/test/property-seed.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.agentpool/'],
};
const SLOW = ['e2e', 'kill', 'simulation'].map((folder) => `<rootDir>/test/${folder}/`);
const KUBERNETES = ['controller', 'cluster'].map((folder) => `<rootDir>/test/${folder}/`);

export default {
  maxWorkers: 2,
  testTimeout: 30_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...SLOW, ...KUBERNETES],
      globalSetup: '<rootDir>/test/temporary-folder/setup.ts',
      globalTeardown: '<rootDir>/test/temporary-folder/teardown.ts',
    },
    {
      ...shared,
      displayName: 'slow',
      testMatch: SLOW.map((folder) => `${folder}**/*.test.ts`),
    },
    {
      ...shared,
      displayName: 'controller',
      testMatch: ['<rootDir>/test/controller/**/*.test.ts'],
    },
    {
      ...shared,
      displayName: 'cluster',
      testMatch: ['<rootDir>/test/cluster/**/*.test.ts'],
      testPathIgnorePatterns: [
        '/node_modules/',
        ...(foreignKubeconfig() === undefined ? [] : NEED_OUR_MACHINES),
      ],
      globalSetup: '<rootDir>/test/cluster/global-setup.ts',
      globalTeardown: '<rootDir>/test/cluster/global-teardown.ts',
    },
  ],
};
