"""Which device and which arithmetic, and why."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from ectype.errors import UsageError


@dataclass(frozen=True)
class Precision:
    """The device, the arithmetic of the networks' forward pass, and the reason for it.

    Weights, losses, penalties and the optimiser are fp32 in any case.
    """

    device: torch.device
    dtype: torch.dtype
    reason: str

    def autocast(self) -> AbstractContextManager[object]:
        """A context in which networks compute in `dtype`."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)


def choose(device: str = "auto", asked: str = "auto", *, tolerant: bool = True) -> Precision:
    """Resolve `auto` to what this machine does best.

    Args:
        device: auto, cpu or cuda.
        asked: auto, fp32 or bf16.
        tolerant: whether the kind of data stands networks that compute in 16 bits.

    Raises:
        UsageError: the device is not there or cannot do what was asked.
    """
    chosen = _device(device)
    if asked == "fp32":
        return Precision(chosen, torch.float32, "fp32 as asked")
    if asked == "bf16":
        return Precision(chosen, torch.bfloat16, "bf16 as asked")
    if not tolerant:
        return Precision(chosen, torch.float32, "fp32: data of this kind need its digits")
    fast, reason = _fast_bf16(chosen)
    return Precision(chosen, torch.bfloat16 if fast else torch.float32, reason)


def _device(device: str) -> torch.device:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UsageError(f"there is no device “{device}”", hint="auto, cpu or cuda") from None
    if chosen.type not in ("cpu", "cuda"):
        raise UsageError(f"device “{device}” is not supported", hint="auto, cpu or cuda")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        hint = "this torch build or this machine has no CUDA; use --device cpu"
        raise UsageError("there is no CUDA device", hint=hint)
    return chosen


def _fast_bf16(device: torch.device) -> tuple[bool, str]:
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return True, "bf16: the GPU computes it natively"
        return False, "fp32: the GPU has no native bf16"
    if torch.cpu._is_avx512_bf16_supported():
        return True, "bf16: the processor has AVX512-BF16, about twice as fast for convolutions"
    return False, "fp32: the processor has no AVX512-BF16, bf16 would be slower"
