import { describe, expect, it } from '@jest/globals';
import { GroupCommit } from './group-commit.js';

interface Job {
  name: string;
  size: number;
  alone?: boolean;
}

/** A group commit whose groups end when told to. */
function byHand(places: number) {
  const running: { names: string[]; place: number; end(error?: Error): void }[] = [];
  const group = new GroupCommit<Job>(
    { places, sizeMax: 10, size: (job) => job.size, alone: (job) => job.alone === true },
    (jobs, place) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) => (error ? reject(error) : resolve());
        running.push({ names: jobs.map(({ name }) => name), place, end });
      }),
  );
  return { group, running, names: () => running.map((each) => each.names.join('+')) };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));
const job = (name: string, size = 1): Job => ({ name, size });

describe('group commit', () => {
  it('starts at once while a place is free, and puts together what came meanwhile', async () => {
    const { group, running, names } = byHand(2);
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => group.submit(job(name)));
    expect(names()).toEqual(['a', 'b']);
    running[1]!.end();
    await all[1];
    await settled();
    expect(names()).toEqual(['a', 'b', 'c+d+e']);
    expect(running.map(({ place }) => place)).toEqual([0, 1, 1]);
  });

  it('makes no group bigger than it may be, but for one piece that is', async () => {
    const { group, running, names } = byHand(1);
    for (const each of [job('a'), job('big', 50), job('b', 6), job('c', 6), job('d', 1)]) void group.submit(each);
    for (let i = 0; i < 3; i++) {
      running[i]!.end();
      await settled();
    }
    expect(names()).toEqual(['a', 'big', 'b+c', 'd']);
  });

  it('keeps what goes alone apart, in turn', async () => {
    const { group, running, names } = byHand(1);
    for (const each of [job('a'), job('b'), { ...job('lone'), alone: true }, job('c')]) void group.submit(each);
    running[0]!.end();
    await settled();
    running[1]!.end();
    await settled();
    expect(names()).toEqual(['a', 'b+c', 'lone']);
  });

  it('rests after a group, so that the next is bigger, but not where enough waits for one', async () => {
    const sizes: number[] = [];
    const at: number[] = [];
    const options = { places: 1, sizeMax: 10, size: ({ size }: Job) => size, restMs: 40 };
    const group = new GroupCommit<Job>(options, async (jobs) => {
      sizes.push(jobs.length);
      at.push(performance.now());
    });
    await group.submit(job('a'));
    await Promise.all([group.submit(job('b')), group.submit(job('c'))]);
    expect(sizes).toEqual([1, 2]);
    expect(at[1]! - at[0]!).toBeGreaterThan(30);
    await Promise.all([group.submit(job('d')), group.submit(job('e', 10)), group.submit(job('f', 20))]);
    expect(sizes).toEqual([1, 2, 2, 1]);
    expect(at[3]! - at[2]!).toBeLessThan(30);
  });

  it('fails all of a group, and goes on with the next', async () => {
    const { group, running, names } = byHand(1);
    const all = [group.submit(job('a')), group.submit(job('b')), group.submit(job('c'))];
    running[0]!.end();
    await settled();
    const ended = Promise.allSettled(all);
    running[1]!.end(new Error('refused'));
    expect((await ended).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    void group.submit(job('d'));
    expect(names().at(-1)).toBe('d');
  });
});
