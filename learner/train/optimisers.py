"""Optimisers over flat memory, with float32 masters for weights of lower precision.

Written out and not taken from torch.optim, whose first optimiser loads the compiler: seconds of
start and 80 MB in every process that builds an agent, robots' too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

BETAS = (0.9, 0.999)


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


class Flat:
    """Parameters of one type in one piece of memory, with gradients and moments beside it."""

    def __init__(self, params: list[nn.Parameter]) -> None:
        self.params = params
        self.data = torch.cat([p.detach().flatten() for p in params])
        self.grad = torch.zeros_like(self.data)
        self.master = self.data.float()  # the same memory where that is float32 already
        self.mean, self.square = torch.zeros_like(self.master), torch.zeros_like(self.master)
        start = 0
        for p in params:
            piece = slice(start, start + p.numel())
            p.data = self.data[piece].view(p.shape)
            p.grad = self.grad[piece].view(p.shape)
            start = piece.stop

    def publish(self) -> None:
        """Round the master weights into those that the modules compute with."""
        if self.master is not self.data:
            self.data.copy_(self.master)


class Adam:
    """Adam (arXiv 1412.6980) with clipping and decoupled decay (arXiv 1711.05101).

    All weights of a kind are laid out in one flat array, so that a step is a few large operations;
    the masters and moments are float32, whatever the weights are.

    Args:
        params: what is trained; those without requires_grad are left alone.
        settings: its numbers.
    """

    def __init__(self, params: Iterable[nn.Parameter], settings: AdamSettings) -> None:
        self.settings, self.steps = settings, torch.zeros((), dtype=torch.long)
        params = [p for p in params if p.requires_grad]
        kinds = ([p for p in params if p.ndim > 1], [p for p in params if p.ndim <= 1])
        self.flats = [Flat(kind) for kind in kinds if kind]

    @torch.no_grad()
    def step(self, loss: Tensor) -> Tensor:
        """Descend on a scalar loss.

        Returns:
            The gradient's norm before clipping.

        Raises:
            FloatingPointError: when that is not finite; the weights stay as they were.
        """
        loss.backward()
        grads = [flat.grad.float() for flat in self.flats]
        norm = torch.stack([torch.linalg.vector_norm(grad) for grad in grads]).norm()
        if not torch.isfinite(norm):
            raise FloatingPointError(f"gradient norm {float(norm)}, loss {float(loss.detach())}")
        scale = self.settings.clip / norm.clamp(min=self.settings.clip)
        self.steps += 1
        for flat, grad in zip(self.flats, grads, strict=True):
            self._descend(flat, grad.mul_(scale))
            flat.publish()
            flat.grad.zero_()
        return norm

    def _descend(self, flat: Flat, grad: Tensor) -> None:
        lr, steps = self.settings.lr, int(self.steps)
        if self.settings.decay and flat.params[0].ndim > 1:
            flat.master.mul_(1 - lr * self.settings.decay)
        flat.mean.lerp_(grad, 1 - BETAS[0])
        flat.square.mul_(BETAS[1]).addcmul_(grad, grad, value=1 - BETAS[1])
        root = (flat.square / (1 - BETAS[1] ** steps)).sqrt_().add_(self.settings.eps)
        flat.master.addcdiv_(flat.mean, root, value=-lr / (1 - BETAS[0] ** steps))

    def tensors(self) -> dict[str, Tensor]:
        """Masters, moments and count by name: live, to be copied or saved."""
        found = {"steps": self.steps}
        for i, flat in enumerate(self.flats):
            parts = {"master": flat.master, "mean": flat.mean, "square": flat.square}
            found |= {f"{i}.{name}": part for name, part in parts.items()}
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave, in place.

        Raises:
            ValueError: when a name or a shape does not fit, naming it; nothing was changed.
        """
        mine = self.tensors()
        check_fit("optimiser", mine, tensors)
        for name, tensor in mine.items():
            tensor.copy_(tensors[name])
        for flat in self.flats:
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
