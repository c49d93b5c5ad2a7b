import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout this program belongs to. */
export const projectRoot = fileURLToPath(new URL('../../../', import.meta.url));

/** Everything the supervisor keeps between two starts: data, ports, generated secrets, logs. */
export const stateDir = resolve(projectRoot, process.env.SYNCLINE_STATE || '.syncline');

/** Files and folders below the state folder. */
export const places = {
  /** Addresses and processes while Syncline runs; readable by its owner only. */
  local: join(stateDir, 'local.json'),
  ports: join(stateDir, 'ports.json'),
  sandboxSecrets: join(stateDir, 'sandbox.env'),
  /** Shop and carrier of the sandbox. */
  sandboxState: join(stateDir, 'sandbox.json'),
  infra: join(stateDir, 'infra'),
  logs: join(stateDir, 'logs'),
  /** Node's cache of compiled modules: a second start takes half the processor time. */
  compileCache: join(stateDir, 'compile-cache'),
  /** Process ids and ready files of the children. */
  run: join(stateDir, 'run'),
  supervisorLog: join(stateDir, 'logs', 'supervisor.log'),
} as const;

export const defaultConfig = join(projectRoot, 'syncline.yaml');

/** A path the user typed: npm changes the working directory, and tells the original one. */
export function typedPath(path: string): string {
  return isAbsolute(path) ? path : resolve(process.env.INIT_CWD ?? process.cwd(), path);
}
