"""The mathematics of the rivals, as we use them, held against slow second versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from scipy.stats import norm

pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is missing: the extra baselines")

from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.logger import configure

from launch.baseline_env import UnbrokenLife
from launch.baseline_models import make_model
from launch.baseline_plan import RivalSettings, rival_settings
from launch.baseline_policy import PaperActor, TanhNormal
from robot.config import RobotConfig, load_config
from robot.tasks import make_task
from robot.tasks.interface import Task, Verdict
from robot.wire.messages import Reading
from robot.wire.spec import Spec

A1 = Path(__file__).parents[2] / "hardware_configs/a1.yaml"
SAC_CHANGES = ("units=16", "batch=10", "prefill=10", "capacity=100")
GAMMA, LAM, CLIP = 0.99, 0.95, 0.2
QUICK = ("control.inner_hz=500", "control.sensors_hz=100", "safety.rising_s=0.1")


class Ending:
    """The walk task, but over for good with its fifth step."""

    def __init__(self, task: Task) -> None:
        self._task, self._judged = task, 0

    @property
    def observation(self) -> Mapping[str, Spec]:
        return self._task.observation

    def begin(self) -> None:
        self._task.begin()

    def sense(self, reading: Reading) -> None:
        self._task.sense(reading)

    def judge(self, step: int) -> Verdict:
        verdict = self._task.judge(step)
        self._judged += step > 0
        over = self._judged == 5
        return replace(verdict, is_last=verdict.is_last or over, is_terminal=over)


class Recorded(UnbrokenLife):
    """A life that remembers the reward and the next observation of every step."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        made = super().step(action)
        self.made.append((made[1], made[0]))
        return made

    made: list[tuple[float, np.ndarray]]


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """Episodes end at steps 3 (too long) and 5 (terminal), 8 and 10, and so on."""

    def ending(config: RobotConfig, seed: int = 0) -> Ending:
        return Ending(make_task(config, seed))

    monkeypatch.setattr("sim.gym.make_task", ending)
    env = Recorded(
        load_config(A1, ["task.episode_steps=3", *QUICK]), "mujoco", 0, ("imu", "joint_pos"), 0
    )
    env.made = []
    yield env
    env.close()


def silent(settings: RivalSettings, life: UnbrokenLife) -> Any:
    model = make_model(settings, life, 0)
    model.set_logger(configure(None, []))
    return model


def lived_sac(life: UnbrokenLife, *changes: str) -> SAC:
    """SAC with ten random steps in its replay and no update yet."""
    model = silent(rival_settings("sac", "paper", [*SAC_CHANGES, *changes]), life)
    return model.learn(10)


def lived_ppo(life: UnbrokenLife) -> PPO:
    """PPO with a rollout of twelve steps, not learnt from yet."""
    settings = rival_settings("ppo", "paper", ["rollout=12", "batch=12", "epochs=1"])
    model: PPO = silent(settings, life)
    _, watch = model._setup_learn(12, ConvertCallback(None))
    assert isinstance(watch, BaseCallback) and model.env is not None
    model.collect_rollouts(model.env, watch, model.rollout_buffer, 12)
    return model


def true_log_prob(x: float, mean: float, std: float) -> float:
    """Log density of tanh(x), from probabilities of a small interval around it."""
    with mpmath.workdps(80):
        x, h = mpmath.mpf(x), mpmath.mpf(10) ** -25
        mass = mpmath.ncdf(x + h, mean, std) - mpmath.ncdf(x - h, mean, std)
        return float(mpmath.log(mass / (mpmath.tanh(x + h) - mpmath.tanh(x - h))))


@pytest.mark.parametrize("kind", [TanhNormal, SquashedDiagGaussianDistribution])
@pytest.mark.parametrize("x", [-3.0, -0.7, 0.0, 0.2, 2.5])
def test_the_density_of_a_squashed_action_is_the_change_of_variables(kind: type, x: float) -> None:
    assert log_prob(kind, x) == pytest.approx(true_log_prob(x, 0.3, 1.5), abs=2e-3)


@pytest.mark.parametrize("x", [-20.0, -9.0, 5.0, 8.0, 20.0])
def test_near_the_bounds_ours_stays_exact_and_the_librarys_does_not(x: float) -> None:
    true = true_log_prob(x, 0.3, 1.5)
    assert log_prob(TanhNormal, x) == pytest.approx(true, rel=1e-5)
    if abs(x) >= 8:
        assert log_prob(SquashedDiagGaussianDistribution, x) < true - 1


def log_prob(kind: type, x: float) -> float:
    normal = torch.tensor([[x]])
    dist = kind(1).proba_distribution(torch.tensor([[0.3]]), torch.tensor([[1.5]]).log())
    return float(dist.log_prob(torch.tanh(normal), normal))


def test_gradients_of_the_density_are_finite_at_the_bounds() -> None:
    mean = torch.tensor([[20.0, -20.0]], requires_grad=True)
    log_std = torch.tensor([[-5.0, 2.0]], requires_grad=True)
    _, found = TanhNormal(2).log_prob_from_params(mean, log_std)
    found.sum().backward()
    assert mean.grad is not None and log_std.grad is not None
    assert torch.isfinite(mean.grad).all() and torch.isfinite(log_std.grad).all()


def test_the_actor_squashes_its_deviation_into_the_bounds_and_starts_orthogonal(
    life: UnbrokenLife,
) -> None:
    actor = silent(rival_settings("sac", "paper", SAC_CHANGES), life).actor
    assert isinstance(actor, PaperActor)
    layer = actor.log_std
    assert isinstance(layer, torch.nn.Linear)
    torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(12), atol=1e-5, rtol=0)
    with torch.no_grad():
        layer.weight.zero_()
        for bias, expected in (
            (-50.0, -5.0),
            (0.0, -1.5),
            (0.5, -1.5 + 3.5 * np.tanh(0.5)),
            (50, 2),
        ):
            layer.bias.fill_(bias)
            _, log_std, _ = actor.get_action_dist_params(torch.zeros(1, 16))
            assert log_std[0].tolist() == pytest.approx([expected] * 12, abs=1e-5)


def test_the_library_accepts_the_environment() -> None:
    check_env(UnbrokenLife(load_config(A1), "mujoco", 0, ("imu", "joint_pos"), 1.0))


def test_the_replay_tells_terminal_from_too_long(life: Recorded) -> None:
    replay = lived_sac(life).replay_buffer
    assert replay is not None
    ends = [3, 5, 8, 10]
    assert np.flatnonzero(replay.dones[:10, 0]).tolist() == [step - 1 for step in ends]
    assert np.flatnonzero(replay.timeouts[:10, 0]).tolist() == [2, 7]
    now, then = replay.observations[:10, 0], replay.next_observations[:10, 0]
    for step in range(9):
        goes_on = bool((then[step] == now[step + 1]).all())
        assert goes_on == (step + 1 not in (5, 10)), step  # truncated episodes go on, too
    samples = replay._get_samples(np.arange(10))
    assert np.flatnonzero(samples.dones.numpy()).tolist() == [4, 9]


def test_the_target_of_sac_bootstraps_unless_terminal(
    life: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = lived_sac(life)
    assert model.log_ent_coef is not None
    with torch.no_grad():
        model.log_ent_coef.fill_(-80.0)  # no pay for entropy
    targets = targets_of(model, monkeypatch)
    rewards = [reward for reward, _ in life.made[:10]]
    expected = [r + (0 if step in (5, 10) else GAMMA * 5.0) for step, r in enumerate(rewards, 1)]
    assert targets[0] == targets[1] == pytest.approx(expected, abs=1e-5)


def test_the_target_of_sac_pays_the_surprise_of_the_next_action(
    life: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lesser of 7 and 5, less alpha times the log density of what the actor draws there."""
    model, mean, std, drawn = lived_sac(life), 0.3, 0.3, []
    assert model.log_ent_coef is not None
    alpha = float(model.log_ent_coef.detach().exp())
    assert alpha == pytest.approx(0.1)
    with torch.no_grad():
        spread = np.arctanh((np.log(std) + 5) / 3.5 - 1)  # log std = -5 + 3.5 (tanh + 1)
        for layer, value in ((model.actor.mu, mean), (model.actor.log_std, spread)):
            layer.weight.zero_()  # pyright: ignore
            layer.bias.fill_(value)  # pyright: ignore
    draw = model.actor.action_log_prob

    def watched(observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        action, log_density = draw(observation)
        drawn.append(action.detach().double().numpy())
        return action, log_density

    monkeypatch.setattr(model.actor, "action_log_prob", watched)
    (found, _), (_, then) = targets_of(model, monkeypatch), drawn
    surprise = -(norm.logpdf(np.arctanh(then), mean, std) - np.log(1 - then**2)).sum(1)
    rewards = [reward for reward, _ in life.made[:10]]
    assert np.ptp(surprise) > 1, "another for every action"
    for step, reward in enumerate(rewards, 1):
        future = 0.0 if step in (5, 10) else GAMMA * (5.0 + alpha * surprise[step - 1])
        assert found[step - 1] == pytest.approx(reward + future, abs=1e-3)


def targets_of(model: SAC, monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """What both critics learn from ten steps where the slow ones say 7 and 5 of everything."""
    replay = model.replay_buffer
    assert replay is not None
    monkeypatch.setattr(replay, "sample", lambda size, env: replay._get_samples(np.arange(10)))
    with torch.no_grad():
        for network, value in zip(model.critic_target.q_networks, (7.0, 5.0), strict=True):
            network[-1].weight.zero_()  # pyright: ignore
            network[-1].bias.fill_(value)  # pyright: ignore
    targets = []

    def loss(found: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        targets.append(target.squeeze(1).tolist())
        return ((found - target) ** 2).mean()

    monkeypatch.setattr(torch.nn.functional, "mse_loss", loss)
    model.train(1, 10)
    return targets


@pytest.mark.parametrize(("bias", "grows"), [(-50.0, True), (0.41, False)])
def test_the_temperature_grows_when_there_is_too_little_entropy(
    life: UnbrokenLife, bias: float, grows: bool
) -> None:
    # Deviations of exp(-5) hold about -43 nats, of 0.87 about +8; -12 are asked for.
    model = lived_sac(life)
    assert model.log_ent_coef is not None
    with torch.no_grad():
        for layer, value in ((model.actor.mu, 0.0), (model.actor.log_std, bias)):
            layer.weight.zero_()  # pyright: ignore
            layer.bias.fill_(value)  # pyright: ignore
    before = float(model.log_ent_coef.detach())
    assert before == pytest.approx(np.log(0.1))
    model.train(1, 10)
    assert (float(model.log_ent_coef.detach()) > before) == grows


def test_the_slow_critic_follows_once_in_a_round_of_two_updates(life: UnbrokenLife) -> None:
    model = lived_sac(life, "tau=1.0")
    assert (model.train_freq.frequency, model.gradient_steps) == (2, 2)  # pyright: ignore
    model.train(1, 10)
    assert same(model.critic, model.critic_target)  # with tau = 1 it becomes a copy
    model.train(2, 10)
    assert not same(model.critic, model.critic_target)  # the second update was not followed


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_advantages_are_sums_of_errors_up_to_an_end_and_bootstrap_when_too_long(
    life: Recorded,
) -> None:
    model = lived_ppo(life)
    buffer = model.rollout_buffer

    def value(observation: np.ndarray) -> float:
        with torch.no_grad():
            return float(model.policy.predict_values(torch.from_numpy(observation[None])))

    errors = []
    for step, (reward, then) in enumerate(life.made, 1):
        future = 0 if step in (5, 10) else GAMMA * value(then)
        errors.append(reward + future - value(buffer.observations[step - 1, 0]))
    stops = [step in (3, 5, 8, 10) for step in range(1, 13)]
    expected = []
    for step in range(12):
        last = next((k for k in range(step, 12) if stops[k]), 11)
        ahead = range(step, last + 1)
        expected.append(sum((GAMMA * LAM) ** (k - step) * errors[k] for k in ahead))
    assert buffer.advantages[:, 0].tolist() == pytest.approx(expected, abs=1e-4)


def test_an_unchanged_policy_has_ratio_one(life: Recorded) -> None:
    model = lived_ppo(life)
    model.train()
    said = model.logger.name_to_value
    assert said["train/approx_kl"] == pytest.approx(0, abs=1e-6)
    assert said["train/clip_fraction"] == 0
    assert said["train/policy_gradient_loss"] == pytest.approx(0, abs=1e-6)


def test_the_clipped_objective_is_flat_where_a_ratio_has_gone_far_enough(life: Recorded) -> None:
    model = lived_ppo(life)
    buffer = model.rollout_buffer
    ratios = np.array([0.5, 0.7, 0.79, 0.81, 0.9, 1.0, 1.1, 1.19, 1.21, 1.5, 2.0, 3.0])
    ratios = np.random.default_rng(0).permutation(ratios)
    buffer.log_probs -= np.log(ratios)[:, None].astype(np.float32)
    advantages = buffer.advantages[:, 0].astype(float)
    advantages = (advantages - advantages.mean()) / advantages.std(ddof=1)
    model.train()
    expected = 0.0
    for ratio, advantage in zip(ratios, advantages, strict=True):
        if advantage >= 0:
            expected -= min(ratio, 1 + CLIP) * advantage / 12
        else:
            expected -= max(ratio, 1 - CLIP) * advantage / 12
    said = model.logger.name_to_value
    assert said["train/policy_gradient_loss"] == pytest.approx(expected, abs=1e-5)
    assert said["train/clip_fraction"] == pytest.approx(7 / 12)
