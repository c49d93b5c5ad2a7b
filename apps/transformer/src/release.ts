import { type Receipt, receiptsTopic } from '@syncline/contracts';
import type { MicroBatchProducer } from '@syncline/messaging';
import { overdueHeld, type Store } from '@syncline/store';
import { holdMsMax } from './apply.js';

const everyMs = 2_000;

/**
 * Lets go of what has waited long enough for a receipt that never came. The release goes through the receipts topic, so that
 * it is mapped by the partition's owner like any other message; said twice it does nothing.
 */
export function startRelease(
  store: Store,
  producer: MicroBatchProducer,
  onError: (error: unknown) => void,
  waitMs = holdMsMax,
): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout;
  const round = async () => {
    try {
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
