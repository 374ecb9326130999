"""Scalars of the learner: gathered without waiting for the device, reported now and then."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]
from torch.utils.tensorboard import SummaryWriter

from robot.clock import NS, Clock

Scalar = torch.Tensor | float


class Metrics:
    """Means of named scalars, written as TensorBoard events and as lines of JSON.

    Adding a tensor only queues one addition on its device; the device is waited for once, in the
    report. A name with slashes is grouped by TensorBoard.

    Args:
        folder: where the events and `metrics.jsonl` go; made when missing.
        clock: where time comes from.
        every_s: seconds between two reports of `report_if_due`.
        from_step: step at which a resumed run goes on; TensorBoard hides what an earlier attempt
            wrote from there on, while the lines of JSON keep it.
    """

    def __init__(self, folder: str | Path, clock: Clock, every_s: float = 10.0, from_step: int = 0):
        self._clock = clock
        self._every_ns = round(every_s * NS)
        self._start_ns = self._reported_ns = clock.now_ns()
        self._sums: dict[str, Scalar] = {}
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._events = SummaryWriter(str(folder), purge_step=from_step or None)
        path = Path(folder) / "metrics.jsonl"
        torn = path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
        self._lines = path.open("a", buffering=1)
        if torn:
            self._lines.write("\n")  # a kill cut the last line; the next must not continue it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add(self, scalars: Mapping[str, Scalar]) -> None:
        """Take in one value per name, numbers or tensors of one element on any device.

        Raises:
            ValueError: for a tensor of more elements.
        """
        for name, value in scalars.items():
            if isinstance(value, torch.Tensor):
                value = _scalar(name, value)
            if name in self._sums:
                self._sums[name] += value
            elif isinstance(value, torch.Tensor):
                # A copy: the caller may reuse its memory, and a sum needs float32 at least.
                self._sums[name] = value.to(
                    torch.promote_types(value.dtype, torch.float32), copy=True
                )
            else:
                self._sums[name] = float(value)
            self._counts[name] += 1

    def report_if_due(self, step: int) -> dict[str, float] | None:
        """Report when `every_s` have passed since the last report, else return None."""
        if self._clock.now_ns() - self._reported_ns < self._every_ns:
            return None
        return self.report(step)

    def report(self, step: int) -> dict[str, float]:
        """Write the means since the last report, and forget them.

        Returns:
            The mean of each name.
        """
        self._reported_ns = self._clock.now_ns()
        sums = _fetched(self._sums)
        means = {name: total / self._counts[name] for name, total in sums.items()}
        self._sums, self._counts = {}, defaultdict(int)
        for name, mean in means.items():
            self._events.add_scalar(name, mean, step)
        self._events.flush()
        time_s = (self._reported_ns - self._start_ns) / NS
        # JSON knows no infinities and no NaN; null tells that there was a value, and a bad one.
        line = {name: mean if math.isfinite(mean) else None for name, mean in means.items()}
        self._lines.write(json.dumps({"step": step, "time_s": round(time_s, 3), **line}) + "\n")
        return means

    def show(self, name: str, picture: bytes, step: int) -> None:
        """Write a picture for TensorBoard, as a file has it: a PNG, or a GIF that moves."""
        width, height = Image.open(BytesIO(picture)).size
        image = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=picture
        )
        summary = Summary(value=[Summary.Value(tag=name, image=image)])
        writer = self._events.file_writer
        assert writer is not None
        writer.add_summary(summary, step)

    def close(self) -> None:
        """Close the files; what was not reported is dropped."""
        self._events.close()
        self._lines.close()


def _scalar(name: str, value: torch.Tensor) -> torch.Tensor:
    if value.numel() != 1:
        raise ValueError(f"metric {name}: got shape {tuple(value.shape)}; allowed is one element")
    return value.detach().reshape(())


def _fetched(sums: Mapping[str, Scalar]) -> dict[str, float]:
    """All sums as numbers, in one transfer per device."""
    numbers = {name: value for name, value in sums.items() if not isinstance(value, torch.Tensor)}
    by_device: defaultdict[torch.device, dict[str, torch.Tensor]] = defaultdict(dict)
    for name, value in sums.items():
        if isinstance(value, torch.Tensor):
            by_device[value.device][name] = value
    for tensors in by_device.values():
        fetched = torch.stack([value.double() for value in tensors.values()]).tolist()
        numbers |= dict(zip(tensors, fetched, strict=True))
    return {name: float(numbers[name]) for name in sums}
