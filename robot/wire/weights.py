"""Weights on their way from learner to robot: safetensors that say and prove what they are."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

ABOUT = "reverie"
_LENGTH = struct.Struct("<Q")
_HEADER_LIMIT = 1 << 24
_UNREADABLE = (safetensors.SafetensorError, ValueError, KeyError, TypeError, struct.error)

_FACTS = {"version": int, "spec": str, "updates": int, "stamp_ns": int, "rollback": bool}

Layout = Mapping[str, tuple[tuple[int, ...], str]]


class WeightsError(ValueError):
    """Bytes that hold no sound weights."""


@dataclass(frozen=True)
class Weights:
    """Everything a policy needs, at one moment of learning.

    Args:
        arrays: parameters by name.
        version: counts up by one with each publication of a run, from 1.
        spec: fingerprint of the robot's spec that they were learnt for.
        updates: learner's updates until then.
        stamp_ns: when they were made, ns since 1970 on the learner's wall clock, or lock-step time.
        rollback: whether a receiver shall take them although it holds a later version.
    """

    arrays: Mapping[str, np.ndarray]
    version: int
    spec: str
    updates: int = 0
    stamp_ns: int = 0
    rollback: bool = False

    @cached_property
    def sha256(self) -> str:
        """Hash of all fields and of every array's name, type, shape and bytes."""
        digest = hashlib.sha256(json.dumps(self._facts(), sort_keys=True).encode())
        for name in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[name])
            digest.update(f"\n{name} {array.dtype.str} {self.arrays[name].shape}\n".encode())
            digest.update(array.reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def _facts(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in _FACTS}

    def to_bytes(self) -> bytes:
        """Safetensors with all facts and the hash in its metadata; equal weights, equal bytes."""
        facts = json.dumps({**self._facts(), "sha256": self.sha256}, sort_keys=True)
        # The library reads memory behind a pointer, so every array must be contiguous.
        arrays = {name: np.array(array, order="C") for name, array in self.arrays.items()}
        return safetensors.numpy.save(arrays, {ABOUT: facts})

    @classmethod
    def from_bytes(cls, data: bytes) -> Weights:
        """Read weights and check them against their own hash.

        Raises:
            WeightsError: when the bytes are cut, damaged or something else.
        """
        try:
            facts = _facts_of(data)
            told = facts.pop("sha256")
            weights = cls(safetensors.numpy.load(data), **facts)
            found = weights.sha256
        except _UNREADABLE as error:
            raise WeightsError(f"not weights: {error}") from error
        if found != told:
            raise WeightsError(f"hash is {found[:16]}, the header says {str(told)[:16]}")
        return weights


def layout(arrays: Mapping[str, np.ndarray]) -> Layout:
    """Shape and dtype of each array, to compare others with."""
    return {name: (array.shape, array.dtype.str) for name, array in arrays.items()}


def _facts_of(data: bytes) -> dict[str, Any]:
    """Our entry in the safetensors header."""
    (length,) = _LENGTH.unpack_from(data)
    if length > min(_HEADER_LIMIT, len(data)):
        raise WeightsError(f"header of {length} bytes in {len(data)}")
    header = json.loads(bytes(data[8 : 8 + length]))
    facts = json.loads(header["__metadata__"][ABOUT])
    for name, kind in {**_FACTS, "sha256": str}.items():
        if type(facts[name]) is not kind:
            raise WeightsError(f"{name} is {facts[name]!r}")
    return {name: facts[name] for name in (*_FACTS, "sha256")}
