"""Commands that make pictures, or sentences."""

from pathlib import Path

from pipelines.chain.telling import started_with
from pipelines.console import say, warn
from vae_tf.artifacts.publishing import publish

NUM_LINES_SAID = 10


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
