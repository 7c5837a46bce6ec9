"""Drives psycopg2 (libpq, simple protocol) and prints what it saw, a line of JSON a step.

Usage: psycopg2_driver.py DSN. The same lines must come out directly and through the gateway.
"""
import io
import json
import sys
import threading
import time

import psycopg2
import psycopg2.extras


def tell(step, value):
    print(json.dumps([step, value], default=str), flush=True)


def main(dsn):
    db = psycopg2.connect(dsn)
    db.autocommit = False
    cur = db.cursor()
    cur.execute("drop table if exists public.drv2")
    cur.execute("create table public.drv2 (id int primary key, name text, at date, raw bytea)")
    db.commit()
    psycopg2.extras.execute_values(
        cur,
        "insert into public.drv2 values %s",
        [(n, f"name {n} é", "2024-02-29", bytes([n % 256])) for n in range(500)],
    )
    db.commit()
    cur.execute("select count(*), min(name), max(at) from public.drv2 where id > %s", (10,))
    tell("parameters", cur.fetchall())
    with db.cursor(name="server_side") as named:
        named.itersize = 50
        named.execute("select id, name from public.drv2 order by id")
        tell("server-side cursor", [row[0] for row in named][:3] + [named.rownumber])
    out = io.StringIO()
    cur.copy_expert("copy public.drv2 (id, name) to stdout with (format csv)", out)
    tell("copy out", [len(out.getvalue()), out.getvalue()[:40]])
    cur.copy_expert("copy public.drv2 (id, name) from stdin", io.StringIO("900\tcopied\n901\t\\N\n"))
    cur.execute("select id, name from public.drv2 where id >= 900 order by id")
    tell("copy in", cur.fetchall())
    cur.execute("savepoint a")
    try:
        cur.execute("insert into public.drv2 values (900, 'twice')")
    except psycopg2.Error as error:
        tell("error", [error.pgcode, error.diag.constraint_name])
    cur.execute("rollback to savepoint a")
    cur.execute("select raw from public.drv2 where id = 200")
    tell("bytea", cur.fetchone()[0].tobytes().hex())
    db.commit()
    cur.execute("listen drv2")
    db.commit()
    cur.execute("notify drv2, 'hello'")
    db.commit()
    db.poll()
    tell("notify", [note.payload for note in db.notifies])
    timer = threading.Timer(0.7, db.cancel)
    timer.start()
    started = time.monotonic()
    try:
        cur.execute("select pg_sleep(20)")
    except psycopg2.extensions.QueryCanceledError as error:
        tell("cancel", [error.pgcode, time.monotonic() - started < 15])
    db.rollback()
    cur.execute("drop table public.drv2")
    db.commit()
    tell("status", db.get_transaction_status())
    db.close()


main(sys.argv[1])
