"""The whole chain on one source, and the pages of a run written anew."""

from typing import Any

from pipelines.chain.exports import export
from pipelines.chain.latents import cluster_report, embed, interpolation_grid, traverse
from pipelines.chain.telling import show_page, started_with
from pipelines.chain.training import train
from pipelines.console import say


def run(config: Any, name: str | None, thumbnails: bool | None) -> None:
    """The whole chain on one source."""
    from pipelines.run_data import own_pictures

    trained = train(config, name, thumbnails, dry_run=False, tensorboard=False)
    assert trained is not None, "only a dry run gives no run"
    embed(trained.name)
    cluster_report(trained.name, None, None, None, 999, 0)
    interpolation_grid(trained.name, None, [], [], 11, 4, 0)
    if not own_pictures(trained).is_text:
        traverse(trained.name, None, 11, 2.0, 1999, 0)
    export(trained.name)
    say(f"{trained.report / 'index.html'}")


def report(text: str | None, source: str | None, single_file: bool, thumbnails: bool | None) -> None:
    run = started_with(text)
    from pipelines.other_source import subject_of
    from pipelines.report import choose_pictures, rewrite_reports

    choose_pictures(run, thumbnails)
    subject = subject_of(run, source)
    if thumbnails is not None:
        # The choice is about the run: none of its pages may be left as it was.
        rewrite_reports(run)
    show_page(subject, "index.html", single_file)
