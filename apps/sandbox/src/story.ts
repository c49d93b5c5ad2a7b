// The seeded script behind `npm start`: people buy, the shop packs, the carrier scans. One order first lives its whole life
// within seconds; then a steady trickle goes on. It only does what people and parcels do: it never writes what a
// synchronising system is there to write.
import { createLead, type Lead } from './story-lead.js';
import type { Parts } from './story-parts.js';
import { isOver, trickle } from './story-trickle.js';

/** What the script does now and has done. */
export interface StoryStatus {
  running: boolean;
  stepsPerSecond: number;
  steps: number;
  /** The first order and what of its life is over. */
  lead: { order: string; done: string[]; finished: boolean } | null;
}

export interface Story {
  /** Starts, or changes the rate of a running script. */
  start(stepsPerSecond?: number): void;
  stop(): void;
  /** One step of the trickle, for tests and for driving it by hand; what was done. */
  step(): string;
  status(): StoryStatus;
}

/** Makes the script over both systems; it starts when told to. */
export function createStory(options: Parts & { stepsPerSecond: number }): Story {
  const { shop, random } = options;
  let stepsPerSecond = options.stepsPerSecond;
  let timer: NodeJS.Timeout | undefined;
  let lead: Lead | undefined;
  let steps = 0;

  const step = (): string => {
    steps++;
    shop.data.storyOrders = shop.data.storyOrders.filter((id) => !isOver(options, shop.data.orders.get(id)));
    return trickle(options);
  };
  const tick = (): void => {
    // Half to one and a half of the mean, so that the trickle does not beat like a clock.
    timer = setTimeout(tick, (1000 / stepsPerSecond) * (0.5 + random.next()));
    step();
  };
  return {
    start: (rate) => {
      stepsPerSecond = rate ?? stepsPerSecond;
      if (timer) return;
      lead = createLead(options);
      lead.play();
      timer = setTimeout(tick, 2_000);
    },
    stop: () => {
      clearTimeout(timer);
      timer = undefined;
      lead?.stop();
    },
    step,
    status: () => ({
      running: timer !== undefined,
      stepsPerSecond,
      steps,
      lead: lead ? { order: lead.order.name, done: lead.done, finished: lead.finished() } : null,
    }),
  };
}
