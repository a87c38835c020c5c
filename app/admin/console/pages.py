"""What the status page shows."""

from collections.abc import Iterable
from html import escape

from fastapi import Request
from starlette.responses import Response

from app.admin.console.html import Markup, button, link, mark, page, section, table
from app.policies.breaker import CircuitState
from app.services import Services
from app.storage.tenants.models import CreatedKey, KeyRecord, TenantRecord
from app.storage.usage import NOTES, SendRow, last_sends, month_of, usage_of
from app.tenants.models import Scope

_SHOWN = 50
_MOST_DRIFT = 30
_ANSWERED = ("hit", "stale", "collapsed")


def sign_in_page(request: Request, message: str = "", *, status: int = 200) -> Response:
    """Return the page that asks for the operators' token."""
    said = f'<p class="note" role="alert">{escape(message)}</p>' if message else ""
    action = f"{request.state.context.root_path}/admin/sign-in"
    form = (
        f'{said}<form class="fields" method="post" action="{action}"><input type="text" name="username" '
        'value="operator" autocomplete="username" hidden><label>Operators’ token'
        '<input type="password" name="token" autocomplete="current-password" autofocus required></label>'
        "<button>Sign in</button></form>"
    )
    return page(request, "Status", form, status=status)


async def overview_page(request: Request, services: Services, form_token: str, offset: int) -> Response:
    """Return how everything is."""
    parts = [await _figures(services), await _tenants(request, services, offset), _breakers(services)]
    sends = await services.writes.reading(lambda: last_sends(None, _SHOWN))
    parts += [section("Last sends", _sends(sends, with_tenant=True)), _drift(services)]
    return page(request, "Status", "".join(parts), session=form_token)


async def _figures(services: Services) -> Markup:
    checks = await services.readiness.checks()
    lookups = services.metrics.lookups()
    asked = sum(lookups.values())
    ratio = f"{sum(lookups.get(each, 0) for each in _ANSWERED) / asked:.0%}" if asked else "–"
    open_ = sum(each.state is not CircuitState.CLOSED for each in services.breakers.snapshot().values())
    figures: list[tuple[str, str, bool]] = [
        *((name.capitalize(), state, state == "ok") for name, state in checks.items()),
        ("Open breakers", str(open_), not open_),
        ("Answered from the cache", ratio, True),
        ("Kinds of drift", str(len(services.observer.seen)), True),
    ]
    items = "".join(
        f'<li>{escape(name)}<b class="{"" if is_good else "bad"}">{escape(value)}</b></li>'
        for name, value, is_good in figures
    )
    return Markup(
        f'<ul class="figures">{items}</ul><p class="soft">Breakers, cache and drift as this process sees them.</p>'
    )


async def _tenants(request: Request, services: Services, offset: int) -> Markup:
    repository = services.tenant_repository
    if repository is None:
        return section("Tenants", "<p>Tenants and keys come from a file (TENANTS_URL); they are changed there.</p>")
    found = await repository.list(offset=offset, limit=_SHOWN)
    at = f"{request.state.context.root_path}/admin"
    rows = (
        (
            link(f"{at}/tenants/{each.id}", each.id),
            each.name,
            mark("enabled", "good") if each.enabled else mark("disabled", "bad"),
            each.role,
            each.upstream.base_url,
            each.upstream.username,
            each.updated_at,
        )
        for each in found.items
    )
    names = ("Id", "Name", "State", "Role", "Platform", "User", "Changed (UTC)")
    more = offset + _SHOWN < found.total
    further = link(f"{at}?offset={offset + _SHOWN}", "Next") if more else ""
    empty = "There are none yet: umail-gateway tenants add ID --username USER"
    return section(f"Tenants ({found.total:,})", table(names, rows, empty), further)


def _breakers(services: Services) -> Markup:
    rows = (
        (
            key.platform,
            key.tenant or "(all)",
            mark(each.state.value, "good" if each.state is CircuitState.CLOSED else "bad"),
            each.calls,
            each.failures,
            None if each.retry_after is None else f"{each.retry_after:.0f} s",
        )
        for key, each in sorted(services.breakers.snapshot().items(), key=lambda item: str(item[0]))
        if key.tenant is None or each.state is not CircuitState.CLOSED
    )
    names = ("Platform", "Tenant", "State", "Calls", "Failures", "Tried again in")
    return section("Circuit breakers", table(names, rows, "No platform has been called yet."))


def _drift(services: Services) -> Markup:
    found = sorted(services.observer.seen.items(), key=lambda item: -item[1])[:_MOST_DRIFT]
    rows = ((operation, drift.kind, drift.path[:200], times) for (operation, drift), times in found)
    names = ("Operation", "Kind", "Place", "Times")
    return section("Drift of replies", table(names, rows, "Every reply has had its expected form."))


def _sends(sends: Iterable[SendRow], *, with_tenant: bool) -> Markup:
    kinds = {"confirmed": "good", "refused": "soft", "unknown": "bad", "pending": "soft"}
    rows = [
        (
            each.created_at,
            *([each.tenant] if with_tenant else []),
            each.key_id,
            each.operation,
            mark(each.state, kinds[each.state]),
            each.reference,
            each.detail,
        )
        for each in sends
    ]
    names = ("At (UTC)", *(["Tenant"] if with_tenant else []), "Key", "Operation", "Outcome", "Reference", "Why")
    return table(names, rows, "Nothing has been sent.")


async def tenant_page(
    request: Request,
    services: Services,
    form_token: str,
    tenant: TenantRecord,
    keys: Iterable[KeyRecord],
    *,
    created: CreatedKey | None = None,
    message: str = "",
    status: int = 200,
) -> Response:
    """Return a tenant with its keys, usage and last sends; a new key is shown this once."""
    at = f"{request.state.context.root_path}/admin/tenants/{tenant.id}/keys"
    month = f"{services.writes.now():%Y-%m}"
    await services.usage.flush()
    totals = await services.writes.reading(lambda: usage_of(tenant.id, month_of(month)))
    sends = await services.writes.reading(lambda: last_sends(tenant.id, _SHOWN))
    said = f'<p class="note" role="alert">{escape(message)}</p>' if message else ""
    if created is not None:
        said += (
            f'<p class="note">The key <b>{escape(created.record.id)}</b>, shown this once: '
            f'<code id="new-key">{escape(created.key.get_secret_value())}</code></p>'
        )
    state = mark("enabled", "good") if tenant.enabled else mark("disabled", "bad")
    about = f"<p>{escape(tenant.name)} · {state} · {escape(tenant.upstream.base_url)}</p>"
    usage = (
        (each.key_id, each.requests, each.failed, each.campaigns, each.messages, each.refused, each.unknown)
        for each in totals
    )
    names = ("Key", "Requests", "Failed", "Campaigns", "Messages", "Refused", "Unknown")
    notes = "".join(f"<li>{escape(note)}</li>" for note in NOTES)
    body = "".join(
        [
            said,
            about,
            section("Keys", _keys(at, keys, form_token), _new_key(at, form_token)),
            section(
                f"Usage in {month}", table(names, usage, "Nothing was asked for."), f'<ul class="soft">{notes}</ul>'
            ),
            section("Last sends", _sends(sends, with_tenant=False)),
        ]
    )
    return page(request, f"Tenant {tenant.id}", body, session=form_token, status=status)


def _keys(at: str, keys: Iterable[KeyRecord], form_token: str) -> Markup:
    rows = (
        (
            each.id,
            f"{each.prefix}…",
            each.scopes,
            each.networks or "anywhere",
            each.last_used_at,
            each.expires_at,
            mark("revoked", "soft")
            if each.revoked_at
            else Markup(
                button(f"{at}/{each.id}/rotate", "Rotate", form_token)
                + " "
                + button(f"{at}/{each.id}/revoke", "Revoke", form_token)
            ),
        )
        for each in keys
    )
    names = ("Id", "Begins", "Scopes", "Networks", "Last used (UTC)", "Ends (UTC)", "")
    return table(names, rows, "There are none yet.")


def _new_key(at: str, form_token: str) -> Markup:
    scopes = "".join(
        f'<label><input type="checkbox" name="scope-{each}"{" checked" if each is Scope.READ else ""}> {each}</label>'
        for each in Scope
    )
    return Markup(
        f'<h3>Make a key</h3><form class="fields" method="post" action="{at}">'
        f'<input type="hidden" name="form_token" value="{form_token}">'
        '<label>Id (made up if empty)<input type="text" name="id"></label>'
        '<label>Networks (anywhere if empty)<input type="text" name="networks" placeholder="10.0.0.0/8"></label>'
        f"<fieldset><legend>May</legend>{scopes}</fieldset><button>Make key</button></form>"
        '<p class="soft">Rotating makes a key with the same rights; the former one ends a day later.</p>'
    )
