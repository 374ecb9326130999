"""The downlink: receives weights aside from the control loop and hands over only verified ones."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

import numpy as np
import zmq

from robot.clock import NS
from robot.wire.codec import decode
from robot.wire.keys import Keys
from robot.wire.messages import PackedWeights
from robot.wire.schemas import CodecError
from robot.wire.sockets import open_receiver
from robot.wire.streams import Endpoints
from robot.wire.weights import Layout, Weights, WeightsError, layout

_log = logging.getLogger(__name__)
_WAIT_S = 0.05


class Gate:
    """Decides whether weights may drive this robot."""

    def __init__(self, spec: str, expected: Layout) -> None:
        """Say what fits.

        Args:
            spec: fingerprint of the robot's spec.
            expected: shape and dtype of each array that the policy has.
        """
        self.version = 0
        self._spec = spec
        self._expected = dict(expected)

    def refusal(self, weights: Weights) -> str:
        """Why the weights are refused, "" when they may be used."""
        if weights.spec != self._spec:
            return f"spec: learnt for {weights.spec}, this robot is {self._spec}"
        if weights.version <= self.version and not weights.rollback:
            return f"old: version {weights.version}, in use is {self.version}"
        found = layout(weights.arrays)
        if found != self._expected:
            odd = {n for n in {*found, *self._expected} if found.get(n) != self._expected.get(n)}
            name = min(odd)
            return f"layout: {name} is {found.get(name)}, expected {self._expected.get(name)}"
        for name, array in weights.arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                return f"not finite: {name}"
        return ""


class Witness(Protocol):
    """Whoever is told what becomes of weights that come."""

    def accepted(self, weights: Weights, data: bytes) -> None:
        """These are verified; they are handed over when this returns. `data` is what came."""
        ...

    def refused(self, kind: str, reason: str) -> None:
        """Some were refused."""
        ...


class Downlink:
    """Keeps the newest verified weights ready; `take` never waits."""

    def __init__(
        self,
        endpoints: Endpoints,
        gate: Gate,
        keys: Keys | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        context: zmq.Context | None = None,
        witness: Witness | None = None,
    ) -> None:
        """Connect and start receiving.

        Args:
            endpoints: where the learner publishes.
            gate: what it must fit.
            keys: needed beyond this computer.
            now_ns: clock of the weights' stamps.
            context: for sockets; the process's own by default.
            witness: is told what becomes of weights, in the receiving thread.
        """
        self.applied = 0
        self.rejected: Counter[str] = Counter()
        self._gate = gate
        self._now_ns = now_ns
        self._witness = witness
        self._ready: Weights | None = None
        self._in_use: Weights | None = None
        self._last_seen = (-1, -1)
        self._latency_ns: deque[int] = deque(maxlen=10_000)
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._port = open_receiver(endpoints, "weights", context, keys)
        self._thread = threading.Thread(target=self._run, name="downlink", daemon=True)
        self._thread.start()

    def take(self) -> Weights | None:
        """Newest verified weights since the last call; to be called between two steps."""
        with self._guard:
            weights, self._ready = self._ready, None
        if weights is not None:
            self.applied += 1
            self._in_use = weights
            self._latency_ns.append(self._now_ns() - weights.stamp_ns)
        return weights

    @property
    def age_ns(self) -> int:
        """Since the weights in use were made; -1 before the first."""
        return self._now_ns() - self._in_use.stamp_ns if self._in_use else -1

    def report(self) -> dict[str, object]:
        """Counts, reasons of refusals, and the latency from making to taking over in ms."""
        late = np.array(self._latency_ns or [0]) / 1e6
        marks = {"p50": float(np.percentile(late, 50)), "p99": float(np.percentile(late, 99))}
        refused = dict(self.rejected)
        return {
            "applied": self.applied,
            "rejected": sum(refused.values()),
            "reasons": refused,
            "version": self._in_use.version if self._in_use else 0,
            "age_s": self.age_ns / NS if self._in_use else None,
            "latency_ms": marks,
        }

    def close(self) -> None:
        """Stop receiving; safe to call twice."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if self._port.wait(_WAIT_S) and (data := self._port.latest()) is not None:
                    self._consider(data)
        finally:
            self._port.close()

    def _consider(self, data: bytes) -> None:
        """Verify one message; a repetition of what was seen before is passed over."""
        try:
            packed = decode(data, PackedWeights)
            seen = (packed.version, packed.stamp_ns)
            if seen == self._last_seen:
                return
            data = packed.data.tobytes()
            weights = Weights.from_bytes(data)
        except (CodecError, WeightsError) as error:
            return self._refuse("damaged", str(error))
        self._last_seen = seen
        if reason := self._gate.refusal(weights):
            return self._refuse(reason.partition(":")[0], reason)
        self._gate.version = weights.version
        if self._witness is not None:
            self._witness.accepted(weights, data)
        with self._guard:
            self._ready = weights

    def _refuse(self, kind: str, reason: str) -> None:
        self.rejected[kind] += 1
        if self._witness is not None:
            self._witness.refused(kind, reason)
        _log.warning("weights refused: %s", reason)
