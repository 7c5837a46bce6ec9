"""Runs queries in every way that psycopg2 has and prints what came, a line of JSON a query and way.

Usage: psycopg2_driver.py DSN QUERIES, the queries as a JSON object of texts by name.
"""
import io
import json
import sys

import psycopg2


def plain(value):
    return value.tobytes().hex() if isinstance(value, memoryview) else str(value)


def main(dsn, queries):
    db = psycopg2.connect(dsn)
    for name, sql in queries.items():

        def tell(way, value):
            print(json.dumps([name, way, value], default=plain), flush=True)

        with db.cursor() as cur:
            cur.execute(sql)
            tell("text", cur.fetchall())
        with db.cursor(name="server_side") as named:
            named.itersize = 3
            named.execute(sql)
            tell("cursor", [row for row in named])
        for form in ("text", "csv", "binary"):
            out = io.BytesIO()
            with db.cursor() as cur:
                cur.copy_expert(f"copy ({sql}) to stdout (format {form})", out)
            tell(f"copy {form}", out.getvalue().decode("latin1"))
        db.commit()
    db.close()


main(sys.argv[1], json.loads(sys.argv[2]))
