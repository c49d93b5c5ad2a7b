import { randomUUID } from 'node:crypto';
import { type BudgetState, type Connector, viewBudget } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { type Logger, metrics } from '@syncline/runtime';
import { addConnections, readBudgets, readConnections, readWatermarks, type Store } from '@syncline/store';
import { type AcceptedCounts, countAccepted } from './accepted.js';
import { cancelBackfill, orderBackfill, showBackfills } from './backfill-request.js';
import { type Backfiller, startBackfiller } from './backfiller.js';
import { pause } from './backoff.js';
import type { Served } from './connection.js';
import type { IngestorEnv } from './env.js';
import { type Keeper, startKeeper } from './keeper.js';
import { type Pausing, watchPausing } from './pausing.js';
import { type Poller, type PollOutcome, startPoller } from './poller.js';
import type { Sender } from './publish.js';
import { type AlsoReader, createAlsoReader } from './read-also.js';
import { type ConnectionStates, trackStates } from './state.js';
import { startWebhookServer, type WebhookServer } from './webhook-server.js';

/** How long a start waits for the first check of its connections and of their webhooks. */
const firstLookMsMax = 5_000;

/** Times that tests shorten, in milliseconds. */
export interface IngestorTimes {
  leaseMs?: number;
  parkedMs?: number;
  backoffMsMax?: number;
  headersMsMax?: number;
  requestMsMax?: number;
  publishMsMax?: number;
  backfillLookMs?: number;
}

export interface IngestorParts {
  connector: Connector;
  connections: readonly Served[];
  env: IngestorEnv;
  store: Store;
  sender: Sender;
  log: Logger;
  times?: IngestorTimes;
}

/** An ingestor's work: the webhook endpoint, and a keeper and pollers for each connection. */
export class Ingestor {
  readonly #stop = new AbortController();
  readonly #counts: AcceptedCounts;
  readonly #states: ConnectionStates;
  readonly #unobserve: (() => void)[] = [];
  #pollers: Poller[] = [];
  #keepers = new Map<string, Keeper>();
  #server: WebhookServer | null = null;
  #also: AlsoReader | null = null;
  #pausing: Pausing | null = null;
  #backfiller: Backfiller | null = null;

  constructor(private readonly parts: IngestorParts) {
    this.#counts = countAccepted(parts.store, parts.log);
    this.#states = trackStates(parts.store, parts.log);
  }

  /** Address of the webhook endpoint. */
  get url(): string {
    if (!this.#server) throw new SyncError('defect', 'the webhook endpoint has not been started');
    return this.#server.url;
  }

  async start(): Promise<void> {
    const { connector, connections, env, store, sender, log, times = {} } = this.parts;
    const rows = connections.map((c) => ({ name: c.name, provider: connector.provider }));
    await addConnections(store, rows);
    const accepted = (connection: string, receivedAt: number) => this.#counts.add(connection, receivedAt);
    const names = connections.map((c) => c.name);
    const pausing = await watchPausing(store, names, log, (connection) => {
      for (const poller of this.#pollersOf(connection)) poller.resume();
    });
    this.#pausing = pausing;
    const { paused } = pausing;
    const also = createAlsoReader({ sender, log, accepted, paused, signal: this.#stop.signal });
    this.#also = also;
    this.#server = await startWebhookServer({
      connections,
      sender,
      log,
      accepted,
      readAlso: (served, objects) => also.read(served, objects),
      uninstalled: (name) => void this.#uninstalled(name),
      publishMsMax: times.publishMsMax ?? 4_500,
      host: env.HTTP_HOST,
      port: env.HTTP_PORT,
      ratePerSecond: env.WEBHOOK_RATE_PER_SECOND,
      ...(times.headersMsMax === undefined ? {} : { headersMsMax: times.headersMsMax }),
      ...(times.requestMsMax === undefined ? {} : { requestMsMax: times.requestMsMax }),
    });
    const shared = { store, log, states: this.#states, holder: randomUUID(), signal: this.#stop.signal, pausing };
    for (const served of connections) {
      for (const [noun, object] of Object.entries(connector.objects))
        if (object.poll) {
          const { leaseMs = 10_000, backoffMsMax = 60_000 } = times;
          const own = { sender, accepted, intervalMs: env.POLL_INTERVAL_MS, leaseMs, backoffMsMax };
          this.#pollers.push(startPoller(served, noun, { ...shared, ...own }));
        }
      const publicUrl = env.WEBHOOKS === 'on' ? (env.PUBLIC_URL ?? this.url) : null;
      const own = { publicUrl, intervalMs: env.REGISTER_INTERVAL_MS, parkedMs: times.parkedMs ?? 60_000 };
      const recovered = (connection: string) => {
        for (const poller of this.#pollersOf(connection)) poller.wake();
      };
      this.#keepers.set(served.name, startKeeper(served, { ...shared, ...own, recovered }));
    }
    const { leaseMs = 10_000, backoffMsMax = 60_000, backfillLookMs: lookMs = 5_000 } = times;
    const own = { connections, sender, accepted, share: env.BACKFILL_SHARE, leaseMs, backoffMsMax, lookMs };
    this.#backfiller = startBackfiller({ ...shared, ...own });
    this.#observe();
    // Ready is to mean that changes come by webhook from now on; a provider that does not answer must not keep the others waiting.
    const looked = Promise.all([...this.#keepers.values()].map((keeper) => keeper.looked));
    await pause(firstLookMsMax, this.#stop.signal, looked);
  }

  /** What GET /status says of this ingestor. */
  async status(): Promise<{ connections: unknown[] }> {
    const { store, connections } = this.parts;
    await this.#counts.flush();
    const names = connections.map((c) => c.name);
    const [rows, watermarks, budgets] = await Promise.all([
      readConnections(store, names),
      readWatermarks(store, names),
      readBudgets<BudgetState>(store, names),
    ]);
    const left = new Map(budgets.map((b) => [b.connection, viewBudget(b.state, b.nowMs)]));
    return {
      connections: rows.map((row) => ({
        ...row,
        budget: left.get(row.name) ?? null,
        paused: this.#pausing?.since(row.name) ?? null,
        underWay: this.#pollersOf(row.name).filter((p) => p.busy).length,
        webhook: { ...row.webhook, url: `${this.url}/webhooks/${row.name}` },
        polls: watermarks
          .filter((w) => w.connection === row.name)
          .map(({ noun, watermark, polledAt, resuming }) => ({ noun, watermark, polledAt, resuming })),
      })),
    };
  }

  /** Polls now what is asked for, and says how it went. Throws `rejected` where nothing is called so. */
  async pollNow(connection: string | undefined, noun: string | undefined): Promise<unknown> {
    const chosen = this.#pollers.filter(
      (p) => (!connection || p.connection === connection) && (!noun || p.noun === noun),
    );
    if (chosen.length === 0)
      throw new SyncError(
        'rejected',
        'no poll is called so: give connection=<name> and perhaps noun=<noun> of this ingestor',
      );
    return { polls: await Promise.all(chosen.map(async (p) => report(p, await p.now()))) };
  }

  /** Takes the order for a backfill, or ends one; throws `rejected` naming what is wrong with it. */
  async backfill(query: Readonly<Record<string, string>>): Promise<unknown> {
    const { store, connections } = this.parts;
    if (query.cancel === 'true') return cancelBackfill(store, connections, query);
    const ordered = await orderBackfill(store, connections, query, Date.now());
    this.#backfiller?.wake();
    return ordered;
  }

  /** What GET /backfills says: those under way with rate and time left, and the latest others. */
  backfills(): Promise<unknown> {
    return showBackfills(this.parts.store, this.parts.connections);
  }

  /** Stops taking webhooks and polling; what is under way ends first. */
  async stop(): Promise<void> {
    await this.#server?.close();
    this.#pausing?.stop();
    this.#stop.abort();
    await Promise.all([...this.#pollers, ...this.#keepers.values()].map((loop) => loop.done));
    await this.#also?.done();
    await this.#backfiller?.done;
    await this.#counts.stop();
    for (const stop of this.#unobserve) stop();
    await Promise.all(this.parts.connections.map((c) => c.close()));
  }

  #pollersOf(connection: string): Poller[] {
    return this.#pollers.filter((p) => p.connection === connection);
  }

  async #uninstalled(connection: string): Promise<void> {
    await this.#states.set(connection, 'disconnected', 'the provider says that the app was removed');
    this.#keepers.get(connection)?.wake();
  }

  #observe(): void {
    const { store, connections } = this.parts;
    const names = connections.map((c) => c.name);
    this.#unobserve.push(
      metrics.pollWatermarkAge.observe(async () =>
        (await readWatermarks(store, names)).flatMap(({ connection, noun, watermark }) =>
          watermark === null ? [] : [{ value: (Date.now() - watermark) / 1000, attributes: { connection, noun } }],
        ),
      ),
      metrics.budgetAvailable.observe(async () =>
        (await readBudgets<BudgetState>(store, names)).map(({ connection, state, nowMs }) => ({
          value: viewBudget(state, nowMs).available,
          attributes: { connection },
        })),
      ),
      metrics.webhooksRegistered.observe(async () =>
        (await readConnections(store, names)).map((c) => ({
          value: c.webhook.state === 'registered' ? 1 : 0,
          attributes: { connection: c.name },
        })),
      ),
      metrics.unauthorized.observe(() =>
        names.map((connection) => ({
          value: this.#states.get(connection) === 'unauthorized' ? 1 : 0,
          attributes: { connection },
        })),
      ),
    );
  }
}

function report(poller: Poller, outcome: PollOutcome): Record<string, unknown> {
  const { connection, noun } = poller;
  if (outcome.outcome !== 'failed') return { connection, noun, ...outcome };
  return { connection, noun, outcome: 'failed', kind: outcome.error.kind, reason: outcome.error.message };
}
