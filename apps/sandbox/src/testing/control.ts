/** A client of the control API for tests: JSON in, JSON out, an error for every status from 400 on. */
export function controlClient(base: string) {
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  return async (method: string, path: string, body?: unknown): Promise<any> => {
    const response = await fetch(base + path, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
}
