"""A bar chart of throughputs as SVG."""

import statistics
from collections.abc import Mapping
from html import escape

from tests.benchmarks.comparison.servers import DIRECT
from tests.benchmarks.tables import Rounds

_ROW, _LABEL, _WIDTH = 22, 180, 460


def plot(found: Mapping[str, Rounds]) -> str:
    """Draw a chart for each case on a scale of its own; the platform itself is left out, it would hide the rest."""
    drawn, y = [], 10
    for case, rounds in found.items():
        medians = {
            name: statistics.median(each.per_second for each in figures)
            for name, figures in rounds.items()
            if name != DIRECT
        }
        drawn.append(f'<text x="10" y="{y + 15}" font-weight="bold">{escape(case)}, requests/s</text>')
        y += _ROW
        for name, value in medians.items():
            drawn.append(_bar(name, value, max(medians.values()), y))
            y += _ROW
        y += 10
    width = _LABEL + _WIDTH + 90
    size = f'width="{width}" height="{y}" font-family="sans-serif" font-size="13"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *drawn, "</svg>"])


def _bar(name: str, value: float, most: float, y: int) -> str:
    length = value / most * _WIDTH
    colour = "#1f77b4" if name == "gateway" else "#9aa5b1"
    return (
        f'<text x="{_LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{_LABEL}" y="{y + 3}" width="{length:.0f}" height="{_ROW - 6}" fill="{colour}"/>'
        f'<text x="{_LABEL + length + 6:.0f}" y="{y + 15}">{value:,.0f}</text>'
    )
