"""The pick-and-place task: events worked by hand, a gripper's sensors, and a robot that carries."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from robot.body.drivers.fake import FakeBody
from robot.clock import SteppedClock
from robot.config import ConfigError, PickPlaceTask, Revolute, RobotConfig, load_config
from robot.policy.observe import ActionMap, robot_spec
from robot.policy.robot import Robot
from robot.tasks import make_task
from robot.tasks.pick_place import Carrying, Grip, PickPlace
from robot.wire.messages import Reading
from sim.lockstep import LockstepLink

A1, POINT_MASS = "hardware_configs/a1.yaml", "hardware_configs/point_mass.yaml"
BINS = "bins: {left: [-1.0, -0.4], right: [0.4, 1.0]}"
# A robot with an arm: the A1 with two joints more, for no twin or driver of an arm exists yet.
ARM = (
    "joints.yaw={lower_rad: -1.2, upper_rad: 1.2, velocity_rad_s: 9, torque_nm: 9, kp: 9, kd: 1}",
    "joints.jaw={lower_rad: 0, upper_rad: 1, velocity_rad_s: 9, torque_nm: 5, kp: 9, kd: 1}",
    *(f"poses.{pose}.{joint}=0" for pose in ("stand", "fold") for joint in ("yaw", "jaw")),
    f"task={{name: pick_place, gripper: jaw, across: yaw, {BINS}}}",
)
NOWHERE, LEFT, RIGHT = 0, 1, 2


def rewards(*steps: tuple[bool, int]) -> list[float]:
    """Of steps (whether something is in the gripper, place)."""
    carrying = Carrying()
    return [carrying.step(gripping, over) for gripping, over in steps]


@pytest.mark.parametrize(
    ("steps", "paid"),
    [
        ([(False, LEFT), (False, NOWHERE), (False, RIGHT)], [0, 0, 0]),
        ([(False, LEFT), (True, LEFT), (True, NOWHERE), (True, RIGHT), (False, RIGHT)],
         [0, 1, 0, 0, 10]),
        ([(True, LEFT), (True, LEFT), (False, LEFT)], [1, 0, -1]),
        ([(True, RIGHT), (True, LEFT), (True, RIGHT), (False, RIGHT)], [1, 0, 0, -1]),
        ([(True, LEFT), (True, NOWHERE), (False, NOWHERE), (True, NOWHERE), (False, RIGHT)],
         [1, 0, 0, 0, 0]),
        ([(True, RIGHT), (False, LEFT), (True, LEFT), (False, RIGHT)], [1, 10, 1, 10]),
    ],
    ids=["idle", "carried", "dropped", "there and back", "lost between bins", "both ways"],
)  # fmt: skip
def test_events_are_paid_as_published(steps: list[tuple[bool, int]], paid: list[float]) -> None:
    assert rewards(*steps) == paid


def test_random_lives_are_paid_hold_by_hold() -> None:
    """Second version: every unbroken hold is one event at its beginning and one after its end."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        steps = [
            (bool(g), int(p))
            for g, p in zip(rng.random(60) < 0.6, rng.integers(3, size=60), strict=True)
        ]
        expected, at = np.zeros(len(steps)), 0
        for gripping, hold in groupby(steps, key=lambda step: step[0]):
            length = len(list(hold))
            if gripping and (origin := steps[at][1]) != NOWHERE:
                expected[at] += 1
                over = steps[at + length][1] if at + length < len(steps) else NOWHERE
                if over != NOWHERE:
                    expected[at + length] += -1 if over == origin else 10
            at += length
        assert rewards(*steps) == expected.tolist()


JAW = Revolute(lower_rad=0, upper_rad=2, velocity_rad_s=10, torque_nm=5, kp=9, kd=1)
TASK = PickPlaceTask.model_validate(
    {"name": "pick_place", "gripper": "jaw", "across": "yaw", "bins": {"a": (0, 1), "b": (2, 3)}}
)


@pytest.mark.parametrize("closed", ["upper", "lower"])
@pytest.mark.parametrize(
    ("share", "holds"), [(0.0, False), (0.014, False), (0.016, True), (0.5, True), (0.984, True),
                         (0.986, False), (1.0, False)]
)  # fmt: skip
def test_a_grasp_is_between_one_and_a_half_per_cent_of_both_ends(
    closed: str, share: float, holds: bool
) -> None:
    grip = Grip(JAW, TASK.model_copy(update={"closed": closed}))
    position, press = (2 * share, 5.0) if closed == "upper" else (2 - 2 * share, -5.0)
    assert grip.share(position) == pytest.approx(share)
    assert grip.holds(position, 0.0, press, held=False) == holds
    assert not grip.holds(position, 0.0, -press, held=False), "it presses open"


def test_fingers_that_move_or_rest_half_way_on_nothing_hold_nothing() -> None:
    grip = Grip(JAW, TASK)
    assert grip.holds(1.0, 0.19, 0.51, held=False)
    assert not grip.holds(1.0, 0.21, 5.0, held=False), "2% of 10 rad/s"
    assert not grip.holds(1.0, 0.0, 0.49, held=False), "10% of 5 N m"


def test_what_is_held_stays_so_while_it_shakes_and_slips_away_where_fingers_meet() -> None:
    grip = Grip(JAW, TASK)
    assert grip.holds(1.0, -3.0, 0.26, held=True)
    assert not grip.holds(1.0, 0.0, 0.24, held=True)
    assert not grip.holds(1.99, 0.0, 5.0, held=True)


def reading(yaw: float, jaw: float, press: float = 0.0) -> Reading:
    joints, torque = np.zeros(14), np.zeros(14)
    joints[12:], torque[13] = (yaw, jaw), press
    up = np.array([1.0, 0, 0, 0])
    return Reading(
        1, up, np.zeros(3), up[:3], joints, np.zeros(14), torque, np.zeros(4), joints, 24.0
    )


def test_the_task_tells_where_it_is_what_it_holds_and_what_it_earned() -> None:
    task = make_task(load_config(A1, ARM))
    assert isinstance(task, PickPlace)
    seen = []
    for yaw, jaw, press in ((-0.7, 0, 0), (-0.7, 0.5, 2), (0, 0.5, 2), (0.7, 0.5, 2), (0.7, 0, 0)):
        task.sense(reading(yaw, jaw, press))
        verdict = task.judge(len(seen))
        for key, value in verdict.observation.items():
            task.observation[key].check(key, value)
        sides = [int(verdict.observation[k].argmax()) for k in ("gripper_side", "grasped_side")]
        events = [name for name in ("grasped", "dropped", "placed") if verdict.terms[name]]
        seen.append((verdict.reward, sides, events))
        assert verdict.terms["pick_place"] == verdict.reward and not verdict.is_terminal
    assert seen == [
        (0, [LEFT, NOWHERE], []),
        (1, [LEFT, LEFT], ["grasped"]),
        (0, [NOWHERE, LEFT], []),
        (0, [RIGHT, LEFT], []),
        (10, [RIGHT, NOWHERE], ["placed"]),
    ]


def test_what_is_held_at_first_was_not_grasped_and_stays_held_over_episodes() -> None:
    task = make_task(load_config(A1, [*ARM, "task.episode_steps=2"]))
    earned, lasts = [], []
    for step, yaw, press in ((0, -0.7, 2), (1, -0.7, 2), (2, 0.7, 2), (0, 0.7, 0)):
        if step == 0:
            task.begin()
        task.sense(reading(yaw, 0.5, press))
        verdict = task.judge(step)
        earned.append(verdict.reward)
        lasts.append(verdict.is_last)
    assert earned == [0, 0, 0, 10] and lasts == [False, False, True, False]


def test_it_does_not_judge_before_it_has_sensed() -> None:
    with pytest.raises(RuntimeError, match="before its first reading"):
        make_task(load_config(A1, ARM)).judge(0)


class Soft(FakeBody):
    """A fake whose jaw closes on something: it gets no further than half-way."""

    def advance(self) -> None:
        """As every fake."""
        self._upper[13] = 0.5
        super().advance()


def test_a_robot_that_carries_an_object_across_is_paid_for_it() -> None:
    quick = ("control.inner_hz=200", "control.sensors_hz=20", "safety.rising_s=0.1")
    calm = ("control.filter={order: 1, cutoff_hz: 9.0}", "twin.start=standing")
    config = load_config(A1, [*ARM, *quick, *calm])
    clock = SteppedClock()
    link = LockstepLink(config, Soft(config, clock), clock)
    robot = Robot(config, link, make_task(config))
    at, earned = config.poses["stand"].copy(), []
    link.open()
    robot.reset()
    for yaw, jaw in ((-0.7, 0), (-0.7, 1), (0.7, 1), (0.7, 0), (0.7, 1), (0.7, 0)):
        at |= {"yaw": yaw, "jaw": jaw}
        wanted = ActionMap(config).action(np.array([at[name] for name in config.joints]))
        for _ in range(15):
            robot.act(wanted)
            earned.append(float(robot.observe()["reward"]))
    assert [reward for reward in earned if reward] == [1, 10, 1, -1]


def test_a_robot_of_such_a_task_says_what_it_senses() -> None:
    config = load_config(A1, ARM)
    spec = robot_spec(config, make_task(config))
    assert spec.observation["gripper_side"].shape == spec.observation["grasped_side"].shape == (3,)
    assert RobotConfig.model_validate(config.model_dump(mode="json")) == config


def pick(**changes: str) -> str:
    said = {"gripper": "jaw", "across": "yaw", "bins": BINS.removeprefix("bins: "), **changes}
    return f"task={{name: pick_place, {', '.join(f'{k}: {v}' for k, v in said.items())}}}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (pick(gripper="hand"), "task.gripper: unknown joint 'hand'; joints has FR_hip"),
        (pick(across="lift"), "task.across: unknown joint 'lift'; joints has FR_hip"),
        (pick(across="jaw"), "task.across is jaw, the gripper; allowed is another joint"),
        (pick(bins="{left: [-1.0, 0.0]}"), "task.bins: got"),
        (pick(bins="{a: [0.5, 0.1], b: [0.6, 0.9]}"), "bins.a .* must be two growing positions"),
        (pick(bins="{a: [0, 0.5], b: [0.4, 1]}"), "bins.b begins at 0.4, where bins.a goes on to"),
        (pick(bins="{a: [0, 0.5], b: [0.6, 3]}"), "task.bins.b is .0.6, 3.0.; allowed is within"),
        (pick(empty_share="0.7"), "task.empty_share: got 0.7"),
        (pick(closed="shut"), "task.closed: got 'shut'"),
        (pick(colour="red"), "unknown key task.colour; allowed here: name, episode_steps, gripper"),
    ],
)  # fmt: skip
def test_what_a_robot_lacks_for_it_is_named_in_one_line(change: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        load_config(A1, [*ARM, change])
    assert "\n" not in str(refused.value)


def test_a_machine_without_a_gripper_is_refused() -> None:
    with pytest.raises(ConfigError, match="task.gripper: unknown joint 'jaw'; joints has slider"):
        load_config(POINT_MASS, [pick()])
