"""Renders figures of matplotlib as PNG. Equal input gives equal bytes."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWING = threading.Lock()
"""One drawing at a time: matplotlib shares its fonts between figures, and they are not thread-safe."""
INK, MUTED, PAPER = "#1c1b19", "#6b6862", "#fdfcfa"
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "Noto Sans Arabic",
    "Arial Unicode MS",
)


def render_png(draw: Callable[[Figure], None], width: float, height: float, dots: float) -> bytes:
    """Runs `draw` on a figure of `width` by `height` inches with `dots` per inch, and returns it as a PNG."""

    from matplotlib import font_manager, rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _DRAWING:
        there = set(font_manager.get_font_names())
        with warnings.catch_warnings(), rc_context({"font.family": [name for name in FONTS if name in there]}):
            warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
            figure = Figure(figsize=(width, height), dpi=dots, facecolor=PAPER)
            FigureCanvasAgg(figure)
            draw(figure)
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=dots, metadata={"Software": None})
    return file.getvalue()


def escape_mathtext(text: str) -> str:
    """The text with `$` escaped, because matplotlib would read it as the start of a formula."""
    return text.encode(errors="replace").decode().replace("$", r"\$")
