// Mutation payloads: what was changed, or userErrors.
import { Refused } from './orders.js';

/** Notes what a mutation changed: kind of change and global id. */
export type Effect = (kind: string, id: string) => void;

/** Fields of a payload. */
export type Payload = Record<string, unknown>;

/** Runs a change; a refusal becomes the payload's userErrors. */
export function refusable(change: () => Payload, empty: Payload): Payload {
  try {
    return { ...empty, ...change(), userErrors: [] };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ...empty, userErrors: [{ field: error.field, message: error.message }] };
  }
}
