"""What a report's page says, in the reader's language."""

from datetime import datetime
from html import escape

from app.api.languages import Language, catalogue

LABELS = {
    "title": "Campaign report",
    "recipients": "Recipients",
    "sent": "Sent",
    "delivered": "Delivered",
    "opened": "Opened",
    "clicked": "Clicked",
    "credits": "Credits",
    "funnel": "From sending to clicking",
    "timeline": "First opens and clicks over time",
    "first_opens": "First opens",
    "first_clicks": "First clicks",
    "time": "Time",
    "figures": "The figures",
    "links": "Links, by recipients who clicked",
    "failures": "Why messages did not arrive",
    "devices": "Devices",
    "browsers": "Programs",
    "systems": "Operating systems",
    "countries": "Places",
    "other": "Other",
    "untold": "Not known",
    "none": "Nothing yet.",
    "missing": "Could not be read, and is missing here:",
    "rates": "Rates are shares of the figures beside them; whoever opens or clicks several times counts once.",
    "unread": "This part could not be read.",
    "differences": "Where the platform's sources disagree",
    "figure": "Figure",
    "difference": "Difference",
    "mailbox_not_found": "Mailbox not found",
    "mailbox_full": "Mailbox full",
    "recipient_rejected": "Refused by the recipient",
    "spam_rejected": "Refused as spam",
    "invalid_address": "Invalid address",
    "format_error": "Malformed address",
    "unknown": "Reason unknown",
    "campaign": "Campaign",
    "statistics": "Statistics",
    "tracking": "Tracking",
    "opens": "List of opens",
    "expected": "Recipients expected",
    "failed": "Failed",
    "invalid": "Unusable addresses",
    "unique_opens": "Recipients who opened",
    "total_opens": "All opens",
    "unique_clicks": "Recipients who clicked",
    "total_clicks": "All clicks",
    "source:failures": "List of failures",
    "source:links": "Links",
}
"""What stands on the page, in English; reasons, parts and figures by their words in JSON."""


class Wording:
    """Writes words and figures as HTML."""

    def __init__(self, language: Language) -> None:
        self._gettext = catalogue(language).gettext

    def label(self, name: str) -> str:
        """Return one of `LABELS`."""
        return self.say(LABELS[name])

    def source(self, name: str) -> str:
        """Return what one of the platform's sources is called."""
        return self.label(f"source:{name}" if f"source:{name}" in LABELS else name)

    def say(self, text: str) -> str:
        """Return a text or a sentence."""
        return escape(self._gettext(text))


def number(value: float | None) -> str:
    """Write a count or an amount."""
    return "–" if value is None else f"{value:,}".removesuffix(".0")


def percent(share: float) -> str:
    """Write a share."""
    return f"{100 * share:.1f}%"


def minute(moment: datetime) -> str:
    """Write a time in the platform's zone."""
    return f"{moment:%Y-%m-%d %H:%M}"


def sentences() -> list[str]:
    """Return what the page says that stands nowhere else."""
    return list(LABELS.values())
