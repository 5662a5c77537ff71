"""Draws the shapes that a prompt names."""

from __future__ import annotations

import hashlib
import math
import random
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from interactions_emulator.corpus.words import clip, words
from interactions_emulator.synthetic.png import INK, PAPER, escape_mathtext, render_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONG_SIDE_PIXELS = {"512": 512, "0.5K": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""Pixels of a picture's longer side, by `image_size`."""


def draw_scene(prompt: str, aspect_ratio: str = "1:1", image_size: str = "1K") -> bytes:
    """Draws the shapes and colours that the prompt names as a PNG. A caption says that the emulator drew it.

    If the prompt names no shapes, they are chosen pseudo-randomly. `aspect_ratio` is width to height, such as "16:9".
    `image_size` is the longer side: 512, 0.5K, 1K, 2K or 4K. Other values count as "1:1" and "1K".
    """
    ratio = re.fullmatch(r"(\d{1,2}):(\d{1,2})", aspect_ratio)
    wide, high = (int(ratio[1]) or 1, int(ratio[2]) or 1) if ratio else (1, 1)
    side = LONG_SIDE_PIXELS.get(image_size.upper(), 1024)
    scale = 8.0 / max(wide, high)
    return render_png(lambda figure: _draw_scene(figure, prompt), wide * scale, high * scale, side / 8)


class _Shapes(NamedTuple):
    """Shapes that a prompt names: their number, colour ("" if not given) and shape."""

    many: int
    colour: str
    shape: str


_COLOURS = {
    "red": "#c0392b", "orange": "#e67e22", "yellow": "#f1c40f", "green": "#2e8b57", "blue": "#2471a3",
    "purple": "#7d3c98", "violet": "#7d3c98", "pink": "#e78ac3", "brown": "#7b4f2c", "black": "#1c1b19",
    "white": "#fdfcfa", "grey": "#8d8d8d", "gray": "#8d8d8d", "gold": "#c9a227", "silver": "#b8bcc2",
    "turquoise": "#1abc9c", "teal": "#148f8f", "cyan": "#27c4d9", "magenta": "#c2187a", "beige": "#e5d9c0",
    "rot": "#c0392b", "gelb": "#f1c40f", "grün": "#2e8b57", "blau": "#2471a3", "schwarz": "#1c1b19", "weiß": "#fdfcfa",
}  # fmt: skip
_SIDES = {"triangle": 3, "square": 4, "diamond": 4, "pentagon": 5, "hexagon": 6, "octagon": 8}
_SHAPES = {
    "circle": "circle", "ball": "circle", "sphere": "circle", "dot": "circle", "sun": "sun", "moon": "moon",
    "planet": "circle", "bubble": "circle", "balloon": "circle", "star": "star", "square": "square", "box": "square",
    "cube": "square", "diamond": "diamond", "triangle": "triangle", "pyramid": "triangle", "mountain": "triangle",
    "pentagon": "pentagon", "hexagon": "hexagon", "octagon": "octagon", "ring": "ring", "wave": "wave", "sea": "wave",
    "ocean": "wave", "river": "wave", "line": "wave", "kreis": "circle", "stern": "star", "dreieck": "triangle",
    "quadrat": "square", "sonne": "sun",
}  # fmt: skip
_COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
           "nine": 9, "ten": 10, "dozen": 12, "many": 14, "ein": 1, "zwei": 2, "drei": 3}  # fmt: skip
_PALETTES = (
    ("#f4efe6", "#1a4f8b", "#c2571a", "#e3b23c", "#3f7d4e"),
    ("#e8eef2", "#22313f", "#b5485d", "#5b8e7d", "#f2c14e"),
    ("#221f2e", "#e9c46a", "#e76f51", "#2a9d8f", "#b8c4d6"),
    ("#fbf3ee", "#6d597a", "#b56576", "#e56b6f", "#355070"),
)


def _shapes_in(prompt: str) -> list[_Shapes]:
    """The shapes in a prompt such as `three red circles and a blue star`, in order."""
    found: list[_Shapes] = []
    count, colour = 0, ""
    for word in words(prompt[:2_000]):
        shape = next(
            (_SHAPES[one] for one in (word, word.removesuffix("s"), word.removesuffix("es")) if one in _SHAPES), ""
        )
        if shape:
            found.append(_Shapes(count or (3 if word not in _SHAPES else 1), colour, shape))
            count, colour = 0, ""
        elif word in _COLOURS:
            colour = word
        else:
            count = _COUNTS.get(word, int(word) if word.isdecimal() and len(word) < 3 else count)
    return found[:8]


def _draw_scene(figure: Figure, prompt: str) -> None:
    from matplotlib.patches import Rectangle

    width, height = figure.get_size_inches()
    rng = random.Random(hashlib.sha256(prompt.encode(errors="replace")).digest())
    ground, *palette = rng.choice(_PALETTES)
    wanted = _shapes_in(prompt)
    used = {shapes.colour for shapes in wanted}
    named = [word for word in words(prompt[:2_000]) if word in _COLOURS and word not in used]
    palette = [_COLOURS[word] for word in named] or palette
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    axes.add_patch(Rectangle((0, 0), width, height, color=ground))
    if not wanted:
        kinds = ("circle", "triangle", "square", "ring", "wave", "hexagon")
        wanted = [_Shapes(1, "", rng.choice(kinds)) for _ in range(rng.randint(7, 12))]
    things = [(shapes.shape, shapes.colour) for shapes in wanted for _ in range(min(shapes.many, 20))]
    radius = min(width, height) / (1.6 * math.sqrt(len(things)) + 0.6)
    columns = max(1, round(math.sqrt(len(things) * width / height)))
    rows = -(-len(things) // columns)
    for number, (shape, colour) in enumerate(things):
        row, column = divmod(number, columns)
        in_row = min(columns, len(things) - row * columns)
        x = (column + 0.5 + rng.uniform(-0.14, 0.14)) * width / in_row
        y = height - (row + 0.5 + rng.uniform(-0.14, 0.14)) * (height - 0.5) / rows
        size = radius * rng.uniform(0.55, 0.85)
        _draw_shape(axes, shape, x, y, size, _COLOURS.get(colour) or rng.choice(palette), rng)
    axes.add_patch(Rectangle((0, 0), width, 0.42, color=PAPER, alpha=0.92))
    small = min(9.0, 0.95 * width)
    fits = int(width * 72 / (0.62 * small)) - 40
    caption = f"“{clip(prompt, max(12, fits))}” · drawn by the emulator, not by a model"
    axes.text(0.14, 0.21, escape_mathtext(caption), fontsize=small, color=INK, va="center")


def _draw_shape(axes: Axes, shape: str, x: float, y: float, size: float, colour: str, rng: random.Random) -> None:
    from matplotlib.patches import Circle, Polygon, RegularPolygon, Wedge

    style: dict[str, Any] = {"color": colour, "alpha": 0.9, "linewidth": 0}
    if shape in _SIDES:
        turn = math.pi / 4 if shape == "square" else 0.0
        axes.add_patch(RegularPolygon((x, y), _SIDES[shape], radius=size, orientation=turn, **style))
    elif shape == "star":
        corners = [(size * (1 if k % 2 == 0 else 0.42), math.pi / 2 + k * math.pi / 5) for k in range(10)]
        axes.add_patch(Polygon([(x + r * math.cos(a), y + r * math.sin(a)) for r, a in corners], **style))
    elif shape == "ring":
        axes.add_patch(Wedge((x, y), size, 0, 360, width=0.25 * size, **style))
    elif shape == "moon":
        outer = [(math.cos(math.radians(a)), math.sin(math.radians(a))) for a in range(60, 301, 5)]
        inner = [
            (0.7 + 0.889 * math.cos(math.radians(a)), 0.889 * math.sin(math.radians(a))) for a in range(257, 102, -5)
        ]
        axes.add_patch(Polygon([(x + size * dx, y + size * dy) for dx, dy in outer + inner], **style))
    elif shape == "wave":
        steps = [x - 1.6 * size + 3.2 * size * k / 60 for k in range(61)]
        start = rng.uniform(0, math.tau)
        heights = [y + 0.25 * size * math.sin(start + math.tau * k / 20) for k in range(61)]
        axes.plot(steps, heights, color=colour, linewidth=10 * size, alpha=0.9, solid_capstyle="round")
    else:
        axes.add_patch(Circle((x, y), size * (0.7 if shape == "sun" else 1), **style))
        for k in range(12 if shape == "sun" else 0):
            cos, sin = math.cos(k * math.tau / 12), math.sin(k * math.tau / 12)
            ends = [x + 0.82 * size * cos, x + 1.1 * size * cos], [y + 0.82 * size * sin, y + 1.1 * size * sin]
            axes.plot(*ends, color=colour, linewidth=4 * size, solid_capstyle="round")
