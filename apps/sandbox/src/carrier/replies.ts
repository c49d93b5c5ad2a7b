// What every route of the carrier answers with: JSON in EasyPost's way, errors, pages.
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { FaultDesk } from '../faults.js';
import type { Journal } from '../journal.js';
import type { Settings } from '../settings.js';
import { type Carrier, CarrierError } from './carrier.js';
import { wireJson } from './wire.js';

export interface CarrierServerOptions {
  carrier: Carrier;
  apiKey: string;
  settings: Settings;
  faults: FaultDesk;
  journal: Journal;
}

/** The one answer for everything that is not there. */
export const NOT_FOUND = new CarrierError(404, 'NOT_FOUND', 'The requested resource could not be found.');

/** Sends a JSON answer. */
export const send = (reply: FastifyReply, status: number, value: unknown) =>
  reply.code(status).type('application/json; charset=utf-8').send(wireJson(value));

/** Sends an error: https://docs.easypost.com/docs/errors */
export function fail(reply: FastifyReply, error: CarrierError) {
  return send(reply, error.status, { error: { code: error.code, message: error.message, errors: error.errors } });
}

const pageQuery = z.object({
  page_size: z.coerce.number().int().min(1).max(100).default(20),
  before_id: z.string().optional(),
  after_id: z.string().optional(),
  start_datetime: z.iso.datetime({ offset: true }).optional(),
  end_datetime: z.iso.datetime({ offset: true }).optional(),
});

/**
 * A page, newest first: `before_id` asks for what is older, `after_id` for what is newer. start_datetime and end_datetime
 * bound created_at. https://docs.easypost.com/docs/pagination
 */
export function page<T extends { id: string; createdAt: number }>(
  items: Iterable<T>,
  query: unknown,
): { items: T[]; hasMore: boolean } {
  const {
    page_size: size,
    before_id: before,
    after_id: after,
    start_datetime: start,
    end_datetime: end,
  } = pageQuery.parse(query);
  const from = start === undefined ? Number.NEGATIVE_INFINITY : Date.parse(start);
  const to = end === undefined ? Number.POSITIVE_INFINITY : Date.parse(end);
  let list = [...items].reverse();
  const cursor = before ?? after;
  if (cursor !== undefined) {
    const at = list.findIndex(({ id }) => id === cursor);
    if (at < 0) throw NOT_FOUND;
    list = before !== undefined ? list.slice(at + 1) : list.slice(0, at);
  }
  list = list.filter(({ createdAt }) => createdAt >= from && createdAt < to);
  // The page after an id holds the nearest newer ones, not the newest of all.
  const items_ = after !== undefined && before === undefined ? list.slice(-size) : list.slice(0, size);
  return { items: items_, hasMore: list.length > items_.length };
}
