"""Holds a data set of ours against LeRobot's own loader; run by an interpreter that has lerobot.

    python lerobot_loader.py DATASET EXPECTED.npz exact|near

EXPECTED has what each frame must be, (N, ...), under the names of the columns, and `pictures/NAME`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

TASK = "walk"
# Mean difference of small films, as a share of white. Noise is what they show worst, about 0.14;
# that of two pictures of noise is 0.33.
NEAR = 0.2


def main(folder: Path, expected: dict[str, np.ndarray], exact: bool) -> None:
    from lerobot.datasets.lerobot_dataset import LeRobotDataset  # pyright: ignore

    columns = {k: v for k, v in expected.items() if not k.startswith("pictures/")}
    pictures = {k.removeprefix("pictures/"): v for k, v in expected.items() if k not in columns}
    data = LeRobotDataset("reverie/test", root=folder)
    assert len(data) == len(columns["index"]) and data.fps == 25
    for i in range(len(data)):
        check_item(data[i], i, columns, pictures, exact)
    check_windows(LeRobotDataset, folder, columns, pictures, exact)
    check_choice(LeRobotDataset, folder, columns)
    check_batches(data, columns)
    front = data.meta.stats["action"]
    np.testing.assert_allclose(front["max"], columns["action"].max(0))
    print("sound:", len(data), "frames,", data.num_episodes, "episodes,", data.meta.camera_keys)


def same_picture(found: Any, wanted: np.ndarray, exact: bool) -> None:
    """Found is (C, H, W) from 0 to 1, wanted (H, W, C) bytes."""
    picture = found.numpy().transpose(1, 2, 0)
    if exact:
        np.testing.assert_array_equal(np.round(picture * 255), wanted + np.zeros_like(picture))
    else:
        assert abs(picture - wanted / 255).mean() < NEAR


def check_item(item: Any, i: int, columns: Any, pictures: Any, exact: bool) -> None:
    for name, wanted in columns.items():
        found = np.asarray(item[name])
        np.testing.assert_array_equal(found, wanted[i].reshape(found.shape), err_msg=name)
        assert found.dtype.kind == wanted.dtype.kind, (name, found.dtype, wanted.dtype)
    for name, wanted in pictures.items():
        same_picture(item[name], wanted[i], exact)
    assert item["task"] == TASK


def check_windows(loader: Any, folder: Path, columns: Any, pictures: Any, exact: bool) -> None:
    """Frames before and after, which stay within their episode."""
    deltas = {
        "action": (0, 1, 2),
        "observation.state": (-1, 0),
        "observation.images.front": (-1, 0),
    }
    times = {name: [delta / 25 for delta in part] for name, part in deltas.items()}
    data = loader("reverie/test", root=folder, delta_timestamps=times)
    episode = columns["episode_index"]
    for i in range(len(data)):
        mine = np.flatnonzero(episode == episode[i])
        for name, part in deltas.items():
            asked = [i + delta for delta in part]
            at = np.clip(asked, mine[0], mine[-1])
            assert data[i][f"{name}_is_pad"].tolist() == [
                a != b for a, b in zip(asked, at, strict=True)
            ]
            if name in columns:
                np.testing.assert_array_equal(np.asarray(data[i][name]), columns[name][at])
            else:
                for found, wanted in zip(data[i][name], pictures[name][at], strict=True):
                    same_picture(found, wanted, exact)


def check_choice(loader: Any, folder: Path, columns: Any) -> None:
    data = loader("reverie/test", root=folder, episodes=[1, 3])
    mine = np.flatnonzero(np.isin(columns["episode_index"], (1, 3)))
    assert [int(data[i]["index"]) for i in range(len(data))] == columns["index"][mine].tolist()


def check_batches(data: Any, columns: Any) -> None:
    from torch.utils.data import DataLoader

    seen = [b["index"] for b in DataLoader(data, batch_size=5, shuffle=True)]
    assert sorted(np.concatenate(seen).tolist()) == columns["index"].tolist()


if __name__ == "__main__":
    with np.load(sys.argv[2]) as told:
        main(Path(sys.argv[1]), dict(told), sys.argv[3] == "exact")
