import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ContainerRuntimeClient, StartedTestContainer } from 'testcontainers';
import { type ContainerSpec, containerSpecs, dataVolume, stateLabels } from './docker-specs.js';
import type { OnExit, Service, ServiceName } from './service.js';

// testcontainers is loaded where a daemon may be, and nowhere else: a native start is spared its 90 packages.
type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

const pullMsMax = 10 * 60_000;
const answerMsMax = 5_000;
const readyMsMax = 120_000;
const stopSeconds = 15;

/** Where and how the containers run. */
export interface DockerOptions {
  readonly stateDir: string;
  readonly ports: { readonly kafka: number; readonly postgres: number };
  readonly password: string;
  readonly onStep: (line: string) => void;
  readonly onExit?: OnExit;
}

/** True when a Docker daemon of this machine answers. One elsewhere would publish its ports elsewhere. */
export async function dockerAnswers(): Promise<boolean> {
  if (!daemonIsPossible()) return false;
  try {
    const { info } = await within(runtime(), answerMsMax, 'the Docker daemon did not answer');
    return ['localhost', '127.0.0.1', '::1'].includes(info.containerRuntime.host);
  } catch {
    return false;
  }
}

/** Both services as containers with a named volume each. */
export function dockerServices(options: DockerOptions): Service[] {
  return containerSpecs(options.ports, options.password).map((spec) => containerService(spec, options));
}

/** Removes the containers that a killed starter left, so that their ports are free again; returns their services. */
export async function removeContainers(stateDir: string, name?: ServiceName): Promise<ServiceName[]> {
  const { dockerode } = (await runtime()).container;
  const label = Object.entries(stateLabels(stateDir, name)).map(([key, value]) => `${key}=${value}`);
  const found = await dockerode.listContainers({ all: true, filters: { label } });
  await Promise.all(
    found.map(async ({ Id, State }) => {
      const container = dockerode.getContainer(Id);
      // A paused process does not hear that it is to end.
      if (State === 'paused') await container.unpause().catch(unlessStatus(404, 409, 500));
      await container.stop({ t: stopSeconds }).catch(unlessStatus(304, 404));
      // v: the images' own volumes without a name. 409: the removal is under way already.
      await container.remove({ force: true, v: true }).catch(unlessStatus(404, 409));
    }),
  );
  return (['kafka', 'postgres'] as const).filter((each) =>
    found.some(({ Labels }) => isSubset(stateLabels(stateDir, each), Labels)),
  );
}

/** Removes what earlier starts with this state folder left in Docker, data and all. */
export async function removeDockerData(stateDir: string): Promise<void> {
  await removeContainers(stateDir);
  const { dockerode } = (await runtime()).container;
  for (const name of ['kafka', 'postgres'] as const) {
    await dockerode.getVolume(dataVolume(stateDir, name)).remove().catch(unlessStatus(404));
  }
}

function containerService(spec: ContainerSpec, options: DockerOptions): Service {
  let running: StartedTestContainer | undefined;
  let stop = new AbortController();
  const watch = async (own: StartedTestContainer) => {
    const { container } = await runtime();
    const ended = container.getById(own.getId()).wait();
    const how = await ended.then(
      ({ StatusCode }: { StatusCode: number }) => `exit code ${StatusCode}`,
      () => 'container gone',
    );
    if (running !== own) return;
    running = undefined;
    options.onExit?.(spec.name, how);
  };
  return {
    name: spec.name,
    process: () => undefined,
    async start() {
      stop = new AbortController();
      const { signal } = stop;
      await removeContainers(options.stateDir, spec.name);
      await untilAborted(pull(spec, options.onStep), signal);
      const own = await startContainer(spec, options.stateDir, signal);
      signal.throwIfAborted();
      running = own;
      void watch(own);
    },
    async stop() {
      running = undefined;
      stop.abort(new Error(`${spec.name} was stopped before it was ready`));
      await removeContainers(options.stateDir, spec.name);
    },
    async signal(name) {
      if (!running) throw new Error(`${spec.name} is not running`);
      const id = running.getId();
      const container = (await runtime()).container.getById(id);
      if (name === 'SIGSTOP') await container.pause();
      else if (name === 'SIGCONT') await container.unpause();
      else await container.kill({ signal: name });
    },
  };
}

async function pull(spec: ContainerSpec, onStep: (line: string) => void): Promise<void> {
  const { ImageName } = await import('testcontainers');
  const image = ImageName.fromString(spec.image);
  const client = (await runtime()).image;
  if (await client.exists(image)) return;
  onStep(`Pulling ${spec.image}`);
  await within(client.pull(image), pullMsMax, `${spec.image} was not pulled`);
}

async function startContainer(
  spec: ContainerSpec,
  stateDir: string,
  signal: AbortSignal,
): Promise<StartedTestContainer> {
  const { GenericContainer } = await import('testcontainers');
  class LocalContainer extends GenericContainer {
    /** withExposedPorts publishes on every address of the machine; here on 127.0.0.1 only. */
    withLocalPort(container: number, host: number): this {
      this.withExposedPorts({ container, host });
      this.hostConfig.PortBindings = { [`${container}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: String(host) }] };
      return this;
    }
    protected override async beforeContainerCreated(): Promise<void> {
      signal.throwIfAborted();
    }
  }
  const volume = dataVolume(stateDir, spec.name);
  const started = await new LocalContainer(spec.image)
    .withName(volume)
    .withLabels(stateLabels(stateDir, spec.name))
    .withLocalPort(spec.containerPort, spec.port)
    .withBindMounts([{ source: volume, target: spec.dataPath }])
    .withEnvironment({ ...spec.env })
    // No Ryuk: it would end the services of a killed starter, which the next start is to find, and stay after a stop.
    .withAutoCleanup(false)
    .withWaitStrategy(readiness(spec, signal))
    .withStartupTimeout(readyMsMax)
    .start();
  for (const command of spec.afterStart) {
    const { exitCode, output } = await started.exec([...command]);
    if (exitCode !== 0) throw new Error(`${spec.name}: ${command[0]} ended with ${exitCode}: ${output.trim()}`);
  }
  return started;
}

/** Waits as the native services are waited for: until the published port answers in the service's own protocol. */
function readiness(spec: ContainerSpec, signal: AbortSignal) {
  let waitMsMax = readyMsMax;
  return {
    async waitUntilReady(container: Container) {
      const end = Date.now() + waitMsMax;
      const failure = async (what: string) =>
        new Error(`the container of ${spec.name} ${what}. End of its log:\n${await logTail(container)}`);
      while (!(await spec.isReady())) {
        signal.throwIfAborted();
        const { State } = await container.inspect();
        if (!State.Running) throw await failure(`ended at once with exit code ${State.ExitCode}`);
        if (Date.now() > end) throw await failure(`was not ready after ${waitMsMax} ms`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },
    withStartupTimeout(ms: number) {
      waitMsMax = ms;
      return this;
    },
    isStartupTimeoutSet: () => true,
    getStartupTimeout: () => waitMsMax,
  };
}

/** The last lines a container wrote. They come in frames: 4 bytes of kind, 4 of length, then the text. */
async function logTail(container: Container): Promise<string> {
  const frames = await container.logs({ stdout: true, stderr: true, tail: 12 });
  let text = '';
  for (let at = 0; at + 8 <= frames.length; at += 8 + frames.readUInt32BE(at + 4))
    text += frames.toString('utf8', at + 8, at + 8 + frames.readUInt32BE(at + 4));
  return text.trim();
}

async function runtime(): Promise<ContainerRuntimeClient> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  try {
    return await getContainerRuntimeClient();
  } catch (error) {
    throw new Error('no Docker daemon answers: start Docker, or use another way and another folder', { cause: error });
  }
}

/** Whether one of the places is there at which testcontainers looks for a daemon. */
function daemonIsPossible(): boolean {
  if (process.platform === 'win32' || process.env.DOCKER_HOST) return true;
  const folders = ['/var/run', join(homedir(), '.docker/run'), join(homedir(), '.docker/desktop')];
  const ownRun = process.env.XDG_RUNTIME_DIR ?? `/run/user/${process.getuid?.()}`;
  const places = [...folders, ownRun].map((folder) => join(folder, 'docker.sock'));
  return [...places, join(homedir(), '.testcontainers.properties')].some((path) => existsSync(path));
}

const isSubset = (part: Readonly<Record<string, string>>, whole: Readonly<Record<string, string>>): boolean =>
  Object.entries(part).every(([key, value]) => whole[key] === value);

/** Lets answers of the daemon pass that say what is wanted: gone, ended. */
function unlessStatus(...statuses: readonly number[]): (error: { statusCode?: number }) => void {
  return (error) => {
    if (!statuses.includes(error.statusCode ?? 0)) throw error;
  };
}

/** The work goes on behind a caller who no longer waits. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return await new Promise<T>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

const within = <T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> => {
  const timer = new AbortController();
  const id = setTimeout(() => timer.abort(new Error(`${what} within ${timeoutMs} ms`)), timeoutMs);
  return untilAborted(work, timer.signal).finally(() => clearTimeout(id));
};
