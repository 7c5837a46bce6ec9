/** Gathers what one request does; what it holds at the end are its facts. */
import type { Access, ColumnFact, Effect, ObjectFact } from '#core/facts.ts';
import { isJsonObject, type Json } from '#core/strict-json.ts';

/** Directives of a strategic merge patch that only say which parts of a list are kept in order. */
const ordering = /^\$(?:setElementOrder\/.+|retainKeys)$/;

export class Collector {
  readonly effects: Set<Effect> = new Set();
  readonly objects: ObjectFact[] = [];
  readonly columns: ColumnFact[] = [];
  readonly reasons: string[] = [];
  /** Of the object that the request names; what a body refers to is there too. */
  readonly namespace: string;
  /** Whether keys with a dollar are directives. */
  readonly isStrategic: boolean;

  constructor(namespace: string, isStrategic: boolean) {
    this.namespace = namespace;
    this.isStrategic = isStrategic;
  }

  effect(...effects: readonly Effect[]): void {
    for (const effect of effects) this.effects.add(effect);
  }

  object(kind: string, name: string, access: Access): void {
    const isKnown = this.objects.some(
      (each) => each.kind === kind && each.name === name && each.access === access,
    );
    if (!isKnown) this.objects.push({ kind, name, access });
  }

  /** Something in the same namespace that the object uses. */
  reference(kind: string, name: string, access: Access): void {
    this.object(kind, kind === 'file' || kind === 'nodes' ? name : this.#local(name), access);
  }

  secret(name: Json | undefined): void {
    this.object('secrets', this.#local(typeof name === 'string' ? name : '*'), 'read');
  }

  image(value: Json): void {
    this.effect('container-start');
    if (typeof value === 'string') this.object('image', value, 'execute');
    else this.partial('an image that is no text');
  }

  /** Rights beyond those of an ordinary container, and what gives them. */
  privileged(what: string): void {
    this.effect('privilege');
    this.object('privilege', what, 'execute');
  }

  /** Something that is not accounted for. */
  partial(reason: string): void {
    this.effect('unknown');
    if (!this.reasons.includes(reason)) this.reasons.push(reason);
  }

  /** Whether a key is a directive of the patch and not a field; notes what it does. */
  directive(key: string, value: Json): boolean {
    if (!this.isStrategic || !key.startsWith('$')) return false;
    if (ordering.test(key)) return true;
    if (key === '$patch' && value === 'merge') return true;
    this.effect('update');
    if (key !== '$patch' && !key.startsWith('$deleteFromPrimitiveList/')) {
      this.partial('a directive of the patch');
    }
    return true;
  }

  #local(name: string): string {
    return this.namespace === '' ? name : `${this.namespace}/${name}`;
  }
}

/** The value at a path of keys; undefined where it does not lead on. */
export function valueAt(value: Json | undefined, path: readonly string[]): Json | undefined {
  let at = value;
  for (const key of path) {
    if (!isJsonObject(at) || !Object.hasOwn(at, key)) return undefined;
    at = at[key];
  }
  return at;
}
