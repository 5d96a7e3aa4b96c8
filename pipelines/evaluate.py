"""Stage `evaluate`: how well the run's pictures are reconstructed, beside PCA of the same size."""

from typing import Any

from pipelines.picture_scores import write_picture_scores
from pipelines.run_data import Subject
from pipelines.text_scores import write_text_scores
from reports.words import percent
from vae_tf.artifacts.stage import Stage


def evaluate(subject: Subject) -> Stage:
    """Scores every part, beside PCA; sentences by themselves, since no PCA rebuilds them."""
    work = write_text_scores if subject.is_text else write_picture_scores
    # Earlier versions kept means only, of which no difference can be judged.
    inputs = {**subject.model_inputs, "each_picture": True}
    return subject.compute("evaluate", inputs, lambda stage: work(subject, stage))


def pca_is_better(scores: dict[str, Any]) -> bool:
    """Whether PCA rebuilds unseen (or validation) pictures with less error, beyond chance."""
    part = next((part for part in ("test", "validation") if part in scores), None)
    low = None if part is None else scores[part]["mse_difference"]["low"]
    return low is not None and low > 0


def verdict(scores: dict[str, Any]) -> str:
    """Which of the two reconstructs unseen pictures better, in one sentence.

    Validation pictures serve where there is no test part, and are called so; empty where there is neither.
    """
    part = "test" if "test" in scores else "validation" if "validation" in scores else None
    if part is None:
        return ""
    vae, pca = (scores[part][name]["mse"]["value"] for name in ("vae", "pca"))
    difference = scores[part]["mse_difference"]
    figures = f"mean squared error {vae:.4f} against {pca:.4f} with {scores['num_components']} components"
    which = "unseen pictures" if part == "test" else "validation pictures"
    model = scores.get("model", "VAE")
    change = abs(vae / pca - 1.0) if pca > 0 else 0.0
    if difference["high"] is not None and difference["high"] < 0:
        return f"The {model} reconstructs {which} better than PCA does ({figures}, {percent(change)} less)."
    if pca_is_better(scores):
        return (
            f"PCA is better here: it reconstructs {which} with less error (mean squared error {pca:.4f} with "
            f"{scores['num_components']} components, the {model} {vae:.4f})."
        )
    if difference["low"] is None:
        return f"{scores[part]['num']} {which} are too few to say which is better in general ({figures})."
    return f"On {which} {model} and PCA cannot be told apart ({figures})."
