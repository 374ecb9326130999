"""Plots of a report, as SVG whose colours are the page's, so that they turn dark with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any

WIDTH, LABELS, ROW, EDGE, RIGHT = 860, 230, 30, 16, 36
HEIGHT, LEFT, BELOW = 220, 44, 34


def nice_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round numbers that span a range, about so many of them."""
    span = (high - low) or abs(high) or 1.0
    rough = span / max(1, count - 1)
    unit = 10.0 ** floor(log10(rough))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def interval_plot(rows: Sequence[Mapping[str, Any]], marks: Mapping[str, float], label: str) -> str:
    """One line per condition: its interval, its mean, and the mean of each run as a small dot.

    Args:
        rows: `name`, `mean`, `low`, `high` (None where there is no interval), `runs` (means), and
            `passes`, which may be None.
        marks: upright lines by name, such as random play.
        label: of the axis.
    """
    told = [v for row in rows for v in (row["mean"], row["low"], row["high"], *row["runs"])]
    known = [value for value in told if value is not None] + list(marks.values())
    ticks = nice_ticks(min(known), max(known))
    bottom = EDGE + ROW * len(rows)

    def x(value: float) -> float:
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return round(LABELS + share * (WIDTH - LABELS - RIGHT), 1)

    parts = [_upright(x(t), bottom, f"{t:g}") for t in ticks]
    parts += [_mark(x(value), bottom, name) for name, value in marks.items()]
    for number, row in enumerate(rows):
        parts.append(_interval(row, EDGE + ROW * (number + 0.5), x))
    parts.append(_text((LABELS + WIDTH - RIGHT) / 2, bottom + 40, label, "label middle"))
    return _svg(parts, bottom + 48, label)


def course_plot(course: Mapping[str, Any], marks: Mapping[str, float], label: str) -> str:
    """A mean over time with the band that most episodes keep to.

    Args:
        course: `step_s`, and `mean`, `low`, `high` of equal length.
        marks: level lines by name.
        label: of what is drawn.
    """
    mean, step_s = course["mean"], course["step_s"]
    known = [*course["low"], *course["high"], *marks.values()]
    ticks, seconds = nice_ticks(min(known), max(known), 5), nice_ticks(0, len(mean) * step_s, 8)
    bottom = HEIGHT - BELOW

    def x(point: float) -> float:
        share = point * step_s / (max(1, len(mean) - 1) * step_s)
        return round(LEFT + share * (WIDTH - LEFT - EDGE), 1)

    def y(value: float) -> float:
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return round(bottom - share * (bottom - EDGE), 1)

    band = [(x(i), y(v)) for i, v in enumerate(course["high"])]
    band += [(x(i), y(v)) for i, v in reversed(list(enumerate(course["low"])))]
    parts = [_level(y(t), f"{t:g}") for t in ticks]
    parts += [
        _text(x(t / step_s), bottom + 16, f"{t:g} s", "tick middle")
        for t in seconds
        if t <= (len(mean) - 1) * step_s + 1e-9
    ]
    for name, value in marks.items():
        parts.append(_line((LEFT, y(value)), (WIDTH - EDGE, y(value)), "mark"))
        parts.append(_text(WIDTH - EDGE, y(value) - 4, name, "marked end"))
    parts.append(f'<polygon class="band" points="{_points(band)}"/>')
    line = [(x(i), y(v)) for i, v in enumerate(mean)]
    parts.append(f'<polyline class="mean" points="{_points(line)}"/>')
    return _svg(parts, HEIGHT, label)


def _interval(row: Mapping[str, Any], y: float, x: Any) -> str:
    kind = {True: "good", False: "bad", None: "plain"}[row["passes"]]
    said = f"{row['name']}: {row['mean']:.3f}"
    parts = [_text(LABELS - 14, y + 4, row["name"], "name end")]
    if row["low"] is not None:
        said += f", from {row['low']:.3f} to {row['high']:.3f}"
        parts.append(_line((x(row["low"]), y), (x(row["high"]), y), f"interval {kind}"))
    parts += [f'<circle class="run" cx="{x(v)}" cy="{y}" r="2.6"/>' for v in row["runs"]]
    parts.append(f'<circle class="dot {kind}" cx="{x(row["mean"])}" cy="{y}" r="5.5"/>')
    return f"<g><title>{escape(said)}</title>{''.join(parts)}</g>"


def _upright(x: float, bottom: float, text: str) -> str:
    return _line((x, EDGE), (x, bottom), "rule") + _text(x, bottom + 16, text, "tick middle")


def _level(y: float, text: str) -> str:
    return _line((LEFT, y), (WIDTH - EDGE, y), "rule") + _text(LEFT - 8, y + 4, text, "tick end")


def _mark(x: float, bottom: float, name: str) -> str:
    return _line((x, EDGE - 4), (x, bottom), "mark") + _text(x, EDGE - 8, name, "marked middle")


def _line(start: tuple[float, float], end: tuple[float, float], kind: str) -> str:
    (a, b), (c, d) = start, end
    return f'<line class="{kind}" x1="{a}" y1="{b}" x2="{c}" y2="{d}"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a},{b}" for a, b in points)


def _svg(parts: Sequence[str], height: float, label: str) -> str:
    box = f"0 -12 {WIDTH} {height + 12:g}"
    head = f'<svg viewBox="{box}" role="img" aria-label="{escape(label)}">'
    return head + "".join(parts) + "</svg>"
