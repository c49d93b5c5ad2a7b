import { commandEnv, configPath, loadConfig } from '../config.js';
import { Failure } from '../failure.js';
import { migrate, migratedText } from '../migrate.js';

/** `syncline migrate`: makes topics and tables of the installation that KAFKA_BROKERS and DATABASE_URL name, or of the running one. */
export async function migrateCommand(options: { json?: boolean; config?: string }): Promise<number> {
  const env = commandEnv();
  const { KAFKA_BROKERS: brokers, DATABASE_URL: databaseUrl } = env;
  if (!brokers || !databaseUrl) {
    throw new Failure(
      'Set KAFKA_BROKERS (host:port, comma separated) and DATABASE_URL, or start the local system with "npm start".',
      2,
    );
  }
  const config = loadConfig(configPath(options.config ?? process.env.SYNCLINE_CONFIG), env);
  const done = await migrate(config, { kafkaBrokers: brokers.split(',').map((b) => b.trim()), databaseUrl });
  console.log(options.json ? JSON.stringify(done, null, 2) : migratedText(done));
  return 0;
}
