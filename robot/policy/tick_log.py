"""Writes ticks to the log: exactly in our words, and once more in those of ROS 2 for viewers."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from robot.config import RobotConfig
from robot.policy.aside import Later
from robot.policy.events import Changes, note_event
from robot.policy.recording import TickNotes
from robot.wire.codec import encode
from robot.wire.log import LogWriter
from robot.wire.log.names import (
    COMMANDS,
    FRAMES,
    IMU,
    JOINT_STATES,
    OPERATOR,
    SENSORS,
    TICKS,
    LogError,
)
from robot.wire.messages import OperatorAck, OperatorWord
from robot.wire.ros2 import COMPRESSED_IMAGE, JOINT_STATE, compressed_image, imu, joint_state
from robot.wire.ros2 import IMU as IMU_FORM
from robot.wire.streams import Health

_log = logging.getLogger(__name__)

LOOK_EVERY = 100  # ticks between two looks at the disk
QUICK = {  # settings of the encoders: small and quick, and JPEG as good as it looks
    "png": (".png", (cv2.IMWRITE_PNG_COMPRESSION, 1)),
    "jpeg": (".jpg", (cv2.IMWRITE_JPEG_QUALITY, 90)),
}


class TickLog:
    """Keeps ticks in a log, each with one write; what is raw is the first to go on a full disk.

    Where the disk has less room than `log.reserve_mb`, or refuses a tick, only events are written,
    and transitions by whoever writes them, until there is room again.

    Args:
        log: to write to.
        config: of the robot.
        later: who encodes pictures and writes them.
        health: tells the health of the streams.
    """

    def __init__(
        self,
        log: LogWriter,
        config: RobotConfig,
        later: Later,
        health: Callable[[], Mapping[str, Health]] = dict,
    ) -> None:
        self._log, self._health, self._later = log, health, later
        self._raw, self._reserve = config.log.raw, config.log.reserve_mb * 1e6
        self._joints, self._frame = list(config.joints), config.robot if config.imu else ""
        self._kinds = {name: c.log_kind for name, c in config.cameras.items() if c.log_kind}
        self._changes = Changes()
        self._ticks = self._dropped = 0
        self._fault = ""

    def keep(self, tick: TickNotes) -> None:
        """Write a tick; never raises for a disk."""
        if self._raw:
            if self._ticks % LOOK_EVERY == 0:
                self._look(tick.sent_ns)
            self._ticks += 1
            if not self._fault:
                self._try(tick)
            self._dropped += bool(self._fault)
        states = self._changes.states(tick.samples, tick.first)
        for event, told in (*states, *self._changes.streams(self._health())):
            note_event(self._log, tick.sent_ns, event, **told)

    def _look(self, stamp_ns: int) -> None:
        """See whether the disk has room, and tell of a change."""
        disk = os.statvfs(self._log.path.parent)
        room = disk.f_bavail * disk.f_frsize
        fault = ""
        if room < self._reserve:
            fault = f"{room / 1e6:.0f} MB are left on the disk; log.reserve_mb"
            fault += f" is {self._reserve / 1e6:g}"
        self._judge(fault, stamp_ns)

    def _judge(self, fault: str, stamp_ns: int) -> None:
        if bool(fault) != bool(self._fault):
            told = {"raw": not fault, "reason": fault, "dropped_ticks": self._dropped}
            _log.warning("raw records: %s", fault or "kept again")
            note_event(self._log, stamp_ns, "recording", **told)
            self._dropped = 0
        self._fault = fault

    def _try(self, tick: TickNotes) -> None:
        try:
            for name, (stamp_ns, picture) in tick.frames.items():
                self._keep_picture(name, tick.sent_ns, stamp_ns, picture)
            with self._log.batch(tick.sent_ns):
                self._write(tick)
        except LogError as error:
            self._judge(str(error), tick.sent_ns)

    def _write(self, tick: TickNotes) -> None:
        log, stamps = self._log, (tick.sent_ns, tick.monotonic_ns)
        for number, sample in enumerate(tick.samples, tick.first):
            log.append(SENSORS, encode(sample, number, *stamps))
        for command in tick.commands:
            log.append(COMMANDS, encode(command, command.sequence, *stamps))
        for word in tick.words:
            log.note(OPERATOR, _told(word), tick.sent_ns)
        log.note(TICKS, _summary(tick), tick.sent_ns)
        if tick.samples:
            reading, place = tick.samples[-1].reading, (tick.sent_ns, max(0, tick.number))
            log.write(JOINT_STATES, JOINT_STATE, joint_state(reading, self._joints), *place)
            if self._frame:
                log.write(IMU, IMU_FORM, imu(reading, self._frame), *place)

    def _keep_picture(self, name: str, sent_ns: int, stamp_ns: int, picture: np.ndarray) -> None:
        kind = self._kinds.get(name)
        if kind is None:
            return

        def work() -> None:
            data = compressed_image(stamp_ns, name, kind, compressed(picture, kind))
            self._log.write(f"{FRAMES}/{name}", COMPRESSED_IMAGE, data, sent_ns)

        if not self._later(work):
            note_event(self._log, sent_ns, "picture_dropped", camera=name, captured_ns=stamp_ns)


def compressed(picture: np.ndarray, kind: str) -> bytes:
    """File of a picture (H, W, 3 or 4) of bytes, RGB and distance; `kind` "png" or "jpeg"."""
    suffix, settings = QUICK[kind]
    turned = cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    done, data = cv2.imencode(suffix, cv2.cvtColor(picture, turned), settings)
    if not done:
        raise ValueError(f"a picture {picture.shape} cannot be made a {kind}")
    return data.tobytes()


def _summary(tick: TickNotes) -> dict[str, object]:
    """The tick as `/ticks` has it."""
    return {
        "tick": tick.number,
        "samples": [tick.first, tick.first + len(tick.samples)],
        "clock_ns": tick.clock_ns,
        "frames": {name: stamp_ns for name, (stamp_ns, _) in tick.frames.items()},
        "commands": len(tick.commands),
        "words": sum(isinstance(word, OperatorWord) for word in tick.words),
        "age_ns": tick.age_ns,
    }


def _told(word: OperatorWord | OperatorAck) -> dict[str, object]:
    """A word, or an answer to one, as `/operator` has it."""
    told: dict[str, object] = {"word": word.word, "stamp_ns": word.stamp_ns}
    if isinstance(word, OperatorWord):
        return {"kind": "word", **told, "who": word.who}
    return {"kind": "ack", **told, "state": word.state, "reason": word.reason}
