"""Moving pictures at random: against crops of NumPy's padding, and as a part of systems."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.systems import build_agent, make_settings
from learner.train.shift import RandomShift, moved
from robot.config import ConfigError
from robot.wire.spec import RobotSpec, Spec, box, image

ROWS, LENGTH = 3, 2
SEEN: dict[str, Spec] = {"camera": image(7, 9), "joints": box(-1, 1, (2,)), "range": image(7, 9, 1)}
SMALL = (
    *("batch=2", "length=4", "deter=16", "units=12", "stoch=4", "classes=4", "horizon=3"),
    *("layers=1", "depth=2", "hidden=8", "blocks=4", "bins=11", "starts=0", "bfloat16=false"),
)


def experience(seed: int = 0) -> dict[str, Tensor]:
    rng = np.random.default_rng(seed)
    pictures = {
        key: rng.integers(0, 256, (ROWS, LENGTH, *spec.shape)).astype(np.uint8)
        for key, spec in SEEN.items()
        if spec.is_image
    }
    joints = rng.normal(size=(ROWS, LENGTH, 2)).astype(np.float32)
    return {k: torch.as_tensor(v) for k, v in {**pictures, "joints": joints}.items()}


def crop(picture: np.ndarray, pad: int, top: int, left: int) -> np.ndarray:
    """One picture (H, W, C), padded by its edges and cropped at a place."""
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    return padded[top : top + height, left : left + width]


def places(before: Tensor, after: Tensor, pad: int) -> set[tuple[int, int]]:
    """All places at which every step of a row (T, H, W, C) may have been cropped."""
    steps = list(zip(before.numpy(), after.numpy(), strict=True))
    grid = [(top, left) for top in range(2 * pad + 1) for left in range(2 * pad + 1)]
    return {at for at in grid if all((crop(b, pad, *at) == a).all() for b, a in steps)}


@pytest.mark.parametrize("pad", [1, 3])
def test_a_row_is_cropped_at_one_place_in_all_of_its_steps_and_pictures(pad: int):
    batch = experience()
    torch.manual_seed(0)
    after = RandomShift(SEEN, pad)(batch)
    found = []
    for row in range(ROWS):
        by_camera, by_range = (
            places(batch[key][row], after[key][row], pad) for key in ("camera", "range")
        )
        assert len(by_camera) == 1 and by_camera == by_range
        found += by_camera
    assert len(set(found)) > 1, "rows have places of their own"
    assert after["camera"].dtype == torch.uint8


def test_whole_pixels_are_translations_and_no_offset_is_the_identity():
    pictures = experience()["camera"]
    none, one, back = torch.tensor([[0, 0], [1, 0], [0, -2]])[:, None].expand(3, ROWS, 2)
    assert torch.equal(moved(pictures, none), pictures)
    assert torch.equal(moved(pictures, one)[:, :, :-1], pictures[:, :, 1:])
    assert torch.equal(moved(pictures, one)[:, :, -1], pictures[:, :, -1])
    assert torch.equal(moved(pictures, back)[:, :, :, 2:], pictures[:, :, :, :-2])
    assert torch.equal(moved(pictures, back)[:, :, :, 0], pictures[:, :, :, 0])


def test_every_place_is_drawn_alike_often():
    """A picture whose pixels are their own places tells its offset by its middle."""
    y, x = torch.meshgrid(torch.arange(9), torch.arange(9), indexing="ij")
    picture = torch.stack([y, x, y], -1).to(torch.uint8).expand(9000, 1, 9, 9, 3)
    torch.manual_seed(1)
    after = RandomShift({"camera": image(9, 9)}, 1)({"camera": picture})["camera"]
    middle = after[:, 0, 4, 4, :2].long() - 4
    assert after.shape == picture.shape and middle.abs().max() == 1
    counts = torch.bincount((middle[:, 0] + 1) * 3 + middle[:, 1] + 1, minlength=9)
    assert float(((counts - 1000) ** 2 / 1000).sum()) < 26.1  # chi-squared, 8 degrees, 0.1%


def test_what_is_no_picture_and_the_batch_itself_stay():
    batch = experience()
    before = {key: value.clone() for key, value in batch.items()}
    after = RandomShift(SEEN, 2)(batch)
    assert after["joints"] is batch["joints"]
    assert all(torch.equal(batch[key], before[key]) for key in batch)


@pytest.mark.parametrize(
    ("seen", "pixels", "said"),
    [
        ({"joints": SEEN["joints"]}, 2, "shift 2: there is no picture among joints; allowed is 0"),
        (SEEN, 7, "shift 7: allowed is 0 to 6, by the smallest picture"),
    ],
)
def test_what_cannot_be_moved_is_refused(seen: dict[str, Spec], pixels: int, said: str):
    with pytest.raises(ConfigError, match=said):
        RandomShift(seen, pixels)


ROBOT = RobotSpec({"camera": image(64, 64), "joints": box(-1, 1, (2,))}, box(-1, 1, (2,)), 20.0)


def build(*changes: str) -> Any:
    settings = make_settings("dreamer_v3", "cpu", [*SMALL, "keys=[camera, joints]", *changes])
    torch.manual_seed(0)
    return build_agent("dreamer_v3", ROBOT, settings)


def chunk() -> dict[str, np.ndarray]:
    rng, flags = np.random.default_rng(0), np.zeros((2, 4), bool)
    first = flags.copy()
    first[:, 0] = True
    floats = {"joints": (2, 4, 2), "action": (2, 4, 2), "reward": (2, 4)}
    return {
        "camera": rng.integers(0, 256, (2, 4, 64, 64, 3)).astype(np.uint8),
        **{key: rng.uniform(-1, 1, shape).astype(np.float32) for key, shape in floats.items()},
        **{"is_first": first, "is_last": flags, "is_terminal": flags},
    }


def test_any_system_learns_from_moved_pictures_where_it_is_asked_to(
    monkeypatch: pytest.MonkeyPatch,
):
    plain, shifting = build(), build("shift=4")
    assert plain.diet.prepare == () and len(shifting.diet.prepare) == 1
    learnt: list[dict[str, Tensor]] = []
    losses = shifting.model.losses
    monkeypatch.setattr(shifting.model, "losses", lambda b: (learnt.append(b), losses(b))[1])
    made = chunk()
    metrics = shifting.learn(made)
    assert all(value.isfinite() for value in metrics.values())
    given = torch.as_tensor(made["camera"])
    for row in range(2):
        assert len(places(given[row], learnt[0]["camera"][row], 4)) == 1
    assert not torch.equal(learnt[0]["camera"], given)


def test_settings_tell_of_it_only_where_it_is_on():
    """So that plans and checkpoints from before it existed are still those of the same run."""
    assert "shift" not in make_settings("dreamer_v3", "cpu").model_dump()
    assert make_settings("dreamer_v3", "cpu", ["shift=4"]).model_dump()["shift"] == 4
    with pytest.raises(ConfigError, match="shift: got -1"):
        make_settings("dreamer_v3", "cpu", ["shift=-1"])
