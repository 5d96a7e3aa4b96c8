"""What is told before a cluster is asked for anything, and how the work is shared out."""

import sys

import fsspec
import pytest

import cli
from pipelines.picture_tables import SourceNotSeen
from pipelines.ray_cluster import Cluster, check_engine, describe
from pipelines.ray_embedding import Crew, Target, crew_for, explained, open_place
from vae_tf.errors import UserError


def test_without_ray_the_missing_file_of_requirements_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError) as caught:
        check_engine("ray", None)
    assert "pip install -r requirements-ray.txt" in caught.value.hint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "spark"], "Engines are: local, ray"),
        (["--address", "auto"], "--engine ray"),
        (["--to", "scores"], "--engine ray"),
        (["--engine", "ray", "--labels", "facts.csv"], "--labels has no effect with --engine ray"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, said, capsys):
    if arguments[:2] == ["--engine", "ray"]:
        pytest.importorskip("ray", reason="pip install -r requirements-ray.txt")
    assert cli.main(["embed", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cluster", "crew"),
    [
        (Cluster((2.0,), 0), Crew(1, 0, 1)),
        (Cluster((16.0, 8.0), 0), Crew(2, 0, 1)),
        (Cluster((1.0, 1.0), 0), Crew(2, 0, 0)),
        (Cluster((64.0, 32.0), 9), Crew(9, 1, 0)),
    ],
)
def test_one_actor_for_each_gpu_or_machine(cluster, crew):
    assert crew_for(cluster) == crew


def test_machines_that_died_or_offer_no_core_do_not_count():
    nodes = [
        {"Alive": True, "Resources": {"CPU": 4.0, "GPU": 2.0}},
        {"Alive": True, "Resources": {"memory": 1.0}},
        {"Alive": False, "Resources": {"CPU": 8.0}},
    ]
    assert describe(nodes) == Cluster((4.0,), 2)


def test_a_folder_that_is_not_there_or_empty_is_told_at_once(tmp_path):
    with pytest.raises(UserError, match="cannot be listed"):
        open_place(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="cannot be listed"):
        open_place("nosuchstore://bucket/pictures")
    with pytest.raises(UserError, match="holds no pictures"):
        open_place(str(tmp_path))


def test_what_lies_below_each_folder_is_listed_by_itself(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert open_place(str(tmp_path))[1] == [
        {"folder": "", "deep": False},
        {"folder": "a", "deep": True},
        {"folder": "b", "deep": True},
    ]


def test_a_local_target_is_whole_or_not_there(tmp_path):
    target = Target.at(str(tmp_path / "scores"))
    with pytest.raises(ZeroDivisionError), target.filled() as folder:
        fsspec.filesystem("file").touch(f"{folder}/part.parquet")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    with target.filled() as folder:
        assert not (tmp_path / "scores").exists()
        target.write_record(folder, {"results": {}})
    assert [path.name for path in (tmp_path / "scores").iterdir()] == ["_embedding.json"]
    with pytest.raises(UserError, match="exists"):
        Target.at(str(tmp_path / "scores"))


def test_a_target_in_a_store_keeps_nothing_of_a_failure():
    store = fsspec.filesystem("memory")
    target = Target.at("memory://bucket/scores")
    with pytest.raises(ZeroDivisionError), target.filled() as folder:
        store.touch(f"{folder}/part.parquet")
        raise ZeroDivisionError
    assert not store.exists("/bucket/scores")
    with target.filled() as folder:
        target.write_record(folder, {"results": {}})
    assert store.exists("/bucket/scores/_embedding.json")


def test_a_machine_that_does_not_see_the_folder_is_named():
    try:
        try:
            raise SourceNotSeen("node-7")
        except SourceNotSeen as error:
            raise RuntimeError("wrapped") from error
    except RuntimeError as error:
        told = explained(error, "faces/")
    assert isinstance(told, UserError) and "node-7" in told.message
    other = ValueError("a defect")
    assert explained(other, "faces/") is other
