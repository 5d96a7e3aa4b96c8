"""Sentences in the graph: taken apart and put together as the run's own vocabulary does it, in Python."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from vae_tf import recipes
from vae_tf.serving import parity
from vae_tf.serving.export import write_saved_model
from vae_tf.serving.text import GraphVocabulary, TextExport
from vae_tf.vocabulary import LEVELS, Vocabulary, tokenise

SENTENCES = [
    "The king's crown, it isn't (quite) lost!",
    "‘Tis noon; rock-and-roll…",
    "  Ärger\tmit   ÖL: 50 % \u00a0 teurer?\n",
    "naïve café — “quoted” l’eau",
    "",
    "snow ☃ x_1 ½ ٣ 漢字 e\u0301",
]


@pytest.fixture(scope="module", params=LEVELS)
def vocabulary(request):
    known = [tokenise(sentence, request.param) for sentence in SENTENCES[:4]]
    return Vocabulary.learn(known, request.param)


@pytest.fixture(scope="module")
def in_graph(vocabulary):
    graph = GraphVocabulary(vocabulary, 12)
    encode = tf.function(graph.encode, input_signature=[tf.TensorSpec((None,), tf.string)])
    decode = tf.function(graph.decode, input_signature=[tf.TensorSpec((None, 12), tf.int32)])
    return encode, decode


def test_sentences_become_the_same_tokens(vocabulary, in_graph):
    np.testing.assert_array_equal(in_graph[0](tf.constant(SENTENCES)), vocabulary.encode(SENTENCES, 12))


def is_known(character):
    """Whether TensorFlow 2.21 knows it: Unicode 15.1, which Python 3.13 has, added 622 ideographs and 5 signs."""
    code = ord(character)
    return not (0x2EBF0 <= code <= 0x2EE5D or 0x2FFC <= code <= 0x2FFF or code == 0x31EF)


@settings(max_examples=300, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cn"]).filter(is_known), max_size=30))
def test_any_text_becomes_the_same_tokens(vocabulary, in_graph, sentence):
    # Characters that this Python does not know yet (Cn) may be letters to the graph.
    np.testing.assert_array_equal(in_graph[0](tf.constant([sentence])), vocabulary.encode([sentence], 12))


@settings(max_examples=200, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.data())
def test_tokens_become_the_same_sentence(vocabulary, in_graph, data):
    row = data.draw(st.lists(st.integers(0, len(vocabulary) - 1), min_size=12, max_size=12))
    (said,) = in_graph[1](tf.constant([row], tf.int32)).numpy()
    assert said.decode() == vocabulary.decode(row)


@pytest.mark.slow
def test_a_sentence_vae_answers_to_text_in_a_fresh_process(tmp_path):
    words = Vocabulary.learn([tokenise(sentence, "words") for sentence in SENTENCES], "words")
    small = {f"{axis}.{name}": 12 for axis in ("encoder", "decoder") for name in ("width", "embedding")}
    model = recipes.build("sentence", (12,), 3, settings=small, num_tokens=len(words))
    made = TextExport(model, words)
    write_saved_model(made, tmp_path / "1")
    results = parity.check(
        made.signatures, tmp_path / "1", *made.questions(words.encode(SENTENCES, 12), SENTENCES)
    )
    assert {result.signature for result in results} == set(made.signatures)
    assert parity.largest_relative(results) < 1e-5
    exact = [result for result in results if result.output in ("sentences", "tokens")]
    assert len(exact) == 4 and all(result.largest_difference == 0.0 for result in exact)
