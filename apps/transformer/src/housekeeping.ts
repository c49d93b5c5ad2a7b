import { type Receipt, receiptsTopic } from '@syncline/contracts';
import type { MicroBatchProducer } from '@syncline/messaging';
import { forgetConflicts, forgetHistory, overdueHeld, type Store } from '@syncline/store';
import { holdMsMax } from './apply.js';

const everyMs = 2_000;
const forgetEveryMs = 3_600_000;
/** Days a record's history is kept. */
const historyDays = 30;

/**
 * What the transformer does beside its batches: it forgets old history, and lets go of what has waited long enough for a
 * receipt that never came. The release goes through the receipts topic, so that it is mapped by the partition's owner like
 * any other message; said twice it does nothing.
 */
export function startHousekeeping(
  store: Store,
  producer: MicroBatchProducer,
  onError: (error: unknown) => void,
  waitMs = holdMsMax,
): () => void {
  let stopped = false;
  let forgotAt = Date.now();
  let timer: NodeJS.Timeout;
  const round = async () => {
    try {
      if (Date.now() - forgotAt > forgetEveryMs) {
        forgotAt = Date.now();
        await forgetHistory(store, historyDays);
        await forgetConflicts(store, historyDays);
      }
      for (const due of await overdueHeld(store, waitMs)) {
        const message: Receipt = {
          type: 'release',
          id: due.id ?? '',
          kind: due.kind,
          connection: due.connection,
          noun: due.noun,
          revision: 0,
          at: Date.now(),
        };
        await producer.send({
          topic: receiptsTopic(due.provider),
          key: due.id ?? due.connection,
          value: JSON.stringify(message),
          headers: {},
        });
      }
    } catch (error) {
      onError(error);
    }
    if (!stopped) timer = setTimeout(round, everyMs);
  };
  timer = setTimeout(round, everyMs);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
