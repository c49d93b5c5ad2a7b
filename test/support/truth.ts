import { readTruth, type Truth } from './sandbox.js';
import type { System } from './system.js';
import { compareOrder } from './truth-orders.js';
import { readWarehouse, type Warehouse } from './truth-rows.js';
import { compareBought, compareFulfilment, compareTracker } from './truth-shipments.js';

/**
 * Every way in which the warehouse, the shop and the carrier disagree, one sentence each; none = all is in line. The sandbox's
 * truth is read before the warehouse: while changes go on, differences are what is under way.
 */
export async function differences(system: Pick<System, 'local'>): Promise<string[]> {
  const truth = await readTruth(system);
  const rows = await readWarehouse(system.local().warehouseUrl);
  const found: string[] = [];
  for (const order of truth.orders) compareOrder(order, rows, found);
  for (const order of truth.orders)
    for (const fulfilment of order.fulfillments) compareFulfilment(order, fulfilment, truth, rows, found);
  for (const tracker of truth.trackers) compareTracker(tracker, rows, found);
  compareBought(truth, rows, found);
  leftOver(truth, rows, found);
  return found;
}

/** Waits until nothing differs; throws with the differences that are left after `msMax` milliseconds. */
export async function untilEqual(system: Pick<System, 'local'>, msMax: number): Promise<void> {
  const endMs = Date.now() + msMax;
  for (;;) {
    const found = await differences(system);
    if (found.length === 0) return;
    if (Date.now() > endMs) {
      const shown = found.slice(0, 30).join('\n');
      throw new Error(`after ${msMax} ms there are ${found.length} differences:\n${shown}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Rows of what is not there any more, and two rows of one thing. */
function leftOver(truth: Truth, rows: Warehouse, found: string[]): void {
  const orders = new Set(truth.orders.map(({ id }) => `shop/${id}`));
  for (const [ref] of rows.orders) if (!orders.has(ref)) found.push(`order ${ref}: is in the warehouse only`);
  const shipments = new Set([
    ...truth.orders.flatMap(({ fulfillments }) => fulfillments.map(({ id }) => `shop/${id}`)),
    ...truth.trackers.map(({ id }) => `carrier/${id}`),
    ...truth.shipments.map(({ id }) => `carrier/${id}`),
  ]);
  for (const [ref] of rows.shipments) if (!shipments.has(ref)) found.push(`shipment ${ref}: is in the warehouse only`);
}
