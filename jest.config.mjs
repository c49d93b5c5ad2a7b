// One configuration for every project: `rootDir` is the project under test, SYNCLINE_TESTS says which cost class.
const int = process.env.SYNCLINE_TESTS === 'int';

export default {
  rootDir: process.env.SYNCLINE_TEST_ROOT ?? '.',
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testEnvironmentOptions: { customExportConditions: ['@syncline/source', 'node', 'node-addons'] },
  testMatch: [int ? '**/*.int.spec.ts' : '**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', ...(int ? [] : ['\\.int\\.spec\\.ts$'])],
  testTimeout: int ? 60_000 : 10_000,
  passWithNoTests: true,
};
