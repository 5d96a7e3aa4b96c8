"""Who is what when anomalies are looked for: which pictures are normal, which calibrate, which are tested."""

import dataclasses
import difflib

import numpy as np
from numpy.typing import NDArray

from pipelines.run_data import Subject, config_of, own_pictures
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.data.dataset import Index
from vae_tf.data.splits import PARTS, join_copies
from vae_tf.errors import UserError
from vae_tf.groups import units_of

NORMAL, ABNORMAL, UNKNOWN = 0, 1, -1
# Parts that the model, or the choice of its weights, or the threshold has been made with.
USED = ("train", "validation", "calibration")


@dataclasses.dataclass(frozen=True)
class Roles:
    """Positions among the run's own pictures (`calibration`, `trained`) and among those asked about (`tested`).

    Attributes:
        normal: Names of the normal classes; none where all pictures of the run are normal.
        calibration: Normal pictures of the calibration part.
        calibration_units: What each of them varies with: its group, or itself.
        trained: Normal pictures that were trained on.
        tested: Pictures that nothing has learned from.
        units: What each tested picture varies with.
        truth: NORMAL, ABNORMAL or UNKNOWN for each tested picture.
        counted: Whether figures may count it: nothing of its group, and no copy of it, was used.
        has_groups: Whether units are groups.
        notes: What a reader of the figures must know.
    """

    normal: tuple[str, ...]
    calibration: NDArray[np.int64]
    calibration_units: NDArray[np.int64]
    trained: NDArray[np.int64]
    tested: NDArray[np.int64]
    units: NDArray[np.int64]
    truth: NDArray[np.int64]
    counted: NDArray[np.bool_]
    has_groups: bool
    notes: list[str]


def roles_of(subject: Subject, asked: tuple[str, ...]) -> Roles:
    """What each picture is to be, where `asked` are the classes that --normal names.

    Raises:
        UserError: Sentences; no such class, or none named where there are several; no calibration part.
    """
    if subject.is_text:
        raise UserError(
            f"{subject.run.name} is about sentences; odd ones are looked for among pictures only.",
            "Sentences have embed, cluster-report, interpolation-grid, evaluate, sample, reconstruct and export.",
        )
    own = own_pictures(subject.run)
    index = own.index
    only = config_of(subject.run).data.only
    names = own_classes(subject, index, only, asked)
    is_normal = np.isin(index.labels, [index.class_names.index(name) for name in names]) | (not names)
    check_calibration(own, names, is_normal)
    units = own_units(own)
    calibration = positions(index, is_normal, "calibration")
    tested, tested_units, counted = own_tested(index, units) if subject.is_own else other_tested(subject, own)
    truth, notes = truth_of(subject, names, asked)
    return Roles(
        normal=names,
        calibration=calibration,
        calibration_units=units[calibration],
        trained=positions(index, is_normal, "train"),
        tested=tested,
        units=tested_units,
        truth=truth[tested],
        counted=counted,
        has_groups=bool(index.group_names),
        notes=[*notes, *notes_about_roles(subject, index, only, names, counted, truth[tested])],
    )


def positions(index: Index, is_normal: NDArray[np.bool_], part: str) -> NDArray[np.int64]:
    return np.flatnonzero(is_normal & (index.parts == PARTS.index(part)))


def own_classes(
    subject: Subject, index: Index, only: tuple[str, ...], asked: tuple[str, ...]
) -> tuple[str, ...]:
    """Names of the run's normal classes; none where its pictures have no classes and so are all normal."""
    if not index.class_names:
        if asked and subject.is_own:
            raise UserError(
                f"--normal {asked[0]}: the pictures have no classes, so that all of them are taken as normal.",
                "Leave --normal out.",
            )
        return ()
    if only:
        if asked and subject.is_own and set(asked) != set(only):
            raise UserError(
                f"--normal {asked[0]}: {subject.run.name} learned from {', '.join(only)} alone, and that is normal.",
                f"Leave --normal out, or train anew with --only {asked[0]}.",
            )
        return only
    if not asked:
        raise UserError(
            "Which class is normal? The run learned from all of them.",
            f"Say --normal CLASS. Classes are: {shown(index.class_names)}.",
        )
    for name in asked:
        check_class(name, index.class_names)
    return asked


def check_class(name: str, names: list[str]) -> None:
    """Raises: UserError: No class is called so; with those that are, the likeliest first."""
    if name not in names:
        near = difflib.get_close_matches(name, names, len(names), cutoff=0.0)
        raise UserError(f"--normal {name}: there is no such class.", f"Classes are: {shown(near)}.")


def shown(names: list[str]) -> str:
    return ", ".join(names[:20]) + (" …" if len(names) > 20 else "")


def check_calibration(own: Subject, names: tuple[str, ...], is_normal: NDArray[np.bool_]) -> None:
    """Raises: UserError: Nothing normal was kept that no training, no choice and no figure has touched."""
    index = own.index
    if len(positions(index, is_normal, "calibration")):
        return
    what = f" {', '.join(names)}" if len(index.where("calibration")) else ""
    train = f"python cli.py train {config_of(own.run).data.source}"
    raise UserError(
        f"{own.run.name} kept no{what} pictures for calibration, so that no threshold can promise anything.",
        f"{train} --only {names[0]}   (keeps some)"
        if names
        else f"{train} --split 60/10/15/15   (the fourth part)",
    )


def own_units(own: Subject) -> NDArray[np.int64]:
    """What may vary independently [N]: a picture with its group and with all that have equal pixels."""
    hashes = load_arrays(own.data.folder / "hashes.npz")["hashes"]
    _, copies, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return units_of(join_copies(own.index.groups, np.where(counts[copies] > 1, copies, -1).astype(np.int64)))


def own_tested(
    index: Index, units: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The unseen pictures, and those that were put aside; figures leave out who shares a group with a used one."""
    tested = np.flatnonzero(np.isin(index.parts, [PARTS.index("test"), PARTS.index("other")]))
    used = units[np.isin(index.parts, [PARTS.index(part) for part in USED])]
    return tested, units[tested], ~np.isin(units[tested], used)


def other_tested(
    subject: Subject, own: Subject
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """All pictures of another source that are no exact copies of one that was used."""
    hashes = [load_arrays(which.data.folder / "hashes.npz")["hashes"] for which in (subject, own)]
    used = hashes[1][np.isin(own.index.parts, [PARTS.index(part) for part in USED])]
    tested = np.flatnonzero(~np.isin(hashes[0], used))
    return tested, own_units(subject)[tested], np.ones(len(tested), dtype=bool)


def truth_of(
    subject: Subject, own_names: tuple[str, ...], asked: tuple[str, ...]
) -> tuple[NDArray[np.int64], list[str]]:
    """NORMAL, ABNORMAL or UNKNOWN for every picture [N] of the subject, and why nothing is known.

    Raises:
        UserError: A class that these pictures do not have.
    """
    index = subject.index
    unknown = np.full(len(index.paths), UNKNOWN)
    if not index.class_names:
        return (np.full(len(index.paths), NORMAL), []) if subject.is_own else (unknown, [])
    for name in asked:
        check_class(name, index.class_names)
    names = [name for name in (asked or own_names) if name in index.class_names]
    if not names:
        note = (
            "None of the classes of these pictures is known as the normal one, so that nothing could be measured: "
            f"say which is, --normal CLASS ({shown(index.class_names)})."
        )
        return unknown, [note]
    is_normal = np.isin(index.labels, [index.class_names.index(name) for name in names])
    known = np.where(is_normal, NORMAL, ABNORMAL)
    return np.where(index.labels < 0, UNKNOWN, known), []


def notes_about_roles(
    subject: Subject,
    index: Index,
    only: tuple[str, ...],
    names: tuple[str, ...],
    counted: NDArray[np.bool_],
    truth: NDArray[np.int64],
) -> list[str]:
    notes = []
    if names and not only and len(index.class_names) > len(names):
        notes.append(
            f"The model learned from all classes, not from {', '.join(names)} alone: what it has learned to rebuild "
            "looks less odd to it. Trained with --only it would know normal pictures only."
        )
    if left_out := int(np.sum(~counted & (truth != UNKNOWN))):
        notes.append(
            f"{left_out:,} pictures are ranked but not counted in any figure: others of their group were trained on, "
            "chose the epoch or set the threshold."
        )
    if not subject.is_own:
        notes.append(
            "The promise is about pictures like those that calibrated: it holds here as far as normal pictures "
            "of this source were taken in the same way."
        )
    return notes
