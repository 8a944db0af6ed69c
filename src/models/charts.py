"""Charts as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import altair

# Pixels. What is drawn is measured in one font here and shown in whatever a reader's browser has, which may be a fifth
# wider: without room the ends of labels and legends are cut off.
ROOM = {"left": 32, "top": 8, "right": 32, "bottom": 8}


def write_chart(
    chart: altair.Chart | altair.LayerChart | altair.FacetChart | altair.VConcatChart, path: Path
) -> Path:
    """Write a chart as SVG, or as PNG, HTML or JSON where the name ends so; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chart.properties(padding=ROOM).save(str(path))
    return path
