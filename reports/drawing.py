"""Figures as SVG that stands inside a page: drawn by matplotlib, coloured by the page, the same bytes every time."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ..leaderboard.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "WIDTH", "Canvas", "draw", "label", "legend_width"]

WIDTH = 720.0
"""Width of a figure, in units of its drawing: pixels where the page has room."""

COLOURS = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "soft": "#57606a",
    "line": "#d8dde2",
    "strong": "#9aa4ae",
    "accent": "#0a6570",
    "span": "#8fc1c6",
    "chance": "#b3541e",
    "ceiling": "#5b5b8c",
    "band": "#f1dfc6",
}
"""Name to colour on white paper. In a page the style sheet decides: each name is a class, and dark paper has others."""

_NAMES = {value: name for name, value in COLOURS.items()}
_SVG, _LINK = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"
_FONT = 11
_KEPT = {"fill-opacity", "stroke-opacity", "stroke-width", "stroke-dasharray", "font-size", "text-anchor", "opacity"}
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def label(text: object, longest: int = 40) -> str:
    """A name for a figure: what could deceive the eye made visible, what no SVG can hold replaced, the middle cut.

    Args:
        text: A name, maybe from a run.
        longest: Characters that are kept.
    """
    clean = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) == "Cn" else c for c in visible(text))
    if len(clean) <= longest:
        return clean
    head = (longest - 1) // 2
    return f"{clean[:head]}…{clean[len(clean) - (longest - 1 - head) :]}"


@dataclass(frozen=True, eq=False)
class Canvas:
    """Where a figure is painted; positions are in its units, from the top left corner."""

    figure: Figure
    width: float
    height: float

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Make axes without a frame but the line below."""
        bottom = 1 - (top + height) / self.height
        axes = self.figure.add_axes((left / self.width, bottom, width / self.width, height / self.height))
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(length=0, pad=5)
        axes.set_axisbelow(True)
        return axes

    def write(self, left: float, top: float, text: str, **style: Any) -> None:
        """Write text; ``top`` is its base line."""
        self.figure.text(left / self.width, 1 - top / self.height, text, va="baseline", **style)

    def legend(self, top: float, entries: Sequence[tuple[str, dict[str, Any]]], left: float = 0.0) -> None:
        """Draw a legend in one line: each entry a short line in a style, and its words."""
        from matplotlib.lines import Line2D

        for text, style in entries:
            y = 1 - (top - 4) / self.height
            ends = [left / self.width, (left + 16) / self.width]
            marker = "marker" in style
            x, ys = ([sum(ends) / 2], [y]) if marker else (ends, [y, y])
            self.figure.add_artist(Line2D(x, ys, **style))
            self.write(left + 21, top, text, color=COLOURS["soft"])
            left += legend_width(text)


def legend_width(text: str) -> float:
    """Room that an entry of a legend takes, with the gap to the next."""
    return 21 + 6.4 * len(text) + 18


def draw(
    paint: Callable[[Canvas], None], *, name: str, title: str, description: str, height: float, width: float = WIDTH
) -> str:
    """Draw a figure.

    matplotlib's settings are set aside while it draws and put back afterwards, so threads must not draw at once.

    Args:
        paint: Paints on the canvas it is given.
        name: The figure's name in the page, unique there; letters, digits and hyphens.
        title: What the figure is, for a screen reader.
        description: What it shows, for a screen reader.
        height: In the units of the drawing.
        width: Likewise.

    Returns:
        An ``<svg>`` element without style attributes, which a strict content policy forbids: colours are classes
        (``f-NAME`` and ``s-NAME`` for fill and stroke), with the colour on white paper where no style sheet speaks.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    out = StringIO()
    with _settings():
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        paint(Canvas(figure, width, height))
        for axes in figure.axes:
            axes.patch.set_visible(False)
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _plain(out.getvalue(), name, title, description)


@contextmanager
def _settings() -> Iterator[None]:
    import matplotlib

    ours: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "finchmark",
        # A name from a run is no formula.
        "text.parse_math": False,
        "axes.formatter.use_mathtext": False,
        "axes.unicode_minus": True,
        "font.size": _FONT,
        "axes.titlesize": _FONT,
        "axes.labelsize": _FONT,
        "xtick.labelsize": _FONT,
        "ytick.labelsize": _FONT,
        "text.color": COLOURS["ink"],
        "axes.labelcolor": COLOURS["soft"],
        "axes.edgecolor": COLOURS["strong"],
        "xtick.color": COLOURS["soft"],
        "ytick.color": COLOURS["soft"],
        "grid.color": COLOURS["line"],
        "grid.linewidth": 1,
        "lines.linewidth": 1.5,
    }
    with matplotlib.rc_context(), warnings.catch_warnings():
        # The browser has its own fonts; what matplotlib's lacks matters for the layout only.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(ours)
        yield


def _plain(source: str, name: str, title: str, description: str) -> str:
    ElementTree.register_namespace("", _SVG)
    # What matplotlib wrote a moment ago; it escapes every text it was given.
    root = ElementTree.fromstring(source)
    used = {target for element in root.iter() for target in _targets(element)}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{_SVG}}}style":
                parent.remove(child)
    for element in root.iter():
        _restyle(element)
        identity = element.get("id")
        if identity is not None:
            if identity in used:
                element.set("id", f"{name}-{identity}")
            else:
                del element.attrib["id"]
        link = element.attrib.pop(_LINK, None)
        if link is not None:
            element.set("href", f"#{name}-{link[1:]}")
        clip = element.get("clip-path")
        if clip is not None:
            element.set("clip-path", clip.replace("url(#", f"url(#{name}-"))
        for key in ("d", "x", "y", "width", "height", "transform"):
            if key in element.attrib:
                element.set(key, _short(element.attrib[key]))
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
    _unwrap(root)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("class", "plot")
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-text")
    root.set("stroke-linejoin", "round")
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{'text' if tag == 'desc' else tag}"})
        element.text = label(text, 2000)
        root.insert(position, element)
    return ElementTree.tostring(root, encoding="unicode")


def _targets(element: ElementTree.Element) -> Iterator[str]:
    if _LINK in element.attrib:
        yield element.attrib[_LINK][1:]
    clip = element.get("clip-path", "")
    if clip.startswith("url(#"):
        yield clip[5:-1]


def _restyle(element: ElementTree.Element) -> None:
    """Turn a style attribute into classes and plain attributes."""
    style = element.attrib.pop("style", "")
    classes = []
    for part in filter(None, (p.strip() for p in style.split(";"))):
        key, _, value = (s.strip() for s in part.partition(":"))
        if key in ("fill", "stroke"):
            element.set(key, value)
            if value in _NAMES:
                classes.append(f"{key[0]}-{_NAMES[value]}")
        elif key == "font-weight" and value != "400":
            classes.append("strong")
        elif key in _KEPT:
            element.set(key, value.removesuffix("px"))
    if classes:
        element.set("class", " ".join(classes))


def _short(text: str) -> str:
    text = _LONG_NUMBER.sub(lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), text)
    return " ".join(text.split())


def _unwrap(root: ElementTree.Element) -> None:
    """Drop groups that say nothing: most of what matplotlib nests."""
    for parent in root.iter():
        children: list[ElementTree.Element] = []
        for child in parent:
            children += _contents(child)
        parent[:] = children
    for element in root.iter():
        element.tail = None
        if element.tag != f"{{{_SVG}}}text":
            element.text = None


def _contents(element: ElementTree.Element) -> list[ElementTree.Element]:
    if element.tag == f"{{{_SVG}}}g" and not element.attrib:
        return [inner for child in element for inner in _contents(child)]
    return [] if element.tag == f"{{{_SVG}}}defs" and not len(element) else [element]
