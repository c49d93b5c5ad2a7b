// Makes the changes of a plan, at shop and carrier, each order's in their turn.
import { control } from '../support/sandbox.js';
import type { System } from '../support/system.js';
import type { SourceChange } from './histories.js';
import { pause } from './patience.js';
import type { Change } from './plan.js';

/** Changes under way. */
export interface Acting {
  /** What has been done so far. */
  readonly done: SourceChange[];
  /** Changes a provider refused, as it may: an order that was edited away. */
  readonly refused: string[];
  /** Resolves when all is done. Rejects where the sandbox failed. */
  finish(msMax: number): Promise<void>;
}

/** Begins to make changes, as many milliseconds from now as they say. */
export function startActing(system: System, changes: readonly Change[]): Acting {
  const beganMs = Date.now();
  const done: SourceChange[] = [];
  const refused: string[] = [];
  let deadlineMs = Number.POSITIVE_INFINITY;
  const lives = new Map<number, Change[]>();
  for (const change of changes) lives.set(change.order, [...(lives.get(change.order) ?? []), change]);
  const live = async (life: readonly Change[]): Promise<void> => {
    const about = { name: '', parcel: '' };
    for (const change of life) {
      await pause(Math.max(0, beganMs + change.atMs - Date.now()));
      try {
        await insist(
          change,
          () => make(system, change, about),
          () => Date.now() < deadlineMs,
        );
      } catch (error) {
        if (!/: (404|422) /.test((error as Error).message)) throw error;
        refused.push(`${change.do} of #${about.name}: ${(error as Error).message}`);
        continue;
      }
      done.push({
        atMs: Date.now(),
        order: about.name,
        what: wordsOf(change),
        ...(about.parcel ? { parcel: about.parcel } : {}),
      });
    }
  };
  const all = Promise.all([...lives.values()].map(live));
  all.catch(() => {}); // `finish` tells
  return {
    done,
    refused,
    finish: async (msMax) => {
      deadlineMs = Date.now() + msMax;
      await all;
    },
  };
}

/** The carrier scans only what somebody tracks: a scan waits for the system to have told it. */
async function insist(change: Change, act: () => Promise<void>, mayWait: () => boolean): Promise<void> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (change.do !== 'scan' || !/: 404 /.test((error as Error).message) || !mayWait()) throw error;
      await pause(250);
    }
  }
}

async function make(system: System, change: Change, about: { name: string; parcel: string }): Promise<void> {
  const post = (path: string, body: object, method = 'POST') => control(system, method, path, body);
  const edit = (body: object) => post(`/orders/${about.name}`, body, 'PATCH');
  switch (change.do) {
    case 'place':
      about.name = String((await post('/orders', {})).orders[0].name).slice(1);
      return;
    case 'note':
      return void (await edit({ note: change.note }));
    case 'tags':
      return void (await edit({ tags: change.tags }));
    case 'city':
      return void (await edit({ shippingAddress: { city: change.city } }));
    case 'cancel':
    case 'refund':
      return void (await post(`/orders/${about.name}/${change.do}`, {}));
    case 'fulfil':
      about.parcel = change.number;
      return void (await post(`/orders/${about.name}/fulfil`, { trackingNumber: change.number, company: 'USPS' }));
    case 'buy':
      about.parcel = String((await post('/shipments', { reference: `#${about.name}` })).tracking_code);
      return;
    case 'scan':
      return void (await post(`/trackers/${about.parcel}/scan`, { status: change.status }));
  }
}

function wordsOf({ atMs: _, order: __, do: what, ...rest }: Change): string {
  return [what, ...Object.values(rest).map(String)].join(' ');
}
