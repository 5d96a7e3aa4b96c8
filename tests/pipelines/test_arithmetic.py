"""Class arithmetic: its steps on a model whose codes are its pictures, and why there may be none."""

import types
from typing import Any

import numpy as np
import pytest

from pipelines.arithmetic import AMOUNTS, class_arithmetic
from vae_tf.analysis.traversal import SMALLEST_CLASS
from vae_tf.data.dataset import Index, Pictures
from vae_tf.data.splits import PARTS

# A code is a picture's brightness on the left and on the right.
MODEL = types.SimpleNamespace(
    condition_dim=0,
    decode=lambda codes: np.clip(np.asarray(codes)[:, None, :, None], 0.0, 1.0),
    encode=lambda pictures: {"mean": (np.asarray(pictures)[:, 0, :, 0] / 255.0).astype(np.float32)},
)


def made(
    num_trained: int, num_unseen: int, part: str = "test"
) -> tuple[Pictures, np.ndarray, dict[str, np.ndarray]]:
    """Pictures of `a` are bright on the left, of `b` on the right; each class so many times in each part."""
    labels = np.tile([0, 1], num_trained + num_unseen)
    parts = np.repeat([PARTS.index("train"), PARTS.index(part)], [2 * num_trained, 2 * num_unseen]).astype(
        np.int8
    )
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (len(labels), 2)).astype(np.float32)
    codes = np.where(labels[:, None] == [0, 1], 0.75, 0.25).astype(np.float32) + noise
    index = Index(
        [f"{i}.png" for i in range(len(labels))], labels, ["a", "b"], np.full(len(labels), -1), [], parts
    )
    pictures = Pictures.__new__(Pictures)
    object.__setattr__(pictures, "index", index)
    train = parts == PARTS.index("train")
    return pictures, codes, {"mean": codes[train], "class": np.array(["a", "b"])[labels[train]]}


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_whole_step_leads_from_one_class_to_the_other(part: str) -> None:
    pictures, codes, trained = made(2 * SMALLEST_CLASS, 8, part)
    arrays: dict[str, Any] = {}
    found = class_arithmetic(MODEL, pictures, codes, trained, arrays, 0)
    assert found["reason"] == "" and [(step["a"], step["b"]) for step in found["steps"]] == [
        ("a", "b"),
        ("b", "a"),
    ]
    for number, step in enumerate(found["steps"]):
        assert step["part"] == part and step["num"] == step["num_b"] == 8
        # Unmoved they are read as what they are; moved by the difference of the means as the other class.
        assert step["read_as_b"][0] == step["originals_read_as_b"] == 0
        assert step["read_as_b"][AMOUNTS.index(1.0)] == step["bs_read_as_b"] == 8
        by_hand = trained["mean"][trained["class"] == step["b"]].mean(0)
        by_hand = by_hand - trained["mean"][trained["class"] == step["a"]].mean(0)
        moved = np.clip(codes[step["shown"]] + by_hand, 0, 1) * 255
        assert np.abs(arrays[f"moved_{number}"][:, AMOUNTS.index(1.0), 0, :, 0] - moved).max() <= 0.51


def test_why_there_is_none() -> None:
    def reason(pictures: Pictures, codes: Any, trained: Any, model: Any = MODEL) -> str:
        found = class_arithmetic(model, pictures, codes, trained, {}, 0)
        assert found["steps"] == []
        return str(found["reason"])

    whole = made(SMALLEST_CLASS, 2)
    told = types.SimpleNamespace(**{**vars(MODEL), "condition_dim": 2})
    assert "no code holds it" in reason(*whole, model=told)
    assert f"at least {SMALLEST_CLASS} training pictures each" in reason(*made(SMALLEST_CLASS - 1, 2))
    assert "none to move" in reason(*made(SMALLEST_CLASS, 0))
    whole[0].index.labels[whole[0].index.where("test")] = -1
    assert reason(*whole) == "No unseen picture has a class."
