import type { ConnectionContext, RawItem } from './connector.js';

/** A webhook request as it came in: raw bytes, headers with lower-case names. Repeated headers keep their list. */
export interface WebhookRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
}

/** The verdict on a signature. `reason` is for metrics and logs and quotes nothing of the request. */
export type Verdict = { ok: true } | { ok: false; reason: 'absent' | 'malformed' | 'mismatch' | 'stale' };

/** What a verified and parsed webhook says. */
export type Delivery =
  | {
      kind: 'item';
      item: RawItem;
      eventId: string;
      type: string;
      occurredAt: number | null;
      apiVersion: string | null;
      /** Objects that this message shows to have changed and does not carry: the engine reads them soon after. */
      also?: readonly { noun: string; externalId: string }[];
    }
  /** Nothing to sync (a topic we did not ask for, a test ping): answered 2xx and counted. */
  | { kind: 'ignored'; type: string }
  /** The provider says our app was removed: the connection is shown as disconnected. */
  | { kind: 'uninstalled' };

export interface WebhookSpec {
  /** Which secrets verify: names of `secrets` fields, several where a rotation is under way. */
  readonly secrets: readonly string[];
  /** Fails closed, on the raw bytes, in constant time, against each secret. */
  readonly verify: (request: WebhookRequest, secrets: readonly string[]) => Verdict;
  /** Only after `verify`: what the message is about. `body` is the parsed JSON. Throws `unmappable` with the path. */
  readonly parse: (request: WebhookRequest, body: unknown) => Delivery;
  /** Makes the provider send to `url` what we need: registers what is missing, repairs what differs. Called at start and regularly. */
  readonly register: (
    context: ConnectionContext,
    url: string,
  ) => Promise<{ created: string[]; kept: string[]; removed: string[] }>;
}
