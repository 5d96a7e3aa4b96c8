"""Commands about several runs."""

from typing import Any

from pipelines.chain.training import train
from pipelines.console import import_tensorflow_quietly, say
from vae_tf.errors import UserError


def compare(names: list[str]) -> None:
    import_tensorflow_quietly()
    from pipelines.compare import compare as work

    page = work(names)
    say(f"  page: {page}", style="bold")


def sweep(config: Any, latents: str, recipes: str, seeds: str, thumbnails: bool | None) -> None:
    """Trains every combination, then compares them."""
    from pipelines.sweep import train_all, variants
    from pipelines.workers import found_cluster

    if (cluster := found_cluster(1)) is not None:
        raise UserError(
            f"A sweep is for one machine, and {cluster.origin} names {len(cluster.addresses)}.",
            "Start one `train` on all of them for each combination.",
        )
    configs = variants(config, latents, recipes, seeds)
    compare(train_all(configs, lambda variant: train(variant, None, thumbnails, False, False)))
