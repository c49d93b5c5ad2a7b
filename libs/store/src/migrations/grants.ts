import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Access tokens and the grants they come from, shared by the processes that serve a connection. */
export class Grants1700000005000 implements MigrationInterface {
  readonly name = 'Grants1700000005000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE grants.leases (
        name text PRIMARY KEY,
        holder text NOT NULL,
        token bigint NOT NULL,
        expires_at timestamptz NOT NULL
      );

      CREATE TABLE grants.tokens (
        connection text PRIMARY KEY,
        version bigint NOT NULL,
        fits text NOT NULL,
        sealed text NOT NULL,
        life_ms bigint,
        ends_at timestamptz,
        attempt bigint,
        refused text,
        saved_at timestamptz NOT NULL DEFAULT now()
      );
      COMMENT ON COLUMN grants.tokens.version IS 'Grows with every set of tokens: what writes names the version it replaces';
      COMMENT ON COLUMN grants.tokens.fits IS 'A digest of client, endpoint and grant type: tokens of one client are of no use to another';
      COMMENT ON COLUMN grants.tokens.sealed IS 'Access and refresh token, AES-256-GCM under a key of SYNCLINE_SECRET_KEYS';
      COMMENT ON COLUMN grants.tokens.attempt IS
        'Fencing token of the renewal that was begun with these tokens and has not said how it ended';
      COMMENT ON COLUMN grants.tokens.refused IS 'Why the provider takes the grant no longer';
      GRANT ALL ON ALL TABLES IN SCHEMA grants TO syncline_grants;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE grants.leases, grants.tokens');
  }
}
