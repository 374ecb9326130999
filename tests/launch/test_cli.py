"""The command line: what it teaches, what it refuses, and that it only loads what it needs."""

from __future__ import annotations

import inspect
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

from launch import cli
from launch.commands import COMMANDS, GROUPS

ROOT = Path(__file__).parents[2]
A1 = str(ROOT / "hardware_configs/a1.yaml")
README = str(ROOT / "README.md")
HEAVY = ("torch", "mujoco", "pybullet", "matplotlib", "cv2", "launch.train", "launch.body")


def example(name: str) -> list[str]:
    """Words after `reverie` of the example in a command's docstring."""
    text = inspect.cleandoc(COMMANDS[name].__doc__ or "").partition("Example: ")[2]
    return shlex.split(text.partition("\n\n")[0])[1:]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_that_really_parses(name: str, capsys: pytest.CaptureFixture[str]):
    assert example(name)[0] == name
    assert isinstance(cli.parse(example(name)), COMMANDS[name])
    with pytest.raises(SystemExit) as leaving:
        cli.main([name, "--help"])
    assert leaving.value.code == 0
    assert "Example: reverie " + name in capsys.readouterr().out


def test_the_main_help_has_every_command_in_its_group_on_a_line(
    capsys: pytest.CaptureFixture[str],
):
    with pytest.raises(SystemExit) as leaving:
        cli.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert leaving.value.code == 0
    assert max(map(len, lines)) <= 80
    at = [lines.index(f"{heading}:") for heading in GROUPS] + [len(lines)]
    for begin, end, group in zip(at[:-1], at[1:], GROUPS.values(), strict=True):
        told = [line.split() for line in lines[begin + 1 : end] if line.startswith("  ")]
        assert [words[0] for words in told] == list(group)
        assert min(map(len, told)) > 4


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as leaving:
        cli.main(["--version"])
    assert (leaving.value.code, capsys.readouterr().out) == (0, f"reverie {version('reverie')}\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], ["train", "evaluate", "stop"]),
        (["trian"], ["'trian' (did you mean 'train'?)", "evaluate", "reverie --help"]),
        (["logs", "chek", "r"], ["chek", "(did you mean 'check'?)", "repair"]),
        (["logs", "cut", "r", "--minuts", "3"], ["'--minutes'?", "reverie logs cut --help"]),
        (["train", A1, "--minuts", "3"], ["--minuts", "(did you mean '--minutes'?)"]),
        (["train", A1, "--with_log"], ["--with_log", "(did you mean '--with-logs'?)"]),
        (["train", A1, "--twin", "mujco"], ["mujco", "(did you mean 'mujoco'?)"]),
        (["train", A1, "--system", "dreamerv3"], ["(did you mean 'dreamer_v3'?)", "planet"]),
        (["train", A1, "--preset", "cpuu"], ["'cpuu' (did you mean 'cpu'?)", "large"]),
        (["train", A1.replace("a1", "point-mass")], ["(did you mean '", "point_mass.yaml'?)"]),
        (["train", A1, "--set", "learner.horizn=3"], ["horizn (did you mean 'horizon'?)"]),
        (["train", A1, "--set", "contrl.inner_hz=3"], ["contrl (did you mean 'control'?)"]),
        (["train", A1, "--set", "joints.FR_hipp.kp=3"], ["FR_hipp", "(did you mean 'FR_hip'?)"]),
        (["train", A1, "--set", "task.name=wlk"], ["'wlk' (did you mean 'walk'?)", "reach"]),
        (["train", A1, "--set", "control.inner_hz=[1"], ["control.inner_hz=[1", "not YAML"]),
        (["train", A1, "--set", "robot=2021-99-99"], ["robot=2021-99-99", "month"]),
        (["train", str(ROOT / "README.md")], ["README.md", "not YAML: line "]),
        (["train"], ["CONFIG"]),
        (["train", A1, "--twn", "mujoco"], ["--twn"]),
        (["train", A1, "--twin", "gazebo"], ["gazebo", "'mujoco'", "'pybullet'"]),
        (["train", A1, "--twin", "mujoco", "--clock", "sundial"], ["sundial", "lockstep"]),
        (["train", A1, "--twin", "mujoco", "--minutes", "soon"], ["--minutes", "soon"]),
        (["train", A1, "--twin", "mujoco", "--minutes", "-1"], ["--minutes", "-1"]),
        (["train", "b2.yaml", "--twin", "mujoco"], ["b2.yaml"]),
        (["train", A1, "--twin", "mujoco", "--set", "foo=1"], ["foo", "control"]),
        (["train", A1, "--twin", "mujoco", "--set", "foo"], ["foo", "key=value"]),
        (["train", A1, "--twin", "mujoco", "--set", "learner.foo=1"], ["foo", "horizon"]),
        (["train", A1, "--twin", "mujoco", "--set", "control.inner_hz=7"], ["inner_hz", "50"]),
        (["train", A1, "--twin", "mujoco", "--system", "muzero"], ["muzero", "reverie"]),
        (["train", A1, "--twin", "mujoco", "--preset", "tpu"], ["tpu", "cpu"]),
        (["train", A1, "--clock", "lockstep"], ["--twin"]),
        (["body", A1, "--twin", "gazebo"], ["gazebo", "'fake'"]),
        (["body", A1, "--set", "joints.FR_hip.kp=-1"], ["joints.FR_hip.kp", "-1"]),
        (["camera", A1, "--twin", "mujoco", "--camera", "rear"], ["rear", "front"]),
        (["train", A1, "--twin", "mujoco", "--seed", "-1"], ["--seed", "-1", "0 to 2147483647"]),
        (["learn", "--offline", "l", "--split-seed", "2147483648"], ["--split-seed", "2147483648"]),
        (["compare", A1, "reverie", "--seeds", "0", "x"], ["--seeds", "x", "0 to"]),
        (["body", A1, "--twin", "fake", "--run", README], ["--run", README, "Not a directory"]),
        (["keys", "/proc/x"], ["FILE /proc/x", "/proc: "]),
        (["keys", str(ROOT)], [str(ROOT), "is a folder"]),
        (["result", "run", "--out", "/proc/x.json"], ["--out /proc/x.json", "/proc: "]),
        (["velocity", A1, "--out", str(ROOT)], ["--out", "is a folder"]),
        (["curves", "a.json", "--out", f"{README}/x.png"], ["--out", README, "Not a directory"]),
        (["dynamics", "log", "--out", "/proc/x.json"], ["--out /proc/x.json"]),
        (["compare", A1, "reverie", "--out", "/proc/x"], ["--out /proc/x.json"]),
        (["evaluate", "run", "--out", README], ["--out", README, "Not a directory"]),
        (["exploration", "--task", "env.options.gaol=5"], ["gaol", "cannot be made"]),
        (["exploration", "--task", "goal"], ["goal", "env.options.KEY"]),
        (["adapt", "."], ["no run at ."]),
        (["act", A1, "--run", "nowhere"], ["nowhere"]),
        (["learn", "--run", "nowhere"], ["nowhere"]),
        (["evaluate", "nowhere"], ["nowhere"]),
        (["bench", "coffee"], ["coffee", "'loop'", "'wire'"]),
        (["curves", "nowhere.json"], ["nowhere.json"]),
        (["doctor", "nowhere.yaml"], ["nowhere.yaml"]),
        (["stop", "nowhere.yaml"], ["nowhere.yaml"]),
    ],
)
def test_bad_input_is_one_clear_line_exit_code_2_and_touches_nothing(
    arguments: list[str],
    named: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVERIE_SOCKETS", str(tmp_path / "s"))
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("reverie") and said.count("\n") == 1
    assert [word for word in named if word not in said] == []
    assert "'None'" not in said and "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_the_process_itself_exits_with_code_2():
    command = [sys.executable, "-m", "launch.cli", "trian"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("reverie: ")


def test_the_command_line_loads_nothing_heavy_before_it_knows_the_command():
    ask = f"import launch.cli, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_one_broken_command_leaves_the_others_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("REVERIE_SOCKETS", str(tmp_path / "s"))
    monkeypatch.setitem(sys.modules, "launch.train", None)  # its import fails
    with pytest.raises(ImportError):
        cli.main(["train", A1, "--twin", "mujoco"])
    assert cli.main(["stop"]) == 2  # works: there is no robot to stop
    assert "no robot runs here" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("arguments", "module", "function", "expected"),
    [
        (
            f"train {A1} --twin pybullet --clock lockstep --system daydreamer --preset paper "
            "--minutes 3 --seed 4 --run r --set learner.batch=2 --set twin.friction=1 --yes",
            "launch.train",
            "run_train",
            {
                "twin": "pybullet",
                "clock": "lockstep",
                "system": "daydreamer",
                "preset": "paper",
                "minutes": 3.0,
                "seed": 4,
                "run": Path("r"),
                "changes": ("learner.batch=2", "twin.friction=1"),
                "yes": True,
            },
        ),
        (f"train {A1}", "launch.train", "run_train", {"twin": "", "yes": False, "run": None}),
        (
            f"act {A1} --run r --keys k --set a=1",
            "launch.act",
            "run_act",
            {"config": Path(A1), "run": Path("r"), "keys": Path("k"), "changes": ("a=1",)},
        ),
        ("learn --run r", "launch.learn", "run_learn", {"run": Path("r"), "keys": None}),
        (f"body {A1} --twin fake --yes", "launch.body", "run_body", {"yes": True}),
        (f"camera {A1} --camera front", "launch.body", "run_camera", {"camera": "front"}),
        (f"stop {A1}", "launch.stop", "run_stop", {"config": Path(A1), "keys": None}),
        ("pause", "launch.stop", "run_word", {"word": "pause", "config": None}),
        (f"resume {A1}", "launch.stop", "run_word", {"word": "resume", "config": Path(A1)}),
        ("curves a b", "launch.curves", "run_curves", {"results": (Path("a"), Path("b"))}),
        (f"velocity {A1} --seed 2", "launch.velocity_report", "run_velocity_report", {"seed": 2}),
        (f"doctor {A1} --set a=1", "launch.doctor", "run_doctor", {"changes": ("a=1",)}),
        ("bench wire --json", "launch.bench", "run_bench", {"as_json": True}),
        ("evaluate r --out o", "launch.evaluate", "run_evaluate", {"out": Path("o")}),
    ],
)
def test_a_command_hands_its_options_to_its_function(
    arguments: str,
    module: str,
    function: str,
    expected: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
):
    loaded: ModuleType = __import__(module, fromlist=[function])
    signature = inspect.signature(getattr(loaded, function))
    heard: dict[str, object] = {}

    def note(*args: object, **kwargs: object) -> int:
        heard.update(signature.bind(*args, **kwargs).arguments)
        return 7

    monkeypatch.setattr(loaded, function, note)
    assert cli.main(shlex.split(arguments)) == 7
    assert {key: heard[key] for key in expected} == expected


def test_a_failing_device_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(_: object) -> int:
        raise PermissionError(13, "Permission denied", "runs")

    monkeypatch.setattr(COMMANDS["evaluate"], "__call__", fail)
    assert cli.main(["evaluate", "r"]) == 1
    assert capsys.readouterr().err == "reverie evaluate: [Errno 13] Permission denied: 'runs'\n"


def test_ctrl_c_ends_with_its_own_code_and_a_bug_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
):
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    def slip(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(COMMANDS["evaluate"], "__call__", interrupt)
    assert cli.main(["evaluate", "r"]) == 130
    monkeypatch.setattr(COMMANDS["evaluate"], "__call__", slip)
    with pytest.raises(ZeroDivisionError):
        cli.main(["evaluate", "r"])


def test_keys_are_made_once_and_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "reverie.keys"
    assert cli.main(["keys", str(path)]) == 0
    made = path.read_bytes()
    assert cli.main(["keys", str(path)]) == 2
    assert path.read_bytes() == made
    assert str(path) in capsys.readouterr().err
