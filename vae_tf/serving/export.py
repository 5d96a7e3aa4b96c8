"""SavedModel with deterministic signatures, as TF Serving loads it."""

from pathlib import Path
from typing import Any

from vae_tf.sentence import SentenceVAE
from vae_tf.serving import pictures, text


def export(model: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """Writes the SavedModel into `folder`.

    No signature draws random numbers: other engines refuse such graphs, and equal requests must get equal answers.

    Args:
        model: A `VAE`.
        folder: A folder that does not exist yet, such as `export/1`.

    Returns:
        For each signature its inputs and outputs with shape, dtype and meaning.
    """
    from keras.export import ExportArchive

    is_text = isinstance(model, SentenceVAE)
    archive = ExportArchive()
    archive.track(model)
    for name, (function, inputs) in (text if is_text else pictures).endpoints(model).items():
        archive.add_endpoint(name, function, input_signature=inputs)
    archive.write_out(str(folder), verbose=False)
    return (text if is_text else pictures).describe(model)
