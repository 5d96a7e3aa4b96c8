"""From a run's metrics to the record of the page about its training."""

from typing import Any

import numpy as np

from pipelines.console import seconds
from pipelines.machine import machine_of
from pipelines.run_data import Examples, Subject, config_of, train_stage
from pipelines.training_curves import chain_of, curves, hidden_series, read_lines
from reports.records import RunFacts
from reports.training_records import Choice, TrainingRecord
from reports.words import number, percent, plural
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import all_runs
from vae_tf.recipes import find_recipe
from vae_tf.training.plan import CLIP_NORM

# Of all that validation gained after the first tenth of the epochs: less in the last fifth is as good as nothing.
SMALL_GAIN = 0.01
TOO_FEW_EPOCHS = 10
STILL_IMPROVING = "It was still improving when it ended"


def training(subject: Subject, facts: RunFacts, pictures: Examples) -> TrainingRecord:
    run, evaluated = subject.run, subject.computed("evaluate")
    train = train_stage(run)
    lines, scores = read_lines(run), evaluated.record["results"]["scores"]
    answer, notes = verdict(lines, facts.noun)
    kl = [line for line in lines if "val_kl_per_dimension" in line]
    steps = [line for line in lines if "gradient_norm" in line]
    return TrainingRecord(
        run=facts,
        answer=answer,
        notes=notes,
        curves=curves(run, hidden_series(scores), all_parts=True),
        choice=choice(lines, train.record["results"]["best_epoch"]),
        kl_epochs=[line["epoch"] for line in kl],
        kl=np.array([line["val_kl_per_dimension"] for line in kl]) if kl else None,
        gradient_epochs=[line["epoch"] for line in steps],
        gradient_norm=[line["gradient_norm"] for line in steps],
        largest_gradient_norm=[line["largest_gradient_norm"] for line in steps],
        rate_epochs=[line["epoch"] for line in lines],
        learning_rate=[line["learning_rate"] for line in lines],
        clip=CLIP_NORM,
        parents=[(other.name, address(other)) for other in chain_of(run)[:-1]],
        children=[(other.name, address(other)) for other in children_of(run)],
        facts=[] if subject.is_text else fact_list(run, train.record["results"], scores),
    )


def fact_list(run: Run, results: dict[str, Any], scores: dict[str, Any]) -> list[tuple[str, str]]:
    config, machine = config_of(run), machine_of(run)
    plan, precision = machine["plan"], machine["precision"]
    pictures_per_second = results["step"] * plan["batch_size"] / max(results["seconds"], 1e-9)
    facts = [
        ("Recipe", config.model.recipe),
        ("Latent dimensions", str(config.model.latent)),
        ("Likelihood", config.model.likelihood or find_recipe(config.model.recipe).likelihood),
        *([] if config.model.beta is None else [("β", f"{config.model.beta:g}")]),
        ("Precision", f"{precision['reason']}{', XLA' if precision['jit_compile'] else ''}"),
        ("Device", precision["device"]),
        ("Epochs", f"{results['epoch']}, the best was {results['best_epoch']}"),
        ("Steps", f"{results['step']:,} of {plan['batch_size']} pictures"),
        (
            "Training time",
            f"{seconds(results['seconds'])}, {pictures_per_second:,.0f} pictures/s with validation",
        ),
        ("Learning rate", f"{plan['learning_rate']:g}, {plan['schedule']}"),
        ("Augmentation", plan["notes"][0]),
        ("Seed", str(plan["seed"])),
    ]
    facts += [("Changed parts", f"{key} = {value}") for key, value in config.model.settings.items()]
    for part, words in (("test", "unseen"), ("validation", "validation"), ("train", "trained-on")):
        if part in scores and scores[part]["elbo"] is not None:
            facts.append((f"ELBO, {words}", f"{scores[part]['elbo']:,.1f} nats per picture (β = 1)"))
    if run.parent:
        facts.append(("Extends", run.parent))
    return facts


def is_still_improving(run: Run) -> bool:
    """Whether validation was still gaining when training ended."""
    return verdict(read_lines(run), "picture")[0].startswith(STILL_IMPROVING)


def children_of(run: Run) -> list[Run]:
    """Runs that extend this one, by its number: names may have changed since."""
    others = [other for other in all_runs(run.folder.parent) if other.is_trained]
    return [o for o in others if o.parent[:5] == run.name[:5] and o.name != run.name]


def address(run: Run) -> str:
    """Of another run's page from this one's; "" where it has none."""
    return f"../../{run.name}/report/training.html" if (run.report / "training.html").exists() else ""


def choice(lines: list[dict[str, Any]], best_epoch: int) -> Choice | None:
    seen = [line for line in lines if line.get("val_loss") is not None]
    if not seen or not best_epoch:
        return None
    return Choice(
        epochs=[line["epoch"] for line in seen],
        values=[line["val_loss"] for line in seen],
        is_best=[bool(line["is_best"]) for line in seen],
        chosen=best_epoch,
    )


def verdict(lines: list[dict[str, Any]], noun: str) -> tuple[str, list[str]]:
    """Whether training over-fitted, was still improving or had converged, and the numbers that say so.

    Validation has the same pictures and the same noise in every epoch, so that its curve is nearly smooth: what is left
    (the median change between epochs of the last fifth) is the yardstick for a rise.
    """
    values = np.array([line.get("val_loss", np.nan) for line in lines], dtype=float)
    if not np.isfinite(values).any():
        return (
            f"There were no validation {noun}s: nothing can say when to stop, and the last weights were kept.",
            [],
        )
    if len(values) < TOO_FEW_EPOCHS:
        return (
            f"{plural(len(values), 'epoch')} are too few to say whether training had converged.",
            [f"From {TOO_FEW_EPOCHS} epochs on this page says."],
        )
    best, count = int(np.nanargmin(values)), len(values)
    tail = values[-max(2, count // 5) :]
    wobble = float(np.median(np.abs(np.diff(tail))))
    rise, gained = float(values[-1] - values[best]), float(values[count // 10] - values[best])
    late = float(values[-len(tail) - 1 if len(tail) < count else 0] - np.nanmin(tail))
    share = late / gained if gained > 0 else 0.0
    numbers = (
        f"Validation objective, nats per {noun}: {number(values[0], 4)} after epoch {lines[0]['epoch']}, "
        f"{number(values[best], 4)} at its best (epoch {lines[best]['epoch']}), {number(values[-1], 4)} after "
        f"epoch {lines[-1]['epoch']}; in the last fifth of the epochs the median change from one to the next was "
        f"{number(wobble)}."
    )
    fell = float(lines[best].get("loss", np.nan) - lines[-1].get("loss", np.nan))
    rate = lines[-1].get("learning_rate", 0.0)
    highest = max(line.get("learning_rate", 0.0) for line in lines)
    notes = [numbers]
    if rise > 2 * wobble and best < 0.9 * count and fell > 0:
        said = (
            f"It over-fitted: after epoch {lines[best]['epoch']} of {lines[-1]['epoch']} validation rose by "
            f"{number(rise)} nats while the training objective fell by another {number(fell)}. The weights of epoch "
            f"{lines[best]['epoch']} were kept, so that more epochs would not help; more {noun}s or augmentation might."
        )
    elif best >= 0.9 * count - 1 and share > SMALL_GAIN:
        said = (
            f"{STILL_IMPROVING}: the last fifth of the epochs gained {number(late)} nats per "
            f"{noun}, {percent(share)} of all that was gained after the first tenth. More epochs would "
            "very likely help."
        )
    else:
        said = (
            f"It had converged: over the last fifth of the epochs validation gained {number(max(late, 0.0))} nats per "
            f"{noun}, {percent(max(share, 0.0), 1)} of all that was gained after the first tenth."
        )
    if rate < 0.1 * highest:
        notes.append(
            f"The learning rate had been lowered to {number(rate)} ({percent(rate / highest)} of its highest) by then: "
            "that alone slows any gain, and a longer plan may still find better weights."
        )
    return said, notes
