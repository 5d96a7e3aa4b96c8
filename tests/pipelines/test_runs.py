"""Runs as a whole: shown, renamed, deleted."""

import pytest

import cli
from pipelines import runs
from vae_tf.artifacts.hashes import hash_of
from vae_tf.artifacts.json_files import read_json, write_json
from vae_tf.artifacts.runs import new_run
from vae_tf.config import Config, DataConfig
from vae_tf.places import cache_root

FACES, OTHERS = "a" * 16, "b" * 16


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_TF_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("VAE_TF_CACHE", raising=False)
    return tmp_path / "runs"


def make_run(name, fingerprint, parent=None):
    """A run with its list of pictures and their cache, but no model."""
    config = Config(data=DataConfig(source="/home/anna/faces"))
    run = new_run(name, {"config": config.to_json(), "parent": parent, "machine": {}})
    with run.writing(
        "data", {"fingerprint": fingerprint, "config": config.data.model_dump(mode="json")}
    ) as stage:
        write_json(stage.folder / "index.json", {"paths": ["a", "b"], "class_names": [], "group_names": []})
        write_json(stage.folder / "facts.json", {"notes": ["Only 2 pictures."], "source_notes": []})
        stage.results.update(num_pictures=2, num_skipped=1)
    cache = cache_root() / fingerprint
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "pixels.raw").write_bytes(b"faces")
    return run


def test_deleting_a_run_takes_its_pixels_with_it_but_not_those_that_others_need(root):
    first, second, third = make_run("one", FACES), make_run("two", FACES), make_run("three", OTHERS)
    runs.delete([first.name, third.name], yes=True)
    assert not first.folder.exists() and not third.folder.exists()
    assert second.folder.exists()
    assert (root / "cache" / FACES / "pixels.raw").exists()
    assert not (root / "cache" / OTHERS).exists()
    runs.delete([second.name], yes=True)
    assert not list((root / "cache").iterdir())
    assert [path.name for path in root.iterdir()] == ["cache"]


def test_nothing_is_deleted_unasked(root, capsys):
    run = make_run("one", FACES)
    assert cli.main(["delete", "1"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert run.folder.exists()


@pytest.mark.parametrize(("answer", "stays"), [("y", False), ("", True), ("n", True)])
def test_a_deletion_is_asked_about(root, monkeypatch, answer, stays):
    run = make_run("one", FACES)
    monkeypatch.setattr(runs, "ask", lambda question: answer == "y")
    runs.delete(["1"], yes=False)
    assert run.folder.exists() == stays


def test_a_run_in_training_is_not_deleted(root, capsys):
    run = make_run("one", FACES)
    with run.training_lock():
        assert cli.main(["delete", "1", "--yes"]) == 2
        assert cli.main(["rename", "1", "other"]) == 2
    assert "being trained" in capsys.readouterr().err
    assert run.folder.exists()


def test_a_renamed_parent_is_still_found(root):
    from pipelines.training_curves import chain_of

    parent = make_run("one", FACES)
    child = make_run("two", FACES, parent=parent.name)
    assert cli.main(["rename", parent.name, "Best faces!"]) == 0
    assert [run.name for run in chain_of(child)] == ["00001-best-faces", child.name]


def test_a_name_without_letters_is_refused(root, capsys):
    make_run("one", FACES)
    assert cli.main(["rename", "1", "!!"]) == 2
    assert "no name for a run" in capsys.readouterr().err


def test_show_tells_what_there_is(root, capsys):
    make_run("one", FACES)
    assert cli.main(["show", "1"]) == 0
    said = capsys.readouterr().out
    for words in (
        "00001-one",
        "not trained",
        "2 pictures",
        "1 file skipped",
        "Only 2 pictures.",
        'source = "/home',
    ):
        assert words in said


def test_show_toml_makes_the_same_configuration(root, capsys, tmp_path):
    import tomllib

    from vae_tf.options import to_config

    run = make_run("one", FACES)
    assert cli.main(["show", "1", "--toml"]) == 0
    options = {
        name.replace("-", "_"): value for name, value in tomllib.loads(capsys.readouterr().out).items()
    }
    assert to_config(options).to_json() == run.record["config"]


def test_a_run_without_a_report_cannot_be_opened(root, capsys, monkeypatch):
    run = make_run("one", FACES)
    (run.folder / "train").mkdir()
    write_json(run.folder / "train" / "stage.json", {})
    assert cli.main(["open", "1"]) == 2
    assert "has no report" in capsys.readouterr().err
    run.report.mkdir()
    (run.report / "index.html").write_text("")
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    assert cli.main(["open", "1"]) == 0
    assert opened == [(run.report / "index.html").resolve().as_uri()]


@pytest.mark.parametrize("fingerprint", ["../outside", "..", "", "/", "runs"])
def test_a_run_names_nothing_that_is_deleted_but_its_pictures(root, capsys, fingerprint):
    run, outside = make_run("evil", FACES), root / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    path = run.folder / "data" / "stage.json"
    record = read_json(path)
    record["inputs"]["fingerprint"] = fingerprint
    write_json(path, {**record, "hash": hash_of([record["inputs"], record["results"]])})
    assert cli.main(["delete", "1", "--yes"]) == 2
    assert "is no fingerprint of pictures" in capsys.readouterr().err
    assert (outside / "file").exists() and run.folder.exists() and (root / "cache" / FACES).exists()


def test_one_damaged_run_does_not_hide_the_others(root, capsys):
    make_run("one", FACES)
    damaged = make_run("two", FACES)
    (damaged.folder / "run.json").write_text("{")
    assert cli.main(["runs"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "00001-one" in said and "00002-two" in said and "damaged" in said


def test_without_runs_it_is_said_how_to_begin(root, capsys):
    assert cli.main(["runs"]) == 0
    assert "There is no run in" in capsys.readouterr().out


def test_a_run_deleted_while_runs_are_listed_is_left_out(root, capsys, monkeypatch):
    gone, stays = make_run("one", FACES), make_run("two", FACES)
    row_of = runs.row_of

    def row(run):
        if run == gone:
            raise FileNotFoundError
        return row_of(run)

    monkeypatch.setattr(runs, "row_of", row)
    assert cli.main(["runs"]) == 0
    said = capsys.readouterr().out
    assert stays.name in said and gone.name not in said


def test_the_listing_names_other_sources_and_what_is_at_work(root, capsys):
    run = make_run("one", FACES)
    other = DataConfig(source="/home/anna/others").model_dump(mode="json")
    with run.writing("data", {"fingerprint": OTHERS, "config": other}, plain_name=False) as stage:
        write_json(stage.folder / "index.json", {})
    with run.training_lock():
        assert cli.main(["runs"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "and 1 other source" in said and " training " in said
    second = next(stage for stage in run.stages("data") if stage.name != "data")
    assert runs.source_of(run, second) == "others" and runs.source_of(run, run.stage("data")) == ""


def test_a_run_that_decoded_nothing_is_shown(root, capsys):
    config = Config(data=DataConfig(source="/home/anna/faces"))
    parent = new_run(
        "one", {"config": config.to_json(), "parent": None, "machine": {}, "command": "train faces"}
    )
    new_run(
        "two", {"config": config.to_json(), "parent": parent.name, "machine": {}, "command": "train --extend"}
    )
    assert cli.main(["show", "2"]) == 0
    said = capsys.readouterr().out
    assert "not decoded" in said and f"goes on from: {parent.name}" in said
    runs.delete([parent.name], yes=True)
    assert "extended by 00002-two" in capsys.readouterr().out


def test_where_no_browser_is_the_page_is_named(root, capsys, monkeypatch):
    run = make_run("one", FACES)
    (run.folder / "train").mkdir()
    write_json(run.folder / "train" / "stage.json", {})
    run.report.mkdir()
    (run.report / "index.html").write_text("")
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    assert cli.main(["open", "1"]) == 0
    said = capsys.readouterr().out.replace("\n", "")
    assert "index.html" in said and "No browser could be opened here" in said


@pytest.mark.parametrize(
    ("part", "found", "words"),
    [
        ("test", {"vae": {"mse": {"value": 0.0123}}}, "test MSE 0.01230"),
        (
            "test",
            {"reconstruction": 1234.56, "elbo": -1300.0},
            "test reconstruction 1,234.6 nats, −ELBO 1,300.0",
        ),
        ("train", {"reconstruction": 10.0, "elbo": None}, "train reconstruction 10.0 nats"),
    ],
)
def test_scores_in_a_line(part, found, words):
    assert runs.said_of_scores(part, found) == words
