"""Looking into an agent changes nothing, and tells of the episodes that it lived."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from learner.agent import Agent
from learner.train.insight import Glance, look
from learner.train.replay import Replay
from robot.wire.spec import RobotSpec
from robot.wire.transition import Transition

GLANCE = Glance(context=2, horizon=4, chunks=8, futures=3)


def lived(agent: Agent, spec: RobotSpec, episodes: list[int], capacity: int = 500) -> Replay:
    """A replay of episodes of so many records; the last one is still open."""
    rng, replay = np.random.default_rng(0), Replay(spec, capacity, agent.sampler, 0, agent.keys)
    index = 0
    for episode, length in enumerate(episodes):
        for place in range(length):
            seen = {k: rng.uniform(-1, 1, spec.observation[k].shape) for k in agent.keys}
            arrays = {k: v.astype(np.float32) for k, v in seen.items()}
            arrays["action"] = rng.uniform(-1, 1, spec.action.shape).astype(np.float32)
            arrays["reward"] = np.array(10 * episode + place, np.float32)
            open_ = episode == len(episodes) - 1
            arrays["is_first"] = np.array(place == 0)
            arrays["is_last"] = np.array(place == length - 1 and not open_)
            arrays["is_terminal"] = np.array(False)
            replay.add(Transition("a1", "run", index, episode, place, 0, True, arrays))
            index += 1
    return replay


def learnt(tiny, spec: RobotSpec, name: str, looks: bool) -> tuple[Agent, Replay]:
    """An agent after four updates, looked into between them or not."""
    agent = tiny(name)
    replay = lived(agent, spec, [20, 20, 20, 1])
    for update in range(4):
        agent.learn(replay.sample(4, 6))
        if looks:
            assert look(agent, replay, GLANCE, (0, update)) is not None
    return agent, replay


@pytest.mark.parametrize("name", ["reverie", "daydreamer"])
def test_an_agent_learns_bit_for_bit_the_same_whether_looked_into_or_not(tiny, spec, name: str):
    seen, seen_replay = learnt(tiny, spec, name, looks=True)
    after = torch.get_rng_state()
    unseen, unseen_replay = learnt(tiny, spec, name, looks=False)
    assert torch.equal(after, torch.get_rng_state())
    assert seen_replay.state() == unseen_replay.state()
    mine, others = seen.tensors(), unseen.tensors()
    assert mine.keys() == others.keys()
    assert all(torch.equal(mine[key], others[key]) for key in mine)
    assert not any(parameter.is_inference() for parameter in seen.parameters())


def test_equal_seeds_look_alike(tiny, spec):
    agent = tiny("reverie", "mirror=true")
    replay = lived(agent, spec, [30, 30, 1])
    first, again, other = (look(agent, replay, GLANCE, (seed, 5)) for seed in (1, 1, 2))
    assert first and again and other
    for key in first.truth:
        assert torch.equal(first.truth[key], again.truth[key])
        assert torch.equal(first.futures[key], again.futures[key])
    assert not torch.equal(first.truth["joint_pos"], other.truth["joint_pos"])


def test_chunks_lie_within_episodes_where_those_are_long_enough(tiny, spec):
    agent = tiny("reverie", "reward_offset=0")
    found = look(agent, lived(agent, spec, [3, 4, 7, 3, 1]), replace(GLANCE, chunks=20), (0,))
    assert found is not None and bool(found.live.all())
    rewards = found.truth["reward"][:, 0, 0]  # tell where the chunks begin
    assert set(rewards.tolist()) == {20.0, 21.0}


def test_chunks_run_across_episodes_where_all_are_short(tiny, spec):
    agent = tiny("reverie", "reward_offset=0")
    found = look(agent, lived(agent, spec, [4] * 10), GLANCE, (0,))
    assert found is not None
    firsts = found.truth["reward"][:, GLANCE.context :, 0] % 10 == 0
    assert found.live.tolist() == (~(firsts.cumsum(1) > 0)).tolist()
    assert not bool(found.live.all())


def test_rewards_are_told_as_they_are_learnt_and_the_rest_as_it_was_sensed(tiny, spec):
    agent = tiny("reverie", "reward_offset=5", "mirror=true")
    replay = lived(agent, spec, [7, 1])
    found = look(agent, replay, GLANCE, (0,))
    chunks = replay.sample(20, 7)
    whole = chunks["joint_pos"][chunks["reward"][:, 0] == 0][0]
    assert found is not None
    at = found.truth["reward"][0, :, 0].add(5).long()
    np.testing.assert_array_equal(np.diff(at), 1)
    np.testing.assert_array_equal(found.truth["joint_pos"][0], whole[at])


def test_there_is_nothing_to_see_before_a_chunk_was_lived(tiny, spec):
    agent = tiny("reverie")
    assert look(agent, lived(agent, spec, [5]), GLANCE, (0,)) is None
