"""Watching templates in review, imports and unverified domains."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from app.errors import NotFound
from app.events.account import WatchedAccount
from app.events.campaigns import Known
from app.events.changes import Resource, change, longer, plain
from app.gateway.operation import Operation
from app.gateway.pages import Collection
from app.resources.domains import operations as domains
from app.resources.imports import operations as imports
from app.resources.imports.schemas import ImportRecord
from app.resources.templates import operations as templates
from app.storage.events.watching import Findings, Item, Seen
from app.upstream.listed import Listed

_RECENT = timedelta(days=2)
_MOST_AT_ONCE = 100
_LONGEST_UNVERIFIED = 40
_SAME_IMPORT = timedelta(minutes=2)


async def look_at_templates(item: Item, account: WatchedAccount, known: Known) -> Findings:
    """List the templates; those that are new, or were changed, are in review."""
    listed = await _listed(templates.LIST, account)
    if listed is None:
        return _again(item, 600.0)
    times = {str(row["id"]): row["updated_at"] for row in listed.rows}
    updated = {name: time and time.isoformat() for name, time in times.items()}
    items = await known("template", list(updated))
    quiet = item.state is None
    seen = []
    for name, moment in updated.items():
        found = items.get(name, Item("template", name))
        state = found.state or {}
        if found.state is not None and state.get("listed") in {None, moment}:
            if state.get("listed") is None:
                seen.append(Seen(found, {**state, "listed": moment}, 0.0))
        elif not quiet or name in items or _is_recent(times[name], account.now()):
            seen.append(Seen(found, {**state, "listed": moment, "quiet": quiet and name not in items}, 0.0))
        else:
            seen.append(Seen(found, {"listed": moment}, None))
    return Findings([*seen, Seen(item, {}, 300.0)])


async def look_at_template(item: Item, account: WatchedAccount) -> Findings:
    """Read a template's review until it is decided."""
    try:
        review = plain(await account.ask(templates.REVIEW, int(item.id)))
    except NotFound:
        return Findings([Seen(item, item.state or {}, None)])
    state = dict(item.state or {})
    before: Resource | None = state.get("seen")
    quiet = state.pop("quiet", False)
    after = {**state, "seen": review}
    if review["status"] not in {"approved", "rejected"}:
        return Findings([Seen(item, after, longer(item.looks, 3.0, 120.0), item.looks + 1)])
    same = before is not None and _decision(before) == _decision(review)
    events = [] if quiet or same else [change(f"template.{review['status']}", f"template/{item.id}", before, review)]
    return Findings([Seen(item, after, None)], events)


def _decision(review: Resource) -> tuple[Any, Any]:
    return review["status"], review["updated_at"]


async def look_at_import(item: Item, account: WatchedAccount) -> Findings:
    """Read an import until it is worked off; what became of it stands in the platform's log, by the file's name."""
    state = dict(item.state or {})
    if state.get("told"):
        return Findings([Seen(item, state, None)])
    if not state.get("done"):
        try:
            found = await account.ask(imports.GET, int(item.id))
        except NotFound:
            return Findings([Seen(item, state, None)])
        if found.status != "completed":
            return Findings([Seen(item, state, longer(item.looks, 2.0, 60.0), item.looks + 1)])
        return Findings([Seen(item, {**state, "done": True}, 0.0)])
    record = _record_of(state, (await account.ask(imports.LIST, None)).data)
    status = "failed" if record is not None and record["status"] == "failed" else "completed"
    resource = {"id": int(item.id), **(record or {}), "status": status}
    event = change(f"import.{status}", f"import/{item.id}", None, resource)
    return Findings([Seen(item, {**state, "told": True}, None)], [event])


def _record_of(state: Mapping[str, Any], records: Sequence[ImportRecord]) -> Resource | None:
    """Return the log's entry of an import, if it can only be one."""
    if "begun_at" not in state:
        return None
    begun = datetime.fromisoformat(state["begun_at"])
    found = [
        each
        for each in records
        if each.filename == state["filename"]
        and each.imported_at is not None
        and abs(each.imported_at - begun) < _SAME_IMPORT
    ]
    return plain(found[0]) if len(found) == 1 else None


async def look_at_domains(item: Item, account: WatchedAccount, known: Known) -> Findings:
    """List the domains; those that are new may have to be verified."""
    listed = await _listed(domains.LIST, account, None)
    if listed is None:
        return _again(item, 600.0)
    names = [row["domain"] for row in listed.rows if row["domain"] and not row["is_system"]]
    items = await known("domain", names)
    quiet = item.state is None
    new = [Seen(Item("domain", name), {"quiet": quiet}, 0.0) for name in names if name not in items]
    return Findings([*new, Seen(item, {}, 3600.0)])


async def look_at_domain(items: Sequence[Item], account: WatchedAccount) -> Findings:
    """Have the platform check domains until their DNS records are right, ever less often."""
    asked = {item.id: item for item in items[:_MOST_AT_ONCE]}
    found = {each.domain: each for each in (await account.ask(domains.VERIFY, list(asked))).data}
    seen, events = [], []
    for name, item in asked.items():
        state, checked = dict(item.state or {}), found.get(name)
        if checked is None or not (checked.verified and checked.registered):
            due_in = longer(item.looks, 10.0, 3600.0) if item.looks < _LONGEST_UNVERIFIED else None
            seen.append(Seen(item, {}, due_in, item.looks + 1))
            continue
        seen.append(Seen(item, {"verified": True}, None))
        if not state.get("quiet") and not state.get("verified"):
            events.append(change("domain.verified", f"domain/{name}", None, plain(checked)))
    return Findings(seen, events)


async def _listed(operation: Operation[None, Collection[Any]], account: WatchedAccount, request: None = None) -> Any:
    """Return what a listing holds, or None if it is not whole."""
    found = (await account.ask(operation, request)).data
    return found if isinstance(found, Listed) and found.is_whole else None


def _again(item: Item, longest: float) -> Findings:
    return Findings([Seen(item, item.state, longer(item.looks, 30.0, longest), item.looks + 1)])


def _is_recent(updated_at: datetime | None, now: datetime) -> bool:
    return updated_at is None or now - updated_at < _RECENT
