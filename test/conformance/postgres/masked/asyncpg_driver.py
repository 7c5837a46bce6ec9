"""Runs queries in every way that asyncpg has (it reads binary only) and prints what came.

Usage: asyncpg_driver.py PORT USER PASSWORD QUERIES, the queries as a JSON object of texts by name.
"""
import asyncio
import io
import json
import sys

import asyncpg


async def main(port, user, password, queries):
    db = await asyncpg.connect(
        host="127.0.0.1", port=int(port), user=user, password=password, database="postgres", ssl=False
    )
    for name, sql in queries.items():

        def tell(way, value):
            print(json.dumps([name, way, value], default=str), flush=True)

        tell("fetch", [list(row) for row in await db.fetch(sql)])
        statement = await db.prepare(sql)
        for _ in range(2):
            rows = await statement.fetch()
        tell("prepared", [list(row) for row in rows])
        async with db.transaction():
            cursor = await db.cursor(sql)
            tell("cursor", [list(row) for row in await cursor.fetch(2) + await cursor.fetch(100)])
        for form in ("text", "csv", "binary"):
            out = io.BytesIO()
            await db.copy_from_query(sql, output=out, format=form)
            tell(f"copy {form}", out.getvalue().decode("latin1"))
    await db.close()


asyncio.run(main(*sys.argv[1:4], json.loads(sys.argv[4])))
