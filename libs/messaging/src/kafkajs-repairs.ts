import { createRequire } from 'node:module';
import { type FetchedPartition, hideAborted } from './aborted.js';
import { encodeProduce, type ProduceArguments } from './produce-request.js';

// kafkajs is pinned and no longer maintained; these reach into it where it has no other way in. Each is undone by removing it.

const load = createRequire(import.meta.url);

interface RequestQueue {
  pending: unknown[];
}

/**
 * After every answer a timer with a negative delay is started although nothing waits: a warning per process on Node 24 and a
 * timer per request. The timer is needed only while requests wait.
 */
function repairRequestQueue(): void {
  const { prototype } = load('kafkajs/src/network/requestQueue') as {
    prototype: { scheduleCheckPendingRequests(this: RequestQueue): void };
  };
  const original = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) original.call(this);
  };
}

interface Encoder {
  buf: Buffer;
  offset: number;
}

/** A growing request zeroes its memory, several times over a megabyte that is overwritten at once. */
function repairEncoder(): void {
  const { prototype } = load('kafkajs/src/protocol/encoder') as {
    prototype: { ensureAvailable(this: Encoder, length: number): void };
  };
  prototype.ensureAvailable = function (this: Encoder, length: number) {
    const needed = this.offset + length;
    if (needed <= this.buf.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buf.length * 2));
    this.buf.copy(grown, 0, 0, this.offset);
    this.buf = grown;
  };
}

type Protocol = (args: ProduceArguments) => { request: { encode: () => Promise<unknown> }; response: unknown };

/** Produce requests are encoded by us, unless compressed or with times of their own, which nobody here uses. */
function replaceProduceEncoding(): void {
  const produce = load('kafkajs/src/protocol/requests/produce') as {
    protocol(of: { version: number }): Protocol;
  };
  const original = produce.protocol;
  produce.protocol = (of) => {
    const protocol = original(of);
    if (of.version < 3) return protocol;
    return (args) => {
      const made = protocol(args);
      if (!args.compression && !hasOwnTimes(args)) {
        made.request.encode = async () => {
          const buf = encodeProduce(args);
          return { buf, buffer: buf, size: () => buf.length };
        };
      }
      return made;
    };
  };
}

const hasOwnTimes = ({ topicData }: ProduceArguments): boolean =>
  topicData.some((t) => t.partitions.some((p) => p.messages.some((m) => m.timestamp !== undefined)));

interface FetchAnswer {
  responses: { partitions: FetchedPartition[] }[];
}
type FetchProtocol = (args: unknown) => { request: unknown; response: { decode(raw: Buffer): Promise<FetchAnswer> } };

/** Aborted records are hidden as an answer is decoded, before kafkajs's own filter, which lets some through (see `hideAborted`). */
function replaceAbortedFilter(): void {
  const fetch = load('kafkajs/src/protocol/requests/fetch') as { protocol(of: { version: number }): FetchProtocol };
  const original = fetch.protocol;
  fetch.protocol = (of) => {
    const protocol = original(of);
    return (args) => {
      const made = protocol(args);
      const { response } = made;
      const decode = async (raw: Buffer) => {
        const answer = await response.decode(raw);
        for (const { partitions } of answer.responses) for (const partition of partitions) hideAborted(partition);
        return answer;
      };
      return { ...made, response: { ...response, decode } };
    };
  };
}

/** kafkajs's name for the coordinator of a transactional id (that of a group is 0). */
const transactionCoordinator = 1;
const coordinatorAgeMsMax = 1_000;

interface ClusterPart {
  findGroupCoordinatorMetadata(of: { groupId: string; coordinatorType?: number }): Promise<unknown>;
}

/**
 * kafkajs asks for a transaction's coordinator before each of its steps: half of what a small transaction asks the broker. The
 * answer is believed for a second; a coordinator that has moved refuses until then, and is asked again (`patiently`).
 */
function rememberTransactionCoordinator(): void {
  const { prototype } = load('kafkajs/src/cluster') as { prototype: ClusterPart };
  const original = prototype.findGroupCoordinatorMetadata;
  const known = new WeakMap<ClusterPart, { id: string; at: number; answer: unknown }>();
  prototype.findGroupCoordinatorMetadata = async function (this: ClusterPart, of) {
    if (of.coordinatorType !== transactionCoordinator) return original.call(this, of);
    const last = known.get(this);
    if (last && last.id === of.groupId && Date.now() - last.at < coordinatorAgeMsMax) return last.answer;
    const answer = await original.call(this, of);
    known.set(this, { id: of.groupId, at: Date.now(), answer });
    return answer;
  };
}

rememberTransactionCoordinator();
replaceAbortedFilter();
repairRequestQueue();
repairEncoder();
replaceProduceEncoding();
