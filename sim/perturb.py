"""Perturbations by name: what may happen to a twin whose policy never met it in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from robot.body.interface import Twin
from robot.config import LeggedTwin, RailTwin, RobotConfig
from sim.disturbed import Late, Lit, Shoved


class Kind:
    """One kind of perturbation, alike on both engines. A subclass says what differs.

    Attributes:
        about: what the strength is, with its unit.
        least: strength that is allowed.
        most: strength that is allowed.
        usual: strengths, from mild to hard, for a machine on legs. The numbers are ours.
    """

    about: str
    least: float
    most: float
    usual: Sequence[float]

    def strengths(self, config: RobotConfig) -> Sequence[float]:
        """Usual strengths for a machine."""
        return self.usual

    def limit(self, config: RobotConfig) -> float:
        """Strength up to which a machine can be perturbed so."""
        return self.most

    def obstacle(self, config: RobotConfig) -> str:
        """Why a machine cannot be perturbed so; "" when it can."""
        return ""

    def changed(self, config: RobotConfig, strength: float) -> RobotConfig:
        """The configuration of the perturbed twin; what the robot process reads stays."""
        return config

    def around(self, twin: Twin, config: RobotConfig, strength: float) -> Twin:
        """The perturbed twin, of a configuration that `changed` gave."""
        return twin


class Push(Kind):
    """Shoves while it lives (`sim.disturbed.Shoved`)."""

    about = "N s, a shove in some level direction every 2 s"
    least, most, usual = 0.0, 100.0, (2.5, 5.0, 10.0)

    def strengths(self, config: RobotConfig) -> Sequence[float]:
        """As many N s for every 12 kg, which an A1 weighs."""
        if isinstance(config.twin, LeggedTwin):
            return self.usual
        return [0.1 * strength for strength in self.usual]

    def around(self, twin: Twin, config: RobotConfig, strength: float) -> Twin:
        """The shoved twin."""
        return Shoved(twin, config, strength)


class Payload(Kind):
    """Mass that the trunk carries on its back, or that lies on a cart."""

    about = "kg more on trunk or cart"
    least, most, usual = 0.0, 20.0, (1.0, 2.0, 4.0)

    def changed(self, config: RobotConfig, strength: float) -> RobotConfig:
        """The loaded twin."""
        twin = config.twin
        if isinstance(twin, LeggedTwin):
            return _with_twin(config, payload_kg=twin.payload_kg + strength)
        cart = twin.links["cart"]
        loaded = cart.model_copy(update={"mass_kg": cart.mass_kg + strength})
        return _with_twin(config, links={"cart": loaded.model_dump()})


class Friction(Kind):
    """Another floor under legs, or a drier rail."""

    about = "coefficient of the floor, or N of dry friction of a rail"
    least, most, usual = 0.01, 5.0, (0.6, 0.4, 0.2)

    def strengths(self, config: RobotConfig) -> Sequence[float]:
        """Slippery floors, and rails that hold on."""
        return (0.2, 0.5, 1.0) if isinstance(config.twin, RailTwin) else self.usual

    def changed(self, config: RobotConfig, strength: float) -> RobotConfig:
        """The twin on it."""
        rail = isinstance(config.twin, RailTwin)
        return _with_twin(config, **{"friction_n" if rail else "friction": strength})


class SensorLatency(Kind):
    """Readings that come later, with the stamps of when they were taken.

    A body stops for readings that are older than `safety.sensor_stale_periods`, so there it ends.
    """

    about = "ms by which readings come later"
    least, most, usual = 0.0, 50.0, (10.0, 20.0, 40.0)
    shares: Sequence[float] = (0.25, 0.5, 0.9)  # of the limit, where the usual ones are beyond it

    def strengths(self, config: RobotConfig) -> Sequence[float]:
        """Those that the body lives with."""
        limit = self.limit(config)
        mine = [round(share * limit) for share in self.shares]
        return self.usual if self.usual[-1] <= limit else [ms for ms in mine if ms]

    def limit(self, config: RobotConfig) -> float:
        """Where every reading would be stale, less a period in which it is read."""
        period_ms = 1e3 / config.control.inner_hz
        room_ms = (config.safety.sensor_stale_periods - 1) * period_ms - config.twin.latency_ms
        return max(0.0, min(self.most, room_ms))

    def changed(self, config: RobotConfig, strength: float) -> RobotConfig:
        """The twin that senses late."""
        return _with_twin(config, latency_ms=config.twin.latency_ms + strength)


class CommandLatency(Kind):
    """Motors that obey later (`sim.disturbed.Late`)."""

    about = "ms by which motors obey later"
    least, most, usual = 0.0, 500.0, (10.0, 20.0, 40.0)

    def around(self, twin: Twin, config: RobotConfig, strength: float) -> Twin:
        """The twin that obeys late."""
        return Late(twin, config, strength)


class Light(Kind):
    """Another brightness of all cameras' pictures (`sim.disturbed.Lit`)."""

    about = "factor on the brightness of pictures"
    least, most, usual = 0.0, 10.0, (0.6, 0.3, 1.6)

    def obstacle(self, config: RobotConfig) -> str:
        """Whoever observes no camera cannot tell."""
        seen = any(camera.observed for camera in config.cameras.values())
        return "" if seen else "no camera of this robot is observed"

    def around(self, twin: Twin, config: RobotConfig, strength: float) -> Twin:
        """The twin in that light."""
        return Lit(twin, strength)


KINDS: Mapping[str, Kind] = {
    "push": Push(),
    "payload": Payload(),
    "friction": Friction(),
    "sensor_latency": SensorLatency(),
    "command_latency": CommandLatency(),
    "light": Light(),
}


@dataclass(frozen=True)
class Perturbation:
    """One of the kinds, so strong.

    Args:
        kind: a key of `KINDS`.
        strength: in the kind's unit.
    """

    kind: str
    strength: float

    def __str__(self) -> str:
        return f"{self.kind}={self.strength:g}"


def perturbed_config(config: RobotConfig, perturbations: Sequence[Perturbation]) -> RobotConfig:
    """The configuration of a twin with all of these.

    Raises:
        ValidationError: where together they lead to a figure that no twin may have.
    """
    for one in perturbations:
        config = KINDS[one.kind].changed(config, one.strength)
    return config


def perturbed_twin(twin: Twin, config: RobotConfig, perturbations: Sequence[Perturbation]) -> Twin:
    """A twin of that configuration with all of these around it."""
    for one in perturbations:
        twin = KINDS[one.kind].around(twin, config, one.strength)
    return twin


def _with_twin(config: RobotConfig, **changes: Any) -> RobotConfig:
    twin = config.twin
    checked = type(twin).model_validate({**twin.model_dump(), **changes})
    return config.model_copy(update={"twin": checked})
