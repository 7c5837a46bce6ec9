-- The schema of the project's own evasion cases: the masked columns of policies/postgres.yaml, and
-- around them everything that runs code, or carries a value on, without looking like it.

CREATE EXTENSION hstore; CREATE EXTENSION pgcrypto; CREATE EXTENSION tablefunc;
CREATE EXTENSION file_fdw; CREATE EXTENSION dblink; CREATE EXTENSION citext; CREATE EXTENSION pageinspect;
CREATE EXTENSION xml2;

-- Data

CREATE TABLE tenants (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO tenants VALUES (1, 'north'), (2, 'south');
CREATE TABLE customers (
  id int PRIMARY KEY,
  tenant_id int NOT NULL REFERENCES tenants ON DELETE CASCADE,
  name text NOT NULL,
  email text NOT NULL,
  ssn text NOT NULL UNIQUE,
  city text,
  balance numeric NOT NULL DEFAULT 0 CHECK (balance >= 0),
  ssn_tail text GENERATED ALWAYS AS (substr(ssn, 4)) STORED
);
INSERT INTO customers VALUES
  (1, 1, 'Ada', 'ada.quine@postbox.test', '611-90-4471', 'Oslo', 10),
  (2, 1, 'Ben', 'ben.roth@postbox.test', '622-81-5582', 'Lima', 20),
  (3, 1, 'Cleo', 'cleo.stark@postbox.test', '633-72-6693', 'Oslo', 30),
  (4, 2, 'Dov', 'dov.tamm@postbox.test', '644-63-7714', 'Rome', 40),
  (5, 2, 'Eli', 'eli.usher@postbox.test', '655-54-8825', 'Kyiv', 50),
  (6, 2, 'Fay', 'fay.voss@postbox.test', '666-45-9936', 'Oslo', 60);
CREATE TABLE payments (
  id int PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers ON DELETE CASCADE,
  card_number text NOT NULL,
  amount numeric NOT NULL
);
INSERT INTO payments VALUES (1, 1, '4716059183024417', 12.5), (2, 2, '5285018400937726', 99),
  (3, 5, '4024007136512380', 7);
CREATE TABLE employees (id int PRIMARY KEY, name text NOT NULL, salary int NOT NULL, manager_id int);
INSERT INTO employees VALUES (1, 'Max', 174330, NULL), (2, 'Nia', 96270, 1), (3, 'Oz', 81945, 1);
CREATE TABLE vip (ssn text PRIMARY KEY REFERENCES customers (ssn) ON DELETE CASCADE);
INSERT INTO vip VALUES ('611-90-4471');
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, total numeric NOT NULL,
  status text NOT NULL, note text, doc jsonb, tags text[]);
INSERT INTO orders SELECT g, 1 + g % 6, g * 10, CASE g % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'paid'
  ELSE 'void' END, 'note ' || g, jsonb_build_object('n', g, 'op', 'drop table x'),
  ARRAY['a' || g, 'b'] FROM generate_series(1, 20) g;
CREATE TABLE notes (id serial PRIMARY KEY, body text);
INSERT INTO notes (body) VALUES ('hello'), ('please DELETE FROM customers');
CREATE TABLE staging (id int PRIMARY KEY, name text);
INSERT INTO staging VALUES (1, 's1'), (2, 's2');
CREATE TABLE ledger (entry numeric PRIMARY KEY);
INSERT INTO ledger SELECT 1 + g * 1e-20 FROM generate_series(1, 9) g;
CREATE TABLE words (word varchar PRIMARY KEY);
INSERT INTO words SELECT rpad('a', g) FROM generate_series(1, 9) g;
CREATE TABLE tree (id int PRIMARY KEY, parent int UNIQUE REFERENCES tree ON DELETE CASCADE);
INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5);
CREATE TABLE readings (day date NOT NULL, v int) PARTITION BY RANGE (day);
CREATE TABLE readings_2026 PARTITION OF readings FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO readings SELECT date '2026-01-01' + g, g FROM generate_series(1, 9) g;
CREATE TABLE customers_eu (vat text) INHERITS (customers);
INSERT INTO customers_eu (id, tenant_id, name, email, ssn, city)
  VALUES (50, 2, 'Gil', 'gil.wirth@postbox.test', '677-36-1147', 'Bonn');

-- What carries values on

CREATE VIEW v_plain AS SELECT id, total, status FROM orders;
CREATE VIEW v_people AS SELECT id, name, ssn AS token FROM customers;
CREATE VIEW v_stacked (k, v) AS SELECT id, reverse(token) FROM v_people WHERE id < 4;
CREATE VIEW v_json AS SELECT id, to_jsonb(c) - 'city' AS doc FROM customers c;
CREATE VIEW v_guarded WITH (security_barrier) AS SELECT id, email FROM customers WHERE city = 'Oslo';
CREATE VIEW v_union AS SELECT name AS what FROM tenants UNION ALL SELECT ssn FROM customers;
CREATE MATERIALIZED VIEW m_people AS SELECT id, ssn AS held, city FROM customers;
CREATE MATERIALIZED VIEW m_cities AS SELECT city, count(*) AS n FROM customers GROUP BY city;
CREATE STATISTICS s_people (mcv) ON ssn, email FROM customers;
CREATE FUNCTION pick_ssn(int) RETURNS text LANGUAGE sql STABLE AS
  'SELECT ssn FROM customers WHERE id = $1';
CREATE FUNCTION ssn_of(c customers) RETURNS text LANGUAGE sql STABLE AS 'SELECT c.ssn';
CREATE FUNCTION all_people() RETURNS SETOF customers LANGUAGE sql STABLE AS 'SELECT * FROM customers';
CREATE FUNCTION listed() RETURNS TABLE (k int, v text) LANGUAGE sql STABLE AS
  'SELECT id, ssn FROM customers';
CREATE FUNCTION atomic_ssn(i int) RETURNS text LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT ssn FROM customers WHERE id = i; END;
CREATE FUNCTION same(anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION fixed_ssn() RETURNS text LANGUAGE sql IMMUTABLE AS
  'SELECT ssn FROM customers WHERE id = 1';
CREATE FUNCTION taxed(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 1.2';

-- What runs code

CREATE FUNCTION purge() RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM customers; RETURN 1; END $$;
CREATE FUNCTION purge_true() RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM customers; RETURN true; END $$;
CREATE FUNCTION wipe(orders) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM customers; RETURN 1; END $$;
CREATE FUNCTION looks_pure(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ DECLARE x int; BEGIN SELECT purge() INTO x; RETURN $1; END $$;
CREATE FUNCTION nested_3() RETURNS int LANGUAGE sql AS 'SELECT purge()';
CREATE FUNCTION nested_2() RETURNS int LANGUAGE sql AS 'SELECT nested_3()';
CREATE FUNCTION nested_1() RETURNS int LANGUAGE sql AS 'SELECT nested_2()';
CREATE FUNCTION any_purge(anyelement) RETURNS anyelement LANGUAGE sql AS
  'SELECT purge(); SELECT $1';
CREATE FUNCTION by_default(a int, b int DEFAULT purge()) RETURNS int LANGUAGE sql AS
  'SELECT $1 + $2';
CREATE FUNCTION spread(VARIADIC int[]) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM customers; RETURN 1; END $$;
CREATE FUNCTION atomic_purge() RETURNS void LANGUAGE sql
  BEGIN ATOMIC DELETE FROM customers; END;
CREATE FUNCTION drop_order(i int) RETURNS void LANGUAGE sql AS 'DELETE FROM orders WHERE id = i';
CREATE FUNCTION runs(q text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE q; END $$;
CREATE FUNCTION shouts(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$;
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = shouts);
CREATE FUNCTION keep_last(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $2';
CREATE FUNCTION purge_final(int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM customers; RETURN $1; END $$;
CREATE AGGREGATE total_of (int) (SFUNC = keep_last, STYPE = int, FINALFUNC = purge_final);
CREATE FUNCTION purge_cmp(macaddr, macaddr) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ DECLARE x int; BEGIN SELECT purge() INTO x; RETURN macaddr_cmp($1, $2); END $$;
CREATE OPERATOR <<< (LEFTARG = macaddr, RIGHTARG = macaddr, FUNCTION = macaddr_lt);
CREATE OPERATOR >>> (LEFTARG = macaddr, RIGHTARG = macaddr, FUNCTION = macaddr_gt);
CREATE OPERATOR =~= (LEFTARG = macaddr, RIGHTARG = macaddr, FUNCTION = macaddr_eq);
CREATE OPERATOR CLASS odd_ops FOR TYPE macaddr USING btree AS
  OPERATOR 1 <<<, OPERATOR 3 =~=, OPERATOR 5 >>>, FUNCTION 1 purge_cmp(macaddr, macaddr);
CREATE DOMAIN watched AS int CHECK (looks_pure(VALUE) = VALUE);
CREATE TYPE holder AS (v watched);
CREATE TYPE mood AS (m text);
CREATE FUNCTION to_mood(text) RETURNS mood LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM customers; RETURN ROW($1)::mood; END $$;
CREATE CAST (text AS mood) WITH FUNCTION to_mood(text);
CREATE VIEW v_report AS SELECT id, purge() AS n FROM tenants;
CREATE VIEW v_over_report AS SELECT id FROM v_report WHERE n = 1;
CREATE TABLE inbox (id int PRIMARY KEY, msg text);
CREATE FUNCTION on_write() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM customers; RETURN NEW; END $$;
CREATE TRIGGER inbox_t AFTER INSERT ON inbox FOR EACH STATEMENT EXECUTE FUNCTION on_write();
CREATE TABLE later (id int PRIMARY KEY, msg text);
CREATE CONSTRAINT TRIGGER later_t AFTER INSERT ON later DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION on_write();
CREATE TABLE touched (id int PRIMARY KEY, msg text);
INSERT INTO touched VALUES (1, 'x');
CREATE TRIGGER touched_t BEFORE UPDATE OF msg ON touched FOR EACH ROW EXECUTE FUNCTION on_write();
CREATE VIEW v_writable AS SELECT id, body FROM notes;
CREATE TRIGGER v_writable_t INSTEAD OF INSERT ON v_writable FOR EACH ROW EXECUTE FUNCTION on_write();
CREATE TABLE outbox (id int PRIMARY KEY, msg text);
INSERT INTO outbox VALUES (1, 'x');
CREATE RULE outbox_r AS ON UPDATE TO outbox DO INSTEAD DELETE FROM customers;
CREATE TABLE defaulted (id int PRIMARY KEY, v int DEFAULT purge());
CREATE TABLE generated (id int PRIMARY KEY, v int GENERATED ALWAYS AS (looks_pure(id)) STORED);
CREATE TABLE indexed (id int PRIMARY KEY);
CREATE INDEX ON indexed (looks_pure(id));
CREATE TABLE checked (id int PRIMARY KEY CHECK (looks_pure(id) > 0));
CREATE PROCEDURE nightly() LANGUAGE plpgsql AS $$ BEGIN TRUNCATE customers CASCADE; END $$;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE passwd (line text) SERVER files OPTIONS (filename '/etc/passwd', delimiter E'\x01');
CREATE SCHEMA evil;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM public.customers; RETURN $1; END $$;
CREATE FUNCTION evil.same_text(text, text) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM public.customers; RETURN true; END $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same_text);
CREATE TABLE evil.orders (id int, status text);
INSERT INTO evil.orders VALUES (1, 'evil');
CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = int4ne);
ANALYZE;
