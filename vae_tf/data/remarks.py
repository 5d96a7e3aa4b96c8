"""What is odd about the pictures, in sentences."""

import dataclasses
from collections.abc import Sequence

from vae_tf.data.inspection import Copies, Inspection
from vae_tf.data.near_copies import LARGEST_COLOUR, LARGEST_GREY, SMALLEST_SIDE


@dataclasses.dataclass(frozen=True)
class Finding:
    """A sentence that names nobody, and the pictures or groups that it is about, the first few of them."""

    text: str
    examples: list[str]

    def __str__(self) -> str:
        return f"{self.text} {'; '.join(self.examples)}".strip()


def findings(
    inspection: Inspection, paths: Sequence[str] = (), group_names: Sequence[str] = (), num_examples: int = 3
) -> list[str]:
    """What is odd, one text each, the worst first; names follow their sentence where names are given."""
    return [str(finding) for finding in remarks(inspection, paths, group_names, num_examples)]


def remarks(
    inspection: Inspection, paths: Sequence[str] = (), group_names: Sequence[str] = (), num_examples: int = 3
) -> list[Finding]:
    """The same as `findings`, with the sentences apart from the names."""
    found = inspection
    # What an earlier line names is not named again by a later one.
    exact = [copies for copies in found.exact if not copies.across_parts and not copies.across_classes]
    near = [copies for copies in found.near if not copies.across_parts]
    many = 5 * found.num_near >= found.num_pictures

    def copied(listed: list[Copies], sign: str) -> list[str]:
        return [joined([paths[i] for i in copies.positions], sign) for copies in listed] if paths else []

    def single(positions: list[int]) -> list[str]:
        return [paths[i] for i in positions] if paths else []

    rows: list[tuple[int, str, str, list[str]]] = [
        (
            found.num_exact_across_parts,
            "1 picture lies in different parts, as exact copies: figures on unseen pictures are too good by it.",
            "{} pictures lie in different parts, as exact copies: figures on unseen pictures are too good by them.",
            copied([copies for copies in found.exact if copies.across_parts], " = "),
        ),
        (
            found.num_groups_across,
            "1 group has pictures in different parts: where it is called unseen, it is not.",
            "{} groups have pictures in different parts: where they are called unseen, they are not.",
            [group_names[i] for i in found.groups_across] if len(group_names) else [],
        ),
        (
            found.num_near_across_parts,
            "1 pair in different parts is nearly the same picture: look whether it is one.",
            "{} pairs in different parts are nearly the same picture: look whether they are.",
            copied([copies for copies in found.near if copies.across_parts], " ≈ "),
        ),
        (
            found.num_exact_across_classes,
            "1 picture lies in different classes, as exact copies: nothing can tell which is right.",
            "{} pictures lie in different classes, as exact copies: nothing can tell which is right.",
            copied([copies for copies in found.exact if copies.across_classes], " = "),
        ),
        (
            found.num_not_finite,
            "1 picture has pixels that are no numbers.",
            "{} pictures have pixels that are no numbers.",
            single(found.not_finite),
        ),
        (
            found.num_constant,
            "1 picture is of one colour throughout.",
            "{} pictures are of one colour throughout.",
            single(found.constant),
        ),
        (
            found.num_extra if exact or found.num_exact > len(found.exact) else 0,
            "1 picture is an exact copy of another one.",
            ("In all, {}" if found.num_exact_across_parts + found.num_exact_across_classes else "{}")
            + " pictures are exact copies of another one.",
            copied(exact, " = "),
        ),
        (
            found.num_near if near or found.num_near > len(found.near) else 0,
            "1 pair is nearly the same picture.",
            ("In all, {}" if found.num_near_across_parts else "{}")
            + " pairs are nearly the same picture."
            + (" So many may be what these pictures are like, rather than copies." if many else ""),
            copied(near, " ≈ "),
        ),
    ]
    return [
        Finding(one if number == 1 else more.format(f"{number:,}"), examples[:num_examples])
        for number, one, more, examples in rows
        if number
    ]


def joined(names: list[str], sign: str) -> str:
    return sign.join(names[:4]) + (f" and {len(names) - 4:,} more" if len(names) > 4 else "")


def search_note(inspection: Inspection) -> str:
    """How near copies were looked for, and what was left out."""
    if not inspection.searched:
        return f"Near copies were not looked for: below {SMALLEST_SIDE} pixels pictures are alike without being copies."
    text = (
        "Two pictures count as nearly the same where, once one has been shifted, stretched, blurred and brightened to "
        f"match the other, they differ nowhere by more than {100 * LARGEST_GREY:.0f} % of the contrast "
        f"({100 * LARGEST_COLOUR:.0f} % in colour). How much alike: 100 % less that difference."
    )
    if inspection.num_compared < inspection.num_candidates:
        compared, candidates = f"{inspection.num_compared:,}", f"{inspection.num_candidates:,}"
        text += f" Only the {compared} most alike of {candidates} pairs were compared."
    return text
