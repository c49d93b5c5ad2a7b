import { expect } from '@jest/globals';
import { checkDocument, run } from '../shop/schema.js';

/** Asks resolvers without HTTP; a document that Shopify's schema refuses fails the test. */
export function askOf(root: Parameters<typeof run>[0]['root']) {
  return async (source: string, variables: Record<string, unknown> = {}) => {
    const { document, errors } = checkDocument(source);
    expect(errors.map(({ message }) => message)).toEqual([]);
    // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
    const result: { data?: any; errors?: readonly { message: string }[] } = await run({
      document: document!,
      root,
      variables,
      operationName: undefined,
    });
    return {
      data: result.data && JSON.parse(JSON.stringify(result.data)),
      errors: result.errors?.map(({ message }) => message) ?? [],
    };
  };
}
