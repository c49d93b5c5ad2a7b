import { Failure } from '../failure.js';
import type { Local } from '../local.js';
import { askService } from '../status/ask.js';
import { type Delivery, deliveries, type Match, matches, normalRef, type Story, story } from './timeline.js';

/** The records a name, an external id, a tracking number or a canonical id can mean. */
export async function findRecords(local: Local, ref: string): Promise<Match[]> {
  return matches.parse(await askTransformer(local, `/records?ref=${encodeURIComponent(normalRef(ref))}`)).matches;
}

/** What is known of one record: its history and sources, and every writer's deliveries of it. */
export async function tellRecord(local: Local, id: string): Promise<{ story: Story; deliveries: Delivery[] }> {
  const told = story.parse(await askTransformer(local, `/records/timeline?id=${encodeURIComponent(id)}`));
  return { story: told, deliveries: await deliveriesOf(local, id) };
}

/** Every writer's deliveries of a record; writers that do not answer are left out. */
export async function deliveriesOf(local: Local, id: string): Promise<Delivery[]> {
  const writers = local.services.filter((service) => service.role === 'writer');
  const answers = await Promise.all(
    writers.map(async (writer) => {
      const parsed = deliveries.safeParse(await askService(writer, `/deliveries?record=${encodeURIComponent(id)}`));
      return parsed.success ? parsed.data.deliveries : [];
    }),
  );
  return answers.flat();
}

/** A JSON answer of the transformer. Throws a Failure where it does not give one. */
export async function askTransformer(local: Local, path: string): Promise<unknown> {
  const transformer = local.services.find((service) => service.role === 'transformer');
  const answer = transformer && (await askService(transformer, path));
  if (answer === undefined)
    throw new Failure('The transformer does not answer. "npm run -s syncline -- status" shows what is up.');
  return answer;
}
