"""Optimisers over flat memory, with float32 masters for weights of lower precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class AdamSettings:
    """Numbers of Adam.

    Args:
        lr: step size.
        eps: added to the root of the second moment, after bias correction.
        clip: global norm above which gradients are scaled down.
        decay: decoupled weight decay of matrices, times lr (DayDreamer decays kernels only).
    """

    lr: float
    eps: float = 1e-8
    clip: float = 100.0
    decay: float = 0.0


class _Flat:
    """One type of parameters laid out in one piece of memory, with gradients beside it."""

    def __init__(self, params: list[nn.Parameter]) -> None:
        self.params = params
        data = torch.cat([p.detach().flatten() for p in params])
        self.grad = torch.zeros_like(data)
        self.data = data
        self.master = nn.Parameter(data.float().clone())
        start = 0
        for p in params:
            piece = slice(start, start + p.numel())
            p.data = data[piece].view(p.shape)
            p.grad = self.grad[piece].view(p.shape)
            start = piece.stop

    def publish(self) -> None:
        """Round the master weights into those that the modules compute with."""
        self.data.copy_(self.master.detach())


class Adam:
    """Adam with global clipping over modules whose weights may be bfloat16.

    All weights of a kind are laid out in one flat array, so that a step is a few large operations;
    the masters and moments are float32.
    """

    def __init__(self, params: Iterable[nn.Parameter], settings: AdamSettings) -> None:
        self.settings = settings
        params = [p for p in params if p.requires_grad]
        kinds = ([p for p in params if p.ndim > 1], [p for p in params if p.ndim <= 1])
        self.flats = [_Flat(kind) for kind in kinds if kind]
        decays = [settings.decay if flat.params[0].ndim > 1 else 0.0 for flat in self.flats]
        groups = [
            {"params": [flat.master], "weight_decay": decay}
            for flat, decay in zip(self.flats, decays, strict=True)
        ]
        self.inner = torch.optim.AdamW(groups, lr=settings.lr, eps=settings.eps, fused=True)

    def step(self, loss: Tensor) -> Tensor:
        """Descend on a scalar loss.

        Returns:
            The gradient's norm before clipping.

        Raises:
            FloatingPointError: when that is not finite; the weights stay as they were.
        """
        loss.backward()
        for flat in self.flats:
            flat.master.grad = flat.grad.float()
        norm = torch.nn.utils.clip_grad_norm_(
            [flat.master for flat in self.flats], self.settings.clip
        )
        if not torch.isfinite(norm):
            raise FloatingPointError(f"gradient norm is {float(norm)}, loss {float(loss)}")
        self.inner.step()
        for flat in self.flats:
            flat.publish()
            flat.grad.zero_()
        return norm

    def tensors(self) -> dict[str, Tensor]:
        """Masters and, after the first step, moments by name: live, to be copied or saved."""
        found = {}
        for i, flat in enumerate(self.flats):
            state = self.inner.state.get(flat.master, {})
            found[f"{i}.master"] = flat.master.detach()
            found |= {f"{i}.{k}": v for k, v in state.items()}
        return found

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Refuse what `load` could not take.

        Raises:
            ValueError: when a name or a shape does not fit, naming it.
        """
        expected = {}
        for i, flat in enumerate(self.flats):
            expected[f"{i}.master"] = flat.master
            if f"{i}.step" in tensors:
                whole = {f"{i}.exp_avg": flat.master, f"{i}.exp_avg_sq": flat.master}
                expected |= {f"{i}.step": torch.zeros(()), **whole}
        check_fit("optimiser", expected, tensors)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave, in place."""
        for i, flat in enumerate(self.flats):
            with torch.no_grad():
                flat.master.copy_(tensors[f"{i}.master"])
            names = [k.partition(".")[2] for k in tensors if k.startswith(f"{i}.")]
            kept = {k: tensors[f"{i}.{k}"].clone() for k in names if k != "master"}
            self.inner.state.pop(flat.master, None)
            if kept:  # what was saved before the first step has no moments
                self.inner.state[flat.master] = kept
            flat.publish()


def check_fit(
    what: str, expected: Mapping[str, Tensor], given: Mapping[str, Tensor | np.ndarray]
) -> None:
    """Refuse arrays that could not be copied one by one.

    Args:
        what: they are, for the message.
        expected: where they would go, by name.
        given: what came, by name.

    Raises:
        ValueError: when names or shapes differ, naming the first one.
    """
    if odd := set(expected) ^ set(given):
        name = sorted(odd)[0]
        raise ValueError(f"{what}: {name} is {'missing' if name in expected else 'not known here'}")
    for name, tensor in expected.items():
        if tuple(tensor.shape) != tuple(given[name].shape):
            raise ValueError(
                f"{what}: {name} is {tuple(given[name].shape)}; allowed is {tuple(tensor.shape)}"
            )
