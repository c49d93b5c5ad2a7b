import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which dead letters were replayed, so that none is twice. */
export class TransformerReplays1764002000000 implements MigrationInterface {
  readonly name = 'TransformerReplays1764002000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE transformer.replays (
        topic text NOT NULL,
        partition int NOT NULL,
        source_offset bigint NOT NULL,
        event_id text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (topic, partition, source_offset, event_id)
      );
      COMMENT ON TABLE transformer.replays IS
        'Messages that failed for good and were published to their topic again; by the place where they failed, and their event id in case a topic was made anew';
      GRANT ALL ON transformer.replays TO syncline_transformer;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE transformer.replays');
  }
}
