import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What ingestors and writers of one connection share: the provider's request budget. It has a schema and grants of its own, so
 * that neither service sees the other's tables for it.
 */
export class Budget1700000004000 implements MigrationInterface {
  readonly name = 'Budget1700000004000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE SCHEMA IF NOT EXISTS budget;
      CREATE TABLE budget.budgets (
        connection text PRIMARY KEY,
        version bigint NOT NULL,
        state jsonb NOT NULL
      ) WITH (fillfactor = 50);
      COMMENT ON COLUMN budget.budgets.version IS 'Grows with every write; a write names the version it was made from';
      GRANT USAGE ON SCHEMA budget TO syncline_ingestion, syncline_delivery;
      GRANT SELECT, INSERT, UPDATE ON budget.budgets TO syncline_ingestion, syncline_delivery;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP SCHEMA budget CASCADE');
  }
}
