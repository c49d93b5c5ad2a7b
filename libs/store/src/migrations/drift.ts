import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What raw messages look like, so that a provider's change can be shown. */
export class Drift1764003000000 implements MigrationInterface {
  readonly name = 'Drift1764003000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE transformer.shapes (
        connection text NOT NULL,
        noun text NOT NULL,
        type text NOT NULL,
        shape json,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (connection, noun, type)
      );
      COMMENT ON TABLE transformer.shapes IS 'Fields of raw messages with types, first and last sight: paths and counts, never a value';
      GRANT ALL ON transformer.shapes TO syncline_transformer;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE transformer.shapes');
  }
}
