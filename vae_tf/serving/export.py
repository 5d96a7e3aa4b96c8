"""SavedModel with deterministic signatures, as TF Serving loads it."""

from pathlib import Path

from vae_tf.serving.pictures import PictureExport
from vae_tf.serving.signatures import to_text
from vae_tf.serving.text import TextExport

Export = PictureExport | TextExport
# Beside the model, where TF Serving looks for warm-up requests and leaves the rest alone.
EXTRA = "assets.extra"


def write_saved_model(export: Export, folder: Path) -> None:
    """Writes the SavedModel into `folder`, a version folder such as `faces/1` that does not exist yet.

    No signature draws random numbers: other engines refuse such graphs, and equal requests must get equal answers.
    """
    from keras.export import ExportArchive

    archive = ExportArchive()
    for resource in (export.model, *export.resources):
        archive.track(resource)
    signatures = export.signatures
    for name, signature in signatures.items():
        archive.add_endpoint(name, signature.positional(), input_signature=signature.specs)
    archive.write_out(str(folder), verbose=False)
    (folder / EXTRA).mkdir()
    (folder / EXTRA / "signatures.json").write_text(to_text(signatures), encoding="utf-8")
