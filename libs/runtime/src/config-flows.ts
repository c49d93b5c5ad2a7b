import { dataOf, type Kind, kinds } from '@syncline/contracts';
import type { Flow, ProviderSchemas, SynclineConfig } from './config.js';
import { type ConfigDocument, checkKeys, isTree, type Path, quoted } from './config-document.js';
import { suggestion } from './nearest.js';

type ProviderOf = ReadonlyMap<string, ProviderSchemas | null>;

/** The flows of the file; what is wrong is noted in the document. */
export function checkFlows(doc: ConfigDocument, value: unknown, providerOf: ProviderOf): Flow[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    doc.add(['flows'], 'expected a list of { kinds, from, to }');
    return [];
  }
  const connections = [...providerOf.keys()];
  return value.flatMap((body, i) => {
    const path = ['flows', i];
    if (!isTree(body)) {
      doc.add(path, 'expected { kinds, from, to }');
      return [];
    }
    checkKeys(doc, path, body, ['kinds', 'from', 'to']);
    const flow: Flow = {
      kinds: checkNames(doc, [...path, 'kinds'], body.kinds, 'kind', kinds) as Kind[],
      from: checkNames(doc, [...path, 'from'], body.from, 'connection', connections),
      to: checkNames(doc, [...path, 'to'], body.to, 'connection', connections),
    };
    checkFit(doc, path, body, flow, providerOf);
    return [flow];
  });
}

/** Who owns which fields; what is wrong is noted in the document. */
export function checkOwnership(
  doc: ConfigDocument,
  value: unknown,
  providerOf: ProviderOf,
): SynclineConfig['ownership'] {
  const connections = [...providerOf.keys()];
  const out: SynclineConfig['ownership'] = {};
  if (value === undefined || value === null) return out;
  if (!isTree(value)) {
    doc.add(['ownership'], 'expected fields by kind, e.g. shipment: { status: carrier }');
    return out;
  }
  for (const [kind, owners] of Object.entries(value)) {
    const path = ['ownership', kind];
    if (!(kinds as readonly string[]).includes(kind)) {
      doc.add(path, `no kind is called "${kind}"; ${suggestion(kind, kinds)}`, 'key');
      continue;
    }
    if (!isTree(owners)) {
      doc.add(path, 'expected connections by field, e.g. { status: carrier }');
      continue;
    }
    const fields = Object.keys(dataOf[kind as Kind].shape);
    for (const [field, owner] of Object.entries(owners)) {
      if (!fields.includes(field))
        doc.add([...path, field], `${kind} has no field "${field}"; ${suggestion(field, fields)}`, 'key');
      if (typeof owner !== 'string' || !connections.includes(owner))
        doc.add(
          [...path, field],
          `no connection is called ${quoted(owner)}; ${suggestion(String(owner), connections)}`,
        );
      else {
        const provider = providerOf.get(owner);
        if (provider?.writesOnly)
          doc.add([...path, field], `"${owner}" cannot own a field: ${provider.provider} is only written to`);
        else if (provider && !provider.kinds.includes(kind as Kind))
          doc.add(
            [...path, field],
            `"${owner}" cannot own this: ${provider.provider} has no records of the kind "${kind}"`,
          );
      }
    }
    out[kind as Kind] = owners as Record<string, string>;
  }
  return out;
}

function checkNames(
  doc: ConfigDocument,
  path: Path,
  value: unknown,
  what: string,
  allowed: readonly string[],
): string[] {
  if (!Array.isArray(value) || value.length === 0) {
    doc.add(path, `expected a list of at least one ${what}`);
    return [];
  }
  const seen = new Set<string>();
  return value.filter((name, i): name is string => {
    const known = typeof name === 'string' && allowed.includes(name);
    if (!known) doc.add([...path, i], `no ${what} is called ${quoted(name)}; ${suggestion(String(name), allowed)}`);
    else if (seen.has(name)) doc.add([...path, i], `"${name}" is listed twice`);
    seen.add(String(name));
    return known;
  });
}

/** Whether the providers of a flow can do what it asks. Positions are those in the file, where wrong names still stand. */
function checkFit(
  doc: ConfigDocument,
  path: Path,
  body: Record<string, unknown>,
  flow: Flow,
  providerOf: ProviderOf,
): void {
  const add = (list: 'from' | 'to' | 'kinds', name: string, message: string) =>
    doc.add([...path, list, (body[list] as unknown[]).indexOf(name)], message);
  for (const name of flow.to) {
    const provider = providerOf.get(name);
    if (provider?.readonly) add('to', name, `"${name}" cannot be a target: ${provider.provider} is read only`);
    if (flow.from.length === 1 && flow.from[0] === name) add('to', name, `this flow goes from "${name}" to itself`);
  }
  for (const name of flow.from) {
    const provider = providerOf.get(name);
    if (provider?.writesOnly)
      add('from', name, `"${name}" cannot be a source: ${provider.provider} is only written to`);
  }
  const sources = flow.from.map((name) => providerOf.get(name));
  if (sources.length === 0 || sources.some((p) => !p)) return;
  for (const kind of flow.kinds)
    if (!sources.some((p) => p?.kinds.includes(kind)))
      add('kinds', kind, `none of ${flow.from.join(', ')} has records of the kind "${kind}"`);
}
