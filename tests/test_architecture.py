"""The shape of the project, read from its syntax trees: arrows, sizes, documentation, habits."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("robot", "sim", "learner", "launch")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Import = ast.Import | ast.ImportFrom

# Who may import whom: a module's name begins with the key, what it imports with one of the values.
# The longest key that fits counts. ARCHITECTURE.md gives the reasons for sim's last two.
ARROWS: dict[str, tuple[str, ...]] = {
    "robot": (),
    "robot.clock": (),
    "robot.config": ("robot.config",),
    "robot.wire": ("robot.wire", "robot.clock"),
    "robot.tasks": ("robot.tasks", "robot.wire", "robot.config", "robot.clock"),
    "robot.body": ("robot.body", "robot.tasks", "robot.wire", "robot.config", "robot.clock"),
    "robot.policy": ("robot.policy", "robot.tasks", "robot.wire", "robot.config", "robot.clock"),
    "sim": ("sim", "robot.body", "robot.wire", "robot.config", "robot.clock", "robot.tasks"),
    "sim.gym": (
        *("sim", "robot.body", "robot.wire", "robot.config", "robot.clock", "robot.tasks"),
        "robot.policy.observe",
    ),
    "learner": ("learner", "robot.wire", "robot.config", "robot.clock", "robot.policy.interface"),
    "launch": PACKAGES,
}
# Inside learner/, from the top: systems, then agent, behaviour and train, then model.
FLOORS = {"systems": 2, "agent": 1, "behaviour": 1, "train": 1, "model": 0}


@dataclass(frozen=True)
class Module:
    """One source file of ours."""

    path: Path

    @property
    def name(self) -> str:
        """Dotted name; a package's own file has the package's name."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def text(self) -> str:
        """Its source."""
        return self.path.read_text()

    @property
    def lines(self) -> int:
        """Its length."""
        return len(self.text.splitlines())

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)


@cache
def modules() -> tuple[Module, ...]:
    """All of our modules."""
    found = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return tuple(Module(path) for path in found)


def of(*packages: str) -> list[Module]:
    """Modules of some packages."""
    return [m for m in modules() if m.name.split(".")[0] in packages]


def imported(module: Module, at_once: bool = False) -> set[str]:
    """Names that a module imports; `at_once` leaves out what functions import later."""
    names: set[str] = set()
    known = {m.name for m in modules()}
    for node in _imports(module.tree, at_once):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
            continue
        assert node.module and not node.level, f"{module.name}: imports by a relative name"
        inner = {f"{node.module}.{alias.name}" for alias in node.names}
        names |= (inner & known) or {node.module}
    return names


def _imports(node: ast.AST, at_once: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Import):
            yield child
        elif not (at_once and (isinstance(child, Function | ast.Lambda) or _for_types(child))):
            yield from _imports(child, at_once)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def below(name: str, *packages: str) -> bool:
    """Whether a name is one of the packages or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def ours(module: Module, at_once: bool = False) -> set[str]:
    """Modules of ours that a module imports."""
    return {name for name in imported(module, at_once) if below(name, *PACKAGES)}


def functions(module: Module) -> list[Function]:
    """All functions and methods of a module."""
    return [node for node in ast.walk(module.tree) if isinstance(node, Function)]


def public(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.ClassDef | Function]]:
    """Public classes, functions and methods, with dotted names; inner functions are private."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
            name = f"{prefix}.{child.name}"
            yield name, child
            if isinstance(child, ast.ClassDef):
                yield from public(child, name)


def test_every_import_follows_the_arrows() -> None:
    for module in modules():
        rule = max((key for key in ARROWS if below(module.name, key)), key=len)
        for name in ours(module):
            assert below(name, *ARROWS[rule]), f"{module.name} must not import {name}"


def test_each_arrow_of_the_table_is_about_a_module_that_exists() -> None:
    names = {module.name for module in modules()}
    for key, allowed in ARROWS.items():
        assert {key, *allowed} <= names


def test_inside_the_learner_nothing_imports_upwards() -> None:
    for module in of("learner"):
        floor = FLOORS.get((module.name.split(".") + [""])[1], 3)
        for name in ours(module):
            if below(name, "learner") and name != "learner":
                assert FLOORS[name.split(".")[1]] <= floor, f"{module.name} imports {name}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    edges = {module.name: ours(module, at_once=True) - {module.name} for module in modules()}
    while True:
        leaves = [name for name, needs in edges.items() if not needs & edges.keys()]
        if not leaves:
            break
        for name in leaves:
            del edges[name]
    assert not edges, f"circle among {sorted(edges)}"


def test_nobody_near_the_motors_names_torch() -> None:
    for module in of("robot", "sim"):
        assert not [name for name in imported(module) if below(name, "torch")], module.name


def test_importing_everything_near_the_motors_leaves_torch_out() -> None:
    names = [module.name for module in of("robot", "sim")]
    program = f"""
import importlib, sys
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "pybullet":  # has no wheel for newer Pythons
            raise
print("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "False"


def test_robot_is_our_package_and_not_robot_framework() -> None:
    import robot

    assert robot.__file__ is not None
    assert Path(robot.__file__) == ROOT / "robot" / "__init__.py"
    assert not hasattr(robot, "run_cli")


def test_files_are_short() -> None:
    lengths = {module.name: module.lines for module in modules() if module.lines > 1}
    assert {name: length for name, length in lengths.items() if length > 400} == {}
    assert median(lengths.values()) < 130


def test_test_files_are_short() -> None:
    lengths = {path.name: Module(path).lines for path in (ROOT / "tests").rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def long_pages(folder: Path, most: int = 110) -> dict[str, int]:
    """Modules of a folder that are longer than a page, with their lines."""
    lengths = {path.stem: Module(path).lines for path in folder.glob("*.py")}
    return {n: length for n, length in lengths.items() if length > most and n != "__init__"}


def test_every_system_is_one_page() -> None:
    assert len(list((ROOT / "learner/systems").glob("*.py"))) > 9
    assert long_pages(ROOT / "learner/systems") == {}


def test_a_page_is_counted_with_its_docstring_and_its_empty_lines(tmp_path: Path) -> None:
    for name, lines in {"one_page": 110, "wordy": 111, "__init__": 300}.items():
        (tmp_path / f"{name}.py").write_text('"""\n' + "\n" * (lines - 2) + '"""\n')
    assert long_pages(tmp_path) == {"wordy": 111}


def test_functions_are_short() -> None:
    lengths = {
        f"{module.name}.{node.name}:{node.lineno}": (node.end_lineno or 0) - node.lineno + 1
        for module in modules()
        for node in functions(module)
    }
    assert {name: length for name, length in lengths.items() if length > 60} == {}
    assert median(lengths.values()) < 8


def test_everything_public_says_what_it_is() -> None:
    silent = [module.name for module in modules() if not ast.get_docstring(module.tree)]
    for module in modules():
        silent += [name for name, n in public(module.tree, module.name) if not ast.get_docstring(n)]
    assert silent == []


def test_every_public_signature_is_typed() -> None:
    loose: list[str] = []
    for module in modules():
        for name, node in public(module.tree, module.name):
            if isinstance(node, Function):
                loose += _untyped(name, node)
            else:
                inits = [n for n in node.body if isinstance(n, Function) and n.name == "__init__"]
                loose += [line for init in inits for line in _untyped(name, init)]
    assert loose == []


def _untyped(name: str, node: Function) -> list[str]:
    named = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    more = [arg for arg in (node.args.vararg, node.args.kwarg) if arg is not None]
    loose = [a.arg for a in named + more if a.annotation is None and a.arg not in ("self", "cls")]
    if node.returns is None and node.name != "__init__":
        loose.append("return")
    return [f"{name}: {argument}" for argument in loose]


def test_nothing_reads_data_in_a_way_that_could_run_it() -> None:
    for module in modules():
        names = {name.split(".")[0] for name in imported(module)}
        assert not names & {"pickle", "cPickle", "dill", "shelve", "marshal"}, module.name
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                assert not _runs_data(node), f"{module.name}:{node.lineno}: {ast.unparse(node)}"


def _runs_data(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    said = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name in ("torch.load", "np.load", "numpy.load"):
        # NumPy refuses objects unless asked for them; torch reads them unless told not to.
        return said.get("weights_only") != "True" if name == "torch.load" else bool(said)
    return name in ("eval", "exec", "compile", "yaml.load", "yaml.load_all", "yaml.unsafe_load")


def test_the_guard_against_running_data_notices_it() -> None:
    for text in ("eval(x)", "yaml.load(f)", "torch.load(p)", "np.load(p, allow_pickle=True)"):
        assert _runs_data(ast.parse(text, mode="eval").body)  # pyright: ignore[reportArgumentType]
    for text in ("model.eval()", "yaml.safe_load(f)", "torch.load(p, weights_only=True)"):
        assert not _runs_data(ast.parse(text, mode="eval").body)  # pyright: ignore[reportArgumentType]


def choices(tree: ast.AST) -> list[str]:
    """Places where a string of the settings decides what the code does."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(_is_text(side) for side in sides) and any(_is_setting(side) for side in sides):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Match):
            found += [ast.unparse(case.pattern) for case in node.cases if _has_text(case.pattern)]
    return found


def _is_text(node: ast.AST) -> bool:
    inner = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return any(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in inner)


def _is_setting(node: ast.AST) -> bool:
    words = re.findall(r"\w+", ast.unparse(node)) if isinstance(node, ast.Attribute) else []
    return bool({"config", "settings", "preset", "options", "plan"} & set(words))


def _has_text(pattern: ast.pattern) -> bool:
    return any(_is_text(n.value) for n in ast.walk(pattern) if isinstance(n, ast.MatchValue))


def test_the_learner_hardly_ever_branches_on_a_name_in_its_settings() -> None:
    found = [f"{m.name}: {choice}" for m in of("learner") for choice in choices(m.tree)]
    lines = sum(module.lines for module in of("learner"))
    assert len(found) < 2 * lines / 1000, found


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("if self.config.kind == 'rssm': pass", 1),
        ("if settings.actor in ('a', 'b'): pass", 1),
        ("match config.x:\n  case 'a': pass\n  case 'b': pass", 2),
        ("if config.units == 3 or name == 'x': pass", 0),
    ],
)
def test_the_count_of_such_branches_sees_them(text: str, count: int) -> None:
    assert len(choices(ast.parse(text))) == count
