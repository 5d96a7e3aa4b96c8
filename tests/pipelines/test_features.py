"""The stage `features`, of a model whose features are on or off, by the commands that a person types."""

import numpy as np
import pytest

import cli
from pipelines.features import examples_of, most_used
from tests.pipelines.bars import QUICK, write_pictures
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.runs import all_runs


@pytest.fixture(scope="module")
def beta_bernoulli_run(tmp_path_factory):
    """Trained for two epochs and evaluated."""
    root = tmp_path_factory.mktemp("features")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_TF_RUNS", str(root / "runs"))
        quick = ["beta-bernoulli" if word == "mlp" else word for word in QUICK]
        quick[quick.index("--latent") + 1] = "4"
        networks = ["--set", "encoder.name=mlp", "--set", "decoder.name=mlp"]
        folder = str(write_pictures(root / "bars"))
        assert cli.main(["train", folder, *quick, *networks, "--group-by", r"(p\d+)"]) == 0
        assert cli.main(["evaluate", "--samples", "20", "--pictures", "4"]) == 0
        (found,) = all_runs(root / "runs")
        yield found


def test_embed_keeps_how_probable_each_feature_is(beta_bernoulli_run):
    latents = load_arrays(beta_bernoulli_run.newest("embed").folder / "latents.npz")
    assert latents["on"].shape == latents["mean"].shape == (24, 4)
    assert (latents["on"] > 0).all() and (latents["on"] < 1).all()
    header = (beta_bernoulli_run.newest("embed").folder / "latents.csv").read_text().splitlines()[0]
    assert header.endswith("on_0,on_1,on_2,on_3")


def test_the_stage_holds_what_the_page_shows(beta_bernoulli_run):
    stage = beta_bernoulli_run.newest("features")
    arrays, scores = (
        load_arrays(stage.folder / "features.npz"),
        read_json(stage.folder / "scores.json"),
    )
    assert scores["factors"] == ["class"]
    assert arrays["strength"].shape == arrays["amount_p_values"].shape == (1, 4)
    assert (np.diff(arrays["probability"]) <= 0).all()
    latents = load_arrays(beta_bernoulli_run.newest("embed").folder / "latents.npz")
    np.testing.assert_array_equal(arrays["num_on"], (latents["on"] > 0.5).sum(axis=1))
    page = (beta_bernoulli_run.report / "features.html").read_text()
    assert f"of {len(arrays['probability'])} are in use" in page and "drawn from the prior" in page


def test_the_numbers_of_training_pictures_reached_the_prior(beta_bernoulli_run):
    import keras

    import vae_tf.models  # noqa: F401

    model = keras.models.load_model(beta_bernoulli_run.folder / "train" / "vae.keras", compile=False)
    assert model.prior.num_examples == beta_bernoulli_run.record["machine"]["num_examples"] > 0


def test_collapse_is_told_by_the_features_own_divergence(beta_bernoulli_run):
    scores = read_json(beta_bernoulli_run.newest("evaluation").folder / "scores.json")
    assert (
        "of 4 latent dimensions" in scores["aggregate"]["sentence"]
        and scores["aggregate"]["information"] is None
    )
    rows = {row["name"]: row["mean"] for row in scores["bounds"]["train"]["rows"]}
    assert np.isfinite(list(rows.values())).all()


def test_examples_have_the_feature_and_are_of_different_people():
    on, amount = np.array([0.9, 0.8, 0.1, 0.7, 0.95]), np.array([1.0, 3.0, 9.0, 2.0, 2.5])
    assert examples_of(on, amount, np.array([0, 1, 2, 1, 3])).tolist() == [1, 4, 0]
    assert examples_of(on, amount, np.full(5, -1)).tolist() == [1, 4, 3]
    assert most_used(np.array([0.1, 2.0, 1.0]), np.array([0.5, 0.0, 0.2])) == [2, 0]
