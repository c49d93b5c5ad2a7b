import { createLogger, runMain } from '@syncline/runtime';
import { startTransformer } from './start.js';

await runMain(createLogger('transformer'), () => startTransformer());
