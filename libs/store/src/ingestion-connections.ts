import type { Db } from './store.js';

/** connected: works. unauthorized: its credentials are refused. disconnected: our app was removed. error: it fails otherwise. */
export type ConnectionState = 'connected' | 'unauthorized' | 'disconnected' | 'error';
/** Whether the provider is known to send webhooks to us; off: not wanted, or the provider has none. */
export type WebhookState = 'unknown' | 'registered' | 'failed' | 'off';

/** What is known of a connection, over all processes and restarts. Times are milliseconds since the epoch. */
export interface ConnectionStatus {
  name: string;
  provider: string;
  state: ConnectionState;
  reason: string | null;
  accepted: number;
  lastReceivedAt: number | null;
  webhook: { state: WebhookState; reason: string | null; checkedAt: number | null };
}

/** Makes rows for connections that have none yet. */
export async function addConnections(
  db: Db,
  connections: readonly { name: string; provider: string }[],
): Promise<void> {
  await db.query(
    `INSERT INTO connections (connection, provider, state)
     SELECT name, provider, 'connected' FROM jsonb_to_recordset($1) AS c(name text, provider text)
     ON CONFLICT (connection) DO UPDATE SET provider = excluded.provider
     WHERE connections.provider <> excluded.provider`,
    [JSON.stringify(connections)],
  );
}

/** Notes that a connection's state changed. `reason` must quote neither secrets nor personal data. */
export async function setConnectionState(
  db: Db,
  name: string,
  state: ConnectionState,
  reason: string | null,
): Promise<void> {
  await db.query(
    `UPDATE connections SET state = $2, reason = $3, state_at = CASE WHEN state = $2 THEN state_at ELSE now() END
     WHERE connection = $1`,
    [name, state, reason],
  );
}

/** Notes how the registration of webhooks went. */
export async function setWebhookState(db: Db, name: string, state: WebhookState, reason: string | null): Promise<void> {
  await db.query(
    `UPDATE connections SET webhook_state = $2, webhook_reason = $3, webhook_checked_at = now() WHERE connection = $1`,
    [name, state, reason],
  );
}

/** Adds accepted messages to the persistent counts, for several connections at once. */
export async function addAccepted(
  db: Db,
  counts: readonly { name: string; accepted: number; lastReceivedAt: number }[],
): Promise<void> {
  await db.query(
    `UPDATE connections c SET accepted = c.accepted + n.accepted,
       last_received_at = greatest(c.last_received_at, to_timestamp(n."lastReceivedAt" / 1000.0))
     FROM jsonb_to_recordset($1) AS n(name text, accepted bigint, "lastReceivedAt" bigint)
     WHERE c.connection = n.name`,
    [JSON.stringify(counts)],
  );
}

/** The status of some connections. */
export async function readConnections(db: Db, names: readonly string[]): Promise<ConnectionStatus[]> {
  const rows = await db.query<{
    connection: string;
    provider: string;
    state: ConnectionState;
    reason: string | null;
    accepted: string;
    last_received_at: Date | null;
    webhook_state: WebhookState;
    webhook_reason: string | null;
    webhook_checked_at: Date | null;
  }>('SELECT * FROM connections WHERE connection = ANY($1) ORDER BY connection', [names]);
  return rows.map((r) => ({
    name: r.connection,
    provider: r.provider,
    state: r.state,
    reason: r.reason,
    accepted: Number(r.accepted),
    lastReceivedAt: r.last_received_at?.getTime() ?? null,
    webhook: {
      state: r.webhook_state,
      reason: r.webhook_reason,
      checkedAt: r.webhook_checked_at?.getTime() ?? null,
    },
  }));
}
