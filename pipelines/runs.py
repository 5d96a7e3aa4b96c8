"""The runs as a whole: list, show, open, rename, delete."""

import time
from contextlib import suppress
from typing import Any

from pipelines.console import ask, console, say, seconds, warn
from reports.words import bytes_in_words, plural, visible
from vae_tf import strangers
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.publishing import address_of
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import all_runs, delete_run, find_run, rename_run
from vae_tf.artifacts.stage import Stage
from vae_tf.errors import UserError
from vae_tf.places import cache_root, runs_root
from vae_tf.whole import delete_folder


def list_runs() -> None:
    """One row per run, the newest last."""
    from rich.markup import escape
    from rich.table import Table

    runs = all_runs()
    if not runs:
        say(f"There is no run in {address_of(runs_root())}/ yet. Begin with: python cli.py demo")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("run", "made", "recipe", "latent", "state", "stages"):
        table.add_column(column, overflow="fold")
    for run in runs:
        try:
            with strangers.read_from(run.folder):
                cells = row_of(run)
        except FileNotFoundError:
            # Deleted since it was listed.
            continue
        except UserError as error:
            # One that cannot be read must not hide the others.
            cells = [run.name, "", "", "", error.message, ""]
        table.add_row(*[escape(visible(cell)) for cell in cells])
    console.print(table)


def row_of(run: Run) -> list[str]:
    record = run.record
    stages = [stage for stage in map(run.stage, run.stage_names()) if stage is not None]
    kinds = dict.fromkeys(stage.record["stage"] for stage in stages if stage.name == stage.record["stage"])
    shown = ", ".join(kind for kind in kinds if kind not in ("data", "train"))
    if others := len(run.stages("data")) - 1:
        shown += f", and {plural(others, 'other source')}" if others > 0 else ""
    model = record["config"]["model"]
    return [run.name, made(run), str(model["recipe"]), str(model["latent"]), state(run), shown]


def made(run: Run) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(run.record["created"]))


def state(run: Run) -> str:
    """trained, training, interrupted or not trained."""
    if run.is_trained:
        return "trained"
    if run.is_training:
        return "training"
    return "interrupted" if run.has_begun else "not trained"


def show(text: str | None, toml: bool) -> None:
    """What is known of a run, in lines; with `toml` only its configuration, as a file for --config."""
    from vae_tf.config import parse_config
    from vae_tf.options import to_toml

    run = find_run(text, trained=False)
    with strangers.read_from(run.folder):
        config = to_toml(parse_config(run.record["config"]))
        if toml:
            print(config)
        else:
            describe(run, config)


def describe(run: Run, config: str) -> None:
    record = run.record
    say(run.name, style="bold")
    say(f"  {state(run)}, made {made(run)}, {bytes_in_words(size_of(run))} in {address_of(run.folder)}")
    say(f"  command: {record['command']}")
    if run.parent:
        say(f"  goes on from: {run.parent}")
    say("pictures", style="bold")
    describe_pictures(run)
    say("stages", style="bold")
    stages = filter(None, map(run.stage, run.stage_names()))
    for stage in sorted(stages, key=lambda stage: stage.record["finished"]):
        describe_stage(run, stage)
    say("configuration", style="bold")
    for line in config.splitlines():
        say(f"  {line}" if line else "")


def describe_pictures(run: Run) -> None:
    from pipelines.run_data import own_pictures

    stage = run.stage("data")
    if stage is None:
        say("  not decoded")
        return
    index, is_text = read_json(stage.folder / "index.json"), own_pictures(run).is_text
    counts = (
        plural(len(index["paths"]), "sentence" if is_text else "picture"),
        plural(len(index["class_names"]), "class", "classes"),
        plural(len(index["group_names"]), "group"),
        f"{plural(stage.record['results']['num_skipped'], 'line' if is_text else 'file')} skipped",
    )
    say(f"  {', '.join(counts)}")
    facts = read_json(stage.folder / "facts.json")
    for note in [*facts["source_notes"], *facts["notes"]]:
        say(f"  {note}", style="dim")


def describe_stage(run: Run, stage: Stage) -> None:
    took = seconds(stage.record["finished"] - stage.record["started"])
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(stage.record["finished"]))
    results = stage.record["results"]
    said = results.get("headline", "")
    if "scores" in results:
        scores = results["scores"]
        part = next((part for part in ("test", "validation", "train") if part in scores), None)
        said = said_of_scores(part, scores[part]) if part else ""
    about = source_of(run, stage)
    name = stage.record["stage"] + (f" on {about}" if about else "")
    say(f"  {name:24} {when}, {took}" + (f": {said}" if said else ""))


def said_of_scores(part: str, found: dict[str, Any]) -> str:
    """The one figure of a part's scores: the error of pictures, the −ELBO of sentences."""
    if "vae" in found:
        return f"{part} MSE {found['vae']['mse']['value']:.5f}"
    return f"{part} reconstruction {found['reconstruction']:,.1f} nats" + (
        "" if found["elbo"] is None else f", −ELBO {-found['elbo']:,.1f}"
    )


def source_of(run: Run, stage: Stage) -> str:
    """The other source that a stage is about; empty for the run's own pictures."""
    from pipelines.run_data import Subject

    for data in run.stages("data"):
        if data.name != "data" and data.hash in (stage.hash, stage.record["inputs"].get("data")):
            return Subject(run, data).source_name
    return ""


def size_of(run: Run) -> int:
    if run.mirror is not None:
        return int(run.mirror.listing(run.name)["num_bytes"])
    return sum(
        path.stat().st_size for path in run.folder.rglob("*") if path.is_file() and not path.is_symlink()
    )


def open_report(text: str | None) -> None:
    """Opens the newest report of a run in the browser."""
    import webbrowser

    run = find_run(text)
    run.take_report()
    page = run.report / "index.html"
    if not page.exists():
        raise UserError(f"{run.name} has no report.", f"Write it: python cli.py report {run.name}")
    say(f"{page}")
    if not webbrowser.open(page.resolve().as_uri()):
        warn("No browser could be opened here; open the page above.")


def rename(text: str, name: str) -> None:
    """Another name for a run; its number stays, by which its children find it."""
    run = find_run(text, trained=False)
    renamed = rename_run(run, name)
    say(f"{run.name} is now {renamed.name}")


def delete(names: list[str], yes: bool) -> None:
    """Deletes runs, and the caches of decoded pictures that no other run uses.

    Raises:
        UserError: A run is being trained, or a deletion was not confirmed and nobody can be asked.
    """
    runs = list({run.folder: run for run in (find_run(name, trained=False) for name in names)}.values())
    for run in runs:
        if run.is_training:
            raise UserError(f"{run.name} is being trained.", "Stop it first with Ctrl-C.")
    caches = unused_caches(runs)
    for run in runs:
        children = [other.name for other in all_runs() if is_child(other, run) and other not in runs]
        say(
            f"{run.name}: {bytes_in_words(size_of(run))}"
            + (f"; extended by {', '.join(children)}" if children else "")
        )
    for cache in caches:
        say(f"decoded pictures that no other run uses: {bytes_in_words(size_of(Run(cache)))}")
    if not yes and not ask("Delete for good?"):
        say("Nothing was deleted.")
        return
    # Somebody may have begun to use one while the question stood.
    caches = unused_caches(runs)
    for run in runs:
        delete_run(run)
    for cache in caches:
        with suppress(FileNotFoundError):
            delete_folder(cache)
    say(f"deleted {len(runs)} {'run' if len(runs) == 1 else 'runs'}")


def is_child(run: Run, parent: Run) -> bool:
    return run.parent[:5] == parent.name[:5]


def unused_caches(going: list[Run]) -> list[Any]:
    """Caches of the pictures of these runs that no other run refers to."""
    staying = [run for run in all_runs() if run not in going]
    needed = set().union(*(fingerprints(run) for run in staying))
    wanted = set().union(*(fingerprints(run) for run in going)) - needed
    folders = [cache_root() / fingerprint for fingerprint in sorted(wanted)]
    return [folder for folder in folders if folder.is_dir()]


def fingerprints(run: Run) -> set[str]:
    """The caches that a run refers to, its own and those of other sources."""
    found = set()
    for stage in run.stages("data"):
        path = stage.place / "stage.json"
        with strangers.read_from(path):
            found.add(strangers.checked_fingerprint(path, stage.record["inputs"]["fingerprint"]))
    return found
