// Control routes about the carrier: labels bought by others, parcels scanned.
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { TRACKER_STATUSES, type Tracker } from './carrier/model.js';
import { buyShipment, createShipment } from './carrier/shipments.js';
import { createTracker, scanTracker } from './carrier/tracking.js';
import { shipmentWire, trackerWire } from './carrier/wire.js';
import { NotFound } from './control-errors.js';
import type { World } from './sandbox.js';

const time = z.iso.datetime({ offset: true }).transform((text) => Math.floor(Date.parse(text) / 1000) * 1000);

const scanBody = z.strictObject({
  status: z.enum(TRACKER_STATUSES),
  statusDetail: z.string().optional(),
  message: z.string().optional(),
  city: z.string().optional(),
  state: z.string().optional(),
  country: z.string().optional(),
  zip: z.string().optional(),
  at: time.optional(),
  estimatedDeliveryAt: time.optional(),
  signedBy: z.string().optional(),
  weight: z.number().positive().optional(),
  /** Which of several trackers with the same code. */
  carrier: z.string().optional(),
});

const shipmentBody = z.strictObject({
  reference: z.string().nullable().default(null),
  carrier: z.string().default('USPS'),
  service: z.string().optional(),
  weight: z.number().positive().default(16),
  /** false leaves the shipment without a label. */
  buy: z.boolean().default(true),
});

const FROM = {
  company: 'Syncline Sandbox',
  street1: '5 Old Quay',
  city: 'Portland',
  state: 'ME',
  zip: '04101',
  country: 'US',
};
const TO = { name: 'Ada Fischer', street1: '12 Mill Lane', city: 'Duluth', state: 'MN', zip: '55802', country: 'US' };

/** Adds the routes under /trackers and /shipments. */
export function carrierRoutes(app: FastifyInstance, { carrier }: World): void {
  const find = (code: string, name: string | undefined): Tracker => {
    for (const tracker of carrier.data.trackers.values()) {
      if ((tracker.code === code || tracker.id === code) && (!name || tracker.carrier === name)) return tracker;
    }
    throw new NotFound(`no tracker ${code}: the carrier scans only parcels it was told of`);
  };
  app.post('/trackers', async (request) => {
    const { code, carrier: name } = z
      .strictObject({ code: z.string().min(1), carrier: z.string().optional() })
      .parse(request.body);
    return trackerWire(createTracker(carrier, code, name));
  });
  app.get<{ Params: { code: string } }>('/trackers/:code', async (request) =>
    trackerWire(find(request.params.code, undefined)),
  );
  app.post<{ Params: { code: string } }>('/trackers/:code/scan', async (request) => {
    const { status, carrier: name, ...spec } = scanBody.parse(request.body);
    const tracker = find(request.params.code, name);
    scanTracker(carrier, tracker, status, spec);
    return trackerWire(tracker);
  });
  app.post('/shipments', async (request) => {
    const body = shipmentBody.parse(request.body ?? {});
    const parcel = { length: 12, width: 9, height: 4, weight: body.weight };
    const shipment = createShipment(carrier, {
      reference: body.reference,
      toAddress: TO,
      fromAddress: FROM,
      parcel,
      options: {},
    });
    if (!body.buy) return shipmentWire(shipment, undefined);
    const rate = shipment.rates.find(
      (candidate) => candidate.carrier === body.carrier && (!body.service || candidate.service === body.service),
    );
    if (!rate)
      throw new NotFound(
        `no rate of ${body.carrier} ${body.service ?? ''}; there are ${shipment.rates.map((each) => `${each.carrier} ${each.service}`).join(', ')}`,
      );
    return shipmentWire(shipment, buyShipment(carrier, shipment, rate.id));
  });
}
