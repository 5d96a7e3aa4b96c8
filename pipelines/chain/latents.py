"""Commands about the latent space: codes, maps, and what lies between and along them."""

import time
from typing import Any

from pipelines.chain.telling import about, show_page, show_quality, started_with, told
from pipelines.console import next_step, say, warn
from reports.words import plural
from vae_tf.artifacts.json_files import read_json


def embed(text: str | None, other: Any = None) -> None:
    """Encodes the run's own pictures, or those that the configuration `other` names."""
    run, began = started_with(text), time.time()
    from pipelines.embed import embed as work
    from pipelines.other_source import list_source
    from pipelines.run_data import own_pictures

    subject = own_pictures(run) if other is None else list_source(run, other.data)
    stage = work(subject)
    with stage.reading():
        results = stage.record["results"]
        told(
            stage,
            f"{results['num_pictures']:,} {subject.noun}s as {results['latent']} numbers each, "
            f"{results['num_active']} of them in use",
            began,
        )
        say(f"  files: {stage.folder / 'latents.npz'} and latents.csv")
    if not subject.is_own:
        show_quality(subject)
    show_page(subject, "latents.html")
    next_step(f"python cli.py cluster-report{about(subject)}")


def cluster_report(
    text: str | None,
    source: str | None,
    perplexity: float | None,
    neighbors: int | None,
    permutations: int,
    seed: int,
) -> None:
    run, began = started_with(text), time.time()
    from pipelines.classes import compare_classes
    from pipelines.clusters import ClusterOptions, cluster
    from pipelines.other_source import subject_of

    subject = subject_of(run, source)
    stage = cluster(subject, ClusterOptions(perplexity, neighbors, seed))
    with stage.reading():
        told(stage, "maps and clusters", began)
        say(f"  {stage.record['results']['headline']}")
    if subject.index.class_names:
        began = time.time()
        stage = compare_classes(subject, permutations, seed)
        with stage.reading():
            told(stage, "tests of the classes", began)
            say(f"  {stage.record['results']['headline'] or stage.record['results']['reason']}")
    else:
        say(
            f"  no classes to compare: {'no second column' if subject.is_text else 'no subfolders, so no labels'}"
        )
    show_page(subject, "clusters.html")
    if subject.index.class_names:
        say(f"  page: {subject.report / 'classes.html'}", style="bold")
    next_step(f"python cli.py interpolation-grid{about(subject)}")


def interpolation_grid(
    text: str | None, source: str | None, start: list[str], to: list[str], steps: int, pairs: int, seed: int
) -> None:
    run, began = started_with(text), time.time()
    from pipelines.interpolation import InterpolationOptions, interpolate
    from pipelines.other_source import subject_of
    from pipelines.run_data import own_pictures

    subject = subject_of(run, source)
    stage = interpolate(subject, InterpolationOptions(tuple(start), tuple(to), steps, pairs, seed))
    with stage.reading():
        results = stage.record["results"]
        told(
            stage,
            f"{plural(results['num_pairs'], 'path')} between {subject.noun}s, "
            f"{results['num_class_paths']} between classes",
            began,
        )
    say(f"  files: {stage.folder}/{'paths.json' if subject.is_text else '*.png'}")
    show_page(subject, "interpolation.html")
    next_step(
        f"python cli.py export{about(own_pictures(run))}"
        if subject.is_text
        else f"python cli.py traverse{about(subject)}"
    )


def traverse(
    text: str | None, source: str | None, steps: int, reach: float, permutations: int, seed: int
) -> None:
    run, began = started_with(text), time.time()
    from pipelines.other_source import subject_of
    from pipelines.run_data import own_pictures
    from pipelines.traversals import TraversalOptions
    from pipelines.traversals import traverse as work
    from pipelines.traversals_record import answer_of

    subject = subject_of(run, source)
    stage = work(subject, TraversalOptions(steps, reach, permutations, seed))
    with stage.reading():
        told(stage, f"walks along {plural(stage.record['results']['num_shown'], 'latent dimension')}", began)
        say(f"  {answer_of(read_json(stage.folder / 'scores.json'))}")
    show_page(subject, "traversals.html")
    next_step(f"python cli.py export{about(own_pictures(run))}")


def explore(text: str | None, source: str | None) -> None:
    run, began = started_with(text), time.time()
    from pipelines.explore import explore as work
    from pipelines.other_source import subject_of

    subject = subject_of(run, source)
    stage = work(subject)
    with stage.reading():
        results = stage.record["results"]
        told(stage, f"{results['num_weights']:,} weights written down for the page", began)
    show_page(subject, "explore.html")
    if results.get("why_served"):
        warn(str(results["why_served"]))
        next_step(f"python cli.py serve {run.name}   (the page asks the server to draw)")
