import pg from 'pg';

/** A row of the warehouse. */
// biome-ignore lint/suspicious/noExplicitAny: rows of every shape
export type Row = Record<string, any>;

/** Its live rows by what they stand for: a place where the record lives, or the id they belong to. */
export interface Warehouse {
  orders: Map<string, Row[]>;
  lines: Map<string, Row[]>;
  shipments: Map<string, Row[]>;
  events: Map<string, Row[]>;
}

/** Reads all of it as of one moment. */
export async function readWarehouse(url: string): Promise<Warehouse> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const [orders, lines, shipments, events] = [
      (await client.query('SELECT * FROM orders WHERE deleted_at IS NULL')).rows,
      (await client.query('SELECT * FROM order_lines ORDER BY position')).rows,
      (await client.query('SELECT * FROM shipments WHERE deleted_at IS NULL')).rows,
      (await client.query('SELECT * FROM tracking_events ORDER BY seq')).rows,
    ];
    await client.query('COMMIT');
    return {
      orders: grouped(orders, (row) => row.external_refs ?? []),
      lines: grouped(lines, (row) => [row.order_id]),
      shipments: grouped(shipments, (row) => row.external_refs ?? []),
      events: grouped(events, (row) => [row.shipment_id]),
    };
  } finally {
    await client.end();
  }
}

function grouped(rows: Row[], keysOf: (row: Row) => string[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows)
    for (const key of keysOf(row)) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [row]);
      else group.push(row);
    }
  return groups;
}

/** A value of pg as the JSON it is compared as. */
export const plain = (value: unknown): unknown => {
  if (value instanceof Date) return value.toISOString();
  return value === undefined ? null : value;
};

/** Says where a field is not what it should be. */
export function same(found: string[], where: string, expected: Row, is: Row): void {
  for (const [field, value] of Object.entries(expected)) {
    const [want, have] = [JSON.stringify(plain(value)), JSON.stringify(plain(is[field]))];
    if (want !== have) found.push(`${where}: ${field} should be ${want} and is ${have}`);
  }
}

/** A shop's decimal as its two columns: it is written with all the digits its currency has. */
export const money = (name: string, decimal: string | null): Row => ({
  [name]: decimal === null ? null : String(Number(decimal)),
  [`${name}_minor`]: decimal === null ? null : String(Number(decimal.replace('.', ''))),
});
/** Those columns of a row in the same form. */
export const moneyOf = (row: Row, ...names: string[]): Row =>
  Object.fromEntries(
    names.flatMap((name) => [
      [name, row[name] === null ? null : String(Number(row[name]))],
      [`${name}_minor`, row[`${name}_minor`]],
    ]),
  );
/** A provider's time as the warehouse shows it. */
export const instant = (text: string | null): string | null => (text === null ? null : new Date(text).toISOString());

/** The one row there has to be. */
export function one(found: string[], what: string, rows: Row[] | undefined): Row | null {
  if (rows?.length === 1) return rows[0]!;
  found.push(`${what}: ${rows?.length ?? 0} rows in the warehouse`);
  return null;
}
