"""The sentences of a run: which source is one of them, the stage `data`, and what is said of them."""

from pathlib import Path

from pipelines.console import say, warn
from pipelines.csv_files import write_csv
from pipelines.run_data import Subject, absolute, own_pictures, short_name
from reports.words import plural
from vae_tf import recipes, strangers
from vae_tf.artifacts.hashes import hash_of
from vae_tf.artifacts.json_files import read_json, write_json
from vae_tf.artifacts.npz_files import load_arrays, save_arrays
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.config import Config, DataConfig
from vae_tf.data import sentences as texts
from vae_tf.data.sentences import SentenceFile, Sentences
from vae_tf.data.sources import Source, open_source
from vae_tf.data.splits import PARTS
from vae_tf.errors import UserError
from vae_tf.places import is_remote
from vae_tf.vocabulary import SPECIAL, Vocabulary


def open_for(config: Config) -> Source | SentenceFile:
    """The source that a training is about, pictures or sentences.

    Raises:
        UserError: There is no such source, or the recipe is for the other kind.
    """
    if texts.is_text(config.data.source):
        recipes.check_kind(config.model.recipe, "sentences", short_name(config.data.source))
        return texts.open_sentences(config.data)
    texts.check_no_text_options(config.data)
    source = config.data.source
    if source.startswith(("demo:", "tfds:")) or is_remote(source) or Path(source).expanduser().exists():
        recipes.check_kind(config.model.recipe, "pictures", short_name(config.data.source))
    return open_source(config.data)


def prepare_text(config: Config, source: SentenceFile) -> Sentences:
    """Takes apart, labels and splits the sentences, and says what was found."""
    sentences = texts.load_sentences(config.data, config.training.seed, source)
    describe_sentences(sentences)
    return sentences


def describe_sentences(sentences: Sentences) -> None:
    """How many sentences in which parts and classes; what was skipped and decided."""
    index, words = sentences.index, sentences.vocabulary
    counts = ", ".join(f"{len(index.where(part)):,} {part}" for part in PARTS if len(index.where(part)))
    say(f"{len(index.paths):,} sentences of at most {sentences.num_positions - 1} {words.level}: {counts}")
    say(f"  vocabulary of the training part: {len(words) - len(SPECIAL):,} {words.level}", style="dim")
    if index.class_names:
        shown = ", ".join(index.class_names[:8]) + (" …" if len(index.class_names) > 8 else "")
        say(f"  {plural(len(index.class_names), 'class', 'classes')}: {shown}")
    if sentences.skipped:
        warn(
            f"{plural(len(sentences.skipped), 'line')} could not be used; the report lists them, the first is"
        )
        say(f"    {sentences.skipped[0][0]}: {sentences.skipped[0][1]}")
    for note in [*sentences.source_notes, *sentences.notes]:
        say(f"  {note}", style="dim")


def resolved_text(config: DataConfig, sentences: Sentences) -> DataConfig:
    """Where the sentences are from anywhere, with every choice filled in."""
    return config.model_copy(
        update={
            "source": absolute(config.source),
            "split": config.shares,
            "longest": sentences.num_positions - 1,
            "min_count": config.min_count or texts.SMALLEST_COUNT[config.tokens],
        }
    )


def save_sentences(run: Run, config: DataConfig, sentences: Sentences) -> Stage:
    """The stage `data` of text: sentences, tokens, vocabulary, classes and parts; no cache is needed after it."""
    inputs = {
        "config": config.model_dump(mode="json"),
        "fingerprint": sentences.fingerprint,
        "index": hash_of(sentences.index.to_json()),
    }

    def write(stage: StageWriter) -> None:
        write_json(stage.folder / "index.json", sentences.index.to_json())
        write_csv(stage.folder / "sentences.csv", *sentences.index.table())
        write_json(stage.folder / "vocabulary.json", sentences.vocabulary.to_json())
        save_arrays(stage.folder / "tokens.npz", tokens=sentences.tokens)
        write_json(stage.folder / "facts.json", texts.to_json(sentences))
        stage.results.update(num_pictures=len(sentences.tokens), num_skipped=len(sentences.skipped))

    return run.compute("data", inputs, write, plain_name=run.stage("data") is None)


def load_sentences_of(subject: Subject) -> Sentences:
    """The sentences as they were first read; their file may be gone."""
    folder = subject.data.folder
    facts = read_json(folder / "facts.json")
    with strangers.read_from(folder):
        return Sentences(
            tokens=load_arrays(folder / "tokens.npz")["tokens"],
            index=subject.index,
            vocabulary=Vocabulary.from_json(read_json(folder / "vocabulary.json")),
            skipped=[(line, why) for line, why in facts["skipped"]],
            notes=facts["notes"],
            source_notes=facts["source_notes"],
            fingerprint=facts["fingerprint"],
        )


def list_sentences(run: Run, config: DataConfig) -> Subject:
    """The sentences of another file in the run's vocabulary, as a stage.

    Raises:
        UserError: It holds no sentences, or none that the model can take.
    """
    own = own_pictures(run)
    if not texts.is_text(config.source):
        raise UserError(
            f"{short_name(config.source)} is no file of text, and {run.name} was trained on sentences.",
            "Give a text file, one sentence to a line.",
        )
    source = texts.open_sentences(config)
    sentences = texts.load_unseen_sentences(source, load_sentences_of(own))
    describe_sentences(sentences)
    return Subject(run, save_sentences(run, resolved_text(config, sentences), sentences))
