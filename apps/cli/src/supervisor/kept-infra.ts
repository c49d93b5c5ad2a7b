import { type Infra, type ServiceName, startInfra } from '@syncline/infra';
import type { Local, ServiceState } from '../local.js';
import { places } from '../places.js';
import { restartDelayMs } from './backoff.js';

/** Kafka and PostgreSQL, started again when they end. */
export interface KeptInfra {
  readonly infra: Infra;
  states(): Local['infra'];
  stop(): Promise<void>;
}

/** Starts Kafka and PostgreSQL and keeps them up; resolves when both are ready. */
export async function keepInfra(options: {
  fresh: boolean;
  onStep: (line: string) => void;
  onChange: () => void;
}): Promise<KeptInfra> {
  const { onStep, onChange } = options;
  const seen = new Map<ServiceName, { state: ServiceState; restarts: number }>();
  let stopping = false;
  const revive = async (name: ServiceName, how: string): Promise<void> => {
    const one = seen.get(name) ?? { state: 'ready', restarts: 0 };
    seen.set(name, one);
    one.state = 'restarting';
    onStep(`${name} ended (${how}), starting it again`);
    onChange();
    for (let failures = 1; !stopping; failures += 1) {
      one.restarts += 1;
      try {
        await infra.restart(name);
        one.state = 'ready';
        onStep(`${name} is ready again`);
        return onChange();
      } catch (error) {
        if (stopping) return;
        onStep(`${name} did not start: ${(error as Error).message.split('\n')[0]}`);
        await new Promise((resolve) => setTimeout(resolve, restartDelayMs(failures)));
      }
    }
  };
  const infra = await startInfra({
    stateDir: places.infra,
    logDir: places.logs,
    fresh: options.fresh,
    onStep,
    onExit: (name, how) => {
      if (!stopping) void revive(name, how);
    },
  });
  return {
    infra,
    states() {
      const running = new Map(infra.processes.map(({ name, pid }) => [name, pid]));
      const names = new Set([...running.keys(), ...seen.keys()]);
      return [...names].map((name) => ({
        name,
        pid: running.get(name) ?? null,
        state: 'ready' as ServiceState,
        restarts: 0,
        ...seen.get(name),
      }));
    },
    stop() {
      stopping = true;
      return infra.stop();
    },
  };
}
