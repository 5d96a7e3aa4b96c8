"""What was found in a source of pictures, in lines for the terminal."""

from pipelines.console import counting, say, warn
from reports.words import plural
from vae_tf.artifacts.hashes import hash_of
from vae_tf.artifacts.json_files import read_json, write_json
from vae_tf.data.dataset import Pictures
from vae_tf.data.inspection import Inspection, inspect
from vae_tf.data.remarks import findings
from vae_tf.data.splits import PARTS
from vae_tf.locks import working_in
from vae_tf.places import cache_root


def inspect_pictures(pictures: Pictures) -> Inspection:
    """Looks for copies, leaks and constant pictures, and says what it found; once for the same pictures and parts."""
    index = pictures.index
    key = hash_of([index.parts, index.labels, index.groups])
    path = cache_root() / pictures.fingerprint / f"inspection-{key}.json"
    if path.exists():
        inspection = Inspection.from_json(read_json(path))
    else:
        with counting("looking for copies") as progress:
            inspection = inspect(pictures.images, index.parts, index.labels, index.groups, progress)
        with working_in(path.parent):
            write_json(path, inspection.to_json())
    for finding in findings(inspection, index.paths, index.group_names):
        warn(finding)
    return inspection


def describe_data(pictures: Pictures) -> None:
    """How many pictures of what shape, in which parts, classes and groups; what was skipped and decided."""
    index, shape = pictures.index, pictures.shape
    parts = {name: len(index.where(name)) for name in PARTS}
    counts = ", ".join(f"{count:,} {name}" for name, count in parts.items() if count)
    say(
        f"{len(index.paths):,} pictures of {shape.height}×{shape.width}, "
        f"{'grey' if shape.channels == 1 else 'colour'}: {counts}"
    )
    for reason in shape.reasons:
        say(f"  chosen: {reason}", style="dim")
    if index.class_names:
        shown = ", ".join(index.class_names[:8]) + (" …" if len(index.class_names) > 8 else "")
        say(f"  {plural(len(index.class_names), 'class', 'classes')}: {shown}")
    if index.group_names:
        say(f"  {plural(len(index.group_names), 'group')}")
    if index.facts:
        shown = ", ".join(list(index.facts)[:8]) + (" …" if len(index.facts) > 8 else "")
        say(f"  {plural(len(index.facts), 'further fact')} of each: {shown}")
    if pictures.skipped:
        warn(
            f"{plural(len(pictures.skipped), 'file')} could not be used; the report lists them, the first is"
        )
        say(f"    {pictures.skipped[0][0]}: {pictures.skipped[0][1]}")
    for note in [*pictures.source_notes, *pictures.notes]:
        say(f"  {note}", style="dim")
