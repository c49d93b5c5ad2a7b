import { connectors } from '@syncline/connectors';
import { startWriter } from '@syncline/delivery';
import { createLogger, runMain } from '@syncline/runtime';

await runMain(createLogger('writer-easypost'), () => startWriter({ connector: connectors.easypost }));
