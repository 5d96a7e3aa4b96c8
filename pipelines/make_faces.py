"""The embedded faces as a folder."""

from pathlib import Path

from pipelines.console import counting, next_step, say


def make_faces(folder: Path, num_people: int, per_person: int, size: int, seed: int) -> None:
    from vae_tf.data import faces

    total = num_people * per_person
    with counting("drawing") as progress:
        count = faces.write_faces(
            folder, num_people, per_person, size, seed, lambda done: progress(done, total)
        )
    say(
        f"{count} faces of {num_people} people in {folder}/happy and {folder}/angry; their factors in factors.csv"
    )
    next_step(f"python cli.py train {folder} --latent 30 --group-by '(person[0-9]+)'")
