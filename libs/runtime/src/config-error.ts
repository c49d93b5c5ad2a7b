/** One mistake in a configuration: where it is, and what to do about it. Never holds the value of a secret. */
export interface ConfigProblem {
  /** Dotted path in the file (`connections.shop.provider`), or the name of an environment variable. */
  path: string;
  line?: number;
  column?: number;
  message: string;
}

/** Everything that is wrong with a configuration, at once. Its message is what a user reads: one line a problem. */
export class ConfigError extends Error {
  readonly problems: ConfigProblem[];

  constructor(title: string, problems: ConfigProblem[]) {
    super([`${title}:`, ...problems.map((p) => `  ${place(p)}${p.message}`)].join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const place = (p: ConfigProblem): string => {
  const where = p.line === undefined ? '' : `line ${p.line}, column ${p.column}: `;
  return p.path === '' ? where : `${where}${p.path}: `;
};
