"""Train the network that finds ink: `python -m training.ink`.

Makes scenes from the training sets in DATA_DIR, learns which of their ink is the character's, and writes the network as
ONNX with its card beside it. State and scenes are kept in runs/train/ink; a run that was stopped goes on from there.
"""

import argparse
import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from handwriting.preprocess.ink_network import NETWORK, stretched
from inkserve.command import run
from inkserve.files import atomic_write
from training.card import DataFile, Record, card_path, sha256
from training.data import load_characters
from training.ink.export import export, restore
from training.ink.network import InkNetwork
from training.ink.pool import SETS, make_views, pool_of
from training.provenance import command, commit

BATCH = 64
MEMORY = 0.998  # of the average of the weights, per step
INK_WEIGHT = 3.0  # of pixels with ink over those without
CHARACTER_WEIGHT = 2.5  # of ink of characters, in addition: a lost stroke costs an answer, a bit of a rule does not
HELD_OUT = 1_000  # scenes, of another seed
RESTORED = 512  # views from which a network that is gone on from gets its normalisation back
SEEN = 3.0  # ink of a view in px, from which its overlap counts


@dataclass(frozen=True)
class InkCard(Record):
    """The card of the ink network.

    Attributes:
        parameters: how many numbers it has learned.
        start: card of the network that training went on from, if it did.
        overlap: mean over held-out views of the ink found and true, over the ink found or true, in [0, 1].
        held_out: scenes that it was measured on.
        history: loss and overlap of each epoch.
    """

    parameters: int
    bytes: int
    sha256: str
    data: tuple[DataFile, ...]
    command: str
    commit: str
    seed: int
    scenes: int
    epochs: int
    held_out: int
    overlap: float
    history: tuple[dict[str, float], ...]
    start: "InkCard | None" = None


def main() -> None:
    """Train from the command line.

    Raises:
        DataError: the training sets are missing.
    """
    parser = argparse.ArgumentParser(
        prog="python -m training.ink", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=120_000, help="scenes to learn from; two views of each")
    parser.add_argument("--epochs", type=int, default=8, help="passes over the views")
    parser.add_argument("--lr", type=float, default=4e-3, help="peak learning rate of the one-cycle schedule")
    parser.add_argument("--seed", type=int, default=0, help="of the scenes, the weights and the order")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--start", type=Path, help="network to go on from, instead of random weights")
    parser.add_argument("--out", type=Path, default=NETWORK, help="file of the network")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the state and the scenes")
    options = parser.parse_args()
    if options.start and options.start.resolve() == options.out.resolve():
        parser.error(f"--start and --out are both {options.out}: start from a copy of the network and its card")
    torch.set_num_threads(options.threads)
    print(f"wrote {train(options)}")


def train(options: argparse.Namespace) -> Path:
    """Train as the options say, and return the path of the network."""
    folder = options.runs / "train" / "ink"
    folder.mkdir(parents=True, exist_ok=True)
    pool, held_out = (
        pool_of(make_views, count, seed, folder / f"views-{seed}-{count}.npy", options.threads)
        for count, seed in ((options.scenes, options.seed), (HELD_OUT, options.seed + 1))
    )
    torch.manual_seed(options.seed)
    some = inputs_of(pool[:RESTORED])
    start = InkCard.read(card_path(options.start)) if options.start else None
    network = restore(options.start, some) if options.start else InkNetwork()
    network = network.to(memory_format=torch.channels_last)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(MEMORY), use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.lr, weight_decay=1e-3)
    steps = -(-len(pool) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.lr, options.epochs * steps, pct_start=0.05)
    parts = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    state, history = folder / f"state-{options.seed}-{options.scenes}-{options.epochs}.pt", []
    if state.exists():
        kept = torch.load(state, weights_only=True)
        history = kept.pop("history")
        for name, part in parts.items():
            part.load_state_dict(kept[name])
        print(f"continuing after epoch {len(history)} of {state}")
    for epoch in range(len(history), options.epochs):
        torch.manual_seed(options.seed * 100_003 + epoch)
        network.train()
        total = 0.0
        batches = torch.randperm(len(pool)).split(BATCH)
        with tqdm(batches, f"epoch {epoch + 1}/{options.epochs}", unit="batch", disable=None) as progress:
            for rows in progress:
                loss = loss_of(network, pool[rows.numpy()])
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                average.update_parameters(network)
                total += loss.item() * len(rows)
        history.append({"loss": total / len(pool), "overlap": overlap(average.module, held_out)})
        print(f"epoch {epoch + 1}: loss {history[-1]['loss']:.4f}, overlap {history[-1]['overlap']:.4f}", flush=True)
        with atomic_write(state) as partial:
            torch.save({name: part.state_dict() for name, part in parts.items()} | {"history": history}, partial)
    trained = average.module.to("cpu", memory_format=torch.contiguous_format).eval()
    export(trained, options.out)
    files = {name: digest for each in SETS for name, digest in load_characters(each, "train").files.items()}
    InkCard(
        parameters=sum(parameter.numel() for parameter in trained.parameters()),
        bytes=options.out.stat().st_size,
        sha256=sha256(options.out),
        data=tuple(DataFile(name, digest) for name, digest in files.items()),
        command=command(),
        commit=commit(),
        seed=options.seed,
        scenes=options.scenes,
        epochs=options.epochs,
        held_out=HELD_OUT,
        overlap=overlap(restore(options.out, some), held_out),
        history=tuple(history),
        start=start and dataclasses.replace(start, history=()),
    ).write(card_path(options.out))
    return options.out


def inputs_of(pool: np.ndarray) -> torch.Tensor:
    """Return the network's inputs for views, (N, 5, 64, 64) uint8."""
    return torch.from_numpy(stretched(pool[:, 0] / np.float32(255), pool[:, 4] / np.float32(255)))


def loss_of(network: InkNetwork, pool: np.ndarray) -> torch.Tensor:
    """Return the cross-entropy of views, (N, 5, 64, 64) uint8, in which pixels with ink count more."""
    inks = torch.from_numpy(pool[:, 1:3]).float() / 255
    views = inputs_of(pool).contiguous(memory_format=torch.channels_last)
    losses = functional.binary_cross_entropy_with_logits(network(views), inks, reduction="none")
    weights = 1 + INK_WEIGHT * inks.amax(dim=1, keepdim=True) + CHARACTER_WEIGHT * inks[:, :1]
    return (losses * weights * torch.from_numpy(pool[:, 3:4] / np.float32(255))).mean()


@torch.inference_mode()
def overlap(network: torch.nn.Module, pool: np.ndarray) -> float:
    """Return the mean overlap of the characters' ink that is found and true, over the views that show some."""
    network.eval()
    overlaps = []
    for part in np.array_split(pool, -(-len(pool) // BATCH)):
        counted = torch.from_numpy(part[:, 3] / np.float32(255))
        found = network(inputs_of(part)).sigmoid()[:, 0] * counted
        true = torch.from_numpy(part[:, 1] / np.float32(255)) * counted
        shared, either = (pick(found, true).sum(dim=(1, 2)) for pick in (torch.minimum, torch.maximum))
        overlaps.append((shared / either)[true.sum(dim=(1, 2)) > SEEN])
    return torch.cat(overlaps).mean().item()


if __name__ == "__main__":
    sys.exit(run("training.ink", main))
