// What our writes did at shop and carrier, judged by what people did there: pure functions over the sandbox's own record of it.
import type { Truth } from '../support/sandbox.js';
import type { Write } from './histories.js';

const changed = (write: Write, kind: string): boolean => write.effects.some((effect) => effect.kind === kind);

/** Objects made twice, and things said to a target again that it had been told. */
export function doubled(truth: Truth, writes: readonly Write[]): string[] {
  const found: string[] = [];
  const most = (what: string, counts: Map<string, number>, allowed: (key: string) => number) => {
    for (const [key, count] of counts) if (count > allowed(key)) found.push(`${what} ${key}: ${count} times`);
  };
  const trackers = writes.filter(({ path, method }) => method === 'POST' && path === '/v2/trackers');
  most('tracker asked for', countBy(trackers.filter(isDone), codeOf), () => 1);
  most(
    'tracker of',
    countBy(truth.trackers, (tracker) => tracker.trackingCode),
    () => 1,
  );
  const made = writes.filter((write) => changed(write, 'fulfillment.created'));
  most(
    'fulfilment made for',
    countBy(made, (write) => numberOf(write)),
    () => 1,
  );
  for (const order of truth.orders) {
    const numbers = order.fulfillments.filter(({ status }) => status !== 'CANCELLED').flatMap((f) => f.trackingNumbers);
    most(`order ${order.name}: fulfilment of`, countBy(numbers, String), () => 1);
    for (const { name, events } of order.fulfillments)
      events.forEach(({ status }, i) => {
        if (status === events[i - 1]?.status) found.push(`fulfilment ${name}: ${status} was said twice in a row`);
      });
  }
  return found;
}

/** Both: what must not be found where each change is to have one effect. */
export const surplus = (truth: Truth, writes: readonly Write[]): string[] => [
  ...doubled(truth, writes),
  ...needless(truth, writes),
];

/** A tracking number in what asks for a tracker or a fulfilment. */
const codeOf = ({ input }: Write): string => String(input?.tracker?.tracking_code);
const numberOf = ({ input }: Write): string => String(input?.fulfillment?.trackingInfo?.number);
/** A request that the target carried out, whether or not its answer arrived. */
const isDone = ({ status, fault }: Write): boolean => fault === 'lost-reply' || (status !== null && status < 300);

/** Changes nobody asked for: every one must be a tracker, a fulfilment, or an event that follows a scan. */
export function needless(truth: Truth, writes: readonly Write[]): string[] {
  const of = (kind: string) => writes.filter((write) => changed(write, kind)).length;
  const steps = truth.trackers.map(
    ({ scans }) => scans.filter(({ status }, i) => status !== scans[i - 1]?.status).length,
  );
  const bought = truth.shipments.filter((shipment) => shipment.bought).length;
  const limits: [string, number][] = [
    ['tracker.created', truth.trackers.length - bought],
    ['fulfillment.created', bought],
    ['fulfillment.event', steps.reduce((sum, n) => sum + n, 0)],
    ['fulfillment.tracking', 0],
    ['fulfillment.cancelled', 0],
    ['order.updated', 0],
    ['order.tags', 0],
    ['tracker.deleted', 0],
  ];
  return limits
    .filter(([kind, limit]) => of(kind) > limit)
    .map(([kind, limit]) => `${kind}: ${of(kind)} writes, ${limit} had a cause`);
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
