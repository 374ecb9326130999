"""The model-free rivals: SAC and PPO of Stable-Baselines3, set up as DayDreamer's were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor

from launch.baseline_env import UnbrokenLife
from launch.baseline_plan import PpoSettings, RivalSettings, SacSettings
from launch.baseline_policy import PaperPolicy

REPLAY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def make_model(settings: RivalSettings, env: UnbrokenLife, seed: int) -> BaseAlgorithm:
    """Build the rival that the settings are for; it computes on one thread."""
    torch.set_num_threads(1)
    world = DummyVecEnv([lambda: env])
    if isinstance(settings, SacSettings):
        return make_sac(settings, world, seed)
    assert isinstance(settings, PpoSettings)
    return make_ppo(settings, world, seed)


def make_sac(settings: SacSettings, world: DummyVecEnv, seed: int) -> SAC:
    """Soft actor-critic (arXiv 1812.05905) as DayDreamer's pytorch_sac has it.

    What is left of differences: the critic's loss is half of the sum over both critics, the whole
    there, to which Adam is blind but for its epsilon; and updates come in rounds of `target_every`
    after as many steps, because the library copies to the slow critic in the first update of a
    round only.
    """
    return SAC(
        PaperPolicy,
        world,
        learning_rate=settings.lr,
        buffer_size=settings.capacity,
        learning_starts=settings.prefill,
        batch_size=settings.batch,
        tau=settings.tau,
        gamma=settings.gamma,
        train_freq=settings.target_every,
        gradient_steps=settings.target_every,
        target_update_interval=settings.target_every,
        ent_coef=f"auto_{settings.temperature}",
        policy_kwargs={"net_arch": [settings.units] * settings.layers},
        device=settings.device,
        seed=seed,
    )


def make_ppo(settings: PpoSettings, world: DummyVecEnv, seed: int) -> PPO:
    """Proximal policy optimisation (arXiv 1707.06347) with the library's defaults."""
    return PPO(
        "MlpPolicy",
        world,
        learning_rate=settings.lr,
        n_steps=settings.rollout,
        batch_size=settings.batch,
        n_epochs=settings.epochs,
        gamma=settings.gamma,
        gae_lambda=settings.lam,
        clip_range=settings.clip,
        ent_coef=settings.entropy,
        vf_coef=settings.value,
        max_grad_norm=settings.clip_norm,
        policy_kwargs={"net_arch": [settings.units] * settings.layers},
        device=settings.device,
        seed=seed,
    )


def model_tensors(model: BaseAlgorithm) -> dict[str, Tensor]:
    """Everything that a model has learnt and, for SAC, has lived through, by name."""
    found = dict(_states(model.get_parameters()))
    if isinstance(model, SAC):
        assert model.log_ent_coef is not None
        found["log_ent_coef"] = model.log_ent_coef
        replay = _replay(model)
        for name in REPLAY:
            found[f"replay/{name}"] = torch.from_numpy(getattr(replay, name)[: replay.size()])
        found["replay/position"] = torch.tensor([replay.pos])
    return found


def load_model_tensors(model: BaseAlgorithm, tensors: Mapping[str, Tensor]) -> None:
    """Put a model into the state that `model_tensors` told of."""
    if isinstance(model, SAC):
        _load_replay(_replay(model), tensors)
        assert model.log_ent_coef is not None
        model.log_ent_coef.data.copy_(tensors["log_ent_coef"])
    parameters = model.get_parameters()
    for owner, state in parameters.items():
        mine = {k.split("/", 1)[1]: t for k, t in tensors.items() if k.startswith(f"{owner}/")}
        if "param_groups" in state:
            moments: dict[int, dict[str, Tensor]] = {}
            for name, tensor in mine.items():
                index, _, key = name.partition("/")
                moments.setdefault(int(index), {})[key] = tensor
            parameters[owner] = {**state, "state": moments}
        else:
            parameters[owner] = mine
    model.set_parameters(parameters)  # pyright: ignore[reportArgumentType]  # its hint is too narrow


def read_policy(model: BaseAlgorithm, tensors: Mapping[str, Tensor]) -> None:
    """Give a model the policy alone of what `model_tensors` told."""
    mine = {k.removeprefix("policy/"): t for k, t in tensors.items() if k.startswith("policy/")}
    model.policy.load_state_dict(mine)


def _states(parameters: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Tensor]]:
    """Tensors of networks and optimisers, named OWNER/NAME and OWNER/INDEX/NAME."""
    for owner, state in parameters.items():
        if "param_groups" in state:
            for index, moments in state["state"].items():
                yield from ((f"{owner}/{index}/{name}", t) for name, t in moments.items())
        else:
            yield from ((f"{owner}/{name}", t) for name, t in state.items())


def _replay(model: SAC) -> ReplayBuffer:
    assert model.replay_buffer is not None
    return model.replay_buffer


def _load_replay(replay: ReplayBuffer, tensors: Mapping[str, Tensor]) -> None:
    size = len(tensors["replay/rewards"])
    for name in REPLAY:
        np.copyto(getattr(replay, name)[:size], tensors[f"replay/{name}"].numpy())
    replay.pos = int(tensors["replay/position"])
    replay.full = size == replay.buffer_size
