"""How far a policy strays from a log: its actions beside those that were taken in the same states.

What a model says of actions that were never taken in a state is a guess that nothing has checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from learner.agent import Agent
from learner.behaviour.actor_critic import ActorCritic
from learner.train.examination import prepared, untouched

Chunks = Mapping[str, np.ndarray]
SOME = 1500  # states that are compared with each other
NEIGHBOURS = 10
SLACK = 0.01


@dataclass(frozen=True)
class Actions:
    """What was done and what a policy would do in N logged states.

    Args:
        feat: (N, F) of the states.
        logged: (N, A).
        mode: (N, A) of the policy, without noise.
        drawn: (N, A) of the policy, with noise, as the robot would be sent it.
        log_prob: (N,) of the logged actions under the policy, nats.
        own_log_prob: (N,) of the policy's own draws.
    """

    feat: np.ndarray
    logged: np.ndarray
    mode: np.ndarray
    drawn: np.ndarray
    log_prob: np.ndarray
    own_log_prob: np.ndarray


def actions(agent: Agent, behaviour: ActorCritic, batches: Sequence[Chunks], seed: int) -> Actions:
    """Ask a policy what it would do in logged states; the agent is left as it was.

    Args:
        agent: whose model watches.
        behaviour: its actor and critic.
        batches: (B, T, ...) chunks; steps that end an episode have no action that counts.
        seed: of all chances.

    Raises:
        ValueError: when there is no chunk.
    """
    if not batches:
        raise ValueError("no chunk is long enough")
    with untouched(agent), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = [_of(agent, behaviour, batch) for batch in batches]
    return Actions(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _of(agent: Agent, behaviour: ActorCritic, batch: Chunks) -> tuple[np.ndarray, ...]:
    tensors = prepared(agent, batch)
    counts = ~tensors["is_last"].bool()
    feat = agent.model.observe(tensors).states.feat[counts].float()  # (N, F)
    logged = tensors["action"][counts]
    policy = behaviour.actor(feat)
    drawn = policy.sample(torch.randn_like(logged))
    asked = (
        *(feat, logged, policy.sample(torch.zeros_like(logged)), drawn),
        *(policy.log_prob(logged), policy.log_prob(drawn)),
    )
    return tuple(x.float().numpy() for x in asked)


def shift(found: Actions, seed: int = 0) -> dict[str, Any]:
    """Figures of how far the policy's actions lie from the log's; JSON-ready.

    * `distance`: mean absolute difference per dimension of mode and logged action;
      `logged_spread` beside it: that of two logged actions of any two states.
    * `outside`: share of the policy's numbers (draws, cut to [-1, 1]) that lie beyond the least or
      the greatest that the log has in that dimension by more than a hundredth of their distance.
    * `log_likelihood`: of logged actions per dimension, nats; `own_log_likelihood`: of its own
      draws. Their difference is an estimate of how surprising the log is to the policy.
    * `support`: distance of the mode to the nearest action that was taken in one of the ten states
      most like this one, over the same distance of the logged action. 1: as usual as the log.
    """
    width = found.logged.shape[1]
    low, high = found.logged.min(0), found.logged.max(0)
    slack = SLACK * (high - low)
    drawn = np.clip(found.drawn, -1, 1)
    rng = np.random.default_rng(seed)
    others = found.logged[rng.permutation(len(found.logged))]
    return {
        "states": len(found.logged),
        "distance": float(np.abs(found.mode - found.logged).mean()),
        "logged_spread": float(np.abs(others - found.logged).mean()),
        "outside": float(((drawn < low - slack) | (drawn > high + slack)).mean()),
        "log_likelihood": float(found.log_prob.mean() / width),
        "own_log_likelihood": float(found.own_log_prob.mean() / width),
        "support": support(found, rng),
    }


def support(found: Actions, rng: np.random.Generator) -> float | None:
    """See `shift`; None for fewer states than neighbours, or where all logged actions are equal."""
    rows = rng.permutation(len(found.logged))[:SOME]
    if len(rows) <= NEIGHBOURS:
        return None
    feat, logged, mode = (
        x[rows].astype(np.float64) for x in (found.feat, found.logged, found.mode)
    )
    square = np.square(feat).sum(1)
    away = square[:, None] + square[None] - 2 * feat @ feat.T
    np.fill_diagonal(away, np.inf)
    near = np.argpartition(away, NEIGHBOURS, 1)[:, :NEIGHBOURS]  # (N, K)
    taken = logged[near]  # (N, K, A)
    usual, asked = (
        np.linalg.norm(taken - x[:, None], axis=-1).min(1).mean() for x in (logged, mode)
    )
    return float(asked / usual) if usual > 1e-9 else None
