"""How each recogniser is made, unless the command line says otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """What learns a recogniser's characters, and how.

    Attributes:
        architecture: name of its network in `handwriting.networks`.
        epochs: passes over the training data.
        batch_size: characters a step.
        lr: peak learning rate.
        sizes: of the network, where they differ from the architecture's own.
        turns_deg: angles at which the trained network looks at a frame, beside upright.
        pen_share: share of the frames that get a bolder or a finer pen: EMNIST's pen is bolder than most in use.
        soft_share: share of the frames that get out of focus, as photographs are.
        font_drawings: how often each letter and digit of each font in training/fonts is drawn to be learned from.
        calm_share: of the epochs, the last ones, in which frames are varied less, since those that it reads are not.
        balanced: whether rare classes are favoured, as much as helps accuracy and mean recall together.
    """

    architecture: str
    epochs: int
    batch_size: int
    lr: float
    sizes: Mapping[str, Any] = field(default_factory=dict)
    turns_deg: Sequence[float] = ()
    pen_share: float = 0.1
    soft_share: float = 0.0
    font_drawings: int = 0
    calm_share: float = 0.0
    balanced: bool = False


RECIPES = {
    "digits": Recipe("ConvNet", epochs=40, batch_size=128, lr=3e-3, turns_deg=(6, -6)),
    "digits-tiny": Recipe("TinyNet", epochs=40, batch_size=128, lr=1e-2),
    "lenet5": Recipe("LeNet5", epochs=40, batch_size=128, lr=5e-3),
    "characters": Recipe(
        "ResidualNet",
        epochs=18,
        batch_size=256,
        lr=3e-3,
        pen_share=0.3,
        soft_share=0.1,
        font_drawings=2,
        calm_share=0.3,
        balanced=True,
    ),
    "characters-edge": Recipe("MobileNet", epochs=40, batch_size=256, lr=1e-2, pen_share=0.3, balanced=True),
}
