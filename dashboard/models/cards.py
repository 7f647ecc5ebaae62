"""What the cards of recognisers say, in words; needs no server and no session."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.shared.endpoint import PAGE_MODEL
from handwriting.labels import DIGITS


def summary(model: str, card: Mapping[str, Any]) -> str:
    """Return what a recogniser reads, and the main figures of its card.

    Args:
        model: its name.
        card: of its weights, which may be another recogniser's; empty if no worker answers.
    """
    if not card:
        return "No card, because no worker answers."
    labels = card.get("config", {}).get("labels", ())
    what = "one digit, 0 to 9" if len(labels) == len(DIGITS) else f"one digit or letter, as one of {len(labels)} labels"
    is_own = card.get("model", model) == model
    if model == PAGE_MODEL:
        what = "pages: lines of digits and letters"
    best = next(iter(card.get("metrics", [])), {})
    accuracy = f"; {_percent(best)} on {best['set']} (n = {best['n']:,})" if "accuracy" in best else ""
    size = f"{card.get('parameters', 0):,} parameters, {card.get('bytes', 0) / 1000:,.0f} kB"
    network = card.get("architecture", "") if is_own else f"The network is that of {card['model']}"
    return f"Reads {what}. {network}: {size}{accuracy}."


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    """Return what differs between two cards: the name of each fact, and what either card says."""
    one, other = facts(first), facts(second)
    names = [*one, *(name for name in other if name not in one)]
    return [
        (name, one.get(name, ""), other.get(name, "")) for name in names if one.get(name, "") != other.get(name, "")
    ]


def facts(card: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what a card says, by name; facts that it lacks are left out."""
    found = {f"Right on {each['set']}": _percent(each) for each in card.get("metrics", ()) if "accuracy" in each}
    found |= {
        "Network": str(card.get("architecture", "")),
        "Parameters": f"{card['parameters']:,}" if "parameters" in card else "",
        "Weights": f"{card['bytes'] / 1000:,.0f} kB" if "bytes" in card else "",
        "Labels": " ".join(card.get("config", {}).get("labels", ())),
        "Learned from": ", ".join(str(each.get("file", "")) for each in card.get("data", ())),
        "Began with": str(card.get("start", {}).get("sha256", ""))[:12],
        "Epochs": str(card.get("epochs", "")),
        "Methods": "; ".join(map(str, card.get("methods", ()))),
        "Command": str(card.get("command", "")),
        "Commit": str(card.get("commit", ""))[:12],
    }
    return {name: fact for name, fact in found.items() if fact}


def _percent(metric: Mapping[str, Any]) -> str:
    return f"{100 * metric['accuracy']:.2f} %"
