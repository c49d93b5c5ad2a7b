import { connectors } from '@syncline/connectors';
import { startIngestor } from '@syncline/ingestion';
import { createLogger, runMain } from '@syncline/runtime';

await runMain(createLogger('ingestor-shopify'), () => startIngestor(connectors.shopify));
