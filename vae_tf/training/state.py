"""The complete state of a training as one file of plain arrays: what is needed to go on as if nothing had happened."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from vae_tf.artifacts import load_arrays, save_arrays


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
    """Puts the state into a compiled model with a built optimizer; returns the facts."""
    arrays = load_arrays(path)
    for name, variable in variables_of(model).items():
        variable.assign(arrays[name])
    facts: dict[str, Any] = json.loads(str(arrays["facts"]))
    return facts


def save_weights(path: Path, weights: list[Any], facts: dict[str, Any]) -> None:
    """The best weights, as NumPy arrays, with `facts`."""
    named = {f"weight/{i:04d}": w for i, w in enumerate(weights)}
    save_arrays(path, facts=np.array(json.dumps(facts)), **named)


def load_weights(path: Path) -> tuple[list[Any], dict[str, Any]]:
    arrays = load_arrays(path)
    names = sorted(name for name in arrays if name.startswith("weight/"))
    return [arrays[name] for name in names], json.loads(str(arrays["facts"]))
