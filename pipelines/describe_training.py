"""What is trained, and why it stopped, in lines for the terminal."""

from typing import Any

from pipelines.console import next_step, say, warn
from reports.words import plural
from vae_tf.artifacts.run import Run
from vae_tf.config import Config


def describe_plan(config: Config, machine: dict[str, Any], model: Any) -> None:
    plan, precision = machine["plan"], machine["precision"]
    names = " · ".join(
        type(getattr(model, axis)).__name__
        for axis in ("encoder", "posterior", "prior", "decoder", "likelihood", "objective")
    )
    say(f"recipe {config.model.recipe}, latent {config.model.latent}: {names}")
    say(
        f"  {model.count_params():,} weights; {describe_objective(model)}; {precision['reason']}", style="dim"
    )
    epochs = f"{plural(plan['epochs'], 'epoch')} of {plural(plan['steps_per_epoch'], 'step')}"
    say(
        f"  {epochs}, batch {plan['batch_size']}, "
        f"learning rate {plan['learning_rate']:g} {plan['schedule']}, seed {plan['seed']}",
        style="dim",
    )
    for note in [*plan["notes"], *describe_distribution(machine["distribution"], plan)]:
        say(f"  {note}", style="dim")


def describe_distribution(distribution: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """Who computes what, in a line; nothing where one device does all, and there is but one."""
    if distribution["replicas"] == 1:
        return [] if distribution["reason"] == "one device" else [f"Trained on {distribution['reason']}."]
    return [
        f"{distribution['strategy']} ({distribution['reason']}): {distribution['replicas']} replicas take "
        f"{distribution['batch_size_per_replica']} pictures each of every batch of {plan['batch_size']}, "
        f"at learning rate {plan['learning_rate']:g}."
    ]


def describe_objective(model: Any) -> str:
    """The arguments of what is minimised, such as "beta 4, warmup_steps 0"."""
    arguments = model.objective.get_config().items()
    return ", ".join(f"{name} {value}" for name, value in arguments) or "no further arguments"


def explain_stop(run: Run, outcome: Any) -> None:
    if outcome.status == "interrupted":
        warn(f"Stopped at epoch {outcome.facts['epoch']}; the best and the last state are kept.")
        next_step(f"python cli.py train --resume {run.name}")
        return
    step, term = outcome.failure
    kept = "" if term == "validation loss" else "; the weights were left as they were before it"
    warn(f"The {term} was no finite number at step {step}{kept}.")
    say("  Try a smaller --learning-rate, --precision float32, or --set likelihood.floor=0.05.")
