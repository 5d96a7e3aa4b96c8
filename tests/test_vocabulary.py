"""Sentences to tokens and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_tf.vocabulary import END, PAD, SPECIAL, UNKNOWN, Vocabulary, join, lengths_of, tokenise

SENTENCES = st.text(st.characters(exclude_categories=("Cs",)), max_size=60) | st.lists(
    st.sampled_from(["we", "know't", "—", "!", "(", ")", '"', "'tis", "'", "3", ".", "well-born", "İ"]),
    max_size=12,
).map(" ".join)


@pytest.mark.parametrize("level", ["words", "characters"])
@given(sentence=SENTENCES)
def test_a_joined_sentence_is_taken_apart_into_the_same_tokens(level, sentence):
    tokens = tokenise(sentence, level)
    assert tokenise(join(tokens, level), level) == tokens
    vocabulary = Vocabulary.learn([tokens], level)
    row = vocabulary.encode([sentence], len(tokens) + 3)[0]
    assert vocabulary.decode(row) == join(tokens, level)
    assert lengths_of(row) == len(tokens) + 1 and row[len(tokens)] == END and not row[len(tokens) + 1 :].any()


def test_known_sentences():
    assert tokenise("Speak, speak: we know't!", "words") == ["speak", ",", "speak", ":", "we", "know't", "!"]
    assert tokenise(" a  b\tc ", "characters") == list("a b c")
    assert join(["(", "he", "said", ")", ",", "well-born"], "words") == "(he said), well-born"


def test_ids_are_ordered_by_frequency_and_what_is_rare_is_unknown():
    sentences = ["b a a", "a c b", "<unk> a"]
    vocabulary = Vocabulary.learn([tokenise(s, "words") for s in sentences], "words", min_count=2)
    assert vocabulary.tokens == (*SPECIAL, "a", "b")
    np.testing.assert_array_equal(vocabulary.encode(["b c a"], 5), [[5, UNKNOWN, 4, END, PAD]])
    # What looks special in a text is not.
    assert UNKNOWN in vocabulary.encode(["<unk>"], 5) and "<unk>" not in tokenise("<unk>", "words")
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


def test_what_is_too_long_is_cut_and_still_ends():
    vocabulary = Vocabulary.learn([["a"]], "words")
    np.testing.assert_array_equal(vocabulary.encode(["a a a a"], 3), [[4, 4, END]])
