"""Who made and who last changed campaigns, as steps of transactions."""

from dataclasses import dataclass

from app.storage.database.statements import Statement, Steps

_FIND = (
    "SELECT author, editor, preflighted, version FROM campaign_authors"
    " WHERE tenant = :tenant AND campaign_id = :campaign_id"
)
_CREATE = (
    "INSERT INTO campaign_authors (tenant, campaign_id, author, editor, preflighted, version, updated_at)"
    " VALUES (:tenant, :campaign_id, :person, :person, :preflighted, 1, {now})"
    " ON CONFLICT (tenant, campaign_id) DO UPDATE SET author = excluded.author,"
    " version = campaign_authors.version + 1, updated_at = excluded.updated_at"
    " WHERE campaign_authors.author IS NULL"
)
_CHANGE = (
    "INSERT INTO campaign_authors (tenant, campaign_id, author, editor, preflighted, version, updated_at)"
    " VALUES (:tenant, :campaign_id, :author, :editor, 0, 1, {now})"
    " ON CONFLICT (tenant, campaign_id) DO UPDATE SET author = coalesce(campaign_authors.author, excluded.author),"
    " editor = coalesce(excluded.editor, campaign_authors.editor),"
    " preflighted = CASE WHEN excluded.editor IS NULL THEN campaign_authors.preflighted ELSE 0 END,"
    " version = campaign_authors.version + 1, updated_at = excluded.updated_at"
    " WHERE campaign_authors.version = :version RETURNING version"
)


class CampaignChanged(Exception):
    """Somebody has changed or released the campaign meanwhile; nothing was written."""


@dataclass(frozen=True, slots=True)
class Authorship:
    """Who made a campaign and who last changed it, as far as that is known.

    Args:
        author: the person who made it; None if it was made elsewhere.
        editor: the person who last changed it; None likewise.
        preflighted: whether it was made with a ticket and is as the preflight found it.
        version: grows with every change and release; 0 for a campaign of which nothing is known.
    """

    author: str | None = None
    editor: str | None = None
    preflighted: bool = False
    version: int = 0


def finding(tenant: str, campaign_id: int) -> Steps[Authorship]:
    """Return what is known of a campaign."""
    (found,) = yield [Statement(_FIND, {"tenant": tenant, "campaign_id": campaign_id})]
    if not found:
        return Authorship()
    author, editor, preflighted, version = found[0]
    return Authorship(author, editor, bool(preflighted), version)


def creating(tenant: str, campaign_id: int, person: str, *, preflighted: bool) -> Steps[None]:
    """Write down who made a campaign; whoever has changed it meanwhile stays its last editor."""
    values = {"tenant": tenant, "campaign_id": campaign_id, "person": person, "preflighted": int(preflighted)}
    yield [Statement(_CREATE, values)]


def changing(
    tenant: str, campaign_id: int, before: Authorship, *, author: str | None = None, editor: str | None = None
) -> Steps[None]:
    """Write down that a campaign is changed by an editor or, without one, released.

    Raises:
        CampaignChanged: it is not any more as it was `before`.
    """
    values = {
        "tenant": tenant,
        "campaign_id": campaign_id,
        "author": before.author or author,
        "editor": editor,
        "version": before.version,
    }
    (changed,) = yield [Statement(_CHANGE, values)]
    if not changed:
        raise CampaignChanged
