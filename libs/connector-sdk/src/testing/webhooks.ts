import { describe, expect, it } from '@jest/globals';
import { SyncError } from '@syncline/contracts';
import type { Connector } from '../connector.js';
import type { WebhookRequest } from '../webhook.js';

export interface SignedWebhook {
  /** The header that carries the signature, in lower case. */
  readonly header: string;
  /** A valid request as the provider sends it, signed with this secret. */
  readonly sign: (body: Buffer, secret: string) => Record<string, string>;
  /** A body the provider sends; its text is signed as it stands. */
  readonly body: string;
}

const secret = 'whsec_0f1e2d3c4b5a69788796a5b4c3d2e1f0';

/** Ways a request is not what the provider signed: none may pass. */
export function corruptions(header: string): Record<string, (r: WebhookRequest) => WebhookRequest> {
  const withHeader = (change: (value: string) => string | string[] | undefined) => (r: WebhookRequest) => ({
    ...r,
    headers: { ...r.headers, [header]: change(String(r.headers[header])) },
  });
  const flip = (text: string, at: number): string => {
    const i = at < 0 ? text.length + at : at;
    return `${text.slice(0, i)}${text[i] === '5' ? '6' : '5'}${text.slice(i + 1)}`;
  };
  return {
    'no signature': withHeader(() => undefined),
    'an empty signature': withHeader(() => ''),
    'an empty list of signatures': withHeader(() => []),
    'two signature headers': withHeader((v) => [v, v]),
    'two signature headers joined': withHeader((v) => `${v}, ${v}`),
    'a signature that is cut': withHeader((v) => v.slice(0, -1)),
    'a signature with its end repeated': withHeader((v) => `${v}=`),
    'a signature with space around it': withHeader((v) => ` ${v} `),
    'a signature with a line break': withHeader((v) => `${v}\n`),
    'a signature with one digit changed': withHeader((v) => flip(v, -9)),
    'a signature in the other case': withHeader((v) => (v === v.toUpperCase() ? v.toLowerCase() : v.toUpperCase())),
    'a signature of nothing but its shape': withHeader((v) => v.replace(/[A-Za-z0-9](?=[A-Za-z0-9+/=]{0,30}$)/g, '0')),
    'a changed body': (r) => ({ ...r, body: Buffer.from(flip(r.body.toString('utf8'), 10)) }),
    'a body with a space more': (r) => ({ ...r, body: Buffer.concat([r.body, Buffer.from(' ')]) }),
    'an empty body': (r) => ({ ...r, body: Buffer.alloc(0) }),
    'a body that was parsed and written anew': (r) => ({
      ...r,
      body: Buffer.from(JSON.stringify(JSON.parse(r.body.toString('utf8')), null, 1)),
    }),
  };
}

/** The webhook part of the conformance suite. */
export function describeWebhooks(
  connector: Connector,
  webhook: SignedWebhook,
  mutate: (body: unknown) => unknown[],
): void {
  const spec = connector.webhook;
  if (spec === undefined) throw new Error(`connector ${connector.provider} has no webhooks`);
  const body = Buffer.from(webhook.body);
  const request: WebhookRequest = { headers: webhook.sign(body, secret), body, receivedAt: 1_767_225_600_000 };

  describe(`webhooks of ${connector.provider}`, () => {
    it('takes a valid request, also while the secret is rotated', () => {
      expect(spec.verify(request, [secret])).toEqual({ ok: true });
      expect(spec.verify(request, ['another', secret])).toEqual({ ok: true });
      expect(spec.verify(request, [secret, 'another'])).toEqual({ ok: true });
    });

    it.each(Object.entries(corruptions(webhook.header)))('refuses %s', (_name, corrupt) => {
      expect(spec.verify(corrupt(request), [secret]).ok).toBe(false);
    });

    it.each([[[]], [['']], [['wrong']], [[`${secret} `]]])('refuses with the secrets %j', (secrets) => {
      expect(spec.verify(request, secrets).ok).toBe(false);
    });

    it('refuses what is signed with an empty secret', () => {
      expect(spec.verify({ ...request, headers: webhook.sign(body, '') }, ['']).ok).toBe(false);
    });

    it('parses a valid request to an item, and broken bodies to a delivery or unmappable', () => {
      const json: unknown = JSON.parse(webhook.body);
      expect(spec.parse(request, json).kind).toBe('item');
      for (const broken of mutate(json))
        try {
          const delivery = spec.parse(request, broken);
          if (delivery.kind === 'item') {
            expect(delivery.item.externalId).toMatch(/./);
            expect(delivery.item.aggregateId).toMatch(/./);
            expect(delivery.eventId).toMatch(/./);
          }
        } catch (error) {
          if (!(error instanceof SyncError)) throw error;
          expect(error.kind).toBe('unmappable');
        }
    });
  });
}
