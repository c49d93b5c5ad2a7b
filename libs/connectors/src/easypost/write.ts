import type { ConnectionContext, Held, ObjectTarget, WriteInput } from '@syncline/connector-sdk';
import {
  type CanonicalRecord,
  carrierCode,
  foldTrackingNumber,
  type RawEnvelope,
  type ShipmentData,
} from '@syncline/contracts';
import { idOf, nouns, text, timeOf, type Wire, wires } from './api.js';
import { readObject, readTime } from './poll.js';
import { trackerObservation } from './shipment.js';

/** EasyPost's own names of carriers (https://docs.easypost.com/carriers); without one EasyPost detects the carrier. */
const carrierNames: Readonly<Record<string, string>> = {
  usps: 'USPS',
  ups: 'UPS',
  fedex: 'FedEx',
  dhl_express: 'DHLExpress',
  dhl_ecommerce: 'DhlEcs',
  dhl_paket: 'DHLPaket',
  canada_post: 'CanadaPost',
  purolator: 'Purolator',
  royal_mail: 'RoyalMail',
  parcelforce: 'Parcelforce',
  evri: 'Evri',
  dpd: 'DPD',
  dpd_uk: 'DPDUK',
  gls: 'GLS',
  ontrac: 'OnTrac',
  lasership: 'LaserShip',
  lso: 'LSO',
  australia_post: 'AustraliaPost',
  new_zealand_post: 'NZPost',
  japan_post: 'JapanPost',
  la_poste: 'Colissimo',
  chronopost: 'Chronopost',
  postnl: 'PostNL',
  correos: 'Correos',
  tnt: 'TNTExpress',
  aramex: 'Aramex',
  sf_express: 'SFExpress',
};

const dataOf = (record: CanonicalRecord): Partial<ShipmentData> => (record.kind === 'shipment' ? record.data : {});

function applies(record: CanonicalRecord): true | string {
  const { trackingNumber, status } = dataOf(record);
  if (!trackingNumber || foldTrackingNumber(trackingNumber) === '') return 'has no tracking number';
  return status === 'cancelled' ? 'is cancelled' : true;
}

/** What a tracker is asked for: number, and carrier where EasyPost has a name for it. */
function wanted(record: CanonicalRecord): { code: string; carrier: string | null } {
  const { trackingNumber, carrier, carrierName } = dataOf(record);
  const known = carrier ?? carrierCode(carrierName);
  return { code: foldTrackingNumber(trackingNumber ?? ''), carrier: known ?? null };
}

function held(context: ConnectionContext, tracker: Wire, readAt: number | null, answeredAt: number): Held {
  const envelope: RawEnvelope = {
    eventId: '',
    connection: context.connection,
    type: 'read',
    externalId: idOf(tracker),
    occurredAt: null,
    origin: 'poll',
    apiVersion: null,
    receivedAt: answeredAt,
    readAt,
  };
  const observation = trackerObservation(tracker, { envelope });
  return { externalId: observation.externalId, version: observation.version, observation };
}

async function read(context: ConnectionContext, externalId: string): Promise<Held | null> {
  const found = await readObject('tracker', context, externalId);
  return found === null ? null : held(context, found.object, found.readAt, found.readAt);
}

/** Carriers use numbers again after a while, so of several trackers the newest is meant. */
async function find(context: ConnectionContext, { record }: WriteInput): Promise<Held | null> {
  const { code, carrier } = wanted(record);
  const reply = await context.http.send<Wire>({
    method: 'GET',
    path: nouns.tracker.path,
    query: { tracking_code: code, page_size: 100 },
    safe: true,
  });
  const [newest] = wires(reply.json?.trackers)
    .filter((one) => foldTrackingNumber(text(one.tracking_code) ?? '') === code)
    .filter((one) => carrier === null || carrierCode(text(one.carrier)) === carrier)
    .sort((a, b) => (timeOf(b.created_at) ?? 0) - (timeOf(a.created_at) ?? 0));
  return newest === undefined ? null : held(context, newest, readTime(reply), reply.answeredAt);
}

/** EasyPost gives back the tracker it has where one was made for the same number and carrier within three months. */
async function create(context: ConnectionContext, { record }: WriteInput): Promise<Held> {
  const { code, carrier } = wanted(record);
  const name = carrier === null ? undefined : carrierNames[carrier];
  const tracker = { tracking_code: code, ...(name === undefined ? {} : { carrier: name }) };
  const reply = await context.http.send<Wire>({
    method: 'POST',
    path: nouns.tracker.path,
    json: { tracker },
    safe: false,
  });
  const made = held(context, reply.json, null, reply.answeredAt);
  // The first state of its second: a webhook that reports a scan in the same second may be here before this answer's receipt.
  return { ...made, observation: { ...made.observation, tie: made.version } };
}

/** Shipments become trackers. A tracker says what the carrier says: nothing of it can be changed, only made. */
export const shipmentTarget: ObjectTarget = {
  shape: 'objects',
  noun: 'tracker',
  creates: ['trackingNumber', 'carrier', 'carrierName'],
  updates: [],
  needs: [],
  applies,
  // A tracker holds its number; all else in it is the carrier's word and never behind ours.
  normalise: (field, value) =>
    field === 'trackingNumber' && typeof value === 'string' ? foldTrackingNumber(value) : undefined,
  read,
  find,
  create,
  update: async (_context, current) => current,
};
