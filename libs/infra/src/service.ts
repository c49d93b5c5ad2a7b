import {
  type Launch,
  launch,
  logTail,
  type ProcessId,
  type Running,
  signal,
  stopProcess,
  stopStale,
} from './process.js';

/** The brokers, as they are named in every call and file: the first one, or three. */
export const brokerNames = ['kafka', 'kafka-2', 'kafka-3'] as const;
export type BrokerName = (typeof brokerNames)[number];

/** Every service. */
export type ServiceName = BrokerName | 'postgres';

/** One service that can be started, killed and started again on the same ports and data. */
export interface Service {
  readonly name: ServiceName;
  /** The process while there is one; undefined for a container, and when it is down. */
  process(): ProcessId | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
  signal(name: NodeJS.Signals): Promise<void>;
}

/** How one native service is run. */
export interface NativeSpec {
  readonly name: ServiceName;
  readonly launch: Launch;
  readonly politeSignal: NodeJS.Signals;
  readonly readyMsMax: number;
  readonly isReady: () => Promise<boolean>;
  /** Runs before every start, when no process of this service is left. */
  readonly prepare: () => Promise<void>;
  /** True when a start that ended at once is worth another try: `log` is the end of its log. */
  readonly isPassing?: (log: string) => boolean;
}

/** Called when a service ended that nobody stopped; `how` is its exit code or signal. */
export type OnExit = (name: ServiceName, how: string) => void;

/** A service run as a process of this machine. */
export function nativeService(spec: NativeSpec, onExit: OnExit | undefined): Service {
  let running: Running | undefined;
  let stopping = false;

  const attempt = async (deadline: number): Promise<'ready' | 'ended'> => {
    if (stopping) throw failure(spec, 'was stopped before it was ready');
    const own = await launch(spec.launch);
    let ended: string | undefined;
    void own.exited.then((how) => {
      ended = how;
    });
    while (ended === undefined) {
      if (await spec.isReady()) break;
      if (stopping || Date.now() > deadline) {
        await stopProcess(own, spec.politeSignal);
        throw failure(spec, stopping ? 'was stopped before it was ready' : `was not ready after ${spec.readyMsMax} ms`);
      }
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    if (ended !== undefined) {
      if (spec.isPassing?.(logTail(spec.launch.logFile)) && Date.now() < deadline) return 'ended';
      throw failure(spec, `ended at once with ${ended}`);
    }
    running = own;
    void own.exited.then((how) => {
      if (running !== own) return;
      running = undefined;
      if (!stopping) onExit?.(spec.name, how);
    });
    return 'ready';
  };

  return {
    name: spec.name,
    process: () => running,
    async start() {
      if (running) throw new Error(`${spec.name} is already running as process ${running.pid}`);
      stopping = false;
      await stopStale(spec.launch.pidFile, spec.politeSignal);
      await spec.prepare();
      const deadline = Date.now() + spec.readyMsMax;
      while ((await attempt(deadline)) === 'ended') await new Promise((resolve) => setTimeout(resolve, 300));
    },
    async stop() {
      stopping = true;
      // Also finds a process whose start was interrupted.
      await stopStale(spec.launch.pidFile, spec.politeSignal);
      // The child is not counted as a reason to stay alive: without a timer a caller with nothing else to do would end here.
      const stay = setInterval(() => {}, 1_000);
      await running?.exited;
      clearInterval(stay);
      running = undefined;
    },
    async signal(name) {
      if (!running || !signal(running, name)) throw new Error(`${spec.name} is not running`);
    },
  };
}

function failure(spec: NativeSpec, what: string): Error {
  return new Error(`${spec.name} ${what}. End of ${spec.launch.logFile}:\n${logTail(spec.launch.logFile)}`);
}
