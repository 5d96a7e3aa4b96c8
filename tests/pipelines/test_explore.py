"""The stage `explore`: what it writes down of a run's model, and what it refuses."""

import numpy as np
import pytest

import cli
from pipelines import explore_record
from pipelines.run_data import load_pictures_of, own_pictures
from tests.reports.synthetic import RUN
from vae_tf import recipes
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.errors import UserError
from vae_tf.pixels import to_uint8
from vae_tf.serving.operations import operations_of


def test_explore_writes_the_model_down_and_a_page_that_holds_it(trained, in_runs):
    from pipelines.run_data import load_model

    run, _, _ = trained
    assert cli.main(["explore", run.name]) == 0
    stage, model = run.stage("explore"), load_model(run)
    arrays = load_arrays(stage.folder / "network.npz")
    latents = load_arrays(run.stage("embed").folder / "latents.npz")
    np.testing.assert_allclose(arrays["average"], latents["mean"].mean(axis=0), rtol=1e-5, atol=1e-6)
    assert np.array_equal(arrays["average_drawn"], to_uint8(model.decode(arrays["average"][None]))[0])
    kl = latents["kl"].mean(axis=0)
    assert np.all(np.diff(kl[arrays["order"]]) <= 1e-6)
    assert (
        len(arrays["positions"]) == len(latents["mean"])
        and arrays["samples"].shape[1] == latents["mean"].shape[1]
    )
    last = read_json(stage.folder / "operations.json")["decode"][-1]
    assert last["op"] == "mean" and last["channels"] == model.image_shape[-1]
    assert 'href="explore.html"' in (run.report / "index.html").read_text()


@pytest.mark.parametrize(
    ("recipe", "words"),
    [("iaf", "one dense layer"), ("m2", "told a class"), ("beta-bernoulli", "one dense layer")],
)
def test_what_a_page_cannot_compute_is_refused_with_the_reason(recipe, words):
    classes = {"num_classes": 2} if recipe == "m2" else {}
    model = recipes.build(recipe, (8, 8, 1), 3, **classes)
    with pytest.raises(UserError, match=words):
        operations_of(model)


def test_what_a_page_cannot_run_it_leaves_to_the_server(trained, in_runs, monkeypatch):
    from pipelines import explore

    run, _, _ = trained
    monkeypatch.setattr(explore, "written_down", lambda model: (None, "It has a flow."))
    monkeypatch.setattr(explore, "embed", lambda subject: run.stage("embed"))
    subject = own_pictures(run)
    with run.writing("explore", {"data": subject.data.hash, "other": 1}, plain_name=False) as stage:
        explore.write_network(subject, run.stage("embed"), stage)
        assert read_json(stage.folder / "operations.json") == {
            "encode": None, "decode": None, "why_served": "It has a flow."
        }  # fmt: skip
    record = explore_record.explore(subject, RUN, load_pictures_of(subject))
    assert record.decode is None and record.weights is None and record.model == run.name[6:]
