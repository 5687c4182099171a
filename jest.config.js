// Jest in native ESM: the fast unit tests beside the sources, and the slow tests that start processes. Types are checked by tsc, not here.
const shared = {
  testEnvironment: 'node',
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

export default {
  maxWorkers: 2,
  testTimeout: 30_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...SLOW],
    },
    {
      ...shared,
      displayName: 'slow',
      testMatch: SLOW.map((folder) => `${folder}**/*.test.ts`),
    },
  ],
};
