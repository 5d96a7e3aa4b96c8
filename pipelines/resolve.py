"""A configuration's open choices, filled in: those that decide a run, and those that only this machine decides."""

import dataclasses
from pathlib import Path
from typing import Any

from pipelines.machine import machine_of
from pipelines.run_data import Examples, config_of, resolved_data
from pipelines.text_data import resolved_text
from vae_tf import recipes, strangers
from vae_tf.artifacts.run import Run
from vae_tf.config import Config
from vae_tf.data.sentences import Sentences


def check_model(config: Config) -> None:
    """Finds a mistake in the model's and the augmentation's options before the pictures are read.

    Raises:
        UserError: An unknown recipe, part, argument or augmentation.
    """
    from vae_tf.training.plan import choose_augmentation

    is_text = recipes.find_recipe(config.model.recipe).data == "sentences"
    choose_augmentation(config.training.augment, 1, (8,) if is_text else (8, 8, 1))
    settings = config.model.settings
    recipes.check(
        config.model.recipe, config.model.latent, config.model.likelihood, config.model.beta, settings
    )


def resolve(
    config: Config, pictures: Examples, distribution: Any, first_epoch: int = 0
) -> tuple[Config, dict[str, Any]]:
    """The configuration with every open choice filled in, and the choices that only this machine decides."""
    from vae_tf.training import plan as plans
    from vae_tf.training import precision

    if isinstance(pictures, Sentences):
        data, num_tokens = resolved_text(config.data, pictures), len(pictures.vocabulary)
        image_shape: tuple[int, ...] = (pictures.num_positions,)
    else:
        data, num_tokens = resolved_data(config.data, pictures.shape, pictures.shares), 0
        image_shape = pictures.shape.image_shape
    learns_classes = "labels" in recipes.find_recipe(config.model.recipe).needs
    num_examples = len(pictures.index.where("train"))
    chosen = precision.resolve(config.training.precision, config.model.recipe)
    distribution = distribution.for_recipe(config.model.recipe, chosen.policy)
    if distribution.num_replicas > 1:
        chosen = precision.without_xla(chosen)
    plan = plans.make_plan(
        config.training, num_examples, image_shape, first_epoch, learns_classes, distribution.num_replicas
    )
    training = config.training.model_copy(
        update={"epochs": plan.epochs - first_epoch, "batch_size": plan.batch_size}
    )
    resolved = config.model_copy(update={"data": data, "training": training})
    machine = {
        "plan": dataclasses.asdict(plan),
        "precision": dataclasses.asdict(chosen),
        "distribution": distribution.describe(plan.batch_size),
        "num_examples": num_examples,
        "num_classes": len(pictures.index.class_names),
        "num_tokens": num_tokens,
        "m1_steps": plan.num_steps // 2,
    }
    return resolved, machine


def resolve_extension(
    parent: Run, pictures: Examples, epochs: int, distribution: Any
) -> tuple[Config, dict[str, Any]]:
    """As `resolve`, of the parent's configuration for `epochs` more, in the parent's precision."""
    config, before = config_of(parent), machine_of(parent)
    training = config.training.model_copy(update={"epochs": epochs})
    longer = config.model_copy(update={"training": training})
    resolved, machine = resolve(longer, pictures, distribution, before["plan"]["epochs"])
    return resolved, {**machine, **{name: before[name] for name in ("precision", "m1_steps")}}


def plan_of(machine: dict[str, Any]) -> Any:
    from pydantic import TypeAdapter

    from vae_tf.training.plan import Plan

    with strangers.read_from(Path("run.json")):
        plan = TypeAdapter(Plan).validate_python(machine["plan"])
        if min(plan.batch_size, plan.steps_per_epoch, plan.epochs, plan.steps_per_execution) < 1:
            raise ValueError("a plan without steps")
        return plan
