"""Stage `anomalies`: how odd each unseen picture is, and above which score it is called so."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.anomaly_roles import ABNORMAL, NORMAL, UNKNOWN, Roles, roles_of
from pipelines.baseline import fit_pca
from pipelines.console import counting
from pipelines.csv_files import write_csv
from pipelines.embed import embed, latents_of
from pipelines.run_data import Subject, load_model, load_pictures_of, own_pictures
from vae_tf import random
from vae_tf.analysis import conformal
from vae_tf.analysis.anomaly import LatentDistance
from vae_tf.analysis.ranking import separations
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index, Pictures
from vae_tf.data.splits import PARTS
from vae_tf.errors import UserError
from vae_tf.evaluation.reconstruction import reconstruct
from vae_tf.pixels import to_uint8, to_unit

# The rival stands last: what the others must beat.
SCORES = ("reconstruction", "elbo", "bound", "latent", "pca")
OF_BOUNDS = ("elbo", "bound")
RIVAL = "pca"
LARGEST_NUM_TRAINED = 500
NUM_SHOWN = 12
TRUTH = {NORMAL: "normal", ABNORMAL: "abnormal", UNKNOWN: "unknown"}


@dataclasses.dataclass(frozen=True)
class AnomalyOptions:
    """`normal`: classes; `alpha`: rate of false alarms; `score` ranks; K = `num_samples` of the bounds."""

    normal: tuple[str, ...] = ()
    alpha: float = 0.05
    score: str = "reconstruction"
    num_samples: int = 32
    seed: int = 0


def find_anomalies(subject: Subject, options: AnomalyOptions) -> Stage:
    """Scores of all pictures that nothing has learned from, each with its conformal p-value.

    Raises:
        UserError: See `roles_of`; a level that the calibration part cannot promise; a score that the model has not;
            nothing to test.
    """
    if options.score not in SCORES:
        raise UserError(
            f"--score {options.score}: there is no such score.", f"Scores are: {', '.join(SCORES)}."
        )
    roles = roles_of(subject, options.normal)
    conformal.promise(len(np.unique(roles.calibration_units)), options.alpha)
    if not len(roles.tested):
        raise UserError(
            "No picture is unseen: all were trained on or used for calibration.",
            f"Name others: python cli.py anomalies {subject.run.name} other-pictures/",
        )
    own = own_pictures(subject.run)
    embedded = [embed(own), embed(subject)]
    inputs = {
        **subject.model_inputs,
        "calibration": own.data.hash,
        "embed": [stage.hash for stage in embedded],
        "options": dataclasses.asdict(options),
    }
    return subject.compute(
        "anomalies", inputs, lambda stage: write_anomalies(subject, roles, embedded, options, stage)
    )


def write_anomalies(
    subject: Subject, roles: Roles, embedded: list[Stage], options: AnomalyOptions, stage: StageWriter
) -> None:
    pictures, model = load_pictures_of(subject), load_model(subject.run)
    own = pictures if subject.is_own else load_pictures_of(own_pictures(subject.run))
    codes = [latents_of(one)["mean"] for one in embedded]
    scorer = Scorer(model, fit_pca(subject, pictures), LatentDistance.fit(codes[0][roles.trained]), options)
    if options.score not in scorer.names:
        raise UserError(
            f"--score {options.score}: {model.no_elbo}, and so no such score.",
            f"Scores of this run are: {', '.join(scorer.names)}.",
        )
    trained = sample(roles.trained, LARGEST_NUM_TRAINED)
    tested = scorer(pictures.images, codes[1], roles.tested)
    calibration = scorer(own.images, codes[0], roles.calibration)
    learned = scorer(own.images, codes[0], trained)
    chosen = conformal.one_of_each(roles.calibration_units, options.seed)
    reference = {name: values[chosen] for name, values in calibration.items()}
    p_values = {name: conformal.p_values(tested[name], reference[name]) for name in scorer.names}
    promise = conformal.promise(len(chosen), options.alpha)
    measured = measure(tested, reference, learned, roles, promise, options)
    order = np.lexsort((np.arange(len(roles.tested)), -tested[options.score]))
    save_arrays(
        stage.folder / "anomalies.npz",
        position=roles.tested,
        truth=roles.truth,
        counted=roles.counted,
        order=order,
        calibration_position=roles.calibration[chosen],
        **{f"score_{name}": values for name, values in tested.items()},
        **{f"p_{name}": values for name, values in p_values.items()},
        **{f"calibration_{name}": values for name, values in reference.items()},
        **scorer.constants(),
        **look_at(scorer, pictures, roles, order, measured["scores"][options.score]["threshold"], tested),
    )
    write_scores_csv(stage, pictures.index, roles, order, tested, p_values, options.score, promise)
    document = {
        "normal": roles.normal,
        "score": options.score,
        "options": dataclasses.asdict(options),
        "unit": "group" if roles.has_groups else "picture",
        "promise": dataclasses.asdict(promise),
        "no_bounds": model.no_elbo,
        "num_components": int(scorer.baseline.decomposition.n_components_),
        "shrinkage": scorer.distance.shrinkage,
        "num": {
            "tested": len(roles.tested),
            "calibration": len(roles.calibration),
            "trained": len(trained),
            **{word: int(np.sum(roles.truth == key)) for key, word in TRUTH.items()},
            **{f"{word}_counted": int(np.sum(roles.counted & (roles.truth == key))) for key, word in TRUTH.items()},
        },
        "notes": roles.notes,
        **measured,
    }  # fmt: skip
    write_json(stage.folder / "scores.json", document)
    stage.results.update(num_tested=len(roles.tested), rate=promise.rate)


def sample(positions: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """At most `limit` of the positions, by a keyed choice."""
    if len(positions) <= limit:
        return positions
    return np.sort(random.generator(0, "scored trained").choice(positions, limit, replace=False))


class Scorer:
    """Every score that the model has, of pictures at some positions; higher is odder."""

    def __init__(self, model: Any, baseline: Any, distance: LatentDistance, options: AnomalyOptions) -> None:
        from vae_tf.evaluation.oddness import BoundsScorer

        self.model, self.baseline, self.distance = model, baseline, distance
        self.main = options.score
        self.bounds = BoundsScorer(model, options.num_samples, options.seed) if model.has_elbo else None
        self.names = [name for name in SCORES if model.has_elbo or name not in OF_BOUNDS]

    def constants(self) -> dict[str, NDArray[np.float64]]:
        """What another engine needs for the main score beside the model, see `vae_tf.serving.anomaly.AnomalyRule`."""
        if self.main == "latent":
            return {"rule_centre": self.distance.mean, "rule_matrix": self.distance.precision}
        if self.main == RIVAL:
            fitted = self.baseline.decomposition
            return {"rule_centre": fitted.mean_, "rule_matrix": fitted.components_}
        return {}

    def __call__(
        self, images: NDArray[Any], codes: NDArray[np.float32], positions: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """Arrays [n] by name, of images [N, H, W, C] with codes [N, d] at n positions."""
        from vae_tf.evaluation.oddness import reconstruction_errors

        chosen = np.asarray(images[positions])
        scores = {
            "reconstruction": reconstruction_errors(self.model.reconstruct, chosen),
            "latent": self.distance(codes[positions]),
            "pca": reconstruction_errors(self.baseline.reconstruct, chosen),
        }
        if self.bounds is not None:
            with counting("bounds on log p(x)") as progress:
                found = self.bounds(chosen, progress)
            scores |= {"elbo": -found.elbo, "bound": -found.importance_weighted}
        return {name: scores[name] for name in self.names}


def measure(
    tested: dict[str, NDArray[np.float64]],
    reference: dict[str, NDArray[np.float64]],
    learned: dict[str, NDArray[np.float64]],
    roles: Roles,
    promise: conformal.Promise,
    options: AnomalyOptions,
) -> dict[str, Any]:
    """Of every score: threshold, false alarms, what was found, AUROC and average precision where truth is known.

    Alarms are counted on one picture of each group, as the promise is; `naive` are the false alarms that a threshold
    at the same level of the trained-on pictures' scores would have given.
    """
    normal = one_of_each(roles, NORMAL, options.seed)
    abnormal = one_of_each(roles, ABNORMAL, options.seed)
    known = np.flatnonzero(roles.counted & (roles.truth != UNKNOWN))
    separation = {}
    if len(normal) and len(abnormal):
        separation = separations(
            {name: values[known] for name, values in tested.items()},
            roles.truth[known] == ABNORMAL,
            roles.units[known],
            RIVAL,
            options.seed,
        )
    scores = {}
    for name, values in tested.items():
        limit = conformal.threshold(reference[name], promise.allowed)
        naive = float(np.quantile(learned[name], 1.0 - options.alpha))
        scores[name] = {
            "threshold": limit,
            "flagged": int(np.sum(values > limit)),
            "false_alarms": share(values[normal] > limit),
            "found": share(values[abnormal] > limit),
            "naive": share(values[normal] > naive),
            "separation": dataclasses.asdict(separation[name]) if separation else None,
        }
    return {
        "scores": scores,
        "expected_alarms": promise.expected_alarms(len(normal)) if len(normal) else None,
        "prevalence": float(np.mean(roles.truth[known] == ABNORMAL)) if len(known) else None,
    }


def share(is_counted: NDArray[np.bool_]) -> dict[str, Any]:
    return dataclasses.asdict(conformal.share(is_counted))


def one_of_each(roles: Roles, kind: int, seed: int) -> NDArray[np.int64]:
    """Positions among the tested pictures of this kind that figures may count, one of each group."""
    members = np.flatnonzero(roles.counted & (roles.truth == kind))
    return members[conformal.one_of_each(roles.units[members], seed)]


def look_at(
    scorer: Scorer,
    pictures: Pictures,
    roles: Roles,
    order: NDArray[np.int64],
    threshold: float,
    tested: dict[str, NDArray[np.float64]],
) -> dict[str, NDArray[Any]]:
    """The pictures to show, with what is rebuilt of them and where it differs; all maps on one scale."""
    rebuild = scorer.model if scorer.main != RIVAL else scorer.baseline
    values = tested[scorer.main]
    ranks = {
        "odd": order[:NUM_SHOWN],
        "typical": order[::-1][: NUM_SHOWN // 2],
        "alarms": order[(roles.truth == NORMAL)[order] & (values > threshold)[order]][: NUM_SHOWN // 2],
        "missed": order[::-1][((roles.truth == ABNORMAL) & (values <= threshold))[order[::-1]]][: NUM_SHOWN // 2],
    }  # fmt: skip
    shown = np.unique(np.concatenate(list(ranks.values())))
    originals = np.asarray(pictures.images[roles.tested[shown]])
    rebuilt = reconstruct(rebuild, originals)
    difference = (to_unit(originals) - rebuilt).mean(axis=-1, keepdims=True)
    scale = max(float(np.quantile(np.abs(difference), 0.999)), 1e-6)
    return {
        **{f"rank_{name}": chosen for name, chosen in ranks.items()},
        "shown": shown,
        "rebuilt": to_uint8(rebuilt),
        "difference": to_uint8(0.5 + 0.5 * np.clip(difference / scale, -1.0, 1.0)),
        "difference_scale": np.array(scale),
    }


def write_scores_csv(
    stage: StageWriter,
    index: Index,
    roles: Roles,
    order: NDArray[np.int64],
    tested: dict[str, NDArray[np.float64]],
    p_values: dict[str, NDArray[np.float64]],
    score: str,
    promise: conformal.Promise,
) -> None:
    """One row per tested picture, the oddest first."""
    facts = ["rank", "path", "split", "label", "group", "truth", "counted", "flagged"]
    columns = [*facts, *(f"score_{name}" for name in tested), *(f"p_{name}" for name in tested)]
    # By counts, not by p ≤ α in floats: as many calibration scores as the level allows, less one, may be as large.
    flagged = p_values[score] * (promise.num_units + 1) < promise.allowed + 0.5

    def rows() -> Any:
        for rank, i in enumerate(order.tolist()):
            position = int(roles.tested[i])
            yield [
                rank + 1,
                index.paths[position],
                PARTS[index.parts[position]],
                index.class_of(position),
                index.group_of(position),
                TRUTH[int(roles.truth[i])],
                "yes" if roles.counted[i] else "no",
                "yes" if flagged[i] else "no",
                *(float(values[i]) for values in (*tested.values(), *p_values.values())),
            ]

    write_csv(stage.folder / "scores.csv", columns, rows())
