"""The stage `evaluation` on a trained run, and what its page says."""

import numpy as np
import pytest

import cli
from pipelines.evaluation import draw_from_mixture
from pipelines.evaluation_record import answer, sentences
from vae_tf.artifacts.json_files import read_json


def test_bounds_samples_and_verdicts_of_a_run(in_runs, capsys):
    assert cli.main(["evaluate", "--samples", "30", "--pictures", "6"]) == 0
    said = capsys.readouterr().out
    scores = read_json(in_runs.newest("evaluation").folder / "scores.json")
    for part in ("test", "train"):
        elbo, weighted, naive = scores["bounds"][part]["rows"]
        # Two epochs of training leave little to choose between prior and posterior.
        assert naive["mean"] < weighted["mean"] + 0.5
        assert elbo["mean"] < weighted["mean"] + 2 * weighted["standard_error"]
        assert 1 <= weighted["effective_sample_size"] <= 30
    # The same model's ELBO as the first page has it, but for the pictures chosen and the noise.
    overview = read_json(in_runs.folder / "evaluate" / "scores.json")["test"]["elbo"]
    ours = scores["bounds"]["test"]["rows"][0]
    assert ours["mean"] == pytest.approx(overview, abs=6 * ours["standard_error"] + 5)
    assert {row["sampler"] for row in scores["samples"]} >= {"prior"}
    assert scores["aggregate"]["sentence"] in said and scores["bounds"]["overfitting"] in said
    page = (in_runs.report / "evaluation.html").read_text()
    assert "importance-weighted" in page and "naive" in page and "no FID" in page


def test_a_plain_autoencoder_is_given_no_probability():
    scores = {
        "no_elbo": "A plain autoencoder gives no probability to a picture",
        "samples": [],
        "factors": None,
    }
    assert "no probability" in answer(scores) and sentences(scores) == []


def test_the_answer_judges_over_fitting_before_it_says_the_bound_and_only_to_the_errors_digits():
    row = {"name": "importance-weighted", "mean": -1234.56, "standard_error": 56.7}
    verdict = "Over-fitting: the model finds pictures trained on more probable than unseen ones."
    said = answer({"bounds": {"test": {"rows": [{"name": "ELBO"}, row]}, "overfitting": verdict}})
    assert said.startswith(verdict) and "at least −1,235 ± 57 nats" in said
    row["standard_error"] = 0.83
    assert "−1,234.6 ± 0.8 nats" in answer({"bounds": {"test": {"rows": [row]}}})


def test_a_fitted_mixture_draws_where_the_codes_are():
    generator = np.random.default_rng(0)
    codes = np.concatenate([generator.normal(-5, 0.1, (200, 2)), generator.normal(5, 0.1, (200, 2))])
    drawn = draw_from_mixture(codes.astype(np.float32), seed=0)
    assert np.abs(np.abs(drawn) - 5).max() < 1
    np.testing.assert_allclose(np.mean(drawn[:, 0] > 0), 0.5, atol=0.1)
    assert draw_from_mixture(codes[:10], seed=0) is None
