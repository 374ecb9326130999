"""Headers and checksums of all messages in a portion of a log at once."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot.wire.codec import MAGIC, MAX_SMALL, VERSION
from robot.wire.scan import HEAD, Portion, at_places
from robot.wire.schemas import SCHEMAS

ENVELOPE = np.dtype(
    [
        *(("magic", "S4"), ("schema", "<u2"), ("version", "<u2"), ("small", "<u4")),
        *(("total", "<u4"), ("sequence", "<u8"), ("capture_ns", "<i8"), ("sent_ns", "<i8")),
        *(("monotonic_ns", "<i8"), ("crc", "<u4")),
    ]
)
HEADER = ENVELOPE.itemsize
_LIMITS = np.zeros(1 << 16, np.int64)  # bytes that a message of each schema may have
for _schema in SCHEMAS:
    _LIMITS[_schema.id] = _schema.limit


@dataclass(frozen=True)
class Places:
    """Where messages lie in a portion: each (M,) int64, in bytes.

    Args:
        start: where the message begins.
        small: length of its small part.
        total: length of all of it.
    """

    start: np.ndarray
    small: np.ndarray
    total: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, chosen: Any) -> Places:
        return Places(self.start[chosen], self.small[chosen], self.total[chosen])


def messages(portion: Portion) -> tuple[Places, np.ndarray]:
    """Where a portion's messages lie, and what their headers say, (M,) of `ENVELOPE`.

    The lengths are those of the records around them; what the headers say is not yet checked.
    """
    starts = portion.begins + HEAD.itemsize
    known = at_places(portion.data, ENVELOPE)
    found = known[np.minimum(starts, len(known) - 1)]
    totals = portion.heads["length"].astype(np.int64) - (HEAD.itemsize - 9)
    return Places(starts, found["small"].astype(np.int64), totals), found


def checked(data: np.ndarray, at: Places, envelopes: np.ndarray) -> np.ndarray:
    """Whether header and checksum of each message are right, (M,) bool.

    Args:
        data: (N,) uint8 of the portion.
        at: (M,) messages.
        envelopes: (M,) of `ENVELOPE`, as `messages` gave them.
    """
    sound = (at.total >= HEADER) & (envelopes["total"] == at.total)
    sound &= (envelopes["magic"] == MAGIC) & (envelopes["version"] == VERSION)
    sound &= at.total <= _LIMITS[envelopes["schema"]]
    sound &= at.small <= np.minimum(MAX_SMALL, at.total - HEADER)
    view, crc32 = data.data, zlib.crc32
    places = zip(at.start.tolist(), (at.start + at.total).tolist(), sound.tolist(), strict=True)
    found = [
        crc32(view[start + HEADER : end], crc32(view[start : start + HEADER - 4])) if worth else 0
        for start, end, worth in places
    ]
    return sound & (envelopes["crc"] == np.array(found, np.uint32))
