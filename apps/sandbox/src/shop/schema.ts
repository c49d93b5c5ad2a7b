// Shopify's own schema, executed: what is asked is checked against the published one, whatever the sandbox can answer.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import {
  buildClientSchema,
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLFieldResolver,
  type GraphQLSchema,
  parse,
  validate,
} from 'graphql';

/** The one version of the Admin API that the sandbox speaks. */
export const API_VERSION = '2026-07';

let schema: GraphQLSchema | undefined;

/** Shopify's schema; read and built at first use (about 0.2 s). */
export function shopifySchema(): GraphQLSchema {
  if (!schema) {
    const file = new URL(`../../schema/admin_${API_VERSION}.json.gz`, import.meta.url);
    schema = buildClientSchema(JSON.parse(gunzipSync(readFileSync(file)).toString('utf8')).data);
  }
  return schema;
}

interface Checked {
  document: DocumentNode | undefined;
  errors: readonly GraphQLError[];
}

const checked = new Map<string, Checked>();
const CHECKED_MAX = 200;

/** Parses and validates a document; clients send the same few again and again, so the verdict is kept. */
export function checkDocument(source: string): Checked {
  const known = checked.get(source);
  if (known) return known;
  const verdict = parseAndValidate(source);
  if (checked.size >= CHECKED_MAX) checked.delete(checked.keys().next().value!);
  checked.set(source, verdict);
  return verdict;
}

function parseAndValidate(source: string): Checked {
  try {
    const document = parse(source);
    return { document, errors: validate(shopifySchema(), document).map(withCode) };
  } catch (error) {
    if (error instanceof GraphQLError) return { document: undefined, errors: [error] };
    throw error;
  }
}

/** Shopify names the kind of a document's error; clients tell their own mistakes by it. */
const withCode = (error: GraphQLError): GraphQLError =>
  new GraphQLError(error.message, {
    ...(error.nodes ? { nodes: error.nodes } : {}),
    extensions: { code: error.message.startsWith('Cannot query field') ? 'undefinedField' : 'invalidDocument' },
  });

/** A field is a property, or a function of its arguments; a field that is neither is one the sandbox does not have. */
const resolveField: GraphQLFieldResolver<Record<string, unknown>, unknown> = (source, args, _context, info) => {
  const value = source[info.fieldName];
  if (value === undefined) {
    throw new GraphQLError(`the sandbox does not implement ${info.parentType.name}.${info.fieldName}`, {
      extensions: { code: 'NOT_IMPLEMENTED' },
    });
  }
  return typeof value === 'function' ? (value as (args: object) => unknown)(args) : value;
};

/** Runs a checked document against a root of query and mutation fields. */
export async function run(options: {
  document: DocumentNode;
  root: object;
  variables: Record<string, unknown> | undefined;
  operationName: string | undefined;
}): Promise<ExecutionResult> {
  return await execute({
    schema: shopifySchema(),
    document: options.document,
    rootValue: options.root,
    variableValues: options.variables ?? null,
    operationName: options.operationName ?? null,
    fieldResolver: resolveField as GraphQLFieldResolver<unknown, unknown>,
  });
}
