"""Drives psycopg 3 (extended protocol) and prints what it saw, a line of JSON a step.

Usage: psycopg3_driver.py DSN. The same lines must come out directly and through the gateway.
"""
import json
import sys
import threading
import time

import psycopg


def tell(step, value):
    print(json.dumps([step, value], default=str), flush=True)


def main(dsn):
    db = psycopg.connect(dsn)
    cur = db.cursor()
    cur.execute("drop table if exists public.drv3")
    cur.execute("create table public.drv3 (id int primary key, name text, n numeric, tags text[])")
    db.commit()
    cur.executemany(
        "insert into public.drv3 values (%s, %s, %s, %s)",
        [(n, f"name {n}", n / 4, ["a", str(n)]) for n in range(300)],
    )
    db.commit()
    for binary in (False, True):
        with db.cursor(binary=binary) as each:
            each.execute("select id, name, n, tags from public.drv3 where id = %s", (42,))
            tell(f"row binary={binary}", each.fetchall())
    for _ in range(8):
        cur.execute("select name from public.drv3 where id = %s", (7,), prepare=True)
    tell("prepared", cur.fetchall())
    with db.cursor(name="server_side") as named:
        named.itersize = 40
        named.execute("select id from public.drv3 order by id")
        tell("server-side cursor", sum(row[0] for row in named))
    for form in ("text", "binary"):
        with cur.copy(f"copy (select id, name from public.drv3 order by id) to stdout (format {form})") as copy:
            size = sum(len(data) for data in copy)
        tell(f"copy out {form}", size)
    with cur.copy("copy public.drv3 (id, name) from stdin") as copy:
        copy.write_row((900, "copied"))
        copy.write_row((901, None))
    with cur.copy("copy public.drv3 (id, name) from stdin (format binary)") as copy:
        copy.set_types(["int4", "text"])
        copy.write_row((902, "binary"))
    cur.execute("select id, name from public.drv3 where id >= 900 order by id")
    tell("copy in", cur.fetchall())
    db.commit()
    with db.pipeline():
        with db.transaction():
            many = [db.execute("select %s::int + 1", (n,)) for n in range(100)]
        tell("pipeline", sum(each.fetchone()[0] for each in many))
    try:
        with db.pipeline() as pipe:
            first = db.execute("select 1")
            db.execute("select 1/0")
            db.execute("select 3")
            pipe.sync()
    except psycopg.Error as error:
        tell("pipeline error", [error.sqlstate, first.fetchone()[0]])
    db.rollback()
    try:
        with db.transaction():
            db.execute("insert into public.drv3 values (900, 'twice')")
    except psycopg.errors.UniqueViolation as error:
        tell("error", [error.sqlstate, error.diag.constraint_name])
    threading.Timer(0.7, db.cancel).start()
    started = time.monotonic()
    try:
        db.execute("select pg_sleep(20)")
    except psycopg.errors.QueryCanceled as error:
        tell("cancel", [error.sqlstate, time.monotonic() - started < 15])
    db.rollback()
    notes = []
    db.add_notice_handler(lambda diag: notes.append(diag.message_primary))
    db.execute("drop table if exists public.not_there_at_all")
    tell("notice", notes)
    db.execute("drop table public.drv3")
    db.commit()
    tell("status", str(db.info.transaction_status))
    db.close()


main(sys.argv[1])
