"""Commands on the machines of a Ray cluster."""

from typing import Any

from pipelines.chain.training import finish_training
from pipelines.console import import_tensorflow_quietly, say, seconds, warn
from reports.words import plural
from vae_tf.artifacts.runs import find_run


def uses_ray(engine: str, address: str | None) -> bool:
    """Raises: UserError: See `ray_cluster.check_engine`."""
    if engine == "local" and address is None:
        return False
    from pipelines.ray_cluster import check_engine

    return check_engine(engine, address)


def train_on_ray(task: dict[str, Any], workers: int, address: str | None, thumbnails: bool | None) -> None:
    """Training on the machines of a Ray cluster; `task` has what was typed, see `ray_training.Task`."""
    import_tensorflow_quietly()
    from pipelines.ray_training import Task
    from pipelines.ray_training import train as work

    finish_training(lambda: work(Task(**task), workers, address), thumbnails)


def embed_on_ray(text: str | None, source: str | None, address: str | None, to: str | None) -> None:
    """Codes and scores of a folder of any size, as Parquet files."""
    from pipelines.ray_embedding import RECORD
    from pipelines.ray_embedding import embed as work
    from pipelines.run_data import own_pictures

    run = find_run(text)
    say(f"run {run.name}" + ("" if text else " (the newest)"), style="bold")
    record = work(run, source or own_pictures(run).config.source, address, to)
    results = record["results"]
    speed = results["num_pictures"] / results["seconds"]
    say(
        f"  {results['num_scored']:,} pictures in {seconds(results['seconds'])} ({speed:,.0f} a second, "
        "the start of the processes included)"
    )
    if results["num_skipped"]:
        warn(
            f"{plural(results['num_skipped'], 'file')} could not be used, such as {results['first_reason']}; "
            "their rows have the reason and no numbers."
        )
    files = plural(results["num_files"], "Parquet file")
    say(f"  {files} and {RECORD}: {record['folder']}")
