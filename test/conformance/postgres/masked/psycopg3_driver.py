"""Runs queries in every way that psycopg 3 has and prints what came, a line of JSON a query and way.

Usage: psycopg3_driver.py DSN QUERIES, the queries as a JSON object of texts by name.
"""
import json
import sys

import psycopg


def main(dsn, queries):
    db = psycopg.connect(dsn)
    for name, sql in queries.items():

        def tell(way, value):
            print(json.dumps([name, way, value], default=str), flush=True)

        for binary in (False, True):
            with db.cursor(binary=binary) as cur:
                cur.execute(sql)
                tell(f"binary={binary}", cur.fetchall())
            with db.cursor(binary=binary) as cur:
                for _ in range(3):
                    cur.execute(sql, prepare=True)
                tell(f"prepared, binary={binary}", cur.fetchall())
            with db.cursor(name="server_side", binary=binary) as cur:
                cur.itersize = 3
                cur.execute(sql)
                tell(f"cursor, binary={binary}", cur.fetchall())
        for form in ("text", "csv", "binary"):
            with db.cursor() as cur, cur.copy(f"copy ({sql}) to stdout (format {form})") as copy:
                data = b"".join(bytes(each) for each in copy)
            tell(f"copy {form}", data.decode("latin1"))
        with db.pipeline():
            many = [db.execute(sql) for _ in range(3)]
            tell("pipeline", [each.fetchall() for each in many])
        db.commit()
    db.close()


main(sys.argv[1], json.loads(sys.argv[2]))
