import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

type Direction = 'up' | 'down';

/** One client connection and its counterpart to the broker. */
interface Pair {
  client: Socket;
  broker: Socket;
  /** Bytes of the client that are held back; null when they pass. */
  held: Buffer[] | null;
  /** Ends when the delayed bytes of a direction have gone on; null where none are: later bytes must not overtake them. */
  delayed: Record<Direction, Promise<void> | null>;
  /** Directions in which nothing passes any more, as on a connection whose other end is gone without a word. */
  stranded: Set<Direction>;
}

/**
 * A TCP proxy for fault tests, between clients and a broker that advertises the proxy's port: it holds requests back and lets
 * them go later, swallows bytes of a direction (half-open), delays, and resets connections.
 */
export class TcpProxy {
  /** The port connections go on to. */
  target = 0;
  /** Added to every chunk, each way. */
  latencyMs = 0;
  readonly #pairs = new Set<Pair>();
  readonly #swallowed = new Set<Direction>();
  readonly #server: Server;
  #stranding = false;

  private constructor() {
    this.#server = createServer((client) => this.#accept(client));
  }

  static async listen(): Promise<TcpProxy> {
    const proxy = new TcpProxy();
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** From here on the requests of the present connections stay here, also when the client gives up. New connections pass. */
  hold(): void {
    for (const pair of this.#pairs) pair.held ??= [];
  }

  /** What was held reaches the broker now. Returns the number of bytes. */
  release(): number {
    let bytes = 0;
    for (const pair of this.#pairs) {
      for (const chunk of pair.held ?? []) {
        bytes += chunk.length;
        pair.broker.write(chunk);
      }
      pair.held = null;
      if (pair.client.destroyed) pair.broker.end();
    }
    return bytes;
  }

  /** Bytes of this direction vanish, on present and new connections, until `heal`. Swallowed answers: a half-open connection. */
  swallow(direction: Direction): void {
    this.#swallowed.add(direction);
  }

  /** As `swallow`, but a connection that lost bytes never gets another one through: TCP has no gaps. New ones work after `heal`. */
  strand(direction: Direction): void {
    this.#swallowed.add(direction);
    this.#stranding = true;
  }

  heal(): void {
    this.#swallowed.clear();
    this.#stranding = false;
  }

  /** Sends RST both ways on every connection. */
  reset(): void {
    for (const { client, broker } of this.#pairs) {
      client.resetAndDestroy();
      broker.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  async close(): Promise<void> {
    for (const { client, broker } of this.#pairs) {
      client.destroy();
      broker.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const broker = connect({ host: '127.0.0.1', port: this.target, noDelay: true });
    client.setNoDelay(true);
    const pair: Pair = { client, broker, held: null, delayed: { up: null, down: null }, stranded: new Set() };
    this.#pairs.add(pair);
    client.on('data', (chunk) => this.#pass(pair, 'up', chunk));
    broker.on('data', (chunk) => this.#pass(pair, 'down', chunk));
    for (const end of [client, broker]) end.on('error', () => {});
    client.on('close', () => {
      if (pair.held) return;
      broker.end();
      this.#pairs.delete(pair);
    });
    broker.on('close', () => {
      client.destroy();
      this.#pairs.delete(pair);
    });
  }

  #pass(pair: Pair, direction: Direction, chunk: Buffer): void {
    if (this.#swallowed.has(direction) && this.#stranding) pair.stranded.add(direction);
    if (this.#swallowed.has(direction) || pair.stranded.has(direction)) return;
    if (direction === 'up' && pair.held) {
      pair.held.push(chunk);
      return;
    }
    const to = direction === 'up' ? pair.broker : pair.client;
    const before = pair.delayed[direction];
    if (this.latencyMs === 0 && !before) {
      to.write(chunk);
      return;
    }
    const over = new Promise((resolve) => setTimeout(resolve, this.latencyMs));
    const own = Promise.all([before, over]).then(() => {
      to.write(chunk);
      if (pair.delayed[direction] === own) pair.delayed[direction] = null;
    });
    pair.delayed[direction] = own;
  }
}
