import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What operators ask and order: pauses of sources and of targets, decided conflicts, and forms that targets keep. */
export class Operate1700000006000 implements MigrationInterface {
  readonly name = 'Operate1700000006000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ingestion.pauses (name text PRIMARY KEY, since timestamptz NOT NULL DEFAULT now());
      COMMENT ON TABLE ingestion.pauses IS 'Connections an operator has paused as sources: nothing is read from them';
      CREATE TABLE delivery.pauses (name text PRIMARY KEY, since timestamptz NOT NULL DEFAULT now());
      COMMENT ON TABLE delivery.pauses IS 'Connections an operator has paused as targets: nothing is written to them';
      CREATE INDEX deliveries_waiting_since ON delivery.deliveries (target, updated_at) WHERE state = 'waiting';

      CREATE TABLE transformer.conflicts (
        seq bigserial PRIMARY KEY,
        id uuid NOT NULL,
        kind text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        field text NOT NULL,
        winner text NOT NULL,
        winner_at float8 NOT NULL,
        loser text NOT NULL,
        loser_at float8 NOT NULL,
        why text NOT NULL,
        "values" json
      );
      CREATE INDEX conflicts_id ON transformer.conflicts (id, seq);
      CREATE INDEX conflicts_at ON transformer.conflicts USING brin (at);
      COMMENT ON TABLE transformer.conflicts IS 'Edits of one field at two sources, and which of them the record took';
      COMMENT ON COLUMN transformer.conflicts."values" IS 'Both values; null where the field may hold personal data';

      CREATE TABLE transformer.unstable (
        id uuid NOT NULL,
        kind text NOT NULL,
        connection text NOT NULL,
        noun text NOT NULL,
        field text NOT NULL,
        "values" json,
        times int NOT NULL DEFAULT 1,
        at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (id, connection, noun, field)
      );
      CREATE INDEX unstable_at ON transformer.unstable (at);
      COMMENT ON TABLE transformer.unstable IS 'Fields a target keeps in another form than was sent and than its connector declares';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX delivery.deliveries_waiting_since;
      DROP TABLE ingestion.pauses, delivery.pauses, transformer.conflicts, transformer.unstable`);
  }
}
