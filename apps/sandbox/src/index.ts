/** The sandbox for tests and local runs: a shop that speaks Shopify's interfaces and a carrier that speaks EasyPost's. */

export { type Sandbox, type SandboxOptions, startSandbox, type World } from './sandbox.js';
export type { Disturbance } from './sender.js';
export type { Settings } from './settings.js';
