import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Connector, defineConnector, type Held, type ObjectTarget } from '@syncline/connector-sdk';
import { type Fields, SyncError } from '@syncline/contracts';
import { z } from 'zod';

/** An object the test system keeps. */
export interface Thing {
  id: string;
  /** The canonical id it was made with. */
  our: string;
  fields: Fields;
  version: number;
}

/** What the test system does to the next requests instead of answering well. */
export type Fault = 'lose reply' | 'lose request' | 'stall' | 429 | 500 | 503 | 401 | 409;

/** A small system with an object per record, over real HTTP, that can be told to misbehave. */
export class Testbed {
  readonly things = new Map<string, Thing>();
  readonly requests: string[] = [];
  /** Faults for requests whose "METHOD path" starts with the text; each is used once, `always` until it is removed. */
  faults: { on: string; fault: Fault; always?: boolean }[] = [];
  /** Requests about this canonical id are refused with words. */
  refused: string | null = null;
  private server: Server | undefined;
  private clock = 1_000;
  url = '';

  async start(): Promise<void> {
    this.server = createServer((request, response) => void this.handle(request, response));
    await new Promise<void>((resolve) => this.server?.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve));
  }

  of(our: string): Thing[] {
    return [...this.things.values()].filter((t) => t.our === our);
  }

  /** A person's edit. */
  edit(id: string, fields: Fields): void {
    const thing = this.things.get(id)!;
    Object.assign(thing.fields, fields);
    thing.version = ++this.clock;
  }

  put(id: string, our: string, fields: Fields): Thing {
    const thing = { id, our, fields, version: ++this.clock };
    this.things.set(id, thing);
    return thing;
  }

  count(method: string): number {
    return this.requests.filter((r) => r.startsWith(method)).length;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = `${request.method} ${request.url}`;
    this.requests.push(line);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body =
      chunks.length === 0 ? null : (JSON.parse(Buffer.concat(chunks).toString()) as { our: string; fields: Fields });
    const at = this.faults.findIndex((f) => line.startsWith(f.on));
    const fault = this.faults[at];
    if (fault && !fault.always) this.faults.splice(at, 1);
    if (fault?.fault === 'lose request') return void request.socket.destroy();
    if (fault?.fault === 'stall') return;
    if (typeof fault?.fault === 'number') {
      const headers = fault.fault === 429 ? { 'retry-after': '1' } : {};
      response.writeHead(fault.fault, headers).end('{"message":"as told"}');
      return;
    }
    const [status, answer] = this.answer(request.method ?? '', request.url ?? '', body);
    if (fault?.fault === 'lose reply') return void request.socket.destroy();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  private answer(method: string, url: string, body: { our: string; fields: Fields } | null): [number, unknown] {
    const our = /^\/things\?our=(.+)$/.exec(url)?.[1];
    if (our) return [200, this.of(our)[0] ?? {}];
    if (url === '/check') return [200, {}];
    if (method === 'POST' && body) {
      if (body.our === this.refused) return [422, { message: 'the carrier is not served' }];
      return [201, this.put(`x${this.things.size + 1}-${this.clock}`, body.our, body.fields)];
    }
    const thing = this.things.get(url.split('/')[2] ?? '');
    if (!thing) return [404, { message: 'not there' }];
    if (method === 'DELETE') this.things.delete(thing.id);
    if (method === 'PUT' && body) this.edit(thing.id, body.fields);
    return [200, thing];
  }
}

const settings = z.object({ url: z.string().describe('Address') });
const secrets = z.object({ key: z.string().describe('Key') });

const heldOf = (thing: Thing): Held => ({
  externalId: thing.id,
  version: thing.version,
  observation: {
    kind: 'shipment',
    noun: 'thing',
    externalId: thing.id,
    version: thing.version,
    fields: thing.fields,
    native: {},
    keys: [],
    refs: [],
  },
});

const shipments: ObjectTarget = {
  shape: 'objects',
  noun: 'thing',
  updates: ['status', 'trackingNumber'],
  creates: ['status', 'trackingNumber', 'orderId'],
  needs: ['orderId'],
  applies: (record) =>
    ('trackingNumber' in record.data && record.data.trackingNumber !== null) || 'has no tracking number',
  read: async ({ http }, id) => {
    const reply = await http.send<Thing>({ method: 'GET', path: `/things/${id}`, safe: true, notFound: 'reply' });
    return reply.status === 404 ? null : heldOf(reply.json);
  },
  find: async ({ http }, { record }) => {
    const { json } = await http.send<Thing>({ method: 'GET', path: '/things', query: { our: record.id }, safe: true });
    return json.id ? heldOf(json) : null;
  },
  create: async ({ http }, { record, fields, links }) => {
    if (!links.orderId) throw new SyncError('defect', 'the order is not linked');
    const json = { our: record.id, fields: { ...fields, orderId: links.orderId } };
    return heldOf((await http.send<Thing>({ method: 'POST', path: '/things', json, safe: false })).json);
  },
  update: async ({ http }, held, { record, fields }) => {
    const json = { our: record.id, fields };
    return heldOf(
      (await http.send<Thing>({ method: 'PUT', path: `/things/${held.externalId}`, json, safe: false })).json,
    );
  },
  remove: async ({ http }, id) => {
    await http.send({ method: 'DELETE', path: `/things/${id}`, safe: false, notFound: 'reply' });
  },
};

/** The connector of the test system. */
export const testbedConnector = defineConnector({
  provider: 'testbed',
  title: 'Test system',
  settings,
  secrets,
  apiVersion: null,
  baseUrl: (s) => s.url,
  auth: { type: 'none' },
  limits: { perSecond: 1_000, burst: 1_000, concurrency: 4 },
  objects: {
    thing: { kind: 'shipment', toCanonical: () => [] },
    deal: { kind: 'order', toCanonical: () => [] },
  },
  check: async ({ http }) => {
    await http.send({ method: 'GET', path: '/check', safe: true });
  },
  targets: { shipment: shipments },
}) as unknown as Connector;

/** syncline.yaml of an installation whose shipments go to a testbed. */
export const shipmentsTo =
  (bed: Testbed) =>
  ({ shop, target }: { shop: string; target: string }): string =>
    `connections:
  ${shop}: { provider: elsewhere }
  ${target}: { provider: testbed, settings: { url: "${bed.url}" }, secrets: { key: k } }
flows:
  - { kinds: [shipment], from: [${shop}], to: [${target}] }
`;
