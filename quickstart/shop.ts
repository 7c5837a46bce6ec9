/** The demo database: a small shop whose customers have what must not leave. All of it is made up. */

/** Digits with a check digit after Luhn, as card numbers have. */
function luhn(digits: string): string {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const doubled = index % 2 === (digits.length + 1) % 2;
    const digit = Number(digits[index]) * (doubled ? 1 : 2);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return digits + String((10 - (sum % 10)) % 10);
}

const FIRST = ['Ada', 'Bao', 'Chidi', 'Dolores', 'Emre', 'Fatima', 'Goran', 'Hana', 'Ines', 'Jomo'];
const LAST = ['Okafor', 'Nilsson', 'Marin', 'Tanaka', 'Kaya', 'Rossi', 'Novak', 'Silva', 'Weiss'];
const ITEMS = ['lamp', 'kettle', 'desk', 'chair', 'shelf', 'rug', 'clock', 'mirror'];

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

function customer(id: number): string {
  const first = FIRST[id % FIRST.length] ?? '';
  const last = LAST[(id * 7) % LAST.length] ?? '';
  const email = `${first}.${last}${id}@example.com`.toLowerCase();
  const phone = `+1 202-555-${String(100 + (id % 100)).padStart(4, '0')}`;
  const card = luhn(`4539${String(10_000_000_000 + id * 7_919).slice(-11)}`);
  const ssn = `${String(100 + (id % 500))}-${String(10 + (id % 80))}-${String(1_000 + id)}`;
  const values = [`${first} ${last}`, email, phone, card, ssn].map(quote).join(', ');
  return `(${id}, ${values}, date '2024-01-01' + ${id % 700})`;
}

function order(id: number): string {
  const item = quote(ITEMS[id % ITEMS.length] ?? '');
  const status = id % 11 === 0 ? "'cancelled'" : "'paid'";
  const amount = ((id * 37) % 900) + 9.5;
  return `(${id}, ${(id % 200) + 1}, ${item}, ${amount}, ${status})`;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Makes the tables and fills them; run in the database of the shop. */
export const shopSql: string = `
create table public.customers (
  id int primary key,
  name text not null,
  email text not null unique,
  phone text not null,
  card text not null,
  ssn text not null,
  since date not null
);
create table public.orders (
  id int primary key,
  customer_id int not null references public.customers,
  item text not null,
  amount numeric(10, 2) not null,
  status text not null
);
insert into public.customers values ${numbers(200).map(customer).join(',\n')};
insert into public.orders values ${numbers(1_000).map(order).join(',\n')};
analyze;
`;

/** The roles that the gateway's accounts use. */
export const roleSql = (role: string, password: string): string => `
create role ${role} login password ${quote(password)};
grant connect on database shop to ${role};
`;

/** What the roles may do in the shop; the account `app` owns it, as a deployed job's often does. */
export const rightsSql = `
alter table public.customers owner to app;
alter table public.orders owner to app;
grant select on all tables in schema public to readonly;
`;
