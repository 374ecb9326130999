from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import zmq

from learner.train import weights as module
from learner.train.weights import WeightsPublisher, load_weights, save_weights
from robot.policy.downlink import Downlink, Gate
from robot.wire.codec import decode
from robot.wire.messages import PackedWeights
from robot.wire.sockets import EndpointInUse, open_receiver
from robot.wire.weights import Weights, WeightsError, layout

ARRAYS = {"w": np.ones((3, 2), np.float32)}
FIRST = Weights(ARRAYS, version=3, spec="spec-a", updates=3, stamp_ns=100)


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    own = zmq.Context()
    yield own
    own.destroy(linger=0)


@pytest.fixture
def publisher(endpoints, tmp_path, context, monkeypatch) -> Iterator[WeightsPublisher]:
    monkeypatch.setattr(module, "AGAIN_S", 0.02)
    publisher = WeightsPublisher(endpoints, tmp_path / "weights.safetensors", context=context)
    yield publisher
    publisher.close()


def heard(endpoints, context) -> Weights:
    port = open_receiver(endpoints, "weights", context)
    assert port.wait(5.0)
    (data,) = port.take()
    port.close()
    return Weights.from_bytes(decode(data, PackedWeights).data.tobytes())


def test_a_robot_that_comes_late_gets_the_newest(publisher, endpoints, context):
    publisher.publish(FIRST)
    publisher.publish(replace(FIRST, version=4))
    assert heard(endpoints, context).version == 4
    assert heard(endpoints, context).version == 4
    assert (publisher.version, publisher.published) == (4, 2)


def test_the_newest_lie_in_the_file(publisher, tmp_path):
    assert load_weights(tmp_path / "weights.safetensors") is None
    publisher.publish(FIRST)
    kept = load_weights(tmp_path / "weights.safetensors")
    assert kept is not None and kept.sha256 == FIRST.sha256
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]


def test_a_restarted_learner_publishes_what_it_had_left(endpoints, tmp_path, context, monkeypatch):
    monkeypatch.setattr(module, "AGAIN_S", 0.02)
    save_weights(tmp_path / "weights.safetensors", FIRST)
    publisher = WeightsPublisher(endpoints, tmp_path / "weights.safetensors", context=context)
    assert heard(endpoints, context).sha256 == FIRST.sha256
    assert (publisher.version, publisher.published) == (3, 0)
    publisher.close()


def test_going_back_to_an_older_checkpoint_is_a_rollback_that_robots_take(
    publisher, endpoints, context
):
    downlink = Downlink(endpoints, Gate("spec-a", layout(ARRAYS)), context=context)
    seen: list[int] = []
    for weights in (replace(FIRST, version=9), replace(FIRST, version=5, stamp_ns=200)):
        publisher.publish(weights)
        while not seen or seen[-1] != weights.version:
            taken = downlink.take()
            seen += [taken.version] if taken else []
    assert seen == [9, 5]
    assert downlink.report()["rejected"] == 0
    downlink.close()


def test_a_robot_that_missed_the_rollback_takes_what_follows_it(publisher):
    given = [publisher.publish(replace(FIRST, version=version)) for version in (9, 5, 6, 9, 10)]
    assert [weights.rollback for weights in given] == [False, True, True, True, False]
    gate = Gate("spec-a", layout(ARRAYS))
    gate.version = given[0].version
    assert gate.refusal(given[2]) == ""  # 5 was replaced by 6 before it was looked at


def test_weights_that_change_after_publishing_are_sent_as_they_were(publisher, endpoints, context):
    array = np.ones((3, 2), np.float32)
    publisher.publish(replace(FIRST, arrays={"w": array}))
    array[:] = np.nan
    assert heard(endpoints, context).arrays["w"].sum() == 6


def test_a_damaged_file_is_refused_by_name(endpoints, tmp_path, context):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(FIRST.to_bytes()[:-1])
    with pytest.raises(WeightsError, match=str(path)):
        WeightsPublisher(endpoints, path, context=context)


def test_a_second_publisher_is_refused(publisher, endpoints, tmp_path, context):
    with pytest.raises(EndpointInUse):
        WeightsPublisher(endpoints, tmp_path / "other", context=context)
