import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What each writer keeps: one row per record and target, and the external ids that its writes refer to. */
export class Delivery1700000003000 implements MigrationInterface {
  readonly name = 'Delivery1700000003000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE delivery.deliveries (
        target text NOT NULL,
        id text NOT NULL,
        kind text NOT NULL,
        desired_revision bigint NOT NULL,
        delivered_revision bigint NOT NULL DEFAULT 0,
        state text NOT NULL CHECK (state IN ('pending', 'waiting', 'delivered', 'dead', 'unwanted')),
        deleted boolean NOT NULL DEFAULT false,
        merged_into text,
        external_id text,
        made boolean NOT NULL DEFAULT false,
        pending_create boolean NOT NULL DEFAULT false,
        tries jsonb NOT NULL DEFAULT '[]',
        attempts int NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT now(),
        settle_until timestamptz,
        claimed_by text,
        claimed_until timestamptz,
        waits_for text[],
        event text,
        failure_kind text,
        failure_reason text,
        answered jsonb,
        cause text NOT NULL DEFAULT '',
        changed_at bigint NOT NULL DEFAULT 0,
        received_at bigint NOT NULL DEFAULT 0,
        traceparent text,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (target, id)
      ) WITH (fillfactor = 80);
      CREATE INDEX deliveries_due ON delivery.deliveries (target, due_at) WHERE state = 'pending';
      CREATE INDEX deliveries_waiting ON delivery.deliveries USING gin (waits_for) WHERE state = 'waiting';
      CREATE INDEX deliveries_dead ON delivery.deliveries (target, updated_at) WHERE state = 'dead';
      CREATE INDEX deliveries_merging ON delivery.deliveries (target, merged_into)
        WHERE state = 'pending' AND merged_into IS NOT NULL;
      COMMENT ON COLUMN delivery.deliveries.settle_until IS
        'No request for this record before: an earlier one of unknown outcome may still arrive';
      COMMENT ON COLUMN delivery.deliveries.event IS
        'The newest event while it is pending, waiting or dead; of a tombstone after a create of unknown outcome the event before it';
      CREATE TABLE delivery.links (
        target text NOT NULL,
        kind text NOT NULL,
        id text NOT NULL,
        external_id text NOT NULL,
        PRIMARY KEY (target, id)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE delivery.deliveries, delivery.links');
  }
}
