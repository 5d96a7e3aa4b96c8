"""The command `train`, in all its ways."""

from typing import Any

from pipelines.chain.telling import about, show_page, show_quality
from pipelines.console import import_tensorflow_quietly, next_step, say
from vae_tf.artifacts.publishing import check_runs
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import run_of_job


def train(
    config: Any,
    name: str | None,
    thumbnails: bool | None,
    dry_run: bool,
    tensorboard: bool,
    workers: int = 1,
) -> Run | None:
    from pipelines.text_data import open_for

    check_runs()
    # A wrong folder, or a recipe for another kind, is told before TensorFlow's seconds of import.
    source = open_for(config)
    cluster = None if dry_run else place_among(workers)
    return train_together(
        lambda stage, distribution: stage.start(config, source, name, dry_run, tensorboard, distribution),
        cluster,
        thumbnails,
    )


def resume(run: str, tensorboard: bool, workers: int = 1) -> None:
    cluster = place_among(workers)
    train_together(lambda stage, distribution: stage.resume(run, tensorboard, distribution), cluster)


def extend(run: str, epochs: int, name: str | None, tensorboard: bool, workers: int = 1) -> None:
    cluster = place_among(workers)
    train_together(
        lambda stage, distribution: stage.extend(run, epochs, name, tensorboard, distribution), cluster
    )


def place_among(workers: int) -> Any:
    """This process's place in a cluster; None where it trains alone.

    Raises:
        Stopped: Training is not for this process: it has been done by others that were started here, or this one is
            an evaluator.
        UserError: The environment or `workers` make no cluster.
    """
    from pipelines.workers import found_cluster, launch

    cluster = found_cluster(workers)
    if cluster is None and workers > 1:
        raise Stopped(launch(workers))
    if cluster is not None and cluster.rank is None:
        say("An evaluator has nothing to do: the workers validate after each epoch.")
        raise Stopped(0)
    return cluster


def train_together(work: Any, cluster: Any, thumbnails: bool | None = None) -> Run | None:
    """Trains and reports; a job that was started again goes on with what it had begun."""
    from pipelines.workers import begin, follow, losing_workers

    began = None if cluster is None else run_of_job(cluster.job)
    if began is not None and began.is_trained:
        if cluster.is_unique and cluster.rank != 0:
            raise Stopped(0)
        if cluster.is_unique:
            import_tensorflow_quietly()
            return finish_training(lambda: began, thumbnails)
        began = None
    distribution = begin(cluster)
    from pipelines import train as stage

    if not distribution.is_chief:
        follow(distribution)
    with losing_workers(distribution):
        return finish_training(
            lambda: (
                work(stage, distribution)
                if began is None
                else stage.resume(began.name, distribution=distribution)
            ),
            thumbnails,
        )


def finish_training(work: Any, thumbnails: bool | None = None) -> Run | None:
    """Trains, writes the report, and says what comes next; a stop by the user ends with its exit code."""
    from pipelines.report import choose_pictures
    from pipelines.run_data import own_pictures
    from pipelines.train import TrainingStopped
    from vae_tf.recipes import find_recipe

    try:
        run: Run | None = work()
    except TrainingStopped as stopped:
        raise Stopped(stopped.exit_code) from None
    if run is not None:
        choose_pictures(run, thumbnails)
        show_quality(own_pictures(run))
        show_page(own_pictures(run), "index.html")
        which = about(own_pictures(run))
        if "labels" in find_recipe(run.record["config"]["model"]["recipe"]).needs:
            next_step(f"python cli.py predict{which}")
        next_step(f"python cli.py embed{which}   (or at once: python cli.py cluster-report{which})")
    return run


class Stopped(Exception):
    """The command ends with `exit_code`; what there was to say has been said."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code
