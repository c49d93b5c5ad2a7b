import { startInfra } from '../infra.js';

// A supervisor to be killed: starts the services in the given folder, prints their processes, and waits.
const infra = await startInfra({ stateDir: process.argv[2] ?? '' });
console.log(
  JSON.stringify({ processes: infra.processes, kafkaBrokers: infra.kafkaBrokers, databaseUrl: infra.databaseUrl }),
);
setInterval(() => {}, 60_000);
