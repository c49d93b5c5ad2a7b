import { places } from '../places.js';
import { type SandboxSecrets, sandboxSecrets } from '../sandbox-secrets.js';
import { type Child, createChild } from './child.js';
import type { PlannedService } from './plan.js';
import type { Ports } from './ports.js';

/** What every child is given. */
export interface ChildContext {
  env: Record<string, string>;
  ports: Ports;
  onChange: () => void;
  onStep: (line: string) => void;
}

/** Addresses of the sandbox's three servers. */
export interface SandboxAddresses {
  shop: string;
  carrier: string;
  control: string;
}

/** The sandbox before it runs: its credentials and where it will listen. */
export interface PlannedSandbox {
  secrets: SandboxSecrets;
  ports: { shop: number; carrier: number; control: number };
  addresses: SandboxAddresses;
}

/** Makes or remembers the sandbox's credentials and ports. */
export async function planSandbox(ports: Ports): Promise<PlannedSandbox> {
  const taken = await ports.take(['sandbox-shop', 'sandbox-carrier', 'sandbox-control']);
  const own = { shop: taken['sandbox-shop'], carrier: taken['sandbox-carrier'], control: taken['sandbox-control'] };
  const at = (port: number) => `http://127.0.0.1:${port}`;
  return {
    secrets: sandboxSecrets(),
    ports: own,
    addresses: { shop: at(own.shop), carrier: at(own.carrier), control: at(own.control) },
  };
}

/** What the default syncline.yaml is filled with. */
export function sandboxVariables({ secrets, addresses }: PlannedSandbox): Record<string, string> {
  return { ...secrets, SHOP_URL: addresses.shop, CARRIER_URL: addresses.carrier };
}

/** The sandbox as a child, and its story: people who order, packers, scans. */
export interface SandboxChild extends Child {
  /** Begins the story, unless the environment says SANDBOX_STORY=false: the first order is seen from its first moment. */
  beginStory(): Promise<void>;
}

/** The sandbox as a child; its shop and carrier keep their state in the state folder. */
export function createSandbox(sandbox: PlannedSandbox, context: ChildContext): SandboxChild {
  const wanted = context.env.SANDBOX_STORY !== 'false';
  let begun = false;
  const child = createChild({
    name: 'sandbox',
    program: 'apps/sandbox/dist/main.js',
    env: async () => ({
      ...context.env,
      // A sandbox that is started again goes on with what it had begun.
      SANDBOX_STORY: String(wanted && begun),
      ...sandbox.secrets,
      SANDBOX_SHOP_PORT: String(sandbox.ports.shop),
      SANDBOX_CARRIER_PORT: String(sandbox.ports.carrier),
      SANDBOX_CONTROL_PORT: String(sandbox.ports.control),
      SANDBOX_STATE: places.sandboxState,
    }),
    isReady: () => answers(`${sandbox.addresses.control}/health`),
    onChange: context.onChange,
    onStep: context.onStep,
  });
  return Object.assign(child, {
    beginStory: async () => {
      begun = true;
      if (!wanted) return;
      const headers = { 'content-type': 'application/json' };
      await fetch(`${sandbox.addresses.control}/story`, { method: 'POST', headers, body: '{}' });
    },
  });
}

/** The address when something speaks HTTP there, whatever it says. */
async function answers(url: string): Promise<{ url: string } | undefined> {
  try {
    await fetch(url, { signal: AbortSignal.timeout(1_000) });
    return { url };
  } catch {
    return undefined;
  }
}

/** A service of the installation as a child. */
export interface ServiceChild {
  child: Child;
  plan: PlannedService;
  /** Where the providers of an ingestor's connections send their webhooks; complete once it runs. */
  webhooks: Record<string, string>;
}

/** Makes the child of one planned service. */
export function createService(plan: PlannedService, context: ChildContext): ServiceChild {
  const { env, ports } = context;
  const webhooks: Record<string, string> = {};
  const child = createChild({
    name: plan.name,
    program: plan.program,
    env: async () => {
      const management = await ports.take([plan.name]);
      const own = { ...env, SERVICE_INSTANCE: plan.name, MANAGEMENT_PORT: String(management[plan.name]) };
      if (plan.role !== 'ingestor') return own;
      const name = `${plan.name}-webhooks`;
      const port = (await ports.take([name]))[name];
      for (const connection of plan.connections)
        webhooks[connection] = `http://127.0.0.1:${port}/webhooks/${connection}`;
      return { ...own, HTTP_PORT: String(port), PUBLIC_URL: env.PUBLIC_URL ?? `http://127.0.0.1:${port}` };
    },
    onChange: context.onChange,
    onStep: context.onStep,
  });
  return { child, plan, webhooks };
}

/** The user's own environment as services inherit it: without what npm and this program add, and without empty values. */
export function userEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (pair): pair is [string, string] =>
        pair[1] !== undefined && pair[1] !== '' && !/^(npm_|INIT_CWD$|SYNCLINE_DETACHED$|NODE_CHANNEL)/.test(pair[0]),
    ),
  );
}
