"""Gives the newest weights to all robots, again and again for those who come late."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import zmq

from robot.wire.codec import encode
from robot.wire.keys import Keys
from robot.wire.messages import PackedWeights
from robot.wire.sockets import open_sender
from robot.wire.streams import Endpoints
from robot.wire.weights import Weights, WeightsError

AGAIN_S = 1.0


class WeightsPublisher:
    """Publishes weights and keeps the newest in a file; sending happens in a thread of its own.

    Attributes:
        version: of the newest weights, also of those that an earlier process left in the file;
            0 before the first.
        published: how many different weights this process has given out.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        path: Path,
        keys: Keys | None = None,
        context: zmq.Context | None = None,
    ) -> None:
        """Start publishing what the file holds, if anything.

        Args:
            endpoints: where robots listen.
            path: file of the newest weights, in the run's directory.
            keys: needed beyond this computer.
            context: for sockets; the process's own by default.
        """
        self.published = 0
        self._path = path
        newest = load_weights(path)
        self.version = self._highest = newest.version if newest else 0
        self._packed = _pack(newest, newest.to_bytes()) if newest else b""
        self._changed = threading.Event()
        self._stop = False
        self._port = open_sender(endpoints, "weights", context, keys)
        self._thread = threading.Thread(target=self._run, name="weights", daemon=True)
        self._thread.start()

    def publish(self, weights: Weights) -> Weights:
        """Write the file, then send; returns what was published.

        Learning may go on from an older checkpoint. Versions then go back, and all weights up to
        the highest version that was given out are marked as a rollback, so that robots take them:
        a robot only looks at the newest, and may never have seen the first that went back.
        """
        if weights.version <= self._highest:
            weights = replace(weights, rollback=True)
        self._packed = _pack(weights, save_weights(self._path, weights))
        self.version = weights.version
        self._highest = max(self._highest, weights.version)
        self.published += 1
        self._changed.set()
        return weights

    def close(self) -> None:
        """Stop publishing; safe to call twice."""
        self._stop = True
        self._changed.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop:
                if self._packed:
                    self._port.send(self._packed)
                self._changed.wait(AGAIN_S)
                self._changed.clear()
        finally:
            self._port.close()


def _pack(weights: Weights, data: bytes) -> bytes:
    packed = PackedWeights(weights.version, weights.stamp_ns, np.frombuffer(data, np.uint8))
    return encode(packed, weights.version)


def save_weights(path: Path, weights: Weights) -> bytes:
    """Write weights so that the file holds either the old ones or the new ones; its bytes."""
    data = weights.to_bytes()
    half = path.with_name(path.name + ".part")
    with open(half, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, path)
    return data


def load_weights(path: Path) -> Weights | None:
    """Weights of a file, None when there is none.

    Raises:
        WeightsError: naming the file, when it holds something else.
    """
    if not path.is_file():
        return None
    try:
        return Weights.from_bytes(path.read_bytes())
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
