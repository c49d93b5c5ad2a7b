import { SyncError } from '@syncline/contracts';

/**
 * Another producer has taken our transactional id: what we held now belongs to it (or the transaction outlived its time-out).
 * Never answered by connecting again with the same id, which would fence the rightful owner.
 */
export class FencedError extends Error {
  readonly kind = 'fenced';

  constructor(transactionalId: string, cause?: unknown) {
    super(`transactional id ${transactionalId} is now used by another producer`, { cause });
    this.name = 'FencedError';
  }
}

/** The error itself and what caused it, outermost first. kafkajs hides the telling one up to three levels deep. */
export function* causes(
  error: unknown,
): Generator<{ name?: string; type?: string; message?: string; retriable?: unknown }> {
  const seen = new Set<unknown>();
  for (let e = error; typeof e === 'object' && e !== null && !seen.has(e); e = (e as { cause?: unknown }).cause) {
    seen.add(e);
    yield e;
  }
}

/** Whether a Kafka protocol error of this type is anywhere in the chain. */
export function hasType(error: unknown, ...types: string[]): boolean {
  for (const e of causes(error)) if (e.type !== undefined && types.includes(e.type)) return true;
  return false;
}

// PRODUCER_FENCED is newer than kafkajs's table of codes, which shows it as an unknown code.
const producerFenced = /^Unknown error code 90$/;

/** INVALID_PRODUCER_EPOCH (47) or PRODUCER_FENCED (90), or our own error for them, anywhere in the chain. */
export function isFencing(error: unknown): boolean {
  if (hasType(error, 'INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED')) return true;
  for (const e of causes(error)) if (e instanceof FencedError || producerFenced.test(e.message ?? '')) return true;
  return false;
}

const networkCodes = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN'];
const outageNames = ['KafkaJSGroupCoordinatorNotFound', 'KafkaJSBrokerNotFound', 'KafkaJSNumberOfRetriesExceeded'];

/**
 * Whether trying again later can help. The outermost `retriable` is no answer: an outage arrives as
 * KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded or KafkaJSGroupCoordinatorNotFound with retriable = false.
 */
export function isRetriable(error: unknown): boolean {
  let innermost: unknown;
  for (const e of causes(error)) {
    if (e.retriable === true) return true;
    if (networkCodes.includes((e as { code?: string }).code ?? '')) return true;
    if (outageNames.includes(e.name ?? '')) return true;
    innermost = e;
  }
  return innermost instanceof TimeoutError;
}

/** Our own bound on a step of the client ran out. Its effect is unknown. */
export class TimeoutError extends Error {
  readonly retriable = true;

  constructor(step: string, ms: number) {
    super(`${step} took longer than ${ms} ms`);
    this.name = 'TimeoutError';
  }
}

/** Bounds a step in time. The step itself goes on behind it; a late failure of it is dropped. */
export async function within<T>(ms: number, step: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeoutError(step, ms)), ms);
  });
  try {
    return await Promise.race([work, bound]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}

/**
 * A failed request as the engines see it; `what` names it ("a send to canonical.order"). Only a record that the broker refused
 * for its size or content is not worth another try.
 */
export function produceFailure(error: unknown, what: string): SyncError {
  if (error instanceof SyncError) return error;
  if (hasType(error, 'MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'))
    return new SyncError('rejected', `${what}: a record is larger than the broker takes`, { cause: error });
  if (hasType(error, 'INVALID_RECORD'))
    return new SyncError('rejected', `${what}: the broker refused a record (INVALID_RECORD)`, { cause: error });
  return new SyncError('transient', `${what}: no confirmation by Kafka`, { outcomeUnknown: true, cause: error });
}

/** A pause that ends early, without a throw, when the signal says so. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Full jitter: anything between nothing and the doubled base, at most `max`. Milliseconds. */
export function backoffMs(attempt: number, base = 100, max = 10_000): number {
  return Math.random() * Math.min(max, base * 2 ** Math.min(attempt, 20));
}
