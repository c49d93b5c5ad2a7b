import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Backfills: what was asked for, and how far each is. */
export class IngestionBackfills1764001000000 implements MigrationInterface {
  readonly name = 'IngestionBackfills1764001000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ingestion.backfills (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        connection text NOT NULL,
        noun text NOT NULL,
        since bigint NOT NULL,
        until bigint NOT NULL,
        ids text[],
        dry_run boolean NOT NULL,
        state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
        reason text,
        token bigint NOT NULL DEFAULT 0,
        checkpoint text,
        position bigint,
        found bigint NOT NULL DEFAULT 0,
        published bigint NOT NULL DEFAULT 0,
        missing bigint NOT NULL DEFAULT 0,
        active_ms bigint NOT NULL DEFAULT 0,
        started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        ended_at timestamptz
      );
      CREATE UNIQUE INDEX backfills_running ON ingestion.backfills (connection, noun) WHERE state = 'running';
      COMMENT ON TABLE ingestion.backfills IS 'Backfills and how far they are; apart from the cursors of polling, which they never move';
      COMMENT ON COLUMN ingestion.backfills.since IS 'Objects changed from here to until (milliseconds, source clock); with ids those objects, whenever they changed';
      COMMENT ON COLUMN ingestion.backfills.token IS 'Fencing token of the lease under which it was last worked on';
      COMMENT ON COLUMN ingestion.backfills.checkpoint IS 'Everything before it is durable in the raw topic; of a list of ids how many are';
      COMMENT ON COLUMN ingestion.backfills.position IS 'The newest change seen, milliseconds of the source''s clock';
      COMMENT ON COLUMN ingestion.backfills.active_ms IS 'Time it was worked on, pauses included, over all processes';
      GRANT ALL ON ingestion.backfills TO syncline_ingestion;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE ingestion.backfills');
  }
}
