"""The complete state of a training as one file of plain arrays: what is needed to go on as if nothing had happened."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from vae_tf import strangers
from vae_tf.artifacts.npz_files import load_arrays, save_arrays


def variables_of(model: Any) -> dict[str, Any]:
    """Every variable that the next step depends on, under a stable name."""
    named = {f"weight/{i:04d}": v for i, v in enumerate(model.weights)}
    named |= {f"optimizer/{i:04d}": v for i, v in enumerate(model.optimizer.variables)}
    if model.weight_average is not None:
        named |= {f"average/{i:04d}": v for i, v in enumerate(model.weight_average.averages)}
    return named | {f"extra/{i:04d}": v for i, v in enumerate(model.extra_variables())}


def save_state(path: Path, model: Any, facts: dict[str, Any]) -> None:
    """Writes the training's state with `facts` (epoch, best value, …), atomically."""
    arrays = {name: v.numpy() for name, v in variables_of(model).items()}
    save_arrays(path, facts=np.array(json.dumps(facts)), **arrays)


def load_state(path: Path, model: Any) -> dict[str, Any]:
    """Puts the state into a compiled model with a built optimizer; returns the facts.

    Raises:
        UserError: No state of this model.
    """
    arrays = load_arrays(path)
    with strangers.read_from(path):
        for name, variable in variables_of(model).items():
            variable.assign(arrays[name])
        return facts_of(arrays)


def save_weights(path: Path, weights: list[Any], facts: dict[str, Any]) -> None:
    """The best weights, as NumPy arrays, with `facts`."""
    named = {f"weight/{i:04d}": w for i, w in enumerate(weights)}
    save_arrays(path, facts=np.array(json.dumps(facts)), **named)


def load_weights(path: Path) -> tuple[list[Any], dict[str, Any]]:
    """What `save_weights` wrote.

    Raises:
        UserError: Something else.
    """
    arrays = load_arrays(path)
    names = sorted(name for name in arrays if name.startswith("weight/"))
    with strangers.read_from(path):
        return [arrays[name] for name in names], facts_of(arrays)


def facts_of(arrays: dict[str, Any]) -> dict[str, Any]:
    """Where a training stood; raises TypeError where a number is none."""
    facts: dict[str, Any] = json.loads(str(arrays["facts"]))
    for name in ("epoch", "step", "best_epoch"):
        if type(facts[name]) is not int or facts[name] < 0:
            raise TypeError(f"{name} is no whole number")
    for name in ("seconds", "best_value"):
        facts[name] = float(facts[name])
    return facts
