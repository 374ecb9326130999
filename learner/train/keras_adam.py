"""Adam as in TensorFlow, which the first Dreamers were trained with."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from learner.train.optimisers import BETAS, Adam, AdamSettings, Flat


class KerasAdam(Adam):
    """Adam that adds epsilon before the second moment's bias is corrected; and shrinks weights.

    So epsilon counts 31 times as much in the first step as in torch's form, and the same in the
    end. The decay of DreamerV2 (common/tfutils.py, `Optimizer`) takes a share of every weight,
    biases and gains too, and is not multiplied by the step size.

    Args:
        params: what is trained; those without requires_grad are left alone.
        settings: its numbers.
        shrink: share of each weight that is lost in each step, 1e-6 in DreamerV2.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], settings: AdamSettings, shrink: float = 0.0
    ) -> None:
        super().__init__(params, settings)
        self.shrink = shrink

    def _descend(self, flat: Flat, grad: Tensor) -> None:
        steps = int(self.steps)
        flat.master.mul_(1 - self.shrink)
        flat.mean.lerp_(grad, 1 - BETAS[0])
        flat.square.mul_(BETAS[1]).addcmul_(grad, grad, value=1 - BETAS[1])
        root = flat.square.sqrt().add_(self.settings.eps)
        rate = self.settings.lr * (1 - BETAS[1] ** steps) ** 0.5 / (1 - BETAS[0] ** steps)
        flat.master.addcdiv_(flat.mean, root, value=-rate)
