"""A report of an evaluation: one HTML file that needs no network, to look at and to pass on."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from launch.report_plots import course_plot, interval_plot
from launch.whole import write_whole

TEMPLATE = Path(__file__).with_name("report.html")
MIMES = {".webm": "video/webm", ".mp4": "video/mp4", ".gif": "image/gif", ".webp": "image/webp"}


@dataclass(frozen=True)
class Media:
    """What a report shows beside figures.

    Args:
        frames: label and WebP bytes of single pictures, in order.
        films: caption and path of films.
    """

    frames: Sequence[tuple[str, bytes]] = ()
    films: Sequence[tuple[str, Path]] = ()


def write_report(path: Path, told: Mapping[str, Any], media: Sequence[Media]) -> None:
    """Write the report of an evaluation, whole or not at all.

    Args:
        path: the HTML file.
        told: what `evaluation.json` of several runs or conditions holds.
        media: of each of its studies.
    """
    write_whole(path, render_report(told, media).encode())


def render_report(told: Mapping[str, Any], media: Sequence[Media]) -> str:
    """The report's HTML; everything that it shows is inside."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"figure": figure, "share": share, "interval": interval}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    studies = [
        {**study, **_drawn(study), **_said(study), "media": _shown(shown)}
        for study, shown in zip(told["studies"], media, strict=True)
    ]
    whole = {**told, "studies": studies}
    return template.render(whole, settings=json.dumps(told.get("configuration", {}), indent=1))


def figure(value: float | None, digits: int = 2) -> str:
    """A number for a reader; a dash where there is none."""
    if value is None:
        return "–"
    if 0 < value < 0.5 * 10**-digits:  # a check may ask for none at all
        return f"<{10**-digits:.{digits}f}"
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:.0f}"


def share(value: float | None) -> str:
    """A share as whole percent."""
    return "–" if value is None else f"{100 * value:.0f}%"


def interval(estimate: Mapping[str, Any] | None, digits: int = 2) -> str:
    """Both ends of an interval; a dash where there is none."""
    if estimate is None or estimate["low"] is None:
        return "–"
    return f"{figure(estimate['low'], digits)} to {figure(estimate['high'], digits)}"


def data_uri(data: bytes, suffix: str) -> str:
    """Bytes of a file as an address that carries them."""
    return f"data:{MIMES[suffix]};base64,{base64.b64encode(data).decode()}"


TILES = {"forward_m_s": "m/s forward", "share_of_best": "of what going straight earns"}


def _said(study: Mapping[str, Any]) -> dict[str, Any]:
    """Sentences and further figures of the headline."""
    clean, *disturbed = study["conditions"]
    figures = clean["figures"]
    tiles = {label: figure(figures[key]) for key, label in TILES.items() if key in figures}
    return {"lead": " ".join(_lead(study, clean, disturbed)), "tiles": tiles, "strip": STRIP}


STRIP = "One undisturbed episode of the first run."


def _lead(
    study: Mapping[str, Any], clean: Mapping[str, Any], disturbed: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    runs, episodes = len(clean["runs"]), sum(len(run["episodes"]) for run in clean["runs"])
    of = f" of {runs} runs" if runs > 1 else ""
    if clean["gate"] is None:
        yield f"Mean return over {episodes} episodes{of}."
        return
    passed = sum(run["passed"] for run in clean["runs"])
    each = f"{study['trial']['seconds']:g} s"
    yield f"{passed} of {episodes} episodes{of}, {each} each, pass every check."
    failed = [check["name"] for check in clean["gate"]["checks"] if not check["passes"]]
    if failed:
        yield f"What fails: {'; '.join(failed)}."
    if disturbed:
        held = sum(row["gate"]["runs_passed"] for row in disturbed)
        yield f"Disturbed, {_held(held, len(disturbed), runs)}."


def _held(held: int, conditions: int, runs: int) -> str:
    """In how many of the conditions runs pass every check."""
    if runs == 1:
        return f"it holds in {held} of {conditions} conditions"
    return f"runs hold in {held} of {conditions * runs} cases, {conditions} conditions each"


def _drawn(study: Mapping[str, Any]) -> dict[str, Any]:
    """Plots of a study: scores with intervals, normalised where they can be, and over time."""
    normal = all(row["normalised"] is not None for row in study["conditions"])
    reference = study["reference"]
    marks = _marks(reference)
    rows = [_row(row, reference if normal else None) for row in study["conditions"]]
    label = f"{study['measure']}, 0 random play, 1 target" if normal else study["measure"]
    upright = {"random play": 0.0, "target": 1.0} if normal else marks
    course = study["course"]
    return {
        "intervals": interval_plot(rows, upright, label),
        "over_time": course_plot(course, marks, study["measure"]) if course else "",
    }


def _marks(reference: Mapping[str, Any] | None) -> dict[str, float]:
    named = {"random play": "random", "target": "target"}
    found = {name: (reference or {}).get(key) for name, key in named.items()}
    return {name: value for name, value in found.items() if value is not None}


def _row(row: Mapping[str, Any], reference: Mapping[str, Any] | None) -> dict[str, Any]:
    estimate = row["normalised"] if reference else row["score"]
    runs = [run["score"] for run in row["runs"]]
    if reference:
        span = reference["target"] - reference["random"]
        runs = [(score - reference["random"]) / span for score in runs]
    ends = {key: estimate[key] for key in ("mean", "low", "high")}
    passes = row["gate"]["passes"] if row["gate"] else None
    return {"name": row["name"], "runs": runs if len(runs) > 1 else [], "passes": passes, **ends}


def _shown(media: Media) -> dict[str, Any]:
    films = [
        {
            "caption": caption,
            "address": data_uri(path.read_bytes(), path.suffix),
            "moves": path.suffix == ".gif",
        }
        for caption, path in media.films
    ]
    frames = [{"label": label, "address": data_uri(data, ".webp")} for label, data in media.frames]
    return {"frames": frames, "films": films}
