"""Stage `interpolation` of text: sentences decoded on the way from one to another (Bowman et al. 2016, table 8)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed import latents_of
from pipelines.interpolation import InterpolationOptions, chosen_pairs, class_ends
from pipelines.run_data import Subject, load_model
from pipelines.text_data import load_sentences_of
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.sentences import Sentences
from vae_tf.data.splits import PARTS
from vae_tf.errors import UserError
from vae_tf.vocabulary import UNKNOWN, join, tokenise

TYPED = "typed"
# What is no sentence, such as the mean of a class.
NONE = ""


def write_homotopies(
    subject: Subject, embedded: Stage, options: InterpolationOptions, stage: StageWriter
) -> None:
    """Decodes paths between sentences, typed ones too, and between the means of classes."""
    sentences, model = load_sentences_of(subject), load_model(subject.run)
    means = latents_of(embedded)["mean"]
    if len(means) < 2:
        raise UserError("There is one sentence only.", "A path needs two: name another source.")
    pairs = named_ends(model, sentences, means, options) or [
        (end_at(sentences, means, a), end_at(sentences, means, b))
        for a, b in chosen_pairs(sentences.index, means, options)
    ]
    classes = [
        (end(f"mean of {a}", z_a, NONE), end(f"mean of {b}", z_b, NONE))
        for (a, z_a), (b, z_b) in class_ends(sentences.index, means)
    ]
    paths = {
        kind: [homotopy(model, sentences, a, b, options.num_steps) for a, b in ends]
        for kind, ends in (("pairs", pairs), ("classes", classes))
    }
    write_json(stage.folder / "paths.json", paths)
    save_arrays(stage.folder / "ends.npz", ends=np.array([[a["z"], b["z"]] for a, b in [*pairs, *classes]]))
    stage.results.update(num_pairs=len(pairs), num_class_paths=len(classes))


def end(text: str, z: NDArray[np.float32], split: str, unknown: tuple[str, ...] = ()) -> dict[str, Any]:
    """One end of a path: what to call it, its latent [d], its part, and words that the model does not know."""
    return {"text": text, "z": z, "split": split, "unknown": list(unknown)}


def end_at(sentences: Sentences, means: NDArray[np.float32], position: int) -> dict[str, Any]:
    index = sentences.index
    return end(index.paths[position], means[position], PARTS[index.parts[position]])


def named_ends(
    model: Any, sentences: Sentences, means: NDArray[np.float32], options: InterpolationOptions
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The sentences that --from and --to name, in pairs.

    Raises:
        UserError: Not as many ends as starts, or a typed sentence that is too long.
    """
    if len(options.start) != len(options.to):
        raise UserError(
            f"{len(options.start)} × --from and {len(options.to)} × --to were given.",
            'Give both ends of each pair: --from "we know it" --to "the king is dead"',
        )
    return [
        (find_end(model, sentences, means, a), find_end(model, sentences, means, b))
        for a, b in zip(options.start, options.to, strict=True)
    ]


def find_end(model: Any, sentences: Sentences, means: NDArray[np.float32], text: str) -> dict[str, Any]:
    """The sentence of the run that is `text`, or alone contains it; else `text` itself, encoded."""
    level, limit = sentences.vocabulary.level, sentences.num_positions - 1
    tokens = tokenise(text, level)
    wanted = join(tokens, level)
    known = [join(tokenise(path, level), level) for path in sentences.index.paths]
    equal = [i for i, sentence in enumerate(known) if sentence == wanted]
    containing = [i for i, sentence in enumerate(known) if wanted and wanted in sentence]
    if equal or len(containing) == 1:
        return end_at(sentences, means, (equal or containing)[0])
    if not 0 < len(tokens) <= limit:
        raise UserError(
            f"{text!r} has {len(tokens)} {level}.", f"A sentence of this run has 1 to {limit} of them."
        )
    row = sentences.vocabulary.rows([tokens], sentences.num_positions)
    unknown = tuple(token for token, i in zip(tokens, row[0].tolist(), strict=False) if i == UNKNOWN)
    return end(text, np.asarray(model.encode(row)["mean"])[0], TYPED, unknown)


def homotopy(
    model: Any, sentences: Sentences, a: dict[str, Any], b: dict[str, Any], num: int
) -> dict[str, Any]:
    """The greedy sentences along the straight line and along the sphere, from a to b."""
    from vae_tf.analysis.interpolation import linear, spherical

    steps = {
        name: [
            sentences.vocabulary.decode(row)
            for row in np.asarray(model.decode(path(a["z"], b["z"], num).astype(np.float32)))
        ]
        for name, path in (("linear", linear), ("spherical", spherical))
    }
    ends = {
        key: {name: value for name, value in side.items() if name != "z"}
        for key, side in (("a", a), ("b", b))
    }
    return {**ends, **steps}
