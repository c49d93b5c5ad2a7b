import { startWriter } from '@syncline/delivery';
import { createLogger, runMain } from '@syncline/runtime';
import { warehouse } from '@syncline/warehouse';

await runMain(createLogger('writer-postgres'), () => startWriter({ batch: warehouse }));
