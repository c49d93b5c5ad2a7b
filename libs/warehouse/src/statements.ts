import type { TableMap } from './columns.js';

/** The SQL of one kind of record, for one schema. Every statement takes a whole batch as one parameter. */
export interface Statements {
  /** $1: [{id, revision, value}] as JSON. Rows of older revisions stay as they are. */
  readonly upsert: string;
  /** $1: ids. Brings the child rows in line with the main rows that this very transaction wrote. */
  readonly children: string;
  /** $1: [{id, revision, mergedInto}] as JSON. Keeps the row, marked as deleted. */
  readonly archive: string;
  /** $1 as for archive. Remembers the revision only, then removes the rows. */
  readonly remember: string;
  readonly erase: string;
  readonly eraseChildren: string;
}

/** A quoted identifier. */
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const rowType = (fields: Readonly<Record<string, string>>): string =>
  Object.entries(fields)
    .map(([name, type]) => `${quoteName(name)} ${type}`)
    .join(', ');

const removed = `jsonb_to_recordset($1::jsonb) AS i(id uuid, revision bigint, "mergedInto" uuid)`;

/** Builds the statements of a kind; table names are qualified, so that no session state is needed. */
export function statementsOf(map: TableMap, kind: string, schema: string): Statements {
  const main = `${quoteName(schema)}.${map.table}`;
  const child = `${quoteName(schema)}.${map.child.table}`;
  const erased = `${quoteName(schema)}.erased_records`;
  const { parentKey } = map.child;
  return {
    upsert: upsert(map, kind, main, erased),
    children: children(map, main, child),
    archive: `
      INSERT INTO ${main} AS t (id, revision, synced_at, deleted_at, merged_into)
      SELECT i.id, i.revision, now(), now(), i."mergedInto" FROM ${removed}
      ON CONFLICT (id) DO UPDATE SET revision = EXCLUDED.revision, synced_at = EXCLUDED.synced_at,
        deleted_at = EXCLUDED.deleted_at, merged_into = EXCLUDED.merged_into
      WHERE EXCLUDED.revision > t.revision`,
    remember: `
      INSERT INTO ${erased} AS t (id, kind, revision, merged_into, deleted_at)
      SELECT i.id, '${kind}', i.revision, i."mergedInto", now() FROM ${removed}
      ON CONFLICT (id, kind) DO UPDATE SET revision = EXCLUDED.revision, merged_into = EXCLUDED.merged_into,
        deleted_at = EXCLUDED.deleted_at
      WHERE EXCLUDED.revision > t.revision`,
    erase: `DELETE FROM ${main} t USING ${removed} WHERE t.id = i.id AND t.revision < i.revision`,
    eraseChildren: `
      DELETE FROM ${child} t USING ${removed}
      WHERE t.${parentKey} = i.id AND NOT EXISTS (SELECT FROM ${main} m WHERE m.id = i.id)`,
  };
}

function upsert(map: TableMap, kind: string, main: string, erased: string): string {
  const names = map.columns.map(([name]) => name);
  return `
    INSERT INTO ${main} AS t (id, revision, synced_at, ${names.join(', ')})
    SELECT i.id, i.revision, now(), ${map.columns.map(([, expression]) => expression).join(', ')}
    FROM jsonb_to_recordset($1::jsonb) AS i(id uuid, revision bigint, value jsonb)
    CROSS JOIN LATERAL jsonb_to_record(i.value -> 'data') AS d(${rowType(map.fields)})
    CROSS JOIN LATERAL (
      SELECT array_agg(s.connection || '/' || s."externalId") AS refs,
        jsonb_object_agg(s.connection || '/' || s.noun, s.native) AS native
      FROM jsonb_to_recordset(i.value -> 'sources') AS s(connection text, noun text, "externalId" text, native jsonb)
    ) src
    WHERE NOT EXISTS (SELECT FROM ${erased} e WHERE e.id = i.id AND e.kind = '${kind}' AND e.revision >= i.revision)
    ON CONFLICT (id) DO UPDATE SET revision = EXCLUDED.revision, synced_at = EXCLUDED.synced_at,
      deleted_at = NULL, merged_into = NULL, ${names.map((name) => `${name} = EXCLUDED.${name}`).join(', ')}
    WHERE EXCLUDED.revision > t.revision`;
}

/**
 * A statement of its own, after the upsert: it sees the rows as they are under the locks the upsert took, so two writers
 * of one record cannot mix their children. xmin tells the rows this transaction wrote, so the ids need not come back first.
 */
function children(map: TableMap, main: string, child: string): string {
  const { parentKey, key, array, fields, columns } = map.child;
  const names = columns.map(([name]) => name);
  const values = names.filter((name) => name !== key);
  const list = (prefix: string): string => values.map((name) => `${prefix}.${name}`).join(', ');
  const items = `CASE jsonb_typeof(m.record -> 'data' -> '${array}') WHEN 'array' THEN m.record -> 'data' -> '${array}' END`;
  return `
    WITH written AS MATERIALIZED (
      SELECT m.id, m.record FROM ${main} m
      WHERE m.id = ANY($1::uuid[]) AND m.xmin = pg_current_xact_id()::xid
    ), wanted AS MATERIALIZED (
      SELECT m.id AS ${parentKey}, ${columns.map(([name, expression]) => `${expression} AS ${name}`).join(', ')}
      FROM written m
      CROSS JOIN LATERAL jsonb_array_elements(${items}) WITH ORDINALITY AS a(item, place_no)
      CROSS JOIN LATERAL jsonb_to_record(a.item) AS d(${rowType(fields)})
    ), gone AS (
      DELETE FROM ${child} c USING written m
      WHERE c.${parentKey} = m.id
        AND NOT EXISTS (SELECT FROM wanted w WHERE w.${parentKey} = c.${parentKey} AND w.${key} = c.${key})
    )
    INSERT INTO ${child} AS t (${parentKey}, synced_at, ${names.join(', ')})
    SELECT ${parentKey}, now(), ${names.join(', ')} FROM wanted
    ON CONFLICT (${parentKey}, ${key}) DO UPDATE SET synced_at = EXCLUDED.synced_at,
      ${values.map((name) => `${name} = EXCLUDED.${name}`).join(', ')}
    WHERE (${list('t')}) IS DISTINCT FROM (${list('EXCLUDED')})`;
}
