"""The environments that ask to remember and to explore."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from sim.mazes import SPEED, Maze, TMaze


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("reverie/TMaze-v0", {"length": 3}),
        ("reverie/TMaze-v0", {"length": 1, "discrete": True, "wrong": 0.0}),
        ("reverie/Maze-v0", {"render_mode": "rgb_array"}),
        ("reverie/Maze-v0", {"rows": 1, "columns": 2, "goal": 1}),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_they_keep_gymnasiums_rules(name: str, options: dict) -> None:
    check_env(gym.make(name, **options).unwrapped)


@pytest.mark.parametrize("length", [1, 2, 7])
@pytest.mark.parametrize("discrete", [False, True])
def test_the_turn_that_the_cue_said_pays(length: int, discrete: bool) -> None:
    cues = set()
    for seed in range(8):
        for follows in (True, False):
            env = TMaze(length, discrete, wrong=-0.5)
            observation, _ = env.reset(seed=seed)
            cue = int(observation[0])
            cues.add(cue)
            goes = cue if follows else -cue
            action = int(goes > 0) if discrete else np.array([0.3 * goes], np.float32)
            rewards, shown = [], [observation.tolist()]
            ended = False
            while not ended:
                observation, reward, ended, truncated, _ = env.step(action)
                assert not truncated
                rewards.append(reward)
                shown.append(observation.tolist())
            assert shown == [[cue, 1, 0], *[[0, 1, 0]] * (length - 1), [0, 0, 1], [0, 0, 0]]
            assert rewards == [0.0] * length + [1.0 if follows else -0.5]
    assert cues == {-1, 1}


def test_what_is_no_maze_is_refused() -> None:
    with pytest.raises(ValueError, match="length 0: allowed is 1"):
        TMaze(0)
    with pytest.raises(ValueError, match="allowed is 1 x 1 of 2"):
        Maze(size=1)
    with pytest.raises(ValueError, match="goal 6: allowed is 0 to 5"):
        Maze(goal=6)


def test_the_default_maze_is_six_rooms_in_a_snake() -> None:
    drawn = ["".join("#" if wall else "." for wall in row) for row in Maze().walls]
    assert drawn == [
        "################",
        "#....#....#....#",
        "#..............#",
        "#..............#",
        "#....#....#....#",
        "############..##",
        "#....#....#....#",
        "#..............#",
        "#..............#",
        "#....#....#....#",
        "################",
    ]


def walk(maze: Maze, way: str) -> np.ndarray:
    """Push into the given directions, four steps each; all positions (N, 2)."""
    pushes = {"r": (1, 0), "l": (-1, 0), "d": (0, 1), "u": (0, -1)}
    seen = []
    for letter in way:
        for _ in range(4):
            observation, *_ = maze.step(np.array(pushes[letter], np.float32))
            assert maze.observation_space.contains(observation)
            x, y = observation[:2].astype(int)
            assert not maze.walls[y, x]
            seen.append(observation[:2])
    return np.array(seen)


def test_rooms_are_passed_one_after_the_other() -> None:
    maze = Maze()
    start, _ = maze.reset(seed=0)
    assert maze.room(start) == 0
    rooms = [maze.room(p) for p in walk(maze, "r" * 10 + "l" + "d" * 6 + "u" + "l" * 10)]
    order = [a for a, b in zip(rooms, [None, *rooms], strict=False) if a != b and a >= 0]
    assert order == [0, 1, 2, 3, 4, 5]
    assert -1 in rooms


def test_no_push_leads_through_a_wall() -> None:
    maze = Maze()
    for seed in range(5):
        maze.reset(seed=seed)
        positions = walk(maze, "uuuddddlllrrrr")
        assert {maze.room(p) for p in positions} <= {-1, 0, 1}
        assert positions.min() >= 1 and positions[:, 1].max() <= 5
    walk(maze, "uuuuuuuu")
    observation, *_ = maze.step(np.array((0, -1), np.float32))
    assert observation[1] == pytest.approx(1.0, abs=1e-3) and observation[3] == 0


def test_speed_has_its_bound_and_comes_to_rest() -> None:
    maze = Maze(rows=1, columns=1, size=40)
    maze.reset(seed=0)
    fast = [maze.step(np.ones(2, np.float32))[0][2] for _ in range(30)]
    assert max(fast) == pytest.approx(SPEED, rel=0.01) and fast[0] == pytest.approx(0.1)
    slow = [maze.step(np.zeros(2, np.float32))[0][2] for _ in range(30)]
    assert slow[-1] < 0.001


def test_only_the_goal_room_pays() -> None:
    maze, plain = Maze(goal=0), Maze()
    for env in (maze, plain):
        env.reset(seed=0)
    push = np.array((1, 0), np.float32)
    for _ in range(20):
        observation, reward, *_ = maze.step(push)
        assert reward == float(maze.room(observation) == 0)
        assert plain.step(push)[1] == 0
    assert maze.room(observation) != 0


def test_coverage_is_the_share_of_free_cells() -> None:
    maze = Maze(rows=1, columns=2, size=2)  # two rooms of four cells, a door of two
    corners = np.array([(1.5, 1.5), (1.9, 1.1), (2.5, 2.5), (4.2, 1.0), (0.5, 0.5)])
    assert maze.coverage(corners) == pytest.approx(3 / 10)
    assert maze.coverage(np.argwhere(~maze.walls)[:, ::-1] + 0.5) == 1


def test_random_pushes_leave_most_of_the_maze_unseen() -> None:
    maze, rng = Maze(), np.random.default_rng(0)
    seen = []
    for seed in range(5):
        maze.reset(seed=seed)
        seen += [maze.step(rng.uniform(-1, 1, 2).astype(np.float32))[0] for _ in range(200)]
    assert 0.1 < maze.coverage(np.array(seen)) < 0.5


def test_the_picture_shows_walls_and_the_point() -> None:
    env = gym.make("reverie/Maze-v0", render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    assert isinstance(first, np.ndarray) and first.shape == (64, 64, 3)
    for _ in range(5):
        env.step(np.ones(2, np.float32))
    second = env.render()
    assert isinstance(second, np.ndarray)
    red = [np.argwhere((p == (200, 40, 40)).all(-1)).mean(0) for p in (first, second)]
    assert (red[1] > red[0] + 1).all()
    assert (first[:3] == (40, 40, 40)).all()
    assert Maze().render() is None
