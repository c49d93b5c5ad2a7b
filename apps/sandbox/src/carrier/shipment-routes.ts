// /v2/shipments: https://docs.easypost.com/docs/shipments
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Shipment } from './model.js';
import { type CarrierServerOptions, NOT_FOUND, page, send } from './replies.js';
import { buyShipment, createShipment } from './shipments.js';
import { shipmentWire } from './wire.js';

const size = z.coerce.number().positive().nullish();
const address = z.record(z.string(), z.unknown()).transform((fields) => {
  const known = Object.entries(fields).filter(([, value]) => typeof value === 'string' || value === null);
  return Object.fromEntries(known) as Record<string, string | null>;
});
const shipmentBody = z.object({
  shipment: z.object({
    reference: z.string().nullish(),
    to_address: address,
    from_address: address,
    parcel: z.object({ length: size, width: size, height: size, weight: z.coerce.number().positive() }),
    options: z.record(z.string(), z.unknown()).nullish(),
  }),
});
const buyBody = z.object({ rate: z.object({ id: z.string() }) });

/** Adds the routes of shipments. */
export function shipmentRoutes(app: FastifyInstance, { carrier, journal }: CarrierServerOptions): void {
  const find = (id: string): Shipment => {
    const shipment = carrier.data.shipments.get(id);
    if (!shipment) throw NOT_FOUND;
    return shipment;
  };
  const show = (shipment: Shipment) => shipmentWire(shipment, carrier.data.trackers.get(shipment.trackerId ?? ''));
  app.post('/v2/shipments', async (request, reply) => {
    const { shipment: wanted } = shipmentBody.parse(request.body ?? {});
    const shipment = createShipment(carrier, {
      reference: wanted.reference ?? null,
      toAddress: wanted.to_address,
      fromAddress: wanted.from_address,
      parcel: wanted.parcel,
      options: wanted.options ?? {},
    });
    journal.effect(request.id, 'shipment.created', shipment.id);
    return send(reply, 201, show(shipment));
  });
  app.get('/v2/shipments', async (request, reply) => {
    const { purchased = 'true' } = request.query as { purchased?: string };
    const wanted = [...carrier.data.shipments.values()].filter(
      ({ boughtRateId }) => purchased !== 'true' || boughtRateId !== null,
    );
    const { items, hasMore } = page(wanted, request.query);
    return send(reply, 200, { shipments: items.map(show), has_more: hasMore });
  });
  app.get<{ Params: { id: string } }>('/v2/shipments/:id', async (request, reply) =>
    send(reply, 200, show(find(request.params.id))),
  );
  app.post<{ Params: { id: string } }>('/v2/shipments/:id/buy', async (request, reply) => {
    const shipment = find(request.params.id);
    buyShipment(carrier, shipment, buyBody.parse(request.body ?? {}).rate.id);
    journal.effect(request.id, 'shipment.purchased', shipment.id);
    return send(reply, 200, show(shipment));
  });
}
