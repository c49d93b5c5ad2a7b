import { SyncError } from '@syncline/contracts';

/** A request of a connector, relative to its connection's base URL. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** True for requests that change nothing: a lost answer then is plainly transient, else its outcome is unknown. */
  readonly safe: boolean;
  /** What a 404 means: `error` (default) throws `rejected`, `reply` gives the answer with status 404, for reads of what may be gone. */
  readonly notFound?: 'error' | 'reply';
}

export interface HttpReply<T = unknown> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly json: T;
  /** The answer's bytes as text, for raw topics. */
  readonly text: string;
  /** The source's clock (Date header) when it answered, else ours; milliseconds since the epoch. */
  readonly answeredAt: number;
  /** How long the answer took, in milliseconds: `answeredAt - elapsedMs` is no later than the moment the source began to read. */
  readonly elapsedMs: number;
}

/**
 * HTTP for one connection: authorized, bounded in time and size, within the connection's limits, traced. Answers 2xx with
 * JSON; everything else is thrown as a SyncError of the right kind (401/403 unauthorized, 404 per `notFound`, 409/412
 * conflict, 429 throttled, 5xx and network transient, other 4xx rejected with the provider's words).
 */
export interface HttpClient {
  send<T = unknown>(request: HttpRequest): Promise<HttpReply<T>>;
}

export { SyncError };
