import { styleText } from 'node:util';
import logUpdate from 'log-update';
import type { Local } from '../local.js';
import { askStatus } from '../status/ask.js';
import type { Status } from '../status/merge.js';
import { span, statusLines } from '../status/table.js';
import { addressLines } from './addresses.js';
import { type Change, changeLine, collectChanges, followWriters, nameChanges } from './recent.js';

const paintMs = 500;
const plainStatusMs = 15_000;
const plainLinesMax = 10;
const stepsShown = 4;

/** Shows the running system until it is stopped: repainted in a terminal, line by line elsewhere. */
export interface View {
  /** Something happened: one line. */
  step(line: string): void;
  /** Resolves when the signal is aborted. */
  run(local: () => Local, signal: AbortSignal): Promise<void>;
}

/** The view that fits standard output. */
export function createView(): View {
  return process.stdout.isTTY ? terminalView() : plainView();
}

/** The frame of the terminal view as lines. */
export function frame(input: {
  status: Status;
  changes: readonly Change[];
  steps: readonly string[];
  local: Local;
  upMs: number;
  nowMs: number;
}): string[] {
  const { status, changes, steps, local, upMs, nowMs } = input;
  const down = local.infra
    .filter((server) => server.state !== 'ready')
    .map((server) => `${server.name} ${server.state}`);
  return [
    `${styleText('bold', 'Syncline')}  up ${span(upMs)}  ${styleText('dim', 'Ctrl-C stops it; npm run -s syncline -- --help')}`,
    '',
    ...statusLines(status, nowMs),
    ...(down.length > 0 ? [`Servers: ${down.join(', ')}`] : []),
    '',
    styleText('dim', 'LAST RECORDS'),
    ...(changes.length > 0 ? changes.map(changeLine) : ['none yet']),
    '',
    ...addressLines(local).map((line) => styleText('dim', line)),
    ...(steps.length > 0 ? ['', ...steps.slice(-stepsShown)] : []),
  ];
}

function terminalView(): View {
  const steps: string[] = [];
  let painting = false;
  return {
    step(line) {
      steps.push(`${new Date().toISOString().slice(11, 19)} ${line}`);
      if (steps.length > 50) steps.shift();
      // Before the first frame the steps are all there is to see.
      if (!painting) console.log(line);
    },
    async run(local, signal) {
      const collected = collectChanges();
      const follow = followWriters(collected);
      const beganMs = Date.now();
      painting = true;
      // What happened on the way up is above the frame already.
      steps.length = 0;
      while (!signal.aborted) {
        const now = local();
        const [status] = await Promise.all([askStatus(now), follow(now)]);
        const changes = collected.newest();
        await nameChanges(now, changes);
        if (signal.aborted) break;
        const nowMs = Date.now();
        logUpdate(frame({ status, changes, steps, local: now, upMs: nowMs - beganMs, nowMs }).join('\n'));
        await pause(paintMs, signal);
      }
      painting = false;
      logUpdate.done();
    },
  };
}

function plainView(): View {
  const say = (line: string): void => console.log(line);
  return {
    step: say,
    async run(local, signal) {
      for (const line of addressLines(local())) say(line);
      const collected = collectChanges();
      const follow = followWriters(collected);
      let statusAtMs = 0;
      while (!signal.aborted) {
        const now = local();
        await follow(now);
        const settled = collected.takeSettled(Date.now());
        // In a flood the newest stand for all: the figures count the rest.
        const told = settled.slice(-plainLinesMax);
        await nameChanges(now, told);
        for (const change of told) say(changeLine(change));
        if (settled.length > told.length) say(`… and ${settled.length - told.length} more`);
        if (Date.now() - statusAtMs > plainStatusMs) {
          statusAtMs = Date.now();
          say(plainStatus(await askStatus(now)));
        }
        await pause(1_000, signal);
      }
    },
  };
}

/** The status in one line. */
export function plainStatus(status: Status): string {
  const sources = status.connections.map(
    (c) => `${c.name}${c.paused ? ' (paused)' : ''} accepted ${c.accepted ?? '-'} changed ${c.changed ?? '-'}`,
  );
  const targets = status.targets.map((t) => {
    const rest = [
      t.paused ? 'paused' : '',
      t.pending ? `${t.pending} pending` : '',
      t.dead ? `${t.dead} dead` : '',
    ].filter((part) => part !== '');
    return `${t.name} ${t.delivered ?? '-'}/${t.desired ?? '-'}${rest.length > 0 ? ` (${rest.join(', ')})` : ''} p99 ${span(t.freshnessMs.p99)}`;
  });
  return `${sources.join(', ')} → ${targets.join(', ')}`;
}

/** Waits, but no longer than until the signal. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
