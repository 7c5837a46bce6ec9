/**
 * What a GraphQL request does: every operation of its document counts, whichever `operationName`
 * picks. Fields are followed through fragments; aliases are kept, because an answer gives a field
 * under its alias.
 */
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  visit,
} from 'graphql';
import type { Effect } from '#core/facts.ts';
import { addField, type Collected } from './facts-json.ts';

const TOKENS_MAX = 10_000;
const SPREADS_MAX = 1_000;

/** What the documents of one request do together. */
export interface GraphqlFacts {
  readonly verbs: Set<string>;
  readonly effects: Set<Effect>;
  /** `mutation.deleteCustomer`: fields at the top of an operation. */
  readonly functions: Set<string>;
  /** Field names by alias. */
  readonly aliases: Map<string, string[]>;
}

export const noGraphql = (): GraphqlFacts => ({
  verbs: new Set(),
  effects: new Set(),
  functions: new Set(),
  aliases: new Map(),
});

/** Adds one request of a batch, or the parameters of a GET, as they were parsed. */
export function addGraphqlRequest(request: unknown, facts: GraphqlFacts, into: Collected): void {
  if (Array.isArray(request)) {
    if (request.length === 0) unknown(facts, into, 'an empty batch');
    for (const each of request) addGraphqlRequest(each, facts, into);
    return;
  }
  const query: unknown =
    typeof request === 'object' && request !== null && 'query' in request
      ? request.query
      : undefined;
  if (typeof query === 'string') addDocument(query, facts, into);
  else unknown(facts, into, 'a GraphQL request without its document');
}

/** Adds a document. */
export function addDocument(text: string, facts: GraphqlFacts, into: Collected): void {
  let document: DocumentNode;
  try {
    document = parse(text, { maxTokens: TOKENS_MAX, noLocation: true });
  } catch {
    unknown(facts, into, 'a GraphQL document that does not parse');
    return;
  }
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) {
      fragments.set(definition.name.value, definition);
    }
  }
  let operations = 0;
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    operations += 1;
    addOperation(definition, fragments, facts, into);
  }
  if (operations === 0) unknown(facts, into, 'a GraphQL document without an operation');
  const names = new Set<string>();
  visit(document, {
    Field(node) {
      names.add(node.name.value);
      if (node.alias === undefined) return;
      const known = facts.aliases.get(node.alias.value) ?? [];
      facts.aliases.set(node.alias.value, [...new Set([...known, node.name.value])]);
    },
  });
  for (const name of names) addField(into, 'graphql.field', name);
}

const effectOf: Readonly<Record<OperationDefinitionNode['operation'], Effect>> = {
  query: 'read',
  mutation: 'update',
  subscription: 'read',
};

function addOperation(
  { operation, selectionSet }: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  facts: GraphqlFacts,
  into: Collected,
): void {
  facts.verbs.add(operation.toUpperCase());
  facts.effects.add(effectOf[operation]);
  const open: SelectionSetNode[] = [selectionSet];
  const seen = new Set<string>();
  for (let count = 0; open.length > 0; count += 1) {
    if (count > SPREADS_MAX) return unknown(facts, into, 'too many fragments');
    for (const selection of open.pop()?.selections ?? []) {
      if (selection.kind === Kind.FIELD) {
        facts.functions.add(`${operation}.${selection.name.value}`);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        open.push(selection.selectionSet);
      } else if (!seen.has(selection.name.value)) {
        seen.add(selection.name.value);
        const fragment = fragments.get(selection.name.value);
        if (fragment === undefined) unknown(facts, into, 'a fragment that is not there');
        else open.push(fragment.selectionSet);
      }
    }
  }
}

function unknown(facts: GraphqlFacts, into: Collected, why: string): void {
  facts.effects.add('unknown');
  into.reasons.add(why);
}
