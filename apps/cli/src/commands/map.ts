import { existsSync, readFileSync } from 'node:fs';
import type { Connector, RawMessage } from '@syncline/connector-sdk';
import { type Observation, SyncError } from '@syncline/contracts';
import { parse, stringify } from 'yaml';
import { connectorOf } from '../config.js';
import { Failure } from '../failure.js';
import { defaultConfig, typedPath } from '../places.js';

/** `syncline map`: what a provider's payload means in the canonical model. Needs nothing running and no secret. */
export async function mapCommand(
  connection: string,
  kind: string,
  file: string,
  options: { json?: boolean; config?: string },
): Promise<number> {
  const connector = connectorFor(connection, options.config);
  const body = readJson(file);
  const observations = mapPayload(connector, connection, kind, body);
  console.log(options.json ? JSON.stringify(observations, null, 2) : stringify(observations).trimEnd());
  return 0;
}

/** Maps a payload as the transformer would; `kind` is the provider's noun or a canonical kind. */
export function mapPayload(connector: Connector, connection: string, kind: string, body: unknown): Observation[] {
  const now = Date.now();
  const message: RawMessage = {
    body,
    envelope: {
      eventId: 'map',
      connection,
      type: 'map',
      externalId: externalIdOf(body),
      occurredAt: now,
      origin: 'poll',
      apiVersion: connector.apiVersion,
      receivedAt: now,
      readAt: now,
    },
  };
  let first: SyncError | undefined;
  for (const noun of nounsFor(connector, kind, body)) {
    try {
      return connector.objects[noun]!.toCanonical(message);
    } catch (error) {
      if (!(error instanceof SyncError)) throw error;
      first ??= error;
    }
  }
  throw new Failure(`The payload cannot be mapped: ${first?.message}${first?.path ? ` (at ${first.path})` : ''}`);
}

/** The nouns a name can mean, the one the payload itself names first. */
function nounsFor(connector: Connector, kind: string, body: unknown): string[] {
  const objects = Object.entries(connector.objects);
  const named = objects.filter(([noun, object]) => noun === kind || object.kind === kind).map(([noun]) => noun);
  if (named.length === 0) {
    const nouns = objects.map(([noun, object]) => `${noun} (${object.kind})`).join(', ');
    throw new Failure(`${connector.provider} has no "${kind}": use one of ${nouns}`, 2);
  }
  if (named.includes(kind)) return [kind];
  const own = String((body as { object?: unknown } | null)?.object ?? '').toLowerCase();
  return named.sort((a, b) => Number(b === own) - Number(a === own));
}

/** The connector of a connection of the configuration file, or of a provider's name. */
function connectorFor(connection: string, config: string | undefined): Connector {
  const path = config === undefined ? defaultConfig : typedPath(config);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const connections =
    (parse(text) as { connections?: Record<string, { provider?: string }> } | null)?.connections ?? {};
  const provider = connections[connection]?.provider ?? connection;
  const connector = Object.hasOwn(connectorOf, provider) ? connectorOf[provider] : undefined;
  if (connector) return connector;
  const mappable = Object.entries(connections).filter(([, c]) => Object.hasOwn(connectorOf, c.provider ?? ''));
  throw new Failure(
    `No payloads are mapped for "${connection}": use a connection of ${path} (${mappable.map(([name]) => name).join(', ') || 'none'}) ` +
      `or a provider (${Object.keys(connectorOf).join(', ')})`,
    2,
  );
}

function readJson(file: string): unknown {
  const path = file === '-' ? 0 : typedPath(file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new Failure(`${file} cannot be read: name a file with the payload's JSON, or - for standard input`, 2);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure(`${file === '-' ? 'standard input' : file} is not JSON: ${(error as Error).message}`);
  }
}

function externalIdOf(body: unknown): string {
  const id = (body as { id?: unknown } | null)?.id;
  return typeof id === 'string' || typeof id === 'number' ? String(id) : '';
}
