import type { FastifyInstance } from 'fastify';

/** Lets a JSON request come without a body, as clients send their DELETEs; an empty one is no object at all. */
export function takeEmptyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body as string, done);
  });
}
