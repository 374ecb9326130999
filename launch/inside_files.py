"""Files of one look inside a learner: figures, plots, films and strips.

inside.json      errors by steps of foresight, of every key (`learner/model/open_loop.py`)
error.png        the same, drawn
vectors.png      vectors and reward: truth, seen, foretold
KEY.mp4 .gif     pictures of that key: truth, model, difference; half as fast as they were lived
KEY.png          the same as a strip
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from launch.inside_pictures import film, pictures_of, strip
from launch.inside_plots import error_plot, vector_plot
from launch.run_folder import write_json
from launch.video import write_gif, write_video
from learner.model.open_loop import Errors, Foretold, open_loop_errors, reconstruction_errors


def write(found: Foretold, hz: float, folder: Path, about: Mapping[str, Any]) -> dict[str, Errors]:
    """Write a look's files, each whole or not at all; the errors that they tell.

    Args:
        found: what was foretold.
        hz: steps per second.
        folder: made when missing.
        about: what else inside.json tells.
    """
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f".{os.getpid()}"
    half.mkdir(exist_ok=True)
    try:
        errors = open_loop_errors(found)
        (half / "error.png").write_bytes(error_plot(errors, hz))
        (half / "vectors.png").write_bytes(vector_plot(found, hz))
        for key in pictures_of(found):
            _write_pictures(found, key, hz, half)
        figures = {key: _listed(asdict(error)) for key, error in errors.items()}
        seen = {key: _number(error) for key, error in reconstruction_errors(found).items()}
        facts = {**about, "control_hz": hz, "seen": seen, "errors": figures}
        write_json(half / "inside.json", facts)
        for path in sorted(half.iterdir()):
            path.replace(folder / path.name)
        return errors
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _write_pictures(found: Foretold, key: str, hz: float, folder: Path) -> None:
    sheets = list(film(found, key, hz))
    height, width = sheets[0].shape[:2]
    write_video(folder / key, sheets, (height, width), hz / 2)
    write_gif(folder / f"{key}.gif", sheets, hz / 2)
    if not cv2.imwrite(str(folder / f"{key}.png"), strip(found, key, hz)[..., ::-1]):
        raise OSError(f"{folder / key}.png: cannot be written")


def _listed(errors: Mapping[str, np.ndarray]) -> dict[str, list[float | None]]:
    return {name: [_number(value) for value in values] for name, values in errors.items()}


def _number(value: float) -> float | None:
    """JSON knows no NaN; null tells that there was nothing to compare."""
    return round(float(value), 6) if np.isfinite(value) else None
