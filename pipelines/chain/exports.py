"""The command `export`, as a SavedModel or in another format."""

import time
from pathlib import Path

from pipelines.chain.telling import show_page, started_with, told
from pipelines.console import next_step, say, warn
from reports.words import bytes_in_words
from vae_tf.places import is_remote


def export(
    text: str | None, directory: str | None = None, name: str | None = None, version: int | None = None
) -> None:
    check_place(directory)
    run, began = started_with(text), time.time()
    from pipelines.export import export as work
    from pipelines.export import model_name, place
    from pipelines.run_data import own_pictures

    subject = own_pictures(run)
    stage = work(subject)
    with stage.reading():
        results = stage.record["results"]
        told(stage, f"SavedModel in {stage.folder / '1'}", began)
        say(
            f"  loaded in a fresh process without this project or Keras, on {results['checked_on']} "
            f"({results['files']}): largest difference {results['largest_difference']:.1e}"
        )
    served, name = stage.folder.resolve(), name or model_name(run)
    if directory is not None:
        placed = place(stage, run, directory, name, version)
        say(f"  placed as {placed}, with {directory.rstrip('/')}/models.config")
    show_page(subject, "export.html")
    if directory is not None and is_remote(directory):
        next_step(
            f"tensorflow_model_server --model_config_file=models.config   ({directory.rstrip('/')}/models.config)"
        )
        return
    if directory is not None:
        served = Path(placed).parent.resolve()
    next_step(f"docker run -p 8501:8501 -v {served}:/models/{name} -e MODEL_NAME={name} tensorflow/serving")


def export_as(text: str | None, form: str, weights: str, directory: str | None, name: str | None) -> None:
    """The export in another format than a SavedModel."""
    from vae_tf.serving.formats import check

    title = check(form, weights).title
    check_place(directory)
    run, began = started_with(text), time.time()
    from pipelines.other_formats import MODEL, export_as, place
    from pipelines.run_data import own_pictures

    subject = own_pictures(run)
    stage = export_as(subject, form, weights)
    with stage.reading():
        results = stage.record["results"]
        told(stage, f"{title} with {weights} weights in {stage.folder / MODEL}", began)
        tolerance = results["tolerance"]
        say(
            f"  asked by {results['engine']} in a fresh process without TensorFlow, on {results['checked_on']}: "
            f"largest difference {results['largest_difference']:.1e} of its scale "
            f"(tolerance {tolerance['largest']:g}), mean {results['mean_difference']:.1e} "
            f"(tolerance {tolerance['mean']:g})"
        )
        for one, reason in results["left_out"].items():
            warn(f"{one} was left out of the {title} files: {reason}.")
        if results["squared_errors"]:
            ours, theirs = results["squared_errors"]
            say(f"  MSE of reconstructions {ours:.5f} → {theirs:.5f} ({theirs / ours - 1:+.2%})")
        say(
            f"  {bytes_in_words(results['num_bytes'])} (SavedModel {bytes_in_words(results['saved_model_bytes'])}); "
            f"{subject.noun}s/s rebuilt on one thread: "
            + "; ".join(
                f"{size} at a time {one['format']:,.0f} (SavedModel {one['saved_model']:,.0f})"
                for size, one in results["speeds"].items()
            )
        )
    if directory is not None:
        say(f"  placed as {place(stage, run, directory, name)}")
    show_page(subject, "export.html")


def check_place(directory: str | None) -> None:
    """Finds out whether a store can be reached before minutes of work.

    Raises:
        UserError: It cannot.
    """
    if directory is not None and is_remote(directory):
        from vae_tf.store import Store

        Store(directory).folders()
