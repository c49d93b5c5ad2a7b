import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testDatabase } from './testing/database.js';
import { idOf, order } from './testing/records.js';
import { warehouse } from './warehouse.js';

let database: Awaited<ReturnType<typeof testDatabase>>;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

const context = (url: string, settings = {}) => ({ connection: 'warehouse', settings, secrets: { url } });
const changed = (change: (url: URL) => void): string => {
  const url = new URL(database.url);
  change(url);
  return url.href;
};

/** Lines and cells without the padding a formatter gives tables. */
const cells = (markdown: string): string[][] =>
  markdown.split('\n').map((text) => text.split('|').map((cell) => cell.trim().replace(/^-+$/, '---')));

describe('tables', () => {
  it('are made once when several writers start together, and then pass the check', async () => {
    expect(await warehouse.checkSchema(database.url)).toContain('table public.orders is missing: run the migration');
    const ran = await Promise.all([1, 2, 3].map(() => warehouse.migrate(database.url)));
    expect(ran.flat()).toEqual(['WarehouseTables1764000000000']);
    expect(await warehouse.checkSchema(database.url)).toEqual([]);
  });

  it('can live in a schema of their own', async () => {
    const open = await warehouse.open(context(database.url, { schema: 'syncline_data' }));
    await open.check();
    expect(await open.targets.order.write([order('a', 1)])).toEqual([null]);
    const { rows } = await database.client.query(
      'SELECT id FROM syncline_data.orders JOIN syncline_data.order_lines ON order_id = id',
    );
    expect(rows).toEqual([{ id: idOf('a') }, { id: idOf('a') }]);
    await database.client.query('ALTER TABLE syncline_data.order_lines DROP COLUMN sku');
    await expect(open.check()).rejects.toMatchObject({
      kind: 'unauthorized',
      message: expect.stringContaining('lacks sku'),
    });
    await expect(open.targets.order.write([order('b', 1)])).rejects.toMatchObject({ kind: 'unauthorized' });
    await open.close();
  });

  it('are described in README.md as their comments say', async () => {
    await warehouse.migrate(database.url);
    const { rows } = await database.client.query<{ table: string; column: string; type: string; comment: string }>(`
      SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type,
        col_description(c.oid, a.attnum) AS comment
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'syncline_migrations'
      ORDER BY array_position(array['orders','order_lines','shipments','tracking_events'], c.relname::text), a.attnum`);
    const tables = Map.groupBy(rows, (r) => r.table);
    const text = [...tables]
      .map(([table, columns]) =>
        [
          `### ${table}`,
          '',
          '| column | type | what |',
          '|---|---|---|',
          ...columns.map((c) => `| ${c.column} | ${c.type} | ${c.comment} |`),
        ].join('\n'),
      )
      .join('\n\n');
    const path = fileURLToPath(new URL('../README.md', import.meta.url));
    const readme = readFileSync(path, 'utf8');
    const parts = /(<!-- tables -->\n)([\s\S]*)(\n<!-- \/tables -->)/.exec(readme);
    if (process.env.UPDATE_DOCS)
      writeFileSync(
        path,
        readme.replace(parts?.[0] ?? '', () => `${parts?.[1]}${text}${parts?.[3]}`),
      );
    // After a change of the columns: UPDATE_DOCS=1 with this test writes the tables anew.
    else expect(cells(parts?.[2] ?? '')).toEqual(cells(text));
  });
});

describe('failures', () => {
  it.each([
    [
      'a wrong password',
      'unauthorized',
      () =>
        changed((url) => {
          url.password = 'wrong';
        }),
    ],
    [
      'a missing database',
      'unauthorized',
      () =>
        changed((url) => {
          url.pathname = '/nowhere';
        }),
    ],
    [
      'a closed port',
      'transient',
      () =>
        changed((url) => {
          url.port = '1';
        }),
    ],
  ])('%s is %s and says nothing secret', async (_, kind, url) => {
    const failure = await warehouse.open(context(url())).catch((e: unknown) => e);
    expect(failure).toMatchObject({ kind });
    expect(String(failure)).not.toMatch(/wrong|nowhere/);
  });

  it('a lock that is not let go ends in time, and the next write succeeds', async () => {
    const open = await warehouse.open(context(database.url, { statementMsMax: 1000 }));
    await open.targets.order.write([order('locked', 1)]);
    await database.client.query('BEGIN');
    await database.client.query('SELECT FROM orders WHERE id = $1 FOR UPDATE', [idOf('locked')]);
    const start = Date.now();
    await expect(open.targets.order.write([order('locked', 2)])).rejects.toMatchObject({ kind: 'transient' });
    expect(Date.now() - start).toBeLessThan(4000);
    await database.client.query('ROLLBACK');
    expect(await open.targets.order.write([order('locked', 2)])).toEqual([null]);
    await open.close();
  });

  it('ended sessions are replaced', async () => {
    const open = await warehouse.open(context(database.url));
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncline-warehouse'`;
    await open.targets.order.write([order('ended', 1)]);
    await database.client.query(end);
    const outcome = await open.targets.order.write([order('ended', 2)]).catch((e: unknown) => e);
    if (!Array.isArray(outcome)) expect(outcome).toMatchObject({ kind: 'transient' });
    expect(await open.targets.order.write([order('ended', 2)])).toEqual([null]);
    await open.close();
  });

  it('a server that stops answering fails in time, and the next write gets a new session', async () => {
    const upstream = new URL(database.url);
    const sockets = new Set<Socket>();
    const proxy = createServer((socket) => {
      const server = connect(Number(upstream.port), upstream.hostname);
      socket.pipe(server).pipe(socket);
      for (const s of [socket, server]) s.on('error', () => undefined);
      sockets.add(socket).add(server);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = proxy.address();
    const port = typeof address === 'object' && address ? String(address.port) : '';
    const open = await warehouse.open(
      context(
        changed((url) => {
          url.port = port;
        }),
        { statementMsMax: 1000 },
      ),
    );
    await open.targets.order.write([order('hung', 1)]);
    for (const socket of sockets) socket.unpipe().pause();
    const start = Date.now();
    await expect(open.targets.order.write([order('hung', 2)])).rejects.toMatchObject({
      kind: 'transient',
      outcomeUnknown: true,
    });
    expect(Date.now() - start).toBeLessThan(9000);
    expect(await open.targets.order.write([order('hung', 2)])).toEqual([null]);
    await open.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  });
});
