// Which package may import what: the one-way dependencies between the Nx tags, and the packages that have one home.
// `node tools/boundaries.mjs [root]` prints every import that breaks a rule, with exit code 1.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';

/** What a package with this tag may import of ours. */
const mayUse = {
  'type:contracts': [],
  'type:connector-sdk': ['type:contracts'],
  'type:connectors': ['type:connector-sdk', 'type:contracts'],
  'type:runtime': ['type:contracts'],
  'type:messaging': ['type:runtime', 'type:contracts'],
  'type:store': ['type:runtime', 'type:contracts'],
  'type:warehouse': ['type:connector-sdk', 'type:runtime', 'type:contracts'],
  'type:engine': ['type:messaging', 'type:store', 'type:connector-sdk', 'type:runtime', 'type:contracts'],
  'type:infra': [],
  'type:app': [
    'type:engine',
    'type:messaging',
    'type:store',
    'type:warehouse',
    'type:connectors',
    'type:connector-sdk',
    'type:runtime',
    'type:infra',
    'type:contracts',
  ],
};

/** Packages that only some tags may import, so that each stays behind one seam. */
const homes = [
  { packages: 'kafkajs', tags: ['type:messaging'], why: 'Kafka is spoken in libs/messaging only' },
  {
    packages: 'typeorm|pg',
    tags: ['type:store', 'type:warehouse'],
    why: 'PostgreSQL is spoken in libs/store and libs/warehouse only',
  },
  {
    packages: '@opentelemetry/sdk-[a-z-]+',
    tags: ['type:runtime'],
    why: 'the OpenTelemetry SDK is set up in libs/runtime only',
  },
  {
    packages: '@nestjs/[a-z-]+',
    tags: ['type:runtime', 'type:messaging', 'type:engine', 'type:app'],
    why: 'connectors, stores and contracts know nothing of Nest',
  },
];

/** What tests may import beside what their package may: real servers, and what stands on the other side of a seam. */
const testsMayUse = ['type:infra', 'type:messaging', 'type:store', 'type:warehouse', 'type:connectors', 'type:runtime'];

const tests = '(\\.spec\\.ts$|/testing/|/test-[a-z-]+\\.ts$)';

/** The packages of a workspace: folder, tags, the files others may import, and what its package.json names. */
export function readProjects(root) {
  const files = ['libs/*/package.json', 'apps/*/package.json', 'apps/*/*/package.json'].flatMap((glob) =>
    globSync(glob, { cwd: root, exclude: (name) => name === 'node_modules' || name === 'dist' }),
  );
  return files.sort().map((file) => {
    const manifest = JSON.parse(readFileSync(join(root, file), 'utf8'));
    const folder = dirname(file);
    const entries = Object.values(manifest.exports ?? {})
      .map((target) => target?.['@syncline/source'])
      .filter((source) => typeof source === 'string')
      .map((source) => join(folder, source));
    const { dependencies = {}, devDependencies = {}, peerDependencies = {}, optionalDependencies = {} } = manifest;
    return {
      name: manifest.name,
      folder,
      tags: manifest.nx?.tags ?? [],
      entries,
      shipped: new Set(Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies })),
      named: new Set(
        Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies, ...optionalDependencies }),
      ),
    };
  });
}

/** Every broken rule as a sentence; an empty list is what CI wants. */
export async function checkBoundaries(root) {
  const projects = readProjects(root);
  const problems = projects
    .filter(({ tags }) => tags.filter((tag) => tag in mayUse).length !== 1)
    .map(({ folder }) => `${folder}/package.json: nx.tags needs exactly one of ${Object.keys(mayUse).join(', ')}`);
  const { output } = await cruise(
    ['libs', 'apps'],
    {
      baseDir: root,
      parser: 'swc',
      tsPreCompilationDeps: true,
      doNotFollow: { path: 'node_modules' },
      exclude: { path: '(^|/)(dist|fixtures|out-tsc)/' },
      ruleSet: { forbidden: rules(projects) },
      validate: true,
    },
    { conditionNames: ['@syncline/source', 'import', 'node', 'default'], exportsFields: ['exports'] },
  );
  const why = new Map(rules(projects).map((rule) => [rule.name, rule.comment]));
  problems.push(
    ...output.summary.violations.map(
      ({ from, to, rule }) => `${from} imports ${to}: ${why.get(rule.name) ?? rule.name}`,
    ),
  );
  const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  problems.push(...unnamed(output.modules, projects, new Set(Object.keys(rootManifest.devDependencies ?? {}))));
  return problems;
}

function rules(projects) {
  const at = (folders) => (folders.length > 0 ? `^(${folders.join('|')})/` : '^$');
  const withTag = (allowed) =>
    projects.filter(({ tags }) => tags.some((tag) => allowed.includes(tag))).map(({ folder }) => folder);
  const layers = projects.flatMap(({ folder, tags }) => {
    const allowed = withTag(mayUse[tags.find((tag) => tag in mayUse)] ?? []).filter(
      (other) => !other.startsWith('apps/'),
    );
    const from = (extra) => ({ path: `^${folder}/`, ...extra });
    const to = (more) => ({ path: '^(libs|apps)/', pathNot: at([folder, ...allowed, ...more]) });
    const comment = `${folder} (${tags.join(', ')}) may use ${allowed.join(', ') || 'no other package of ours'}`;
    return [
      { name: `layer ${folder}`, severity: 'error', comment, from: from({ pathNot: tests }), to: to([]) },
      {
        name: `layer of tests ${folder}`,
        severity: 'error',
        comment: `${comment}; its tests also real servers and the sandbox`,
        from: { path: `^${folder}/.*${tests}` },
        to: to([...withTag(testsMayUse), 'apps/sandbox']),
      },
    ];
  });
  const seams = homes.map(({ packages, tags, why }) => ({
    name: `home of ${packages}`,
    severity: 'error',
    comment: why,
    from: { path: '^(libs|apps)/', pathNot: [at(withTag(tags)), tests] },
    to: { path: `(^|node_modules/)(${packages})(/|$)` },
  }));
  const entries = projects.flatMap((project) => project.entries);
  const index = projects.map(({ folder }) => ({
    name: `index of ${folder}`,
    severity: 'error',
    comment: `${folder} is used through its index only`,
    from: { path: '^(libs|apps)/', pathNot: `^${folder}/` },
    to: {
      path: `^${folder}/`,
      pathNot: `^(${[...entries, `${folder}/package.json`].map((path) => path.replaceAll('.', '\\.')).join('|')})$`,
    },
  }));
  return [...layers, ...seams, ...index];
}

/** Imports of packages that the importer's own package.json does not name: they work here and fail in an image. */
function unnamed(modules, projects, rootDevDependencies) {
  const builtin = /^(node:|data:|file:|[./])/;
  return modules.flatMap(({ source, dependencies = [] }) => {
    const project = projects.find(({ folder }) => source.startsWith(`${folder}/`));
    if (!project) return [];
    const isTest = new RegExp(tests).test(source);
    return dependencies.flatMap(({ module, coreModule }) => {
      if (coreModule || builtin.test(module)) return [];
      const name = module
        .split('/')
        .slice(0, module.startsWith('@') ? 2 : 1)
        .join('/');
      if (
        name === project.name ||
        (isTest
          ? project.named.has(name) ||
            rootDevDependencies.has(name) ||
            name.startsWith('@syncline/') ||
            name === '@jest/globals'
          : project.shipped.has(name))
      )
        return [];
      return [`${source} imports ${module}: ${project.folder}/package.json does not name ${name}`];
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = await checkBoundaries(resolve(process.argv[2] ?? fileURLToPath(new URL('../', import.meta.url))));
  for (const problem of problems) console.error(problem);
  console.log(
    problems.length > 0 ? `${problems.length} imports break the boundaries` : 'Every import keeps to the boundaries.',
  );
  process.exitCode = problems.length > 0 ? 1 : 0;
}
