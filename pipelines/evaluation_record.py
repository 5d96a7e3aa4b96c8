"""From what `evaluate` found to the record of its page."""

from typing import Any

import numpy as np

from pipelines.overview_record import quality_cells, quality_note
from pipelines.run_data import Examples, Subject
from reports.evaluation_records import BoundRow, BoundsOfPart, EvaluationRecord, Sampler
from reports.records import RunFacts
from reports.words import said_of
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays

MEANINGS = (
    ("mig", "MIG", "gap between the best and the second-best dimension of each factor (Chen et al. 2018)"),
    (
        "dci_disentanglement",
        "DCI, disentanglement",
        "each dimension serves one factor (Eastwood & Williams 2018)",
    ),
    ("dci_completeness", "DCI, completeness", "each factor is served by one dimension"),
    ("dci_informativeness", "DCI, informativeness", "factors can be predicted from the code at all"),
    ("sap", "SAP", "gap in predictability between dimensions (Kumar et al. 2018)"),
    ("modularity", "Modularity", "no dimension mixes factors (Ridgeway & Mozer 2018)"),
    ("beta_vae", "β-VAE score", "pairs that share a factor are told apart (Higgins et al. 2017)"),
    ("factor_vae", "FactorVAE score", "the dimension of least variance names the factor (Kim & Mnih 2018)"),
)


def evaluation(subject: Subject, facts: RunFacts, pictures: Examples) -> EvaluationRecord:
    stage = subject.computed("evaluation")
    scores = read_json(stage.folder / "scores.json")
    arrays = load_arrays(stage.folder / "samples.npz")
    reconstruction = subject.computed("evaluate").record["results"]["scores"]
    factors = scores["factors"] or {}
    return EvaluationRecord(
        run=facts,
        answer=said_of(answer(scores), facts.noun),
        quality=[] if subject.is_text else quality_cells(reconstruction),
        quality_note="" if subject.is_text else quality_note(subject.run, reconstruction),
        unit=scores.get("unit", "nats"),
        bounds=[
            part_of(split, found)
            for split, found in scores.get("bounds", {}).items()
            if split != "overfitting"
        ],
        sentences=sentences(scores),
        samplers=[
            Sampler(name=row["sampler"], distance=row["value"], floor=row["floor"], detail=row["detail"])
            for row in scores["samples"]
        ],
        sample_note=sample_note(scores["samples"]),
        drawn={name.replace("_", " "): drawn for name, drawn in arrays.items()},
        factor_scores=[
            (name, factors[key], meaning) for key, name, meaning in MEANINGS if factors.get(key) is not None
        ],
        factor_notes=list(factors.get("notes", [])),
        text_figures=text_figures(scores),
        kl_per_dimension=np.asarray(scores["text"]["kl_per_dimension"]) if "text" in scores else None,
    )


def text_figures(scores: dict[str, Any]) -> list[tuple[str, int, float, float]]:
    """Of sentences: (split, number, tokens of one, perplexity of a token)."""
    found = scores.get("text", {}).get("perplexities", {})
    return [
        (part, scores["bounds"][part]["num"], row["length"], row["perplexity"]) for part, row in found.items()
    ]


def answer(scores: dict[str, Any]) -> str:
    bounds = scores.get("bounds", {})
    part = next((part for part in ("test", "validation", "train") if part in bounds), None)
    if part is None:
        return f"{scores['no_elbo']}: only its reconstructions and samples can be judged."
    weighted = next(row for row in bounds[part]["rows"] if row["name"] == "importance-weighted")
    which = {
        "test": "an unseen picture",
        "validation": "a validation picture",
        "train": "a picture trained on",
    }
    error = weighted["standard_error"]
    decimals = 1 if error is None or error < 10 else 0
    spread = "" if error is None else f" ± {error:,.{decimals}f}"
    mean = f"{weighted['mean']:,.{decimals}f}".replace("-", "−")
    return (
        f"{bounds.get('overfitting', '')} The logarithm of how probable {which[part]} is, log p(x), is at least "
        f"{mean}{spread} nats on average: a figure to compare models of the same pictures by."
    ).strip()


def part_of(split: str, found: dict[str, Any]) -> BoundsOfPart:
    rows = [
        BoundRow(
            name=row["name"],
            num_samples=row["num_samples"],
            mean=row["mean"],
            standard_error=row["standard_error"],
            effective=row["effective_sample_size"],
        )
        for row in found["rows"]
    ]
    return BoundsOfPart(split=split, num=found["num"], rows=rows)


def sentences(scores: dict[str, Any]) -> list[str]:
    """Collapse, and how much the code says of which picture it is."""
    noun = "sentence" if "text" in scores else "picture"
    if "aggregate" not in scores:
        return []
    found = scores["aggregate"]
    said = [found["sentence"]]
    if found["information"] is None:
        return said
    which = f"which of {found['num_pictures']:,} {noun}s it is of"
    information = f"A code tells {found['information']:.1f} nats about {which}"
    if found["saturated"]:
        said.append(
            f"{information}, nearly all that there is to tell with so few: no total correlation can be read off."
        )
    else:
        said.append(
            f"{information}; total correlation of its dimensions {found['total_correlation']:.2f} nats."
        )
    return said


def sample_note(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    row = rows[0]
    return (
        f"Fréchet distance between normals fitted to {row['num_components']} PCA scores of pixels (no FID), sets of "
        f"{row['set_size']} pictures; of real pictures: the same between two halves of them. Fine detail: share of the "
        "power above a quarter of the sampling frequency, samples against pictures; below 1 they are blurred."
    )
