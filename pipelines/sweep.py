"""Several trainings on one source, one after the other, and their comparison."""

import itertools
from typing import Any

from pipelines.console import say
from vae_tf.config import Config
from vae_tf.errors import UserError


def variants(config: Config, latents: str, recipes: str, seeds: str) -> list[Config]:
    """One configuration for each combination of the comma-separated choices.

    Raises:
        UserError: What is no whole number, or no choice at all.
    """
    chosen = itertools.product(words(recipes, "recipe"), numbers(latents, "latent"), numbers(seeds, "seed"))
    return [
        config.model_copy(
            update={
                "model": config.model.model_copy(update={"recipe": recipe, "latent": latent}),
                "training": config.training.model_copy(update={"seed": seed}),
            }
        )
        for recipe, latent, seed in chosen
    ]


def words(text: str, option: str) -> list[str]:
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise UserError(f"--{option} is empty.", f"Give one or several, such as --{option} a,b.")
    return list(dict.fromkeys(found))


def numbers(text: str, option: str) -> list[int]:
    try:
        found = [int(word) for word in words(text, option)]
    except ValueError:
        raise UserError(f"--{option} {text}: whole numbers are expected, such as 20,30,50.") from None
    if min(found) < (1 if option == "latent" else 0):
        raise UserError(f"--{option} {text}: too small.", "Latents begin at 1, seeds at 0.")
    return found


def train_all(configs: list[Config], train: Any) -> list[str]:
    """The names of the runs; what has been trained stays where a later one fails."""
    names = []
    for number, config in enumerate(configs, 1):
        say(
            f"{number} of {len(configs)}: recipe {config.model.recipe}, latent {config.model.latent}",
            style="bold",
        )
        run = train(config)
        names.append(run.name)
    return names
