"""What a network in training is asked to make small."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

TEACHER_SHARE = 0.8  # of the loss; the labels have the rest
TEACHER_TEMPERATURE = 3.0  # softens the teachers' probabilities, so that the lesser ones count


def loss_of(
    network: nn.Module, frames: torch.Tensor, labels: torch.Tensor, teachers: Sequence[nn.Module]
) -> torch.Tensor:
    """Compare a network's logits with the labels, and with what its teachers say of the same frames.

    Args:
        network: the student, or alone.
        frames: (N, 1, 28, 28) float32 in [0, 1].
        labels: (N,) int64.
        teachers: networks in evaluation mode, may be none.

    Returns:
        () float32.
    """
    logits = score(network, frames)
    loss = functional.cross_entropy(logits, labels)
    if not teachers:
        return loss
    with torch.no_grad():
        taught = [score(teacher, frames) for teacher in teachers]
    return torch.lerp(loss, distillation_loss(logits, taught), TEACHER_SHARE)


def score(network: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Score frames, with the arithmetic of the layers in bfloat16 where the device has it: (N, labels) float32 logits.

    Probabilities rounded to bfloat16 do not add up to 1; as a teacher's they drive the student's logits to infinity.
    """
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=has_bfloat16(frames.device.type)):
        return network(frames).float()


def has_bfloat16(device: str) -> bool:
    """Tell whether a device calculates in bfloat16. A processor that emulates it takes ten times as long for a step."""
    can = torch.cpu.get_capabilities()
    return device != "cpu" or bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def distillation_loss(logits: torch.Tensor, taught: Sequence[torch.Tensor]) -> torch.Tensor:
    """Compare a student's logits with the mean of its teachers' probabilities for the same frames.

    Args:
        logits: (N, labels) float32, the student's.
        taught: (N, labels) float32 logits, one for each teacher.

    Source: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network", section 2.
    """
    soft = torch.stack([(each / TEACHER_TEMPERATURE).softmax(dim=1) for each in taught]).mean(dim=0)
    student = (logits / TEACHER_TEMPERATURE).log_softmax(dim=1)
    return functional.kl_div(student, soft, reduction="batchmean") * TEACHER_TEMPERATURE**2
