"""Each command as a person meets it: what was done, where the page is, and what comes next."""

import time
from pathlib import Path
from typing import Any

from pipelines.console import import_tensorflow_quietly, next_step, say, seconds, warn
from vae_tf import artifacts
from vae_tf.artifacts import Run, Stage


def train(config: Any, name: str | None, dry_run: bool, tensorboard: bool) -> None:
    from vae_tf.data.sources import open_source

    # A wrong folder is told before TensorFlow's seconds of import.
    open_source(config.data)
    import_tensorflow_quietly()
    from pipelines import train as stage

    finish_training(lambda: stage.start(config, name, dry_run, tensorboard))


def resume(run: str, tensorboard: bool) -> None:
    import_tensorflow_quietly()
    from pipelines import train as stage

    finish_training(lambda: stage.resume(run, tensorboard))


def extend(run: str, epochs: int, name: str | None, tensorboard: bool) -> None:
    import_tensorflow_quietly()
    from pipelines import train as stage

    finish_training(lambda: stage.extend(run, epochs, name, tensorboard))


def finish_training(work: Any) -> Run | None:
    """Trains, writes the report, and says what comes next; a stop by the user ends with its exit code."""
    from pipelines.train import TrainingStopped

    try:
        run: Run | None = work()
    except TrainingStopped as stopped:
        raise Stopped(stopped.exit_code) from None
    if run is not None:
        show_quality(run)
        show_page(run, "index.html")
        next_step("python cli.py embed   (or at once: python cli.py cluster-report)")
    return run


class Stopped(Exception):
    """The command ends with `exit_code`; what there was to say has been said."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


def show_quality(run: Run) -> None:
    from pipelines.evaluate import evaluate, verdict

    scores = evaluate(run).record["results"]["scores"]
    shown = "test" if "test" in scores else "validation"
    for part, words in ((shown, "unseen" if shown == "test" else shown), ("train", "trained on")):
        if part in scores:
            vae, pca = scores[part]["vae"], scores[part]["pca"]
            say(
                f"  {words}: MSE {vae['mse']['value']:.5f}, SSIM {vae['ssim']['value']:.3f}"
                f"   PCA: MSE {pca['mse']['value']:.5f}, SSIM {pca['ssim']['value']:.3f}"
                f"   ELBO {scores[part]['elbo']:,.1f} nats"
            )
    say(f"  {verdict(scores)}")


def show_page(run: Run, page: str) -> None:
    from pipelines.report import write_report

    index = write_report(run)
    say(f"  page: {index.parent / page}", style="bold")


def started_with(text: str | None) -> Run:
    """The run that a command is about; says which where none was named."""
    run = artifacts.find_run(text)
    say(f"run {run.name}" + ("" if text else " (the newest)"), style="bold")
    import_tensorflow_quietly()
    return run


def told(stage: Stage, what: str, began: float) -> None:
    made_before = stage.record["finished"] < began
    how = (
        " (made before: nothing has changed since)" if made_before else f" in {seconds(time.time() - began)}"
    )
    say(f"  {what}{how}")


def embed(text: str | None) -> Run:
    run, began = started_with(text), time.time()
    from pipelines.embed import embed as work

    stage = work(run)
    results = stage.record["results"]
    told(
        stage,
        f"{results['num_pictures']:,} pictures as {results['latent']} numbers each, "
        f"{results['num_active']} of them in use",
        began,
    )
    say(f"  files: {stage.folder / 'latents.npz'} and latents.csv")
    show_page(run, "latents.html")
    next_step("python cli.py cluster-report")
    return run


def cluster_report(
    text: str | None, perplexity: float | None, neighbors: int | None, permutations: int, seed: int
) -> Run:
    run, began = started_with(text), time.time()
    from pipelines.clusters import ClusterOptions, cluster

    stage = cluster(run, ClusterOptions(perplexity, neighbors, permutations, seed))
    told(stage, "maps, clusters and tests", began)
    scores = artifacts.read_json(stage.folder / "scores.json")
    say(f"  {scores['separation']['headline'] or scores['separation']['reason']}")
    show_page(run, "clusters.html")
    next_step("python cli.py interpolation-grid")
    return run


def interpolation_grid(
    text: str | None, start: list[str], to: list[str], steps: int, pairs: int, seed: int
) -> Run:
    run, began = started_with(text), time.time()
    from pipelines.interpolation import InterpolationOptions, interpolate

    stage = interpolate(run, InterpolationOptions(tuple(start), tuple(to), steps, pairs, seed))
    results = stage.record["results"]
    told(
        stage,
        f"{results['num_pairs']} paths between pictures, {results['num_class_paths']} between classes",
        began,
    )
    say(f"  files: {stage.folder}/*.png")
    show_page(run, "interpolation.html")
    next_step("python cli.py export")
    return run


def export(text: str | None) -> Run:
    run, began = started_with(text), time.time()
    from pipelines.export import export as work

    stage = work(run)
    results = stage.record["results"]
    told(stage, f"SavedModel in {stage.folder / '1'}", began)
    say(
        f"  loaded in a fresh process without this project or Keras, on {results['checked_on']}: "
        f"largest difference {results['largest_difference']:.1e}"
    )
    show_page(run, "export.html")
    next_step(
        f"docker run -p 8501:8501 -v {stage.folder.resolve()}:/models/vae -e MODEL_NAME=vae tensorflow/serving"
    )
    return run


def report(text: str | None) -> Run:
    run = started_with(text)
    show_page(run, "index.html")
    return run


def run(config: Any, name: str | None) -> None:
    """The whole chain on one source."""
    from vae_tf.data.sources import open_source

    open_source(config.data)
    import_tensorflow_quietly()
    from pipelines import train as stage

    trained = finish_training(lambda: stage.start(config, name))
    assert trained is not None, "only a dry run gives no run"
    embed(trained.name)
    cluster_report(trained.name, None, None, 999, 0)
    interpolation_grid(trained.name, [], [], 11, 4, 0)
    export(trained.name)
    say(f"{trained.report / 'index.html'}")


def sample(text: str | None, num: int, temperature: float, seed: int, to: Path | None) -> None:
    run = started_with(text)
    from pipelines import pictures

    path = pictures.sample(run, num, temperature, seed, to)
    say(f"  {num} pictures drawn from the prior: {path}")


def reconstruct(text: str | None, files: list[Path], to: Path | None) -> None:
    run = started_with(text)
    from pipelines import pictures

    path, problems = pictures.reconstruct(run, files, to)
    for problem in problems:
        warn(problem)
    say(f"  originals above reconstructions: {path}")
