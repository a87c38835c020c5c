"""What commands need before they begin, and how they give up.

Exit codes: 0 done, 1 refused (not there, or in the way of something), 2 wrong usage or settings.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from app.cli.configuration import SettingsRefused, read_settings
from app.errors import DatabaseError
from app.settings import Settings
from app.storage.tenants.models import RepositoryError
from app.storage.tenants.repository import TenantRepository
from app.telemetry.logs import configure_logging
from app.texts import reason_of
from app.wiring.storage import administration

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Work = Callable[[TenantRepository], Coroutine[Any, Any, T]]


def fail(message: str, code: int = 2) -> NoReturn:
    """Say what is wrong, and end the command."""
    typer.echo(message, err=True)
    raise typer.Exit(code)


def load_settings(overrides: dict[str, Any]) -> Settings:
    """Read the settings; a command that finds them unusable ends."""
    try:
        return read_settings(overrides)
    except SettingsRefused as refused:
        fail(str(refused))


def checked(model: type[M], fields: dict[str, Any]) -> M:
    """Return a model of what was entered; a command that finds it unusable ends, naming each field and no value."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False)
        fail("\n".join(": ".join(filter(None, (".".join(map(str, each["loc"])), reason_of(each)))) for each in errors))


def administer(work: Work[T]) -> T:
    """Do something with the tenants in the database and return its result."""
    settings = load_settings({})
    if not settings.tenants_in_database:
        fail("UMAIL_GATEWAY_TENANTS_URL names a file: edit that instead.")
    # Standard output is for results.
    configure_logging("WARNING", sys.stderr)

    async def run() -> T:
        async with administration(settings) as repository:
            return await work(repository)

    try:
        return asyncio.run(run())
    except RepositoryError as refusal:
        fail(str(refusal), code=1)
    except DatabaseError as error:
        fail(str(error))
