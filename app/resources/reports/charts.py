"""Charts as HTML tables and inline SVG: no script, no text inside a drawing that is stretched."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from app.resources.reports.schemas import IntervalName, TimelinePoint

Series = Literal["opens", "clicks"]

_STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_HEIGHT = 100


class Bar(NamedTuple):
    """A row of a bar chart, as HTML; `note` stands behind its value."""

    label: str
    value: int
    note: str = ""


def bars(caption: str, rows: Iterable[Bar], *, whole: int | None = None, series: Series = "opens") -> str:
    """Return a table with a bar in each row, drawn against `whole` or the largest value."""
    shown = list(rows)
    full = max([whole or 0, *(row.value for row in shown)], default=0)
    lines = [
        f'<tr><th scope="row">{row.label}</th><td>{_bar(row.value, full, series)}</td>'
        f'<td class="number">{row.value:,}{_note(row.note)}</td></tr>'
        for row in shown
    ]
    return f'<table class="bars" aria-label="{caption}"><tbody>{"".join(lines)}</tbody></table>'


def _note(note: str) -> str:
    return f' <span class="unit">{note}</span>' if note else ""


def _bar(value: int, full: int, series: Series) -> str:
    width = 100 * value / full if full else 0
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="ground" width="100" height="10"/><rect class="{series}" width="{width:.2f}" height="10"/></svg>'
    )


def columns(caption: str, points: Sequence[TimelinePoint], interval: IntervalName) -> str:
    """Return a drawing of first opens and, in front of them, first clicks over time; quiet times take their place."""
    begin = points[0].at
    places = [_place(point.at, begin, interval) for point in points]
    slots = places[-1] + 1
    most = max(max(point.first_opens, point.first_clicks) for point in points) or 1
    drawn = []
    for point, place in zip(points, places, strict=True):
        drawn.append(_column("opens", place + 0.05, 0.9, point.first_opens / most))
        drawn.append(_column("clicks", place + 0.3, 0.4, point.first_clicks / most))
    lines = "".join(f'<line x1="0" x2="{slots}" y1="{y}" y2="{y}"/>' for y in (0, _HEIGHT / 2))
    return (
        f'<svg viewBox="0 0 {slots} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{caption}">'
        f"{lines}{''.join(drawn)}</svg>"
    )


def _place(at: datetime, begin: datetime, interval: IntervalName) -> int:
    return round((at - begin) / _STEPS[interval])


def _column(series: Series, x: float, width: float, share: float) -> str:
    height = _HEIGHT * share
    if not height:
        return ""
    return f'<rect class="{series}" x="{x:g}" y="{_HEIGHT - height:.2f}" width="{width:g}" height="{height:.2f}"/>'


def swatch(series: Series) -> str:
    """Return the mark of a series in a legend."""
    return f'<svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{series}" width="10" height="10"/></svg>'
