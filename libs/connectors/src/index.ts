import type { Connector } from '@syncline/connector-sdk';
import { easypost } from './easypost/index.js';
import { shopify } from './shopify/index.js';

/** Every system Syncline speaks to, by the name `provider:` takes in syncline.yaml: one line each. */
export const connectors = { shopify, easypost } satisfies Record<string, Connector>;
