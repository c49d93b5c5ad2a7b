// Shipments: rated when made, sent when bought. https://docs.easypost.com/docs/shipments
import { type Carrier, CarrierError, newId, nowSecond } from './carrier.js';
import type { Shipment, Tracker, WireAddress } from './model.js';
import { createTracker, newTrackingCode } from './tracking.js';

/** What a shipment is made of. */
export interface ShipmentSpec {
  reference: string | null;
  toAddress: WireAddress;
  fromAddress: WireAddress;
  parcel: {
    length?: number | null | undefined;
    width?: number | null | undefined;
    height?: number | null | undefined;
    weight: number;
  };
  options: Record<string, unknown>;
}

const RATES: readonly [carrier: string, service: string, amount: number, days: number][] = [
  ['USPS', 'GroundAdvantage', 607, 3],
  ['USPS', 'Priority', 742, 2],
  ['UPS', 'Ground', 1185, 4],
  ['DHLExpress', 'ExpressWorldwide', 3415, 1],
];

/** Makes a shipment with its rates; nothing is sent for it before it is bought. */
export function createShipment(carrier: Carrier, spec: ShipmentSpec): Shipment {
  const at = nowSecond();
  const { length = null, width = null, height = null, weight } = spec.parcel;
  const shipment: Shipment = {
    id: newId(carrier, 'shp'),
    reference: spec.reference,
    createdAt: at,
    updatedAt: at,
    toAddress: { ...spec.toAddress, id: newId(carrier, 'adr') },
    fromAddress: { ...spec.fromAddress, id: newId(carrier, 'adr') },
    parcel: { id: newId(carrier, 'prcl'), length, width, height, weight },
    options: spec.options,
    rates: RATES.map(([name, service, amount, days]) => ({
      id: newId(carrier, 'rate'),
      carrier: name,
      service,
      amount,
      days,
    })),
    boughtRateId: null,
    trackerId: null,
    boughtAt: null,
  };
  carrier.data.shipments.set(shipment.id, shipment);
  carrier.save();
  return shipment;
}

/**
 * Buys a rate: the shipment gets a label, a tracking code and a tracker. The only event is tracker.created, with the
 * shipment's id: EasyPost has none for the purchase itself (https://docs.easypost.com/docs/events).
 */
export function buyShipment(carrier: Carrier, shipment: Shipment, rateId: string): Tracker {
  const rate = shipment.rates.find(({ id }) => id === rateId);
  if (!rate) throw new CarrierError(422, 'SHIPMENT.POSTAGE.NO_RATE', 'The rate given does not belong to this shipment');
  if (shipment.boughtRateId !== null) {
    throw new CarrierError(422, 'SHIPMENT.POSTAGE.EXISTS', 'Postage already exists for this shipment');
  }
  shipment.boughtRateId = rateId;
  shipment.boughtAt = nowSecond();
  shipment.updatedAt = shipment.boughtAt;
  const tracker = createTracker(carrier, newTrackingCode(rate.carrier, carrier.random), rate.carrier, shipment.id);
  shipment.trackerId = tracker.id;
  carrier.save();
  return tracker;
}
