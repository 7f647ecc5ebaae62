"""What a network in training is asked to make small."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

STRAY = -1  # label of what is no character of the recogniser
TEACHER_SHARE = 0.8  # of the loss; the labels have the rest
TEACHER_TEMPERATURE = 3.0  # softens the teachers' probabilities, so that the lesser ones count


def loss_of(
    network: nn.Module, frames: torch.Tensor, labels: torch.Tensor, teachers: Sequence[nn.Module]
) -> torch.Tensor:
    """Compare a network's logits with the labels, and with what its teachers say of the same frames.

    Args:
        network: the student, or alone.
        frames: (N, 1, 28, 28) float32 in [0, 1].
        labels: (N,) int64; of a STRAY, every label should be as probable.
        teachers: networks in evaluation mode, may be none; where they are wrong together, they are not listened to.

    Returns:
        () float32.
    """
    logits = score(network, frames)
    loss = functional.cross_entropy(logits, targets_of(labels, logits.shape[1]), reduction="none")
    if teachers:
        with torch.no_grad():
            taught = soften_logits(torch.stack([score(teacher, frames) for teacher in teachers])).mean(dim=0)
        share = TEACHER_SHARE * (taught.argmax(dim=1) == labels)
        loss = torch.lerp(loss, distillation_loss(logits, taught), share)
    return loss.mean()


def targets_of(labels: torch.Tensor, count: int) -> torch.Tensor:
    """Return the probabilities that a network should give: (N, count) float32."""
    is_stray = labels == STRAY
    targets = functional.one_hot(labels.masked_fill(is_stray, 0), count).float()
    targets[is_stray] = 1 / count
    return targets


def score(network: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Score frames, with the arithmetic of the layers in bfloat16 where the device has it: (N, labels) float32 logits.

    Probabilities rounded to bfloat16 do not add up to 1; as a teacher's they drive the student's logits to infinity.
    """
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=has_bfloat16(frames.device.type)):
        return network(frames).float()


def has_bfloat16(device: str) -> bool:
    """Tell whether a device calculates in bfloat16. A processor that emulates it takes ten times as long."""
    can = torch.cpu.get_capabilities()
    return device != "cpu" or bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def soften_logits(logits: torch.Tensor) -> torch.Tensor:
    """Return probabilities at the temperature of teachers: float32 of the same shape, labels in the last dimension."""
    return (logits / TEACHER_TEMPERATURE).softmax(dim=-1)


def distillation_loss(logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """Compare a student's logits with probabilities of its teachers for the same frames: (N,) float32.

    Args:
        logits: (N, labels) float32, the student's.
        taught: (N, labels) float32, as `soften_logits` makes them.

    Source: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network", section 2.
    """
    student = (logits / TEACHER_TEMPERATURE).log_softmax(dim=1)
    return functional.kl_div(student, taught, reduction="none").sum(dim=1) * TEACHER_TEMPERATURE**2
