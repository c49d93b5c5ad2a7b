// A process that sends as many requests as its connection's budget lets it, for the test of budgets over processes.
// It is told what to do by one JSON argument, and says when it begins; on SIGTERM it says how often it asked the store, and ends.
import { type Connector, connect, learnedFromCost, type Priority } from '@syncline/connector-sdk';
import { SyncError } from '@syncline/contracts';
import { openStore, turnBudget } from '@syncline/store';
import { testbedConnector } from './testbed.js';

export interface SpenderOrder {
  databaseUrl: string;
  providerUrl: string;
  connection: string;
  name: string;
  priority: Priority;
  /** Requests it tries to have under way. */
  hands: number;
  limits: { perSecond: number; burst: number };
}

const order = JSON.parse(process.argv[2] ?? '{}') as SpenderOrder;
const role = order.priority === 'write' ? 'delivery' : 'ingestion';
const store = await openStore({ url: order.databaseUrl, role, applicationName: order.name, poolSize: 2 });
const stop = new AbortController();
let turns = 0;
let sent = 0;

const connector: Connector = {
  ...testbedConnector,
  limits: { ...order.limits, concurrency: order.hands, learn: learnedFromCost },
};
const context = connect(
  connector,
  { name: order.connection, settings: { url: order.providerUrl }, secrets: {} },
  stop.signal,
  {
    budget: {
      service: order.name,
      priority: order.priority,
      keeper: {
        turn: (connection, step) => {
          turns += 1;
          return turnBudget(store, connection, step);
        },
      },
    },
  },
);

async function spend(): Promise<void> {
  while (!stop.signal.aborted)
    try {
      await context.http.send({
        method: 'GET',
        path: `/spent`,
        headers: { 'x-spender': order.name },
        safe: true,
      });
      sent += 1;
    } catch (thrown) {
      if (!(thrown instanceof SyncError) || thrown.kind !== 'throttled') continue;
      await new Promise((resolve) => setTimeout(resolve, Math.min(2_000, thrown.retryAfterMs ?? 100)));
    }
}

console.log('begins');
const hands = Array.from({ length: order.hands }, spend);
process.once('SIGTERM', async () => {
  stop.abort();
  await Promise.all(hands);
  await context.close();
  await store.close();
  console.log(JSON.stringify({ turns, sent }));
  process.exit(0);
});
