"""Each command as a person meets it: what was done, where the page is, and what comes next."""

import time
from pathlib import Path
from typing import Any

from pipelines.console import import_tensorflow_quietly, next_step, say, seconds, warn
from reports.words import bytes_in_words, plural
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.publishing import address_of, check_runs, publish
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import find_run, run_of_job
from vae_tf.artifacts.stage import Stage
from vae_tf.errors import UserError
from vae_tf.places import is_remote

NUM_LINES_SAID = 10


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


def train_on_ray(task: dict[str, Any], workers: int, address: str | None, thumbnails: bool | None) -> None:
    """Training on the machines of a Ray cluster; `task` has what was typed, see `ray_training.Task`."""
    import_tensorflow_quietly()
    from pipelines.ray_training import Task
    from pipelines.ray_training import train as work

    finish_training(lambda: work(Task(**task), workers, address), thumbnails)


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


def show_quality(subject: Any) -> None:
    from pipelines.evaluate import evaluate, verdict
    from pipelines.text_scores import text_verdict

    scores = evaluate(subject).record["results"]["scores"]
    if subject.is_text:
        say(f"  {text_verdict(scores)}")
        return
    shown = "test" if "test" in scores else "validation"
    for part, words in ((shown, "unseen" if shown == "test" else shown), ("train", "trained on")):
        if part in scores:
            vae, pca = scores[part]["vae"], scores[part]["pca"]
            say(
                f"  {words}: MSE {vae['mse']['value']:.5f}, SSIM {vae['ssim']['value']:.3f}"
                f"   PCA: MSE {pca['mse']['value']:.5f}, SSIM {pca['ssim']['value']:.3f}"
                + ("" if scores[part]["elbo"] is None else f"   ELBO {scores[part]['elbo']:,.1f} nats")
            )
    say(f"  {verdict(scores)}")


def show_page(subject: Any, page: str, single_file: bool = False) -> None:
    from pipelines.report import write_report

    index = write_report(subject, single_file)
    say(f"  page: {index.parent / page}", style="bold")
    if subject.run.mirror is not None:
        say(f"  also at {address_of(index.parent)}/")


def started_with(text: str | None) -> Run:
    """The run that a command is about; says which where none was named."""
    run = find_run(text)
    say(f"run {run.name}" + ("" if text else " (the newest)"), style="bold")
    import_tensorflow_quietly()
    return run


def told(stage: Stage, what: str, began: float) -> None:
    made_before = stage.record["finished"] < began
    how = (
        " (made before: nothing has changed since)" if made_before else f" in {seconds(time.time() - began)}"
    )
    say(f"  {what}{how}")


def embed(text: str | None, other: Any = None) -> None:
    """Encodes the run's own pictures, or those that the configuration `other` names."""
    run, began = started_with(text), time.time()
    from pipelines.embed import embed as work
    from pipelines.other_source import list_source
    from pipelines.run_data import own_pictures

    subject = own_pictures(run) if other is None else list_source(run, other.data)
    stage = work(subject)
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


def uses_ray(engine: str, address: str | None) -> bool:
    """Raises: UserError: See `ray_cluster.check_engine`."""
    if engine == "local" and address is None:
        return False
    from pipelines.ray_cluster import check_engine

    return check_engine(engine, address)


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


def about(subject: Any) -> str:
    """What a command needs to be about the same run and pictures; nothing for the newest run's own."""
    if subject.is_own:
        return "" if find_run(None).name == subject.run.name else f" {subject.run.name}"
    return f" {subject.run.name} {subject.source_name}"


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
    told(stage, "maps and clusters", began)
    say(f"  {stage.record['results']['headline']}")
    if subject.index.class_names:
        began = time.time()
        stage = compare_classes(subject, permutations, seed)
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
    results = stage.record["results"]
    told(
        stage,
        f"{plural(results['num_pairs'], 'path')} between {subject.noun}s, {results['num_class_paths']} between classes",
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
    results = stage.record["results"]
    told(stage, f"{results['num_weights']:,} weights written down for the page", began)
    show_page(subject, "explore.html")
    if results.get("why_served"):
        warn(results["why_served"])
        next_step(f"python cli.py serve {run.name}   (the page asks the server to draw)")


def evaluate(text: str | None, source: str | None, samples: int, pictures: int, seed: int) -> None:
    run, began = started_with(text), time.time()
    from pipelines.evaluation import EvaluationOptions, evaluate_fully
    from pipelines.evaluation_record import answer, sentences
    from pipelines.features import describe_features
    from pipelines.other_source import subject_of
    from reports.words import said_of

    subject = subject_of(run, source)
    stage = evaluate_fully(subject, EvaluationOptions(samples, pictures, seed))
    told(stage, "bounds, latents, samples and factors", began)
    scores = read_json(stage.folder / "scores.json")
    for sentence in [answer(scores), *sentences(scores)]:
        say(f"  {said_of(sentence, subject.noun)}")
    if (features := describe_features(subject, seed)) is not None:
        from pipelines.features_record import answer_of

        say(f"  {answer_of(features)}")
        show_page(subject, "features.html")
    show_page(subject, "evaluation.html")


def probe(text: str | None, labels: str, finetune: bool, draws: int, seed: int) -> None:
    from vae_tf.config import parse_numbers

    numbers = parse_numbers(labels)
    run, began = started_with(text), time.time()
    from pipelines.probe import ProbeOptions, probe_features
    from pipelines.probe_record import answer
    from pipelines.run_data import own_pictures

    subject = own_pictures(run)
    stage = probe_features(subject, ProbeOptions(numbers, finetune, draws, seed))
    told(stage, "classifiers on latents, PCA and pixels", began)
    say(f"  {answer(read_json(stage.folder / 'scores.json'))}")
    show_page(subject, "probe.html")


def predict(text: str | None, source: str | None, seed: int) -> None:
    run, began = started_with(text), time.time()
    from pipelines.other_source import subject_of
    from pipelines.predictions import predict as work
    from pipelines.predictions_record import answer, calibration_sentences

    subject = subject_of(run, source)
    stage = work(subject, seed)
    scores = read_json(stage.folder / "scores.json")
    told(stage, f"classes of {scores['num_pictures']:,} pictures", began)
    for sentence in [answer(scores), *calibration_sentences(scores)]:
        say(f"  {sentence}")
    say(f"  files: {stage.folder / 'predictions.csv'} and predictions.npz")
    show_page(subject, "predictions.html")


def anomalies(
    text: str | None, source: str | None, normal: list[str], alpha: float, score: str, samples: int, seed: int
) -> None:
    run, began = started_with(text), time.time()
    from pipelines.anomalies import AnomalyOptions, find_anomalies
    from pipelines.anomalies_record import answer, fact_sentences
    from pipelines.other_source import subject_of

    subject = subject_of(run, source)
    stage = find_anomalies(subject, AnomalyOptions(tuple(normal), alpha, score, samples, seed))
    scores = read_json(stage.folder / "scores.json")
    told(stage, f"scores of {plural(scores['num']['tested'], 'picture')}", began)
    for sentence in [answer(scores), *(f"{name}: {said}" for name, said in fact_sentences(scores))]:
        say(f"  {sentence}")
    for note in scores["notes"]:
        warn(note)
    say(f"  files: {stage.folder / 'scores.csv'} and anomalies.npz")
    show_page(subject, "anomalies.html")


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


def check_place(directory: str | None) -> None:
    """Finds out whether a store can be reached before minutes of work.

    Raises:
        UserError: It cannot.
    """
    if directory is not None and is_remote(directory):
        from vae_tf.store import Store

        Store(directory).folders()


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
    results = stage.record["results"]
    told(stage, f"{title} with {weights} weights in {stage.folder / MODEL}", began)
    tolerance = results["tolerance"]
    say(
        f"  asked by {results['engine']} in a fresh process without TensorFlow, on {results['checked_on']}: largest "
        f"difference {results['largest_difference']:.1e} of its scale (tolerance {tolerance['largest']:g}), "
        f"mean {results['mean_difference']:.1e} (tolerance {tolerance['mean']:g})"
    )
    for name, reason in results["left_out"].items():
        warn(f"{name} was left out of the {title} files: {reason}.")
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


def sample(text: str | None, num: int, temperature: float, seed: int, to: Path | None) -> None:
    run = started_with(text)
    from pipelines import pictures, text_commands
    from pipelines.run_data import own_pictures

    if own_pictures(run).is_text:
        path, lines = text_commands.sample(run, num, temperature, seed, to)
        publish(path)
        for line in lines[:NUM_LINES_SAID]:
            say(f"  {line}")
        say(f"  {num} sentences drawn from the prior: {path}")
        return
    path = pictures.sample(run, num, temperature, seed, to)
    publish(path)
    say(f"  {num} pictures drawn from the prior: {path}")


def reconstruct(text: str | None, files: list[Path], to: Path | None) -> None:
    run = started_with(text)
    from pipelines import pictures, text_commands
    from pipelines.run_data import own_pictures

    if own_pictures(run).is_text:
        path, pairs, problems = text_commands.reconstruct(run, [str(file) for file in files], to)
        publish(path)
        for problem in problems:
            warn(problem)
        for sentence, rebuilt in pairs[:NUM_LINES_SAID]:
            say(f"  {sentence}  →  {rebuilt}")
        say(f"  sentences and their reconstructions: {path}")
        return
    path, problems = pictures.reconstruct(run, files, to)
    publish(path)
    for problem in problems:
        warn(problem)
    say(f"  originals above reconstructions: {path}")
