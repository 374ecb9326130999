"""Checkpoints of the learner that survive a kill at any moment and a bad disk.

    checkpoints/
      000007-step-12000/     tensors.safetensors  state.json  manifest.json  done
      000008-step-13000/     the seventh and the eighth save; a checkpoint never changes
      latest                 the name of the newest, for people and tools

A checkpoint is written into `.saving`, each file is brought to disk, and then the folder is
renamed: it is there whole or not at all. `done` holds the hash of the manifest, and the manifest
the hash of each file, so that nothing is taken up that is not what was saved.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import safetensors.torch
import torch

from robot.config import ConfigError

log = logging.getLogger(__name__)

FORMAT = 1
PACKAGES = ("reverie", "torch", "numpy", "safetensors")
NAME = re.compile(r"(\d{6,})-step-(\d+)")
Checkpoint = tuple[int, dict[str, torch.Tensor], dict[str, Any]]


class Checkpoints:
    """The checkpoints of one run; one process saves, any may load.

    Args:
        folder: where they lie; made by the first save.
        keep: how many are kept. One that was found corrupt is not counted, nor ever removed.
        configuration: JSON-ready settings that a checkpoint must have been made with to be
            continued; without it any is loaded.

    Raises:
        ConfigError: when the folder holds checkpoints of another configuration.
    """

    def __init__(
        self, folder: str | Path, keep: int = 2, configuration: Mapping[str, Any] | None = None
    ):
        if keep < 1:
            raise ValueError(f"keep {keep}: allowed is 1 or more")
        self.folder = Path(folder)
        self.keep = keep
        self._configuration = json.loads(json.dumps(configuration))
        self._corrupt: set[Path] = set()
        self._check_configuration()

    def save(
        self, step: int, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]
    ) -> Path:
        """Write a checkpoint, point `latest` to it and remove the oldest.

        Args:
            step: what the learner counts, from 0; it need not grow from one save to the next.
            tensors: by name; copied to the CPU, so they may live anywhere and share memory.
            state: anything JSON-ready with text keys; tuples come back as lists.

        Returns:
            The new checkpoint's folder.

        Raises:
            TypeError, ValueError: for a bad name, something else than a tensor, or state that is
                not JSON; nothing is written.
            OSError: when the disk is full or gone; the older checkpoints stay as they are.
        """
        copies = {name: _copy(name, tensor) for name, tensor in tensors.items()}
        text = json.dumps(state, indent=1)
        older = self._names()
        serial = max((_serial(path) for path in older), default=0) + 1
        target = self.folder / f"{serial:06d}-step-{step}"
        if step < 0 or not NAME.fullmatch(target.name):
            raise ValueError(f"step {step}: allowed is a whole number from 0")
        saving = self.folder / ".saving"
        shutil.rmtree(saving, ignore_errors=True)  # a kill may have left one
        try:
            saving.mkdir(parents=True)
            safetensors.torch.save_file(copies, saving / "tensors.safetensors")
            (saving / "state.json").write_text(text)
            self._seal(saving, step, sorted(copies))
            saving.rename(target)
        finally:
            shutil.rmtree(saving, ignore_errors=True)
        _sync(self.folder)
        self._point_to(target)
        self._prune()
        return target

    def load(self) -> Checkpoint | None:
        """The newest checkpoint that is whole, or None where none was ever saved.

        Returns:
            The step, the tensors on the CPU, and the state.

        Raises:
            ConfigError: when there are checkpoints but all are corrupt.
        """
        newest_first = self._names()[::-1]
        for path in newest_first:
            try:
                found = _read(path)
            except _Corrupt as error:
                log.warning("checkpoint %s is corrupt, trying the one before: %s", path, error)
                self._corrupt.add(path)
                continue
            return found
        if newest_first:
            raise ConfigError(
                f"{self.folder}: none of {len(newest_first)} checkpoints can be loaded; "
                "restore one from a copy, or use another folder to start anew"
            )
        return None

    def _names(self) -> list[Path]:
        """Finished checkpoints in the order in which they were saved."""
        if not self.folder.is_dir():
            return []
        found = [p for p in self.folder.iterdir() if NAME.fullmatch(p.name)]
        return sorted((p for p in found if (p / "done").is_file()), key=_serial)

    def _seal(self, folder: Path, step: int, tensors: list[str]) -> None:
        """Write manifest and marker, and bring all of the folder to disk."""
        manifest = {
            "format": FORMAT,
            "step": step,
            "tensors": tensors,
            "files": {path.name: _hash(path) for path in sorted(folder.iterdir())},
            "versions": {"python": python_version()} | {name: version(name) for name in PACKAGES},
            "configuration": self._configuration,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
        (folder / "done").write_text(_hash(folder / "manifest.json"))
        for path in (*folder.iterdir(), folder):
            _sync(path)

    def _point_to(self, target: Path) -> None:
        pointer = self.folder / ".latest"
        pointer.write_text(target.name + "\n")
        _sync(pointer)
        pointer.replace(self.folder / "latest")
        _sync(self.folder)

    def _prune(self) -> None:
        sound = [path for path in self._names() if path not in self._corrupt]
        for path in sound[: -self.keep]:
            # Without its marker, a folder that is half removed is never taken for a checkpoint.
            (path / "done").unlink()
        for path in self.folder.iterdir():
            if NAME.fullmatch(path.name) and not (path / "done").exists():
                shutil.rmtree(path)

    def _check_configuration(self) -> None:
        if self._configuration is None:
            return
        for path in reversed(self._names()):
            try:
                saved = _manifest(path)["configuration"]
            except _Corrupt:
                continue
            for key, there, here in _differences(saved, self._configuration):
                raise ConfigError(
                    f"{self.folder} belongs to another configuration: "
                    f"{key} is {there} there and {here} here; choose another folder"
                )
            return


class _Corrupt(Exception):
    """A checkpoint that is not what was saved."""


def _read(path: Path) -> Checkpoint:
    manifest = _manifest(path)
    try:
        for name, wanted in manifest["files"].items():
            if _hash(path / name) != wanted:
                raise _Corrupt(f"{name} does not match its hash")
        tensors = safetensors.torch.load_file(path / "tensors.safetensors")
        state = json.loads((path / "state.json").read_text())
    except OSError as error:
        raise _Corrupt(str(error)) from error
    if sorted(tensors) != manifest["tensors"]:
        raise _Corrupt("tensors.safetensors holds other names than its manifest")
    return manifest["step"], tensors, state


def _manifest(path: Path) -> dict[str, Any]:
    try:
        if (path / "done").read_text() != _hash(path / "manifest.json"):
            raise _Corrupt("manifest.json does not match the hash in done")
        manifest = json.loads((path / "manifest.json").read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise _Corrupt(str(error)) from error
    if manifest["format"] != FORMAT:
        raise ConfigError(f"{path}: format {manifest['format']}; this version reads {FORMAT}")
    return manifest


def _copy(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"tensors['{name}']: got {type(tensor).__name__}; allowed is a tensor")
    if not isinstance(name, str) or name in ("", "__metadata__"):
        raise ValueError(f"tensors: name {name!r} is not allowed")
    cpu = tensor.detach().to("cpu", copy=True)
    return cpu.contiguous()


def _serial(path: Path) -> int:
    return int(path.name.partition("-")[0])


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _differences(there: Any, here: Any, key: str = "it") -> Iterator[tuple[str, str, str]]:
    """Dotted keys whose values differ, with both values as JSON."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in sorted(there.keys() | here.keys()):
            inner = name if key == "it" else f"{key}.{name}"
            yield from _differences(there.get(name), here.get(name), inner)
    elif there != here:
        yield key, json.dumps(there), json.dumps(here)
