"""The stage of traversals on a run of the whole chain, and what every page says of its methods."""

import numpy as np
import pytest

import cli
from pipelines.methods import METHODS
from reports.page import PAGES
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.errors import UserError


@pytest.fixture(scope="module")
def stage(trained):
    found = trained[0].stage("traversals")
    return read_json(found.folder / "scores.json"), load_arrays(found.folder / "traversals.npz")


def test_walks_are_decoded_from_codes_with_one_number_moved(trained, stage):
    import keras

    import vae_tf.model  # noqa: F401

    run, scores, arrays = trained[0], *stage
    latents = load_arrays(run.folder / "embed" / "latents.npz")
    train = latents["split"] == 0
    mean, deviation = latents["mean"][train], latents["standard_deviation"][train]
    np.testing.assert_allclose(scores["centre"], mean.mean(axis=0), rtol=1e-5, atol=1e-6)
    variance = mean.astype(np.float64).var(axis=0) + (deviation.astype(np.float64) ** 2).mean(axis=0)
    np.testing.assert_allclose(np.square(scores["spread"]), variance, rtol=1e-5)
    j = scores["shown"][0]
    assert arrays[f"walk_{j}"].shape == (3, 11, 16, 16, 3)
    assert all(latents["split"][i] == 2 for i in scores["bases"])  # unseen
    code = latents["mean"][scores["bases"][0]].copy()
    code[j] = scores["centre"][j] + 2.0 * scores["spread"][j]
    model = keras.models.load_model(run.folder / "train" / "vae.keras")
    decoded = np.asarray(model.decode(code[None]))[0]
    assert np.abs(arrays[f"walk_{j}"][1, -1] / 255 - decoded).max() <= 0.6 / 255


def test_dimensions_are_ordered_by_what_they_tell(trained, stage):
    scores, _ = stage
    latents = load_arrays(trained[0].folder / "embed" / "latents.npz")
    assert scores["ordered_by"] == "information"
    assert scores["order"] == np.argsort(-latents["information"], kind="stable").tolist()
    assert scores["in_use"] == [j for j in scores["order"] if latents["information"][j] > 0.1]


def test_the_step_is_of_pictures_trained_on_and_moves_unseen_ones(trained, stage):
    scores, arrays = stage
    latents = load_arrays(trained[0].folder / "embed" / "latents.npz")
    moves = scores["arithmetic"]["steps"]
    assert [(m["a"], m["b"]) for m in moves] == [("down", "up"), ("up", "down")]
    for i, move in enumerate(moves):
        label = latents["class_names"].tolist().index(move["a"])
        assert all(latents["split"][k] == 2 and latents["label"][k] == label for k in move["shown"])
        assert sum(move["num_trained"]) == (latents["split"] == 0).sum()
        assert arrays[f"moved_{i}"].shape[:2] == (len(move["shown"]), 4)
        assert all(0 <= read <= move["num"] for read in move["read_as_b"])


def test_the_page_shows_them_and_without_pictures_only_numbers(in_runs):
    page = (in_runs.report / "traversals.html").read_text()
    assert "standard deviations of the aggregate posterior" in page and "down" in page
    assert list((in_runs.report / "traversals").glob("*.webp"))
    assert cli.main(["report", "--no-thumbnails"]) == 0
    try:
        bare = (in_runs.report / "traversals.html").read_text()
        assert not (in_runs.report / "traversals").exists() and "data-moving" not in bare
        assert "p00" not in bare and "One class turned into another" in bare
    finally:
        assert cli.main(["report", "--thumbnails"]) == 0


def test_every_page_says_how_it_was_made(in_runs):
    assert set(METHODS) == set(PAGES)
    for page in in_runs.report.glob("*.html"):
        text = page.read_text()
        assert 'id="methods"' in text and "The same page again" in text, page
        assert "seed of training" in text and "numpy" in text
    command = "python cli.py cluster-report " + in_runs.name
    assert f"{command} --num" not in (in_runs.report / "clusters.html").read_text()
    assert f"{command} --seed 0" in (in_runs.report / "clusters.html").read_text()
    assert f"{command} --permutations 999 --seed 0" in (in_runs.report / "classes.html").read_text()
    training = (in_runs.report / "training.html").read_text()
    assert "too few to say" in training and "val" in training


def test_a_reach_beyond_the_table_is_refused(in_runs):
    assert cli.main(["traverse", "--reach", "0"]) == 2


def test_sentences_are_told_plainly(monkeypatch):
    from types import SimpleNamespace

    from pipelines.traversals import TraversalOptions, traverse

    subject = SimpleNamespace(is_text=True, run=SimpleNamespace(name="00001-lines"))
    with pytest.raises(UserError, match="sentences") as raised:
        traverse(subject, TraversalOptions())
    assert "interpolation-grid" in raised.value.hint
