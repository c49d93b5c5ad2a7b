import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What ingestors share: who polls what, how far reading has come, and how each connection does. */
export class Ingestion1700000002000 implements MigrationInterface {
  readonly name = 'Ingestion1700000002000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ingestion.leases (
        name text PRIMARY KEY,
        holder text NOT NULL,
        token bigint NOT NULL,
        expires_at timestamptz NOT NULL
      );
      COMMENT ON COLUMN ingestion.leases.token IS
        'Grows with every holder: a write under an older token comes from a holder that lost the lease';

      CREATE TABLE ingestion.cursors (
        connection text NOT NULL,
        noun text NOT NULL,
        token bigint NOT NULL,
        watermark bigint,
        poll_since bigint,
        poll_mark bigint,
        checkpoint text,
        polled_at timestamptz,
        PRIMARY KEY (connection, noun)
      );
      COMMENT ON COLUMN ingestion.cursors.watermark IS
        'Everything changed at the source before it (milliseconds, source clock) is durable in the raw topic; null before the first whole poll';
      COMMENT ON COLUMN ingestion.cursors.poll_mark IS
        'The watermark once the poll under way is done; poll_since and checkpoint say where to go on with it after a crash';

      CREATE TABLE ingestion.connections (
        connection text PRIMARY KEY,
        provider text NOT NULL,
        state text NOT NULL CHECK (state IN ('connected', 'unauthorized', 'disconnected', 'error')),
        reason text,
        state_at timestamptz NOT NULL DEFAULT now(),
        accepted bigint NOT NULL DEFAULT 0,
        last_received_at timestamptz,
        webhook_state text NOT NULL DEFAULT 'unknown' CHECK (webhook_state IN ('unknown', 'registered', 'failed', 'off')),
        webhook_reason text,
        webhook_checked_at timestamptz
      );
      GRANT ALL ON ALL TABLES IN SCHEMA ingestion TO syncline_ingestion;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE ingestion.leases, ingestion.cursors, ingestion.connections');
  }
}
