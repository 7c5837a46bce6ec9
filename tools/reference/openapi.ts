/** Makes the OpenAPI 3.1 document from the table of routes. */
import { z } from 'zod';
import type { Access, Route } from '../../src/api/route.ts';
import { routes } from '../../src/api/routes.ts';
import { text } from '../../src/api/schemas.ts';

/** RFC 9457. */
const problem = z
  .object({
    type: text,
    title: text,
    status: z.int(),
    code: text.describe('stable; see docs/reference/errors.md'),
    detail: text.optional(),
  })
  .meta({ id: 'Problem' });

type Json = Readonly<Record<string, unknown>>;

/** Schemas by id, as they are met. */
type Components = Map<string, unknown>;

/** A schema as JSON Schema; the named parts of it go to `components`. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', components: Components): unknown {
  // Inside another object, so that a schema that has a name becomes a reference to it.
  const whole = z.toJSONSchema(z.object({ it: schema }), { io, unrepresentable: 'any' });
  for (const [name, part] of Object.entries(whole.$defs ?? {})) {
    components.set(name, withReferences(part));
  }
  return withReferences(whole.properties?.['it']);
}

/** JSON Schema keeps named parts beside the schema, OpenAPI in one place of the document. */
const withReferences = (part: unknown): unknown =>
  JSON.parse(
    JSON.stringify(part).replaceAll('"#/$defs/', '"#/components/schemas/'),
    (key, value) => (key === 'id' && typeof value === 'string' ? undefined : value),
  );

/** RFC 8693 section 2.1: what the form of `POST /v1/token` holds. */
const exchangeForm: Json = {
  type: 'object',
  required: ['grant_type', 'subject_token', 'subject_token_type'],
  properties: {
    grant_type: { const: 'urn:ietf:params:oauth:grant-type:token-exchange' },
    subject_token: { type: 'string' },
    subject_token_type: { type: 'string' },
    requested_token_type: { type: 'string' },
    audience: { type: 'array', items: { type: 'string' }, description: '[account@]target' },
    resource: { type: 'array', items: { type: 'string' } },
  },
};

function parametersOf(route: Route): readonly Json[] {
  const of = (schema: z.ZodType | undefined, where: 'path' | 'query'): readonly Json[] => {
    if (schema === undefined) return [];
    const { properties = {}, required = [] } = z.toJSONSchema(schema, {
      io: 'input',
      unrepresentable: 'any',
    });
    return Object.entries(properties).map(([name, part]) => ({
      name,
      in: where,
      required: required.includes(name),
      schema: part,
    }));
  };
  return [...of(route.params, 'path'), ...of(route.query, 'query')];
}

function bodyOf(route: Route, components: Components): Json {
  if (route.body === undefined) return {};
  const content =
    route.bodyType === 'form'
      ? { 'application/x-www-form-urlencoded': { schema: exchangeForm } }
      : { 'application/json': { schema: schemaOf(route.body, 'input', components) } };
  return { requestBody: { content } };
}

const problemAnswer = (description: string): Json => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
});

function answersOf(route: Route, components: Components): Json {
  const good = {
    description: 'done',
    content: { 'application/json': { schema: schemaOf(route.answer, 'output', components) } },
  };
  return {
    200: good,
    ...(route.access === 'public'
      ? {}
      : { 401: problemAnswer('no good credential'), 403: problemAnswer('not allowed, or locked') }),
    default: problemAnswer('anything else that went wrong'),
  };
}

const accessText = (access: Access): string => {
  if (access === 'public') return 'Needs no credential.';
  if (access === 'anyone') return 'Needs a credential.';
  return `Needs the role ${access.join(' or ')}.`;
};

/** `GET /v1/holds/{id}` → `getHoldsById`. */
const operationId = (route: Route): string =>
  route.method.toLowerCase() +
  route.path
    .replace(/^\/v1/, '')
    .split('/')
    .filter((part) => part !== '')
    .map((part) => {
      const name = part.replace(/^\{(\w+)\}$/, 'by-$1');
      return name
        .split('-')
        .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
        .join('');
    })
    .join('');

/** The document, as a value for JSON. */
export function openApiDocument(): Json {
  const components: Components = new Map();
  schemaOf(problem, 'output', components);
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const methods = (paths[route.path] ??= {});
    methods[route.method.toLowerCase()] = {
      operationId: operationId(route),
      tags: [route.tag],
      summary: route.summary,
      description: accessText(route.access),
      security: route.access === 'public' ? [] : [{ bearer: [] }],
      parameters: parametersOf(route),
      ...bodyOf(route, components),
      responses: answersOf(route, components),
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Sallyport', version: '1', license: { name: 'Apache-2.0' } },
    paths,
    components: {
      schemas: Object.fromEntries(components),
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
  };
}
