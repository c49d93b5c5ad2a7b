// What a team writes first: a NestJS microservice with Nest's own Kafka transport, one message at a time, a transaction each.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, type KafkaOptions, Payload, Transport } from '@nestjs/microservices';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.WAREHOUSE_URL ?? '', max: 6 });

interface Line {
  id: number;
  sku: string;
  title: string;
  quantity: number;
  price: string;
}
interface Order {
  id: number;
  name: string;
  email: string;
  updated_at: string;
  financial_status: string;
  currency: string;
  total_price: string;
  note: string;
  line_items: Line[];
}

@Controller()
class Orders {
  @EventPattern('raw.shopify.order')
  async handle(@Payload() order: Order): Promise<void> {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const written = await client.query(
        `INSERT INTO naive_orders (id, name, email, version, financial_status, currency, total, note, record) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, email = EXCLUDED.email, version = EXCLUDED.version, financial_status = EXCLUDED.financial_status,
           currency = EXCLUDED.currency, total = EXCLUDED.total, note = EXCLUDED.note, record = EXCLUDED.record, synced_at = now()
         WHERE naive_orders.version < EXCLUDED.version`,
        [
          order.id,
          order.name,
          order.email,
          Date.parse(order.updated_at),
          order.financial_status,
          order.currency,
          order.total_price,
          order.note,
          JSON.stringify(order),
        ],
      );
      if (written.rowCount === 1) {
        await client.query('DELETE FROM naive_order_lines WHERE order_id = $1', [order.id]);
        for (const line of order.line_items)
          await client.query(
            'INSERT INTO naive_order_lines (order_id, line_id, sku, title, quantity, price) VALUES ($1, $2, $3, $4, $5, $6)',
            [order.id, line.id, line.sku, line.title, line.quantity, line.price],
          );
      }
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  }
}

/** The tables of the naive consumer. */
export const naiveTables = `
  CREATE TABLE naive_orders (id bigint PRIMARY KEY, name text, email text, version bigint NOT NULL, financial_status text, currency text, total numeric, note text, record jsonb, synced_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE naive_order_lines (order_id bigint, line_id bigint, sku text, title text, quantity int, price numeric, PRIMARY KEY (order_id, line_id))`;

@Module({ controllers: [Orders] })
class Naive {}

/** Runs until it is told to end. */
export async function main(): Promise<void> {
  const app = await NestFactory.createMicroservice<KafkaOptions>(Naive, {
    logger: ['error'],
    transport: Transport.KAFKA,
    options: {
      client: { brokers: (process.env.KAFKA_BROKERS ?? '').split(',') },
      consumer: { groupId: 'naive' },
      subscribe: { fromBeginning: true },
    },
  });
  await app.listen();
  process.on('SIGTERM', () => app.close().then(() => process.exit(0)));
}

if (process.argv[2] === 'serve') await main();
