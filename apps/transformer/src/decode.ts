import type { Connector } from '@syncline/connector-sdk';
import {
  asSyncError,
  dataOf,
  isDatable,
  type Json,
  type Observation,
  observation as observationSchema,
  parseTopic,
  type RawEnvelope,
  type Receipt,
  readRawHeaders,
  receipt as receiptSchema,
  SyncError,
} from '@syncline/contracts';
import type { InboundRecord } from '@syncline/messaging';
import { metrics } from '@syncline/runtime';
import { type SourceKey, sourceKey } from './merge/state.js';
import { checkEnvelope, checkKeys, checkRecordId, checkTexts } from './storable.js';
import type { Topology } from './topology.js';

/** One thing a message says: a state of one object, or a word of a writer. */
export type Step = ObservationStep | ReceiptStep;

export interface ObservationStep {
  type: 'observation';
  record: InboundRecord;
  envelope: RawEnvelope;
  provider: string;
  connection: string;
  source: SourceKey;
  observation: Observation;
  /** Since when it has waited for a write of ours; null where it comes straight from its topic. */
  waitsSince: string | null;
}

export interface ReceiptStep {
  type: 'receipt';
  record: InboundRecord;
  provider: string;
  receipt: Receipt;
}

/** What a message means. Throws `unmappable` with the path of what is wrong; never anything else. */
export function decode(record: InboundRecord, topology: Topology): Step[] {
  try {
    return understood(record, topology);
  } catch (thrown) {
    const error = asSyncError(thrown);
    if (error.kind === 'unmappable') throw error;
    // A mapping that fails, or JSON nested deeper than a check can follow.
    throw new SyncError('unmappable', `the mapping failed: ${error.message}`, { path: '$', cause: thrown });
  }
}

function understood(record: InboundRecord, topology: Topology): Step[] {
  const topic = parseTopic(record.topic);
  if (topic?.role === 'receipts')
    return [{ type: 'receipt', record, provider: topic.provider, receipt: parseReceipt(record) }];
  if (topic?.role !== 'raw')
    throw new SyncError('unmappable', `topic ${record.topic} is not one the transformer reads`);
  const envelope = readRawHeaders(record.headers);
  checkEnvelope(envelope);
  const connector = topology.connectorOf(envelope.connection);
  if (connector?.provider !== topic.provider) {
    throw new SyncError(
      'unmappable',
      `connection ${envelope.connection} is no ${topic.provider} connection of syncline.yaml`,
      { path: 'ce_source' },
    );
  }
  return mapRaw(record, topic.noun, envelope, connector);
}

/** What a receipt says of its target's object, as a message of that connection. */
export function observedStep(step: ReceiptStep, observation: Observation): ObservationStep {
  const { receipt, record, provider } = step;
  const envelope: RawEnvelope = {
    eventId: `receipt:${receipt.revision}`,
    connection: receipt.connection,
    type: 'receipt',
    externalId: observation.externalId,
    occurredAt: null,
    origin: 'webhook',
    apiVersion: null,
    receivedAt: receipt.at,
    readAt: null,
  };
  const source = sourceKey(receipt.connection, receipt.noun);
  const { connection } = receipt;
  return { type: 'observation', record, envelope, provider, connection, source, observation, waitsSince: null };
}

function mapRaw(record: InboundRecord, noun: string, envelope: RawEnvelope, connector: Connector): ObservationStep[] {
  const object = connector.objects[noun];
  if (!object) throw new SyncError('unmappable', `${connector.provider} has no object ${noun}`);
  const text = textOf(record.value);
  const observations = object.toCanonical({ envelope, body: parseJson(text) });
  // A text that JSON.parse makes holds neither NUL nor half a surrogate pair unless it was escaped.
  const escapes = text.includes('\\u');
  for (const o of observations) checkObservation(o, envelope.connection, escapes);
  return observations.map((observation) => ({
    type: 'observation',
    record,
    envelope,
    provider: connector.provider,
    connection: envelope.connection,
    source: sourceKey(envelope.connection, observation.noun),
    observation,
    waitsSince: null,
  }));
}

function textOf(value: Buffer | null): string {
  if (value === null) throw new SyncError('unmappable', 'the message is empty', { path: '$' });
  return value.toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SyncError('unmappable', 'the message is no JSON', { path: '$' });
  }
}

function parseReceipt(record: InboundRecord): Receipt {
  const text = textOf(record.value);
  const parsed = receiptSchema.safeParse(parseJson(text));
  if (!parsed.success)
    throw new SyncError('unmappable', 'the message is no receipt', {
      path: parsed.error.issues[0]?.path.join('.') ?? '$',
    });
  checkReceipt(parsed.data, text.includes('\\u'));
  return parsed.data;
}

/** A receipt comes from a writer of ours: one that PostgreSQL would refuse must not stop those behind it all the same. */
function checkReceipt(receipt: Receipt, escapes: boolean): void {
  checkRecordId(receipt.id, receipt.type === 'release');
  if (!isDatable(receipt.at)) throw new SyncError('unmappable', 'the receipt has no usable time', { path: 'at' });
  if (receipt.type === 'receipt' && receipt.observed)
    checkObservation(receipt.observed as Observation, receipt.connection, escapes);
  if (escapes) checkTexts(receipt as unknown as Json);
}

const schemas = { order: dataOf.order.partial().strict(), shipment: dataOf.shipment.partial().strict() };

/** A mapping must give what the canonical model can say, in texts that PostgreSQL can store. */
function checkObservation(o: Observation, connection: string, escapes: boolean): void {
  if (!isDatable(o.version))
    throw new SyncError('unmappable', 'the object has no usable change time', { path: 'version' });
  const shape =
    observationSchema.shape.noun.safeParse(o.noun).success && typeof o.externalId === 'string' && o.externalId !== '';
  if (!shape) throw new SyncError('unmappable', 'the object has no id', { path: 'externalId' });
  checkKeys(o);
  const parsed = schemas[o.kind].safeParse(o.fields);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new SyncError('unmappable', `${issue?.message ?? 'not in the model'}`, {
      path: issue?.path.join('.') ?? '$',
    });
  }
  if (escapes) checkTexts(o as unknown as Json);
  for (const field of ['status', 'financialStatus', 'fulfillmentStatus']) {
    if (o.fields[field] === 'unknown') metrics.unknownStatuses.add(1, { connection, kind: o.kind, field });
  }
}
