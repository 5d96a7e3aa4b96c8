"""The page of `export`: what the SavedModel answers to, and how far its answers lie from the run's own."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from reports.page import write_page
from reports.records import Difference, ExportRecord, Signature, Tensor
from reports.words import number

# The name that is asked where none is given.
DEFAULT = "serving_default"


@dataclasses.dataclass(frozen=True)
class Family:
    """Signatures that give the same of inputs in several forms.

    Args:
        main: The one that is shown whole.
        others: (name, the inputs that differ from the main one's) of the rest.
    """

    main: Signature
    others: Sequence[tuple[str, Sequence[Tensor]]]

    @property
    def rows(self) -> list[tuple[str, Tensor]]:
        """("takes" or "gives", tensor) of the main one."""
        return [("takes", tensor) for tensor in self.main.inputs] + [
            ("gives", tensor) for tensor in self.main.outputs
        ]


def write_export(folder: Path, record: ExportRecord) -> Path:
    """Writes export.html into `folder`."""
    context = {
        "record": record,
        "answer": record.answer or _answer(record),
        "families": families(record.signatures),
        "total": sum(size for _, size in record.sizes),
        "checked": [(s, worst(s.differences)) for s in record.signatures if s.differences],
    }
    return write_page(folder, "export", record.run, context)


def families(signatures: Sequence[Signature]) -> list[Family]:
    """Signatures by what they give and what for."""
    groups: dict[tuple[str, tuple[Tensor, ...]], list[Signature]] = {}
    for signature in signatures:
        groups.setdefault((signature.summary, tuple(signature.outputs)), []).append(signature)
    found = []
    for members in groups.values():
        main = next((signature for signature in members if signature.name != DEFAULT), members[0])
        others = [
            (other.name, [tensor for tensor in other.inputs if tensor not in main.inputs])
            for other in members
            if other is not main
        ]
        found.append(Family(main, others))
    return found


def worst(differences: Sequence[Difference]) -> Difference:
    """The one that fails, or that uses most of its tolerance."""
    return max(
        differences, key=lambda d: (not d.holds, d.largest / d.tolerance if d.tolerance else d.largest)
    )


def _answer(record: ExportRecord) -> str:
    differences = [difference for signature in record.signatures for difference in signature.differences]
    if not differences:
        return "The model was exported; its answers have not been compared with the run's own."
    wrong = [difference for difference in differences if not difference.holds]
    if wrong:
        largest = max(difference.largest for difference in wrong)
        return (
            f"The exported model does NOT give the run's own answers: they differ by up to {number(largest)}."
        )
    how_near = "" if record.largest is None else f", to {number(record.largest)} of their size"
    return f"The exported model gives the run's own answers{how_near}."
