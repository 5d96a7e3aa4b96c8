"""What may be said of runs on sentences side by side; see `pipelines.comparison`."""

from collections.abc import Callable, Sequence
from typing import Any

from pipelines.comparison import Row, Wording, answer_by, by_elbo, described, mark, marks_explained
from pipelines.run_data import own_pictures
from vae_tf.artifacts.hashes import hash_of
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.run import Run

COLUMNS = ("run", "recipe", "latent", "seed", "epochs", "sentences", "−ELBO, nats", "KL, nats", "perplexity")
OF_SENTENCES = Wording(
    "elbo",
    -1.0,
    "sentence",
    "finds {which} most probable: at most {value} nats each",
    "spends least on {which} (at most {value} nats each)",
    2,
)


def unit_of(run: Run) -> str:
    """Nats of one vocabulary: another knows other words, and what it does not know is cheap."""
    return f"nats of vocabulary {hash_of(read_json(own_pictures(run).data.folder / 'vocabulary.json'))}"


def answer(rows: Sequence[Row]) -> str:
    """Which run finds unseen sentences most probable, as far as noise lets one say."""
    return answer_by(by_elbo(rows), rows, OF_SENTENCES)


def cautions(rows: Sequence[Row]) -> list[str]:
    """What must not be read out of the table."""
    said = [
        *marks_explained("sentence"),
        "−ELBO is at least as large as −log p(x). A KL near 0 says that the code is not used, however probable the "
        "sentences.",
    ]
    if len({row.same_nats for row in rows}) > 1:
        said.append(
            "Some runs were scored on other sentences or with another vocabulary: they are not ranked together."
        )
    return said


def cells(rows: Sequence[Row], epochs_of: Callable[[Row], int]) -> list[list[str]]:
    """The table's texts, the best of comparable values marked."""
    rankings = by_elbo(rows)
    return [[*described(row, epochs_of), *figures(row, mark(row, rankings))] for row in rows]


def figures(row: Row, marked: str) -> list[str]:
    scores: dict[str, Any] = row.scores
    if scores["elbo"] is None:
        return ["none", "none", "none"]
    return [f"{-scores['elbo']:,.2f}{marked}", f"{scores['kl']:.2f}", f"{scores['perplexity']:,.1f}"]
