"""Starts the database named on the command line and prints its step; run as a process of its own."""

import asyncio
import sys

from sqlalchemy import text

from app.storage.database.database import Database
from app.telemetry.logs import configure_logging


async def start(url: str) -> None:
    """Open the database and print its step."""
    database = Database(url)
    async with database.running(), database.transaction() as connection:
        step = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
        sys.stdout.write(f"{step}\n")


if __name__ == "__main__":
    # Standard output is for the step.
    configure_logging("WARNING", sys.stderr)
    asyncio.run(start(sys.argv[1]))
