/**
 * What a request is made for, in the order in which a connection's budget is given out:
 * - `webhook`: a change somebody waits for, and one request each;
 * - `poll`: repairs what webhooks missed. Short and rare, so writes lose little by it, while a long backlog of writes in front
 *   of it would keep lost webhooks unseen, and writes made from old news are declined and made again;
 * - `write`: may be many after an outage, but only the newest revision counts, so what waits gets cheaper, not more;
 * - `backfill`: has no end in sight and nobody who waits for it.
 */
export const priorities = ['webhook', 'poll', 'write', 'backfill'] as const;
export type Priority = (typeof priorities)[number];

/** What somebody waits for: the cost of the next request, which cannot be divided, and of all that stand in line. */
export interface Want {
  readonly next: number;
  readonly queued: number;
}

/** Tokens by what they are for. */
export type Grants = Readonly<Record<Priority, number>>;

/** What each priority gets in any case while it waits, as a share of what the others are given; the rest goes by priority alone. */
export const shares: Grants = { webhook: 0, poll: 0.15, write: 0.15, backfill: 0.05 };

/** A budget's tokens and everybody who waits for some. */
export interface Demand {
  readonly level: number;
  /** What the budget holds when full: a request that costs more starts then, and leaves a debt. */
  readonly full: number;
  readonly credit: Grants;
  readonly holders: Readonly<
    Record<string, { readonly wants: Readonly<Partial<Record<Priority, Want & { since: number }>>> }>
  >;
}

interface Waiting {
  holder: string;
  next: number;
  queued: number;
}

/**
 * What of the level is due to one of those who wait, given what is due to the others before it: priorities in their order, but
 * one whose credit covers its next request goes first; within a priority one request each in turn, the longest wait first.
 * Nobody is passed over for wanting much. `lacking` is what the budget has to gain before this one's next request, at most
 * `horizon`. Where nobody waits any more this one gets up to `ahead` on top, and leaves as much.
 */
export function allot(
  demand: Demand,
  holder: string,
  { ahead, horizon }: { ahead: number; horizon: number },
): { granted: Grants; credit: Grants; lacking: number } {
  const lines = linesOf(demand);
  const imagined = { ...demand.credit };
  const credit = { ...demand.credit };
  const granted = { webhook: 0, poll: 0, write: 0, backfill: 0 };
  let left = demand.level;
  let short = false;
  const withAhead = (): Grants => {
    const top = priorities.find((p) => granted[p] > 0);
    if (top && !short) granted[top] += Math.max(0, Math.min(ahead, Math.floor(left / 2)));
    return granted;
  };
  while (left > -horizon) {
    const p = nextOf(lines, imagined);
    if (p === undefined) return { granted: withAhead(), credit, lacking: 0 };
    const line = lines[p];
    const one = line.shift() as Waiting;
    const part = Math.min(one.next, one.queued);
    short ||= left < Math.min(part, demand.full);
    left -= part;
    if (short && one.holder === holder) return { granted, credit, lacking: Math.max(0, -left) };
    if (one.queued > part) line.push({ ...one, queued: one.queued - part });
    // What others will be given counts when they come for it.
    if (one.holder === holder) {
      granted[p] += part;
      settle(credit, p, part, lines);
    }
    settle(imagined, p, part, lines);
  }
  return { granted, credit, lacking: horizon };
}

function linesOf({ holders }: Demand): Record<Priority, Waiting[]> {
  const line = (p: Priority): Waiting[] =>
    Object.entries(holders)
      .flatMap(([holder, { wants }]) => (wants[p] ? [{ holder, ...wants[p] }] : []))
      .sort((a, b) => a.since - b.since || (a.holder < b.holder ? -1 : 1));
  return { webhook: line('webhook'), poll: line('poll'), write: line('write'), backfill: line('backfill') };
}

function nextOf(lines: Readonly<Record<Priority, Waiting[]>>, credit: Grants): Priority | undefined {
  const waiting = priorities.filter((p) => lines[p].length > 0);
  return waiting.find((p) => shares[p] > 0 && credit[p] >= (lines[p][0] as Waiting).next) ?? waiting[0];
}

/**
 * A priority pays from its credit, or owes one request where its share was given ahead; those that wait meanwhile gain theirs,
 * until it covers two requests.
 */
function settle(
  credit: Record<Priority, number>,
  given: Priority,
  tokens: number,
  lines: Readonly<Record<Priority, Waiting[]>>,
): void {
  credit[given] = Math.max(0, credit[given]) - tokens;
  for (const p of priorities) {
    const first = lines[p][0];
    if (p !== given && first && credit[p] < 2 * first.next) credit[p] += shares[p] * tokens;
  }
}
