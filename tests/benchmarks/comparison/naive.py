"""What a competent user would write without a gateway: FastAPI, httpx, xmltodict and pydantic, and nothing else.

It knows one account, checks a key, asks the platform and converts the answer. It has no cache, no limits, no retries,
no breaker, no metrics and no log, and takes every field for what it says.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Annotated, Any

import uvicorn
import xmltodict
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel

from tests.support.servers import unused_port
from tests.support.tenants import KEY


class Account(BaseModel):
    """The account."""

    id: int
    username: str
    company: str | None = None
    contact: str | None = None
    phone: str | None = None
    mobile: str | None = None
    email: str | None = None
    im: str | None = None
    address: str | None = None


class Named(BaseModel):
    """Something with a name."""

    id: int
    name: str


class Campaign(BaseModel):
    """A campaign."""

    id: int
    batch: str
    from_address: str
    from_name: str
    reply_to: str | None = None
    templates: list[Named]
    lists: list[Named]
    recipient_count: int
    scheduled_at: str
    sent_count: int
    error_count: int
    status: int
    tracking: int


class Contact(BaseModel):
    """A contact."""

    id: int
    list_id: int
    email: str
    name: str | None = None
    sex: str | None = None
    birthday: str | None = None
    phone: str | None = None
    area: str | None = None
    var1: str | None = None
    var2: str | None = None


class NewCampaign(BaseModel):
    """A campaign to be sent."""

    template_ids: list[int]
    list_id: int
    from_name: str


async def authorized(x_api_key: Annotated[str, Header()]) -> None:
    """Check the key."""
    if x_api_key != KEY:
        raise HTTPException(401)


def _many(node: Any) -> list[Any]:
    return node if isinstance(node, list) else [] if node is None else [node]


def make_app(platform: int, library: ModuleType) -> FastAPI:
    """Build the application.

    Args:
        platform: the platform's port.
        library: `httpx`, or what has its interface.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        base = f"http://127.0.0.1:{platform}/mm-ms/apinew/"
        async with library.AsyncClient(base_url=base, auth=("acme", "tenant-password")) as client:
            app.state.client = client
            yield

    app = FastAPI(lifespan=lifespan, dependencies=[Depends(authorized)])

    async def ask(request: Request, script: str, do: str, **query: int) -> Any:
        response = await request.app.state.client.get(script, params={"do": do, **query})
        response.raise_for_status()
        return xmltodict.parse(response.text)

    @app.get("/v1/account")
    async def account(request: Request) -> Account:
        return Account(**(await ask(request, "account.php", "customer-info"))["customer"])

    @app.get("/v1/campaigns")
    async def campaigns(request: Request, page: int = 1, page_size: int = 50) -> list[Campaign]:
        found = await ask(request, "task.php", "task-list", page=page, limit=page_size)
        return [_campaign(task) for task in _many(found["task_list"]["task"])]

    @app.get("/v1/contacts")
    async def contacts(request: Request, page: int = 1, page_size: int = 50) -> list[Contact]:
        found = await ask(request, "mloperate.php", "ml-addr-list", page=page, limit=page_size)
        return [
            Contact(**{**each, "email": each["address"], "name": each["fullname"]})
            for each in _many(found["data"]["addr"])
        ]

    @app.post("/v1/campaigns", status_code=201)
    async def create(request: Request, campaign: NewCampaign) -> dict[str, int]:
        form = {
            "tpl_id": ",".join(map(str, campaign.template_ids)),
            "maillist_id": str(campaign.list_id),
            "send_fullname": campaign.from_name,
        }
        response = await request.app.state.client.post("task.php", params={"do": "add-task"}, data=form)
        response.raise_for_status()
        return {"id": int(xmltodict.parse(response.text)["result"]["id"])}

    return app


def _campaign(task: Any) -> Campaign:
    return Campaign(
        id=task["id"],
        batch=task["sn"],
        from_address=task["sender"],
        from_name=task["sender_name"],
        reply_to=task["replyto"],
        templates=[Named(id=each["tpl_id"], name=each["tpl_name"]) for each in _many(task["templates"]["template"])],
        lists=[Named(id=each["list_id"], name=each["list_name"]) for each in _many(task["listes"]["item"])],
        recipient_count=task["send_qty_remak"],
        scheduled_at=task["send_time"],
        sent_count=task["send_count"],
        error_count=task["error_count"],
        status=task["send_status"],
        tracking=task["track_status"],
    )


def run_naive(control: Connection, platform: int, name: str) -> None:
    """Serve the application over the library of this name; sends the port, and then the process's id."""
    library = __import__(name)
    port = unused_port()
    control.send(port)
    control.send(os.getpid())
    app = make_app(platform, library)
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False, server_header=False)
