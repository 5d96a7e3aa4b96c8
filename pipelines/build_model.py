"""The model of a run, with fresh weights."""

from typing import Any

from vae_tf import recipes
from vae_tf.config import Config


def build_model(config: Config, machine: dict[str, Any], precision: str | None = None) -> Any:
    settings = dict(config.model.settings)
    if config.training.kl_warmup:
        # An objective without a warm-up refuses it by name, which says what is wrong.
        settings.setdefault("objective.warmup_steps", config.training.kl_warmup)
    if recipes.find_recipe(config.model.recipe).model == "m1-m2":
        settings.setdefault("model.m1_steps", machine["m1_steps"])
    model = recipes.build(
        config.model.recipe,
        image_shape=example_shape(config),
        latent_dim=config.model.latent,
        likelihood=config.model.likelihood,
        beta=config.model.beta,
        precision=precision or machine["precision"]["policy"],
        seed=config.training.seed,
        settings=settings,
        batch_size=machine["plan"]["batch_size"],
        num_classes=machine["num_classes"],
        num_tokens=machine.get("num_tokens", 0),
    )
    for part in (model.objective, model.prior):
        if getattr(part, "num_examples", 0) is None:
            part.num_examples = machine["num_examples"]
    return model


def example_shape(config: Config) -> tuple[int, ...]:
    """(height, width, channels) of a picture; (positions,) of a sentence, its end included."""
    if recipes.find_recipe(config.model.recipe).data == "sentences":
        return ((config.data.longest or 1) + 1,)
    return (*(config.data.size or ()), config.data.channels or 3)
