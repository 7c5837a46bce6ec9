/** Random queries that PostgreSQL accepts, mostly, over the database of `schema.ts`. */
import type { Dice } from '../dice.ts';
import { aggregates, literals, productions, typeNames, windows } from './grammar.ts';
import { type Column, type Kind, type Relation, relations, rowFunctions } from './schema.ts';

/** What a FROM clause brings into scope under one name. */
interface Item {
  readonly alias: string;
  readonly columns: readonly Column[];
  /** Whether the name is a row of its own. */
  readonly row: boolean;
}

type Scope = readonly Item[];

interface Source {
  readonly sql: string;
  readonly items: readonly [Item, ...Item[]];
}

/** A query with the columns that it gives. */
export interface Query {
  readonly sql: string;
  readonly columns: readonly Column[];
}

export interface QueryOptions {
  /** Names no masked column and nothing that reads one. */
  readonly clean: boolean;
  /** Whether values may be parameters. */
  readonly parameters: boolean;
}

const anyKind: readonly [Kind, ...Kind[]] = [
  'text',
  'text',
  'text',
  'int',
  'int',
  'json',
  'numeric',
  'date',
  'texts',
  'bytes',
  'uuid',
  'boolean',
];

export class QueryMaker {
  readonly #dice: Dice;
  readonly #options: QueryOptions;
  #serial = 0;
  readonly #named: Relation[] = [];
  /** The last expression that was made, for templates that say it twice. */
  #same = '1';
  /** Values of `$1`, `$2` …. */
  readonly parameters: string[] = [];
  /** Whether the rows hang on the order in which a plan finds them. */
  isUnstable = false;

  constructor(dice: Dice, options: QueryOptions) {
    this.#dice = dice;
    this.#options = options;
  }

  /** A whole statement that returns rows. */
  statement(): Query {
    return this.query([], 1 + this.#dice.below(3));
  }

  query(outer: Scope, depth: number): Query {
    const form = depth > 0 ? this.#dice.below(12) : 0;
    if (form === 7) return this.#set(outer, depth);
    if (form === 8) return this.#with(outer, depth);
    if (form === 9) return this.#recursive(outer, depth);
    if (form >= 10) return this.#grouped(outer, depth);
    return this.#plain(outer, depth);
  }

  /** An expression over a scope. */
  expression(kind: Kind, scope: Scope, depth: number): string {
    const isLeaf = depth <= 0 || this.#dice.chance(25);
    if (isLeaf) return this.#leaf(kind, scope);
    return this.expand(this.#choose(productions[kind]), scope, depth - 1);
  }

  /** A template with an expression for each word in braces. */
  expand(template: string, scope: Scope, depth: number): string {
    const body = template.startsWith('!') ? template.slice(1) : template;
    let key = '';
    return body.replaceAll(/\{\{|\}\}|\{[a-z:]+\}/g, (word) => {
      if (word === '{{') return '{';
      if (word === '}}') return '}';
      if (word === '{same}') return this.#same;
      if (word === '{key}') return key;
      const made = this.#word(word.slice(1, -1), scope, depth);
      key = key === '' ? made : key;
      this.#same = made;
      return made;
    });
  }

  /** A FROM item with a name for each thing in it. */
  from(outer: Scope, depth: number): Source {
    const alias = this.#name('q');
    switch (depth > 0 ? this.#dice.below(15) : 0) {
      case 6: {
        const { sql, columns } = this.query([], depth - 1);
        return { sql: `(${sql}) ${alias}`, items: [{ alias, columns, row: true }] };
      }
      case 7: {
        const left = this.from(outer, depth - 1);
        const { sql, columns } = this.query([...left.items, ...outer], depth - 1);
        const item: Item = { alias, columns, row: true };
        return {
          sql: `${left.sql} CROSS JOIN LATERAL (${sql}) ${alias}`,
          items: [...left.items, item],
        };
      }
      case 8:
      case 9:
        return this.#join(outer, depth);
      case 10:
      case 11:
      case 12:
        return this.#beside(outer, depth, alias);
      case 13: {
        const call = this.#dice.pick(this.#options.clean ? [rowFunctions[0]] : rowFunctions);
        const names = call.columns.map(({ name }) => name).join(', ');
        const item: Item = { alias, columns: call.columns, row: true };
        return { sql: `${call.name} ${alias}(${names})`, items: [item] };
      }
      case 14: {
        const values = [0, 1].map(
          () => `(${this.expression('text', outer, depth - 1)}, ${this.#dice.below(5)})`,
        );
        const columns = [column('v', 'text'), column('n', 'int')];
        const sql = `(VALUES ${values.join(', ')}) ${alias}(v, n)`;
        return { sql, items: [{ alias, columns, row: true }] };
      }
      default:
        return this.#table(alias);
    }
  }

  #table(alias: string): Source {
    const known: readonly Relation[] = [...this.#named.toReversed(), ...relations];
    const usable = this.#options.clean
      ? known.filter(({ columns }) => columns.some(({ masked }) => !masked))
      : known;
    const chosen = this.#dice.pick([usable[0] ?? relations[0], ...usable.slice(1)]);
    const columns = chosen.columns.filter(({ masked }) => !masked || !this.#options.clean);
    const row = columns.length === chosen.columns.length;
    const only = this.#dice.chance(4) && chosen.name === 'parents' ? 'ONLY ' : '';
    return { sql: `${only}${chosen.name} ${alias}`, items: [{ alias, columns, row }] };
  }

  #join(outer: Scope, depth: number): Source {
    const left = this.from(outer, depth - 1);
    if (!this.#options.clean && this.#dice.chance(15)) {
      const alias = this.#name('b');
      const people = relations.find(({ name }) => name === 'people') ?? relations[0];
      const items: [Item, Item] = [
        { alias, columns: people.columns, row: true },
        { alias: `${alias}b`, columns: [column('door', 'int')], row: true },
      ];
      return { sql: `people ${alias} JOIN badges ${alias}b USING (ssn)`, items };
    }
    const right = this.from(outer, depth - 1);
    const items: Source['items'] = [...left.items, ...right.items];
    const how = this.#dice.pick(['JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN']);
    // A full join needs a condition that can be merged or hashed.
    const [a, b] = [left.items[0], right.items[0]];
    const on =
      how === 'FULL JOIN'
        ? `${this.#leaf('int', [a])} = ${this.#leaf('int', [b])}`
        : this.expression('boolean', items, 1);
    return { sql: `${left.sql} ${how} ${right.sql} ON ${on}`, items };
  }

  /** A function over what stands to its left, in one of several forms. */
  #beside(outer: Scope, depth: number, alias: string): Source {
    const left = this.from(outer, depth - 1);
    const [template, columns] = this.#dice.pick(sideways);
    const sql = this.expand(template, left.items, depth - 1).replace('@', alias);
    const item: Item = { alias, columns, row: true };
    return { sql: `${left.sql} CROSS JOIN ${sql}`, items: [...left.items, item] };
  }

  #plain(outer: Scope, depth: number): Query {
    const from = this.from(outer, depth);
    const scope = [...from.items, ...outer];
    const first = from.items[0];
    if (first.row && this.#dice.chance(12)) {
      const columns = first.columns;
      if (this.#dice.chance(25)) {
        const sql = `SELECT ${first.alias} AS c0 FROM ${from.sql}${this.#where(scope)}`;
        return { sql, columns: [] };
      }
      return { sql: `SELECT ${first.alias}.* FROM ${from.sql}${this.#where(scope)}`, columns };
    }
    const columns: Column[] = [];
    const targets: string[] = [];
    for (let at = 0, count = 1 + this.#dice.below(3); at < count; at += 1) {
      const name = `c${at}`;
      if (this.#dice.chance(8)) {
        this.isUnstable = true;
        targets.push(`(${this.expand(this.#choose(windows), scope, depth - 1)})::text AS ${name}`);
        columns.push(column(name, 'text'));
        continue;
      }
      const kind = this.#dice.pick(anyKind);
      targets.push(`${this.expression(kind, scope, depth)} AS ${name}`);
      columns.push(column(name, kind));
    }
    const distinct = this.#dice.chance(8) ? this.#dice.pick(['DISTINCT ', 'DISTINCT ON (1) ']) : '';
    if (distinct.includes('ON')) this.isUnstable = true;
    const list = targets.join(', ');
    const sql = `SELECT ${distinct}${list} FROM ${from.sql}${this.#where(scope)}`;
    return { sql: sql + this.#tail(), columns };
  }

  #grouped(outer: Scope, depth: number): Query {
    const from = this.from(outer, depth);
    const scope = [...from.items, ...outer];
    const key = this.#leaf('text', from.items);
    const sets = this.#dice.pick([key, key, `ROLLUP (${key})`, `GROUPING SETS ((${key}), ())`]);
    const aggregate = this.#choose(aggregates).replaceAll('{key}', key);
    const value = this.expand(aggregate, scope, depth - 1);
    const having = this.#dice.chance(20) ? ' HAVING count(*) > 0' : '';
    return {
      sql:
        `SELECT ${key} AS c0, (${value})::text AS c1 FROM ${from.sql}` +
        `${this.#where(scope)} GROUP BY ${sets}${having}`,
      columns: [column('c0', 'text'), column('c1', 'text')],
    };
  }

  #set(outer: Scope, depth: number): Query {
    const left = this.query(outer, depth - 1);
    const from = this.from(outer, depth - 1);
    const scope = [...from.items, ...outer];
    const values = left.columns.map(({ kind }) => this.expression(kind, scope, 1));
    const how = this.#dice.pick(['UNION ALL', 'UNION', 'EXCEPT', 'INTERSECT', 'EXCEPT ALL']);
    const right = `SELECT ${values.join(', ')} FROM ${from.sql}`;
    return { sql: `(${left.sql}) ${how} (${right})`, columns: left.columns };
  }

  #with(outer: Scope, depth: number): Query {
    const inner = this.query([], depth - 1);
    const name = this.#name('w');
    this.#named.push({ name, columns: inner.columns });
    const body = this.query(outer, depth - 1);
    this.#named.pop();
    const how = this.#dice.pick(['AS', 'AS MATERIALIZED', 'AS NOT MATERIALIZED']);
    return { sql: `WITH ${name} ${how} (${inner.sql}) (${body.sql})`, columns: body.columns };
  }

  #recursive(outer: Scope, depth: number): Query {
    const name = this.#name('r');
    const start = this.from([], depth - 1);
    const values = [0, 1].map(() => this.expression('text', start.items, 1));
    const step: Item = {
      alias: name,
      columns: [column('n', 'int'), column('a', 'text'), column('b', 'text')],
      row: true,
    };
    const next = [0, 1].map(() => this.expression('text', [step], 1));
    this.#named.push({ name, columns: step.columns });
    const body = this.query(outer, depth - 1);
    this.#named.pop();
    return {
      sql:
        `WITH RECURSIVE ${name}(n, a, b) AS (SELECT 1, ${values.join(', ')} FROM ${start.sql} ` +
        `UNION ${this.#dice.pick(['ALL ', ''])}SELECT n + 1, ${next.join(', ')} FROM ${name} ` +
        `WHERE n < 3) (${body.sql})`,
      columns: body.columns,
    };
  }

  #where(scope: Scope): string {
    return this.#dice.chance(40) ? ` WHERE ${this.expression('boolean', scope, 1)}` : '';
  }

  #tail(): string {
    const order = this.#dice.chance(15) ? ' ORDER BY 1' : '';
    if (!this.#dice.chance(8)) return order;
    this.isUnstable = true;
    return `${order} LIMIT ${1 + this.#dice.below(3)}`;
  }

  #leaf(kind: Kind, scope: Scope): string {
    const columns = scope.flatMap(({ alias, columns }) =>
      columns.filter((each) => each.kind === kind).map(({ name }) => `${alias}.${name}`),
    );
    const [first, ...others] = columns;
    if (first !== undefined && !this.#dice.chance(8)) return this.#dice.pick([first, ...others]);
    const value = this.#dice.pick(literals[kind]);
    if (this.#options.parameters && this.#dice.chance(50)) {
      this.parameters.push(value);
      return `$${this.parameters.length}::${typeNames[kind]}`;
    }
    return `'${value}'::${typeNames[kind]}`;
  }

  #word(word: string, scope: Scope, depth: number): string {
    const [what = '', of = ''] = word.split(':');
    if (isKind(what)) return this.expression(what, scope, depth);
    switch (what) {
      case 'digit':
        return String(1 + this.#dice.below(4));
      case 'any':
        return this.expression(this.#dice.pick(anyKind), scope, depth);
      case 'object':
        return this.expand("jsonb_build_object('k', {text}, 'n', {int})", scope, depth);
      case 'range':
        return this.expand('int4range({int} % 100, 200)', scope, depth);
      case 'row':
        return this.#row(scope, depth);
      case 'from':
        return this.from([], depth - 1).sql;
      case 'query':
        return `(${this.#single(isKind(of) ? of : 'text', scope, depth)})`;
      default:
        throw new Error(`no word ${word}`);
    }
  }

  #row(scope: Scope, depth: number): string {
    const rows = scope.filter(({ row }) => row).map(({ alias }) => alias);
    const [first, ...others] = rows;
    if (first === undefined) return `ROW(${this.expression('text', scope, depth)}, 1)`;
    return this.#dice.pick([first, ...others]);
  }

  /** A query of one column and at most one row. */
  #single(kind: Kind, outer: Scope, depth: number): string {
    const from = this.from(outer, depth - 1);
    const value = this.expression(kind, [...from.items, ...outer], depth - 1);
    const where = this.#where([...from.items, ...outer]);
    if (kind === 'text' && this.#dice.chance(50)) {
      return `SELECT max(${value}) FROM ${from.sql}${where}`;
    }
    this.isUnstable = true;
    return `SELECT ${value} FROM ${from.sql}${where} ORDER BY 1 LIMIT 1`;
  }

  #choose(templates: readonly [string, ...string[]]): string {
    const usable = this.#options.clean
      ? templates.filter((each) => !each.startsWith('!'))
      : templates;
    return this.#dice.pick([usable[0] ?? templates[0], ...usable.slice(1)]);
  }

  #name(prefix: string): string {
    this.#serial += 1;
    return `${prefix}${this.#serial}`;
  }
}

/** What can stand to the right of a CROSS JOIN and look to its left; `@` is its alias. */
const sideways: readonly [Sideways, ...Sideways[]] = [
  ['unnest({texts}) @(e)', columnsOf('e:text')],
  ['LATERAL (VALUES ({text}, 1)) @(c, n)', columnsOf('c:text n:int')],
  ['jsonb_each_text({object}) @', columnsOf('key:text value:text')],
  ['jsonb_to_record({object}) @(k text, n int)', columnsOf('k:text n:int')],
  ['ROWS FROM (unnest({texts}), generate_series(1, 2)) @(e, g)', columnsOf('e:text g:int')],
  ["regexp_matches({text}, '.([0-9]+)', 'g') @(parts)", columnsOf('parts:texts')],
  ['LATERAL (SELECT {text}, {json} OFFSET 0) @(t, j)', columnsOf('t:text j:json')],
  ['unnest({texts}, {texts}) WITH ORDINALITY @(a, b, n)', columnsOf('a:text b:text n:int')],
];

type Sideways = readonly [template: string, columns: readonly Column[]];

function columnsOf(written: string): readonly Column[] {
  return written.split(' ').map((one) => {
    const [name = '', kind = ''] = one.split(':');
    return column(name, isKind(kind) ? kind : 'text');
  });
}

function column(name: string, kind: Kind): Column {
  return { name, kind, masked: false };
}

function isKind(word: string): word is Kind {
  return Object.hasOwn(typeNames, word);
}
