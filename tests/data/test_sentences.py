"""Sentences from a text file."""

import numpy as np
import pytest

from vae_tf.config import DataConfig
from vae_tf.data.sentences import is_text, load_sentences, load_unseen_sentences, open_sentences
from vae_tf.errors import UserError
from vae_tf.vocabulary import SPECIAL, UNKNOWN, tokenise

WORDS = [f"w{chr(97 + i)}" for i in range(20)]


def write(tmp_path, lines, name="text.txt"):
    path = tmp_path / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return DataConfig(source=str(path), min_count=1)


def lines(num=60, seed=0):
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, generator.integers(2, 7))) for _ in range(num)]


def load(config, seed=0):
    return load_sentences(config, seed, open_sentences(config))


def test_vocabulary_is_of_the_training_part_alone(tmp_path):
    # Every sentence has a word of its own, so that those of the other parts must be unknown.
    config = write(tmp_path, [f"{line} own{i}" for i, line in enumerate(lines())])
    found = load(config)
    train = found.index.where("train")
    expected = {token for i in train for token in tokenise(found.index.paths[i], "words")}
    assert set(found.vocabulary.tokens[len(SPECIAL) :]) == expected
    for part in ("validation", "test"):
        rows = found.tokens[found.index.where(part)]
        assert len(rows) and np.all((rows == UNKNOWN).any(axis=1))
    assert not (found.tokens[train] == UNKNOWN).any()


def test_a_line_of_megabytes_is_no_sentence(tmp_path):
    found = load(write(tmp_path, [*lines(30), "word " * 2_000_000]))
    assert found.skipped == [("line 31", "9,999,999 characters, and 100,000 are the most of a line")]


def test_lines_that_cannot_be_used_are_said(tmp_path):
    config = write(tmp_path, [*lines(30), "", "  ", " ".join(["long"] * 41)])
    found = load(config)
    assert len(found.tokens) == 30 and found.source_notes == ["2 blank lines were passed over."]
    assert found.skipped == [("line 33", "41 words, and 40 are the most (--longest)")]
    shorter = load(config.model_copy(update={"longest": 4}))
    assert shorter.num_positions == 5 and len(shorter.skipped) > 1


def test_equal_lines_come_into_one_part(tmp_path):
    found = load(write(tmp_path, [line.upper() if i % 2 else line for line in lines(25) for i in range(3)]))
    parts = {}
    for sentence, part in zip(found.index.paths, found.index.parts, strict=True):
        parts.setdefault(sentence.lower(), set()).add(int(part))
    assert all(len(found) == 1 for found in parts.values()) and len(set(found.index.parts.tolist())) == 3


def test_a_second_column_is_the_class(tmp_path):
    found = load(write(tmp_path, [f"{line}\t{'odd' if i % 2 else 'even'}" for i, line in enumerate(lines())]))
    assert found.index.class_names == ["even", "odd"] and "\t" not in "".join(found.index.paths)
    assert found.index.class_of(0) == "even"
    with pytest.raises(UserError, match="no classes"):
        open_sentences(write(tmp_path, [f"{line}\t{i}" for i, line in enumerate(lines())]))


def test_characters(tmp_path):
    config = write(tmp_path, ["abc", "a  b", "cab", "bb a", "ccc", "ab c"])
    found = load(config.model_copy(update={"tokens": "characters"}))
    assert found.vocabulary.level == "characters" and found.num_positions == 5
    assert found.vocabulary.decode(found.tokens[found.index.paths.index("a  b")]) in ("a b", "a�b", "a<unk>b")


def test_another_file_in_the_same_vocabulary(tmp_path):
    own = load(write(tmp_path, lines()))
    trained = own.index.paths[own.index.where("train")[0]]
    other = write(tmp_path, [trained, "wa strange wb", " ".join(["wa"] * 30)], "other.txt")
    found = load_unseen_sentences(open_sentences(other), own)
    assert found.vocabulary is own.vocabulary and found.num_positions == own.num_positions
    assert [found.index.paths[i] for i in found.index.where("train")] == [trained]
    assert len(found.skipped) == 1 and UNKNOWN in found.tokens[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9 au lait\n" * 5, "not UTF-8: line 1"),
        (b"\n\n", "0 different"),
        (b"one\n" * 9, "1 different"),
    ],
)
def test_files_that_cannot_be_trained_on(tmp_path, content, message):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        load(DataConfig(source=str(path)))


def test_options_of_pictures_are_refused(tmp_path):
    config = write(tmp_path, lines())
    for change in ({"size": (32, 32)}, {"test": "other.txt"}, {"group_by": "x"}, {"channels": 1}):
        with pytest.raises(UserError, match=r"is about pictures, and text\.txt holds sentences"):
            open_sentences(config.model_copy(update=change))


def test_text_is_told_from_other_files(tmp_path):
    named = {
        "a.txt": b"",
        "b.en": "we know’t".encode(),
        "c.npz": b"PK\x03\x04\x00\x00",
        "d.png": b"\x89PNG\r\n\x1a\n",
    }
    for name, content in named.items():
        (tmp_path / name).write_bytes(content)
    assert [is_text(str(tmp_path / name)) for name in named] == [True, True, False, False]
    assert (
        not is_text(str(tmp_path)) and not is_text("demo:faces") and not is_text(str(tmp_path / "none.txt"))
    )
    # A character cut by the look at the file's beginning is no reason to refuse it.
    (tmp_path / "e").write_bytes(b"x" * 4095 + "é".encode() * 10)
    assert is_text(str(tmp_path / "e"))
