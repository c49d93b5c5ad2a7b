import type { Fields, Kind, Observation, RawEnvelope } from '@syncline/contracts';
import type { z } from 'zod';
import type { AuthSpec } from './auth.js';
import type { HttpClient, HttpReply, HttpRequest } from './http.js';
import type { Learned } from './learned.js';
import type { TargetSpec } from './target.js';
import type { WebhookSpec } from './webhook.js';

/**
 * What one system is to Syncline: data and functions, nothing of Kafka, PostgreSQL or Nest. The engines own queues,
 * offsets, retries, budgets, tokens and logs. Do not retry, sleep, log or batch: throw a SyncError and the engine decides.
 * What a connector can do is inferred from the functions it gives.
 */
export interface Connector<Settings extends z.ZodObject = z.ZodObject, Secrets extends z.ZodObject = z.ZodObject> {
  /** The name `provider:` takes in syncline.yaml, also the second part of its raw topics. */
  readonly provider: string;
  readonly title: string;
  /** Non-secret settings of a connection; every field described, since the documentation tables are made from it. */
  readonly settings: Settings;
  /** Credentials of a connection; never logged, never in an error. */
  readonly secrets: Secrets;
  /** The API version its requests pin; null where the provider has none. */
  readonly apiVersion: string | null;
  readonly baseUrl: (settings: z.infer<Settings>) => string;
  readonly auth: AuthSpec;
  /** Requests per second and burst a connection may use before the provider's own headers say otherwise. */
  readonly limits: RequestLimits;
  /** What it reads and maps, by the provider's noun. */
  readonly objects: Readonly<Record<string, ObjectType>>;
  readonly webhook?: WebhookSpec;
  /** Cheap read that proves URL and credentials. Throws `unauthorized` with what to fix. */
  readonly check: (context: ConnectionContext) => Promise<void>;
  /** How records are written there, by kind; absent for a read-only system. */
  readonly targets?: Readonly<Partial<Record<Kind, TargetSpec>>>;
}

/** What a connection may use of its provider's budget. */
export interface RequestLimits {
  readonly perSecond: number;
  readonly burst: number;
  readonly concurrency: number;
  /** A limit that some of the requests, such as lists, are under besides. */
  readonly narrower?: {
    readonly name: string;
    readonly perSecond: number;
    readonly burst: number;
    readonly of: (request: HttpRequest) => boolean;
  };
  /** What a request is taken to cost until an answer tells (default 1), where the provider counts points. */
  readonly costFirst?: number;
  /** What an answer says of the provider's budget beyond the usual headers, which are read for every provider. */
  readonly learn?: (reply: HttpReply) => Learned;
}

/** What the engine gives to every call: one connection's settings and an HTTP client with its auth, limits and trace built in. */
export interface ConnectionContext {
  readonly connection: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, unknown>>;
  readonly http: HttpClient;
  /** Ends the call when the service stops; pass it on to long waits. */
  readonly signal: AbortSignal;
}

/** A raw message as the transformer hands it to a mapping. */
export interface RawMessage {
  readonly envelope: RawEnvelope;
  /** The parsed JSON of the provider's bytes. */
  readonly body: unknown;
}

/** One object of a page or a webhook, as it goes to its raw topic. */
export interface RawItem {
  readonly noun: string;
  /** Id of the aggregate root: the topic key keeps its messages in order (a fulfilment's is its order's id). */
  readonly aggregateId: string;
  readonly externalId: string;
  /** Version for the event id of polls: equal states get equal ids. */
  readonly version: string;
  /** The provider's JSON text of this object. */
  readonly body: string;
}

/** A page of a poll. The engine stores `checkpoint` after every item is durable. */
export interface Page {
  readonly items: readonly RawItem[];
  /** Opaque JSON to go on from after a crash within this poll; null where a page cannot be resumed. */
  readonly checkpoint: string | null;
  /** The source's clock when it answered, in milliseconds since the epoch. */
  readonly readAt: number;
}

/** One record type of a provider. */
export interface ObjectType {
  /** The kind its main record has. */
  readonly kind: Kind;
  /**
   * The canonical form of a message: pure and total. One message may say something of several records (an order names its
   * fulfilments). Name only the fields the message carries. An unknown status maps to `unknown` with the native word in
   * `native`, never a throw; what cannot be understood at all throws `unmappable` with the path.
   */
  readonly toCanonical: (message: RawMessage) => Observation[];
  /**
   * Objects changed since a moment, oldest change first. Yield pages; the engine adds overlap, settling and the cursor,
   * and gives back the last checkpoint after a crash. `since` is milliseconds since the epoch.
   */
  readonly poll?: (context: ConnectionContext, request: PollRequest) => AsyncGenerator<Page>;
  /** Reads one object now; null where it does not exist. */
  readonly read?: (context: ConnectionContext, externalId: string) => Promise<{ item: RawItem; readAt: number } | null>;
  /** Lists may lag behind reads by this long at the provider, in milliseconds: the engine lets that much settle. */
  readonly settleMs?: number;
}

export interface PollRequest {
  readonly since: number;
  /** Changes after it are not wanted: a source that can be asked so shows fewer; the engine leaves out what comes all the same. */
  readonly until?: number;
  readonly checkpoint: string | null;
}

/** Declares a connector with its settings and secrets inferred. */
export function defineConnector<S extends z.ZodObject, K extends z.ZodObject>(
  connector: Connector<S, K>,
): Connector<S, K> {
  return connector;
}

export type { Fields };
