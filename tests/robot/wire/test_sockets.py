import os
import signal
import socket
import stat
import subprocess
import sys

import pytest
import zmq

from robot.wire.keys import KeyFileError, create_keys, load_keys
from robot.wire.sockets import EndpointInUse, Port, RobotLock, open_receiver, open_sender
from robot.wire.streams import STREAMS, EndpointError, Endpoints, Stream

NAMES = [name if name != "frames" else "frames-front" for name in STREAMS]
HOLDER = """
import sys, time
from pathlib import Path
from robot.wire.sockets import RobotLock, open_sender
from robot.wire.streams import Endpoints
endpoints = Endpoints("a1", directory=Path(sys.argv[1]))
lock = RobotLock(endpoints, "body")
port = open_sender(endpoints, "sensors")
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def context():
    own = zmq.Context()
    yield own
    own.destroy(linger=0)


def opened(row: Stream, endpoints: Endpoints, name: str, context) -> tuple[Port, Port]:
    """Sender and receiver; the one that binds is opened first."""
    if row.binds == "sender":
        sender = open_sender(endpoints, name, context)
        return sender, open_receiver(endpoints, name, context)
    receiver = open_receiver(endpoints, name, context)
    return open_sender(endpoints, name, context), receiver


def said(sender: Port, receiver: Port, data: bytes, tries: int = 500) -> bool:
    """Send until it arrives: a subscription takes a moment to reach the publisher."""
    for _ in range(tries):
        sender.send(data)
        if receiver.wait(0.01):
            return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("name", NAMES)
def test_every_stream_carries_a_message_over_ipc(endpoints, context, name):
    row = STREAMS[name.partition("-")[0]]
    sender, receiver = opened(row, endpoints, name, context)
    assert said(sender, receiver, b"hello")
    if row.pattern[1] == "ROUTER":
        peer, data = receiver.take_from()[0]
        assert receiver.send_to(peer, b"answer")
        assert sender.wait(2.0)
        assert sender.take()[0] == b"answer"
    else:
        data = receiver.take()[0]
    assert data == b"hello"


def test_a_stream_works_over_loopback_tcp(endpoints, context):
    over = {"sensors": f"tcp://127.0.0.1:{free_port()}"}
    tcp = Endpoints("a1", over, endpoints.directory)
    assert said(*opened(STREAMS["sensors"], tcp, "sensors", context), b"hello")


def test_a_latest_only_stream_gives_the_newest(endpoints, context):
    sender, receiver = opened(STREAMS["command"], endpoints, "command", context)
    assert said(sender, receiver, b"first")
    for i in range(20):
        sender.send(b"%d" % i)
    seen = []
    while receiver.wait(0.2):
        seen += receiver.take()
    assert seen[-1] == b"19"
    assert len(seen) < 20


def test_sensors_arrive_all_and_in_order(endpoints, context):
    sender, receiver = opened(STREAMS["sensors"], endpoints, "sensors", context)
    assert said(sender, receiver, b"x")
    for i in range(100):
        sender.send(b"%d" % i)
    seen = []
    while not seen or seen[-1] != b"99":
        assert receiver.wait(2.0)
        seen += receiver.take()
    assert [s for s in seen if s != b"x"] == [b"%d" % i for i in range(100)]
    assert receiver.latest() is None


def test_sending_to_nobody_never_waits(endpoints, context):
    dealer = open_sender(endpoints, "transitions", context)
    assert not dealer.send(b"x")
    publisher = open_sender(endpoints, "weights", context)
    assert all(publisher.send(b"x") for _ in range(1000))
    router = open_receiver(endpoints, "operator", context)
    assert not router.send_to(b"nobody", b"x")
    assert (dealer.dropped, router.dropped) == (1, 1)


def test_an_endpoint_in_use_is_refused_in_one_line(endpoints, context):
    first = open_sender(endpoints, "sensors", context)
    with pytest.raises(EndpointInUse, match=rf"{first.endpoint} is in use.*pid {os.getpid()}"):
        open_sender(endpoints, "sensors", context)
    first.close()
    first.close()
    open_sender(endpoints, "sensors", context)


def test_a_tcp_port_in_use_is_refused_in_one_line(endpoints, context):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        over = {"sensors": f"tcp://127.0.0.1:{other.getsockname()[1]}"}
        with pytest.raises(EndpointInUse, match=f"{over['sensors']} is in use"):
            open_sender(Endpoints("a1", over, endpoints.directory), "sensors", context)


def test_a_killed_owner_leaves_the_endpoint_and_the_robot_free(endpoints, context):
    command = [sys.executable, "-c", HOLDER, str(endpoints.directory)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        with pytest.raises(EndpointInUse, match=f"robot 'a1' already has a body.*{holder.pid}"):
            RobotLock(endpoints, "body")
        with pytest.raises(EndpointInUse, match=f"sensors is in use.*{holder.pid}"):
            open_sender(endpoints, "sensors", context)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with RobotLock(endpoints, "body"):
        sender = open_sender(endpoints, "sensors", context)
        assert said(sender, open_receiver(endpoints, "sensors", context), b"x")


def test_each_role_of_a_robot_is_locked_apart_from_the_others(endpoints):
    with RobotLock(endpoints, "body"), RobotLock(endpoints, "robot"):
        with pytest.raises(EndpointInUse):
            RobotLock(endpoints, "robot")
    other = Endpoints("a1-second", directory=endpoints.directory)
    with RobotLock(endpoints, "body"), RobotLock(other, "body"):
        pass


@pytest.mark.parametrize("opener", [open_sender, open_receiver])
@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "*"])
def test_nothing_leaves_this_computer_without_keys(endpoints, context, opener, host):
    over = {"sensors": f"tcp://{host}:5555"}
    with pytest.raises(EndpointError, match="leaves this computer; that needs keys"):
        opener(Endpoints("a1", over, endpoints.directory), "sensors", context)


def test_only_the_holder_of_the_key_is_let_in(endpoints, tmp_path):
    ours, theirs = create_keys(tmp_path / "ours"), create_keys(tmp_path / "theirs")
    port = free_port()
    inside = Endpoints("a1", {"transitions": f"tcp://0.0.0.0:{port}"}, endpoints.directory)
    outside = Endpoints("a1", {"transitions": f"tcp://127.0.0.1:{port}"}, endpoints.directory)
    contexts = [zmq.Context() for _ in range(5)]
    intruder = contexts[4].socket(zmq.DEALER)
    intruder.curve_publickey = theirs.public.encode()
    intruder.curve_secretkey = theirs.secret.encode()
    intruder.curve_serverkey = ours.public.encode()
    intruder.connect(outside.of("transitions"))
    receiver = open_receiver(inside, "transitions", contexts[0], ours)
    stranger = open_sender(outside, "transitions", contexts[1], theirs)
    naked = open_sender(outside, "transitions", contexts[2])
    knows_public_half = Port(outside.of("transitions"), STREAMS["transitions"], intruder, None)
    friend = open_sender(outside, "transitions", contexts[3], ours)
    assert said(friend, receiver, b"friend")
    receiver.take()
    assert not said(stranger, receiver, b"stranger", tries=20)
    assert not said(naked, receiver, b"naked", tries=20)
    assert not said(knows_public_half, receiver, b"intruder", tries=20)
    for own in contexts:
        own.destroy(linger=0)


def test_keys_are_kept_from_others_and_never_overwritten(tmp_path):
    path = tmp_path / "keys"
    keys = create_keys(path)
    assert load_keys(path) == keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.secret not in repr(keys)
    with pytest.raises(KeyFileError, match="exists"):
        create_keys(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="mode 600"):
        load_keys(path)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"public": "x", "secret": "y"}', "\xff"])
def test_a_file_that_holds_no_keys_is_refused_by_name(tmp_path, text):
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=str(path)):
        load_keys(path)
    with pytest.raises(KeyFileError, match="no keys at"):
        load_keys(tmp_path / "other")


def test_the_folder_of_the_sockets_is_closed_to_other_users(endpoints, context):
    open_sender(endpoints, "sensors", context)
    assert stat.S_IMODE(endpoints.folder.stat().st_mode) == 0o700


def test_a_message_beyond_the_limit_is_not_taken_in(endpoints, context):
    over = {"operator": f"tcp://127.0.0.1:{free_port()}"}
    tcp = Endpoints("a1", over, endpoints.directory)
    sender, receiver = opened(STREAMS["operator"], tcp, "operator", context)
    assert said(sender, receiver, b"word")
    receiver.take()
    sender.send(bytes(STREAMS["operator"].limit + 1))
    assert not receiver.wait(0.3)
