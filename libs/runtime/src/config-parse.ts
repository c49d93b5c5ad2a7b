import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import type { ConnectionConfig, ProviderSchemas, SynclineConfig } from './config.js';
import { ConfigDocument, checkKeys, isTree, type Path, quoted } from './config-document.js';
import { ConfigError } from './config-error.js';
import { checkFlows, checkOwnership } from './config-flows.js';
import { suggestion } from './nearest.js';

export interface LoadOptions {
  /**
   * Connections of providers that are not given are taken as they are: no check, no settings, no secrets. For services that
   * serve one provider and must not need, or see, the credentials of the others.
   */
  othersUnchecked?: boolean;
}

/**
 * Reads syncline.yaml, fills `${NAME}` in settings and secrets from the environment and checks everything.
 * Throws ConfigError listing every problem at once with line and column, what was expected and the nearest valid name;
 * the value of a secret or of a variable is in none of them.
 */
export function loadSynclineConfig(
  path: string,
  env: NodeJS.ProcessEnv,
  providers: readonly ProviderSchemas[],
  options: LoadOptions = {},
): SynclineConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new ConfigError(`${path} cannot be used`, [
      { path: '', message: 'there is no such file, or it cannot be read; SYNCLINE_CONFIG names the file to use' },
    ]);
  }
  return parseSynclineConfig(text, path, env, providers, options);
}

/** loadSynclineConfig for a text already read; `title` is what the error calls it. */
export function parseSynclineConfig(
  text: string,
  title: string,
  env: NodeJS.ProcessEnv,
  providers: readonly ProviderSchemas[],
  options: LoadOptions = {},
): SynclineConfig {
  const doc = new ConfigDocument(text);
  const config: SynclineConfig = { connections: {}, flows: [], ownership: {} };
  if (isTree(doc.value)) {
    checkKeys(doc, [], doc.value, ['connections', 'flows', 'ownership']);
    const providerOf = new Map<string, ProviderSchemas | null>();
    config.connections = checkConnections(doc, doc.value.connections, { ...options, env, providers, providerOf });
    config.flows = checkFlows(doc, doc.value.flows, providerOf);
    config.ownership = checkOwnership(doc, doc.value.ownership, providerOf);
  } else if (doc.problems.length === 0) doc.add([], 'expected a file with connections and flows');
  if (doc.problems.length > 0) throw new ConfigError(`${title} cannot be used`, doc.problems);
  return config;
}

interface Surroundings extends LoadOptions {
  env: NodeJS.ProcessEnv;
  providers: readonly ProviderSchemas[];
  /** Filled here: the provider of each connection, null where that is itself a mistake, so that it is reported once only. */
  providerOf: Map<string, ProviderSchemas | null>;
}

function checkConnections(doc: ConfigDocument, value: unknown, around: Surroundings): SynclineConfig['connections'] {
  const out: Record<string, ConnectionConfig> = {};
  if (!isTree(value) || Object.keys(value).length === 0) {
    doc.add(['connections'], 'expected at least one connection by name, e.g. shop: { provider: shopify, ... }');
    return out;
  }
  for (const [name, body] of Object.entries(value)) {
    const path = ['connections', name];
    if (!/^[a-z][a-z0-9-]{0,30}$/.test(name))
      doc.add(path, 'a connection is named by a letter a-z, then up to 30 of a-z, 0-9 and -', 'key');
    around.providerOf.set(name, null);
    if (!isTree(body)) {
      doc.add(path, 'expected { provider, settings, secrets }');
      continue;
    }
    checkKeys(doc, path, body, ['provider', 'settings', 'secrets']);
    const known = around.providers.find((p) => p.provider === body.provider);
    if (!known && around.othersUnchecked && typeof body.provider === 'string') {
      out[name] = { name, provider: body.provider, settings: {}, secrets: {} };
      continue;
    }
    if (!known) {
      unknownProvider(doc, path, body.provider, around.providers);
      continue;
    }
    around.providerOf.set(name, known);
    const settings = checkFields(doc, [...path, 'settings'], known.settings, body.settings, around.env);
    const secrets = checkFields(doc, [...path, 'secrets'], known.secrets, body.secrets, around.env);
    out[name] = { name, provider: known.provider, settings, secrets };
  }
  return out;
}

function unknownProvider(doc: ConfigDocument, path: Path, given: unknown, providers: readonly ProviderSchemas[]): void {
  const names = providers.map((p) => p.provider);
  if (given === undefined) doc.add(path, `provider is missing; expected one of ${names.join(', ')}`, 'key');
  else doc.add([...path, 'provider'], `no provider is called ${quoted(given)}; ${suggestion(String(given), names)}`);
}

/** Settings or secrets through their provider's schema. */
function checkFields(
  doc: ConfigDocument,
  path: Path,
  schema: z.ZodObject,
  value: unknown,
  env: NodeJS.ProcessEnv,
): Record<string, unknown> {
  const given = filled(doc, path, value ?? {}, env);
  if (!isTree(given)) {
    doc.add(path, `expected ${Object.keys(schema.shape).join(', ') || 'nothing'} by name`);
    return {};
  }
  checkKeys(doc, path, given, Object.keys(schema.shape));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    if (issue.code === 'unrecognized_keys') continue; // checkKeys said it better
    const field = String(issue.path[0] ?? '');
    const at = [...path, ...issue.path.map((p) => (typeof p === 'number' ? p : String(p)))];
    if (doc.has(at)) continue; // its placeholder could not be filled
    const about = (schema.shape[field] as z.ZodType | undefined)?.description;
    // A secret's own words may be anything: of secrets nothing but name and description is said.
    const wrong = path.at(-1) === 'secrets' ? 'has not the expected form' : wordsOf(issue, given[field]);
    const what = issue.path.length > 0 && !(field in given) ? 'is missing' : wrong;
    doc.add(at, about ? `${what} (${about})` : what);
  }
  return {};
}

/** What is wrong with a setting: of a word that is one of a few, the one that is nearest. */
const wordsOf = (issue: z.core.$ZodIssue, given: unknown): string =>
  issue.code === 'invalid_value' && typeof given === 'string'
    ? `is none of the words it takes; ${suggestion(given, issue.values.map(String))}`
    : issue.message;

/** Replaces `${NAME}` in every text; a variable that is not set is a problem named by its name. */
function filled(doc: ConfigDocument, path: Path, value: unknown, env: NodeJS.ProcessEnv): unknown {
  if (typeof value === 'string') {
    if (/^\$[A-Z_][A-Z0-9_]*$/.test(value)) doc.add(path, `a variable of the environment is written \${NAME}`);
    if (/\$\{[^}]*$/.test(value)) doc.add(path, `a placeholder \${NAME} ends with }`);
    return value.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        doc.add(path, 'the name in a placeholder consists of letters, digits and _');
        return '';
      }
      const given = env[name];
      if (given === undefined || given === '') doc.add(path, `the environment variable ${name} is not set`);
      return given ?? '';
    });
  }
  if (Array.isArray(value)) return value.map((v, i) => filled(doc, [...path, i], v, env));
  if (isTree(value))
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, filled(doc, [...path, k], v, env)]));
  return value;
}
