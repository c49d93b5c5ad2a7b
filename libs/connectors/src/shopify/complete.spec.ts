import { describe, expect, it } from '@jest/globals';
import type { ConnectionContext, HttpReply, HttpRequest, RawItem } from '@syncline/connector-sdk';
import { shopify } from './index.js';

type Body = Record<string, unknown>;

describe('reading in whole', () => {
  const page = (nodes: unknown[], endCursor: string | null = null) => ({
    nodes,
    pageInfo: { hasNextPage: endCursor !== null, endCursor },
  });
  const refund = (n: number, lines: unknown) => ({
    id: `gid://shopify/Refund/${n}`,
    transactions: page([]),
    refundLineItems: lines,
  });
  const refundLine = (n: number) => ({ quantity: n, lineItem: { id: 'gid://shopify/LineItem/1' } });
  const order = (updatedAt: string, more: Body = {}) => ({
    id: 'gid://shopify/Order/1',
    updatedAt,
    lineItems: page([]),
    shippingLines: page([]),
    discountApplications: page([]),
    refunds: [],
    fulfillments: [],
    ...more,
  });

  /** A shop that answers each operation from a list, in order. */
  function answering(script: Record<string, unknown[]>): { context: ConnectionContext; asked: string[] } {
    const asked: string[] = [];
    const send = async (request: HttpRequest) => {
      const { operationName, variables } = request.json as { operationName: string; variables: Body };
      asked.push(`${operationName} ${variables.after ?? variables.id ?? ''}`.trim());
      const data = script[operationName]?.shift();
      if (data === undefined) throw new Error(`nothing scripted for ${operationName}`);
      return {
        status: 200,
        headers: {},
        json: { data },
        text: '',
        answeredAt: 5_000,
        elapsedMs: 20,
      } as HttpReply<never>;
    };
    return {
      context: { connection: 'shop', settings: {}, secrets: {}, http: { send }, signal: new AbortController().signal },
      asked,
    };
  }
  const read = (context: ConnectionContext) =>
    shopify.objects.order?.read?.(context, '1') as Promise<{ item: RawItem; readAt: number } | null>;

  it('follows long refunds, and fetches those that are not in the first list', async () => {
    const first = [1, 2, 3, 4, 5].map((n) => refund(n, n === 2 ? page([refundLine(1)], 'c1') : page([])));
    const { context, asked } = answering({
      Order: [{ order: order('T1', { refunds: first }) }],
      OrderLists: [
        {
          order: {
            updatedAt: 'T1',
            fulfillments: [],
            refunds: [1, 2, 3, 4, 5, 6].map((n) => ({ id: `gid://shopify/Refund/${n}` })),
          },
        },
      ],
      Refund: [{ refund: refund(6, page([refundLine(6)])) }],
      RefundLines: [
        { refund: { refundLineItems: page([refundLine(2)], 'c2') } },
        { refund: { refundLineItems: page([refundLine(3)]) } },
      ],
    });
    const found = await read(context);
    const refunds = JSON.parse(found?.item.body ?? '{}').refunds;
    expect(
      refunds.map((r: { refundLineItems: { nodes: { quantity: number }[] } }) =>
        r.refundLineItems.nodes.map((n) => n.quantity),
      ),
    ).toEqual([[], [1, 2, 3], [], [], [], [6]]);
    expect(found?.readAt).toBe(4_980);
    expect(asked).toEqual([
      'Order gid://shopify/Order/1',
      'OrderLists gid://shopify/Order/1',
      'Refund gid://shopify/Refund/6',
      'RefundLines c1',
      'RefundLines c2',
    ]);
  });

  it('starts anew where the order changes between two pages, and gives up where it never stands still', async () => {
    const long = (at: string) => ({
      order: order(at, { lineItems: page([{ id: 'gid://shopify/LineItem/1' }], 'c1') }),
    });
    const next = (at: string) => ({ order: { updatedAt: at, lineItems: page([{ id: 'gid://shopify/LineItem/2' }]) } });
    const once = answering({ Order: [long('T1'), long('T2')], OrderLines: [next('T2'), next('T2')] });
    expect((await read(once.context))?.item.version).toBe('T2');
    const always = answering({
      Order: [long('T1'), long('T2'), long('T3'), long('T4')],
      OrderLines: [next('X'), next('X'), next('X')],
    });
    await expect(read(always.context)).rejects.toMatchObject({ kind: 'transient' });
    const gone = answering({ Order: [long('T1'), { order: null }], OrderLines: [next('T2')] });
    expect(await read(gone.context)).toBeNull();
  });

  it('never takes a missing list for an empty one', async () => {
    await expect(
      read(answering({ Order: [{ order: order('T1', { lineItems: null }) }] }).context),
    ).rejects.toMatchObject({ kind: 'transient' });
    await expect(
      read(answering({ Order: [{ order: order('T1', { discountApplications: page([], 'more') }) }] }).context),
    ).rejects.toMatchObject({ kind: 'rejected' });
  });

  it('asks for smaller pages where Shopify says that the query costs too much', async () => {
    const sizes: unknown[] = [];
    const send = async (request: HttpRequest) => {
      const { first } = (request.json as { variables: { first: number } }).variables;
      sizes.push(first);
      const tooMuch = { errors: [{ message: 'Query cost is 1204', extensions: { code: 'MAX_COST_EXCEEDED' } }] };
      const json = first > 5 ? tooMuch : { data: { orders: page([], sizes.length < 4 ? 'c1' : null) } };
      return { status: 200, headers: {}, json, text: '', answeredAt: 5_000, elapsedMs: 20 } as HttpReply<never>;
    };
    const { context } = answering({});
    const polled = shopify.objects.order?.poll?.({ ...context, http: { send } }, { since: 0, checkpoint: null });
    for await (const found of polled ?? []) expect(found.items).toEqual([]);
    expect(sizes).toEqual([20, 10, 5, 5]);
  });
});
