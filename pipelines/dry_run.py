"""What a training would do: an estimate of its time, and the page about its pictures."""

from pathlib import Path
from typing import Any

from pipelines.console import say, seconds
from pipelines.resolve import plan_of
from pipelines.run_data import Examples
from pipelines.training_data import batch_maker
from pipelines.workers import alone
from reports.words import bytes_in_words
from vae_tf.config import Config
from vae_tf.data.dataset import Pictures
from vae_tf.data.inspection import Inspection
from vae_tf.data.sentences import Sentences
from vae_tf.options import to_toml


def preview(
    config: Config, machine: dict[str, Any], model: Any, pictures: Examples, inspection: Inspection | None
) -> None:
    """What a dry run leaves: an estimate from a few real steps, and the page about the data."""
    from pipelines.data_record import write_preview

    estimate = estimate_training(config, machine, model, pictures)
    in_all = estimate.seconds_per_epoch * machine["plan"]["epochs"]
    said = [
        ("Training", f"{seconds(estimate.seconds_per_epoch)} per epoch, {seconds(in_all)} in all"),
        ("Memory", bytes_in_words(estimate.memory)),
    ]
    if isinstance(pictures, Pictures):
        said.append(("Cache of decoded pictures", bytes_in_words(pictures.images.nbytes)))
    for what, how_much in said:
        say(f"  {what.lower()}: {how_much}")
    say("The resolved configuration, as --config would read it:", style="bold")
    say(to_toml(config))
    if isinstance(pictures, Sentences) or inspection is None:
        say("This was a dry run: no run was made, and nothing written.")
        return
    page = write_preview(config, pictures, inspection, said)
    say(f"  page: {page}", style="bold")
    say("This was a dry run: no run was made, and nothing written but this page and the decoded pictures.")


def estimate_training(config: Config, machine: dict[str, Any], model: Any, pictures: Examples) -> Any:
    """Trains a few steps and forgets them."""
    import tempfile

    from vae_tf.training import loop
    from vae_tf.training.estimate import Stopwatch

    plan = plan_of(machine)
    stopwatch = Stopwatch(plan, len(pictures.index.where("validation")))
    with tempfile.TemporaryDirectory() as folder:
        loop.fit(
            model,
            plan,
            batch_maker(pictures, plan, alone()),
            None,
            Path(folder),
            jit_compile=machine["precision"]["jit_compile"],
            listener=stopwatch,
            wants_stop=lambda: stopwatch.is_done,
        )
    return stopwatch.finish()
