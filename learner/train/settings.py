"""Numbers that every system has: how it samples, how much it trains, when it shares weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer

from robot.config import Strict

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Keys = Annotated[tuple[str, ...], Field(min_length=1)]


def _odd(count: int) -> int:
    if count % 2 == 0:
        raise ValueError(f"{count} is even; allowed is odd, so that one bin stands for zero")
    return count


Bins = Annotated[int, Field(ge=3), AfterValidator(_odd)]


def among(names: Iterable[str]) -> AfterValidator:
    """Check of a setting that names a row of a page's table of parts."""
    known = tuple(names)

    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"got {name!r}; allowed is {', '.join(known)}")
        return name

    return AfterValidator(check)


# Settings that came later are told only where they are not these, so that older runs go on.
UNTOLD = {"inside_s": 600.0, "shift": 0}


class Settings(Strict):
    """Settings of training, apart from the algorithm's own.

    Args:
        batch: B, chunks per update.
        length: T, steps per chunk.
        capacity: steps kept in replay.
        prefill: random steps before the first update.
        pretrain: updates made at once when `prefill` is reached.
        steps_per_update: robot steps per update; the limit binds the learner, never the robot.
        early_steps: first robot steps that allow `early_factor` times as many updates.
        early_factor: see `early_steps`.
        sync_steps: robot steps between two takings-over of weights in lock-step.
        noise_correlation: of the exploration noise of two successive steps; 0 is white noise.
        calm_updates: updates after which a policy is tried with less of that noise.
        calm_scale: its share from then on.
        publish_s: seconds between two publications of weights in real time.
        checkpoint_s: seconds between two checkpoints.
        inside_s: seconds between two looks at what the model foretells; 0 for none.
        bfloat16: whether the learner computes in bfloat16, with float32 masters of all weights.
        keys: observation keys that are read; "vectors" stands for all that are no pictures.
        shift: whole pixels by which the pictures of a chunk are moved at most, at random, before it
            is learnt from; 0 leaves them.
    """

    batch: int = Field(default=24, ge=1)
    length: int = Field(default=16, ge=2)
    capacity: int = Field(default=200_000, ge=100)
    prefill: int = Field(default=1000, ge=0)
    pretrain: int = Field(default=100, ge=0)
    steps_per_update: float = Field(default=4.0, gt=0)
    early_steps: int = Field(default=0, ge=0)
    early_factor: float = Field(default=1.0, ge=1)
    sync_steps: int = Field(default=20, ge=1)
    noise_correlation: float = Field(default=0.0, ge=0, lt=1)
    calm_updates: int = Field(default=0, ge=0)
    calm_scale: float = Field(default=1.0, ge=0, le=1)
    publish_s: float = Field(default=2.0, gt=0)
    checkpoint_s: float = Field(default=60.0, gt=0)
    inside_s: float = Field(default=UNTOLD["inside_s"], ge=0)
    bfloat16: bool = True
    keys: tuple[str, ...] = ("vectors",)
    shift: int = Field(default=0, ge=0)

    @model_serializer(mode="wrap")
    def _told(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """All settings but those of `UNTOLD` that are as they always were."""
        return {k: v for k, v in told(self).items() if k not in UNTOLD or v != UNTOLD[k]}

    def noise_scale(self, updates: int) -> float:
        """Scale of the exploration noise of a policy that so many updates have taught."""
        return self.calm_scale if updates >= self.calm_updates else 1.0

    def acting(self) -> Self:
        """The same for an agent that only acts: in float32."""
        return self.model_copy(update={"bfloat16": False})

    def but(self, **changes: object) -> Self:
        """The same with some numbers changed, checked as all are: a preset from another."""
        return type(self).model_validate(self.model_dump() | changes)


class RecurrentSettings(Settings):
    """Settings of systems with a recurrent latent model; a page gives the numbers.

    Args:
        gain: what a typical deviation of a vector is scaled to; 0 leaves the numbers as they are.
        deter: D, width of the memory.
        hidden: width of the recurrent model's other layers.
        units: width of the layers of vectors' encoder and decoder, of heads, actor and critic.
        layers: number of those, where a page does not say otherwise.
        stoch: S, stochastic variables.
        depth: channels of the first convolution.
        horizon: H, imagined steps.
    """

    gain: float = Field(ge=0)
    deter: Count
    hidden: Count
    units: Count
    layers: Count
    stoch: Count
    depth: Count
    horizon: Count


class DreamSettings(RecurrentSettings):
    """Settings of those whose actor learns in dreams.

    Args:
        gamma: discount per step.
        lam: of the lambda return.
        starts: states of a batch that dreams start from; 0 takes all.
    """

    gamma: Share
    lam: Share
    starts: int = Field(ge=0)
