/** Waits until something holds; throws when it does not within the time. */
export async function until(holds: () => boolean | Promise<boolean>, msMax = 20_000): Promise<void> {
  const end = Date.now() + msMax;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${msMax} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
