"""Look of a report: the colours and fonts of its charts in both themes. Its style sheet is ``page.css``."""

from typing import Any

INK, PAPER = "#1b1f24", "#ffffff"


def chart_config(*, ink: str, soft: str, grid: str, line: str, paper: str) -> dict[str, Any]:
    """Vega-Lite's ``config`` in the colours of a theme of the style sheet."""
    return {
        "font": 'system-ui, "DejaVu Sans", sans-serif',
        "background": paper,
        "view": {"stroke": None},
        "title": {"fontSize": 14, "fontWeight": 600, "anchor": "start", "color": ink, "offset": 8, "limit": 240},
        "axis": {
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": 400,
            "labelColor": ink,
            "titleColor": soft,
            "gridColor": grid,
            "domainColor": line,
            "tickColor": line,
        },
        "text": {"fontSize": 12, "color": ink},
        "rule": {"color": ink},
    }


CHART_CONFIG = chart_config(ink=INK, soft="#57606a", grid="#e6e9ec", line="#8c959f", paper=PAPER)
DARK_CONFIG = chart_config(ink="#e6edf3", soft="#a3adb8", grid="#262d35", line="#7d8894", paper="#0d1117")
