import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The transformer's tables. A record's snapshots and asks live in its own row (`state`): they are only ever read and
 * written under the row's lock, so one row costs one read and one write a batch instead of four.
 */
export class Transformer1700000001000 implements MigrationInterface {
  readonly name = 'Transformer1700000001000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE SEQUENCE transformer.revision;
      COMMENT ON SEQUENCE transformer.revision IS 'Revisions of all records: higher is newer, an aborted one is never reused';

      CREATE TABLE transformer.identity (
        kind text NOT NULL,
        scope text NOT NULL,
        key text NOT NULL,
        id uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (kind, scope, key)
      );
      CREATE INDEX identity_id ON transformer.identity (id);
      CREATE INDEX identity_key ON transformer.identity (key);
      COMMENT ON TABLE transformer.identity IS 'Natural keys of records: (kind, scope, key) belongs to one canonical id';

      CREATE TABLE transformer.records (
        id uuid PRIMARY KEY,
        kind text NOT NULL,
        revision bigint NOT NULL DEFAULT 0,
        merged_into uuid,
        deleted boolean NOT NULL DEFAULT false,
        document json,
        state json,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz NOT NULL DEFAULT now()
      ) WITH (toast_tuple_target = 8160);
      -- Rewritten with every change: compressing and cutting them up would cost more than the room they take.
      ALTER TABLE transformer.records ALTER COLUMN document SET STORAGE EXTERNAL, ALTER COLUMN state SET STORAGE EXTERNAL;
      CREATE INDEX records_order ON transformer.records ((document->'data'->>'orderId')) WHERE kind = 'shipment';
      COMMENT ON COLUMN transformer.records.document IS 'The canonical record as last published; null while only mentioned by another record';
      COMMENT ON COLUMN transformer.records.state IS 'Field stamps, snapshots and asks of the merge';

      CREATE TABLE transformer.history (
        id uuid NOT NULL,
        revision bigint NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        connection text NOT NULL,
        event_id text NOT NULL,
        origin text NOT NULL,
        changed text[] NOT NULL,
        trace_id text,
        PRIMARY KEY (id, revision)
      );
      CREATE INDEX history_at ON transformer.history USING brin (at);

      CREATE TABLE transformer.held (
        seq bigserial PRIMARY KEY,
        id uuid,
        connection text NOT NULL,
        kind text NOT NULL,
        noun text NOT NULL,
        provider text NOT NULL,
        observation json NOT NULL,
        envelope json NOT NULL,
        since timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX held_id ON transformer.held (id);
      CREATE INDEX held_since ON transformer.held (since);
      COMMENT ON TABLE transformer.held IS 'Observations that wait for the receipt of a write of ours, per record; id null: for a create of ours at that connection';

      CREATE TABLE transformer.intents (
        id uuid NOT NULL,
        connection text NOT NULL,
        noun text NOT NULL,
        revision bigint NOT NULL,
        since timestamptz NOT NULL DEFAULT now(),
        renewed timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (id, connection, noun)
      );
      COMMENT ON TABLE transformer.intents IS 'Creates a writer announced and has not yet confirmed';

      CREATE TABLE transformer.ambiguities (
        kind text NOT NULL,
        scope text NOT NULL,
        key text NOT NULL,
        connection text NOT NULL,
        external_id text NOT NULL,
        id uuid NOT NULL,
        since timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (kind, scope, key, connection, external_id)
      );
      COMMENT ON TABLE transformer.ambiguities IS 'Natural keys that did not join two records because both live at the same connection';

      CREATE TABLE transformer.progress (
        topic text NOT NULL,
        partition int NOT NULL,
        owner text[] NOT NULL DEFAULT '{}',
        next_offset bigint NOT NULL DEFAULT 0,
        aside uuid[] NOT NULL DEFAULT '{}',
        PRIMARY KEY (topic, partition)
      );
      COMMENT ON TABLE transformer.progress IS 'The last batch committed here, per source partition: what a takeover publishes again';
      COMMENT ON COLUMN transformer.progress.owner IS 'Transactional ids of the process the partition belongs to; empty = given back';
      COMMENT ON COLUMN transformer.progress.aside IS 'Records it published to which its messages, given again, would not lead: aliases, what a join moved, what had waited';

      CREATE TABLE transformer.changes (
        connection text NOT NULL,
        topic text NOT NULL,
        partition int NOT NULL,
        changed bigint NOT NULL,
        PRIMARY KEY (connection, topic, partition)
      );
      COMMENT ON TABLE transformer.changes IS 'Revisions each connection caused, counted for status; per partition, so that batches do not wait for each other';
    `);
    await runner.query('GRANT ALL ON ALL TABLES IN SCHEMA transformer TO syncline_transformer');
    await runner.query('GRANT ALL ON ALL SEQUENCES IN SCHEMA transformer TO syncline_transformer');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP SCHEMA transformer CASCADE; CREATE SCHEMA transformer');
  }
}
