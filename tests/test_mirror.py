"""Runs in an object store: whole or not there, found by other machines, fetched when they are read."""

import json
import os
import shutil
import time

import pytest

from vae_tf import places
from vae_tf.artifacts.hashes import hash_of
from vae_tf.artifacts.layout import CHECKPOINTS
from vae_tf.artifacts.publishing import address_of, publish
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import all_runs, delete_run, find_run, new_run, rename_run
from vae_tf.errors import UserError
from vae_tf.store import Store, StoreError


@pytest.fixture
def machine(bucket, tmp_path, monkeypatch):
    """A function that goes on as another machine: the same store of runs, a working folder of its own."""
    monkeypatch.setenv("VAE_TF_RUNS", f"{bucket}/runs")

    def become(name: str) -> None:
        monkeypatch.setenv("VAE_TF_CACHE", str(tmp_path / name))

    become("first")
    return become


@pytest.fixture
def store(bucket):
    return Store(f"{bucket}/runs")


def stage_of(run: Run, kind: str, inputs=None, **files: bytes):
    def work(stage):
        for name, data in files.items():
            (stage.folder / name).write_bytes(data)

    return run.compute(kind, inputs or {"a": 1}, work)


def names(store: Store) -> set[str]:
    return {item.path for item in store.objects()}


def test_another_machine_finds_runs_and_fetches_only_what_it_reads(machine, store, tmp_path):
    run = new_run("faces", {"seed": 3})
    stage_of(run, "train", weights=b"w")
    stage_of(run, "embed", latents=b"l")
    machine("second")
    (found,) = all_runs()
    assert found.name == run.name and found.record["seed"] == 3 and found.is_trained
    assert found.stage_names() == ["embed", "train"] and not found.has_begun
    embed = find_run(None).stage("embed")
    assert embed.record == run.stage("embed").record
    fetched = {path.name for path in (tmp_path / "second").rglob("*") if path.is_file()}
    assert fetched == {"run.json", "embed.json", "train.json", ".listing.json"}
    assert (embed.folder / "latents").read_bytes() == b"l"
    assert not (found.folder / "train").exists()
    assert stage_of(found, "embed").record == embed.record, "nothing is computed again"


def test_a_stage_whose_upload_fails_does_not_count_and_is_given_later(machine, store, monkeypatch):
    run = new_run("faces", {})
    upload = Store.upload

    def failing(self, file, path):
        if path.endswith("latents"):
            raise StoreError(path, "the line was cut")
        upload(self, file, path)

    monkeypatch.setattr(Store, "upload", failing)
    with pytest.raises(UserError, match="the line was cut") as error:
        stage_of(run, "embed", first=b"f", latents=b"l")
    assert "whole on this machine" in error.value.hint
    assert f"{run.name}/embed/stage.json" not in names(store)
    machine("second")
    assert find_run("1", trained=False).stage_names() == []
    machine("first")
    monkeypatch.setattr(Store, "upload", upload)
    find_run("1", trained=False)
    machine("second")
    assert (find_run("1", trained=False).stage("embed").folder / "latents").read_bytes() == b"l"


def test_stages_of_two_machines_lie_beside_each_other(machine, store):
    here = new_run("faces", {})
    machine("second")
    there = find_run("1", trained=False)
    machine("first")
    stage_of(here, "clusters", {"neighbors": 15}, maps=b"15")
    machine("second")
    second = stage_of(there, "clusters", {"neighbors": 30}, maps=b"30")
    assert second.name == f"clusters-{hash_of({'neighbors': 30})}"
    assert [(stage.folder / "maps").read_bytes() for stage in there.stages("clusters")] == [b"15", b"30"]


@pytest.mark.parametrize(
    "bucket", ["s3", "memory"], indirect=True
)  # The emulator of GCS knows no preconditions.
def test_a_number_is_given_once(machine, monkeypatch):
    first = new_run("faces", {})
    delete_run(first)
    # The second machine has looked before the first had made its run.
    monkeypatch.setattr("vae_tf.mirror.Mirror.refresh", lambda *_: [])
    machine("second")
    assert new_run("faces", {}).name == "00002-faces"


def test_deleted_and_renamed_runs_are_so_everywhere(machine, store):
    for name in ("one", "two"):
        stage_of(new_run(name, {}), "train", weights=name.encode())
    machine("second")
    all_runs()
    delete_run(find_run("1"))
    rename_run(find_run("2"), "three")
    machine("first")
    (kept,) = all_runs()
    assert kept.name == "00002-three" and (kept.stage("train").folder / "weights").read_bytes() == b"two"
    assert {name.split("/")[0] for name in names(store)} == {"00002-three", "numbers"}


def test_pages_are_replaced_and_fetched(machine, store):
    run = new_run("faces", {})
    for pages in ({"index.html": "old", "gone.html": "x"}, {"index.html": "new"}):
        shutil.rmtree(run.report, ignore_errors=True)
        run.report.mkdir()
        for name, text in pages.items():
            (run.report / name).write_text(text)
        publish(run.report)
    assert {name for name in names(store) if "report" in name} == {f"{run.name}/report/index.html"}
    machine("second")
    found = find_run("1", trained=False)
    found.take_report()
    assert (found.report / "index.html").read_text() == "new"


def training_state(run: Run, text: str) -> None:
    for name in CHECKPOINTS:
        (run.partial_train / name).parent.mkdir(parents=True, exist_ok=True)
        (run.partial_train / name).write_text(text)


def state_of(run: Run) -> set[str]:
    return {(run.partial_train / name).read_text() for name in CHECKPOINTS}


def test_a_lost_machines_training_goes_on_elsewhere(machine, store, monkeypatch):
    from pipelines import checkpoint_uploads

    monkeypatch.setattr(checkpoint_uploads, "SECONDS_BETWEEN_UPLOADS", 0.0)
    run, heard = new_run("faces", {}), []
    with checkpoint_uploads.CheckpointUploads(run) as uploads:
        listen = uploads.after(heard.append)
        listen({"step": 1})
        assert not run.partial_train.exists(), "there is nothing yet"
        training_state(run, "epoch 5")
        listen({"step": 2})
    assert heard == [{"step": 1}, {"step": 2}]
    machine("second")
    found = find_run("1", trained=False)
    assert found.has_begun and not found.is_trained and found.stage_names() == []
    found.take_checkpoints()
    assert state_of(found) == {"epoch 5"}
    # What goes on here is newer than the store, and is kept.
    training_state(found, "epoch 7")
    later = time.time() + 60
    os.utime(found.partial_train / CHECKPOINTS[-1], (later, later))
    found.take_checkpoints()
    assert state_of(found) == {"epoch 7"}
    found.finish_training({}, 0.0, {})
    assert not any("partial" in name for name in names(store))
    machine("first")
    assert find_run("1").is_trained


def test_an_upload_of_checkpoints_that_fails_does_not_end_the_training(machine, monkeypatch, capsys):
    from pipelines import checkpoint_uploads

    monkeypatch.setattr(checkpoint_uploads, "SECONDS_BETWEEN_UPLOADS", 0.0)
    run = new_run("faces", {})
    training_state(run, "epoch 1")

    def cut(*_):
        raise StoreError("it", "the line was cut")

    monkeypatch.setattr(Store, "upload", cut)
    with checkpoint_uploads.CheckpointUploads(run) as uploads:
        listen = uploads.after(lambda event: None)
        for _ in range(3):
            listen({})
            uploads._upload.result()
    said = capsys.readouterr()
    assert (said.out + said.err).count("the line was cut") == 1
    assert not list(run.folder.glob(".partial*"))


def test_checkpoints_go_up_in_the_order_in_which_they_count(machine, store, monkeypatch):
    run, order, upload = new_run("faces", {}), [], Store.upload
    training_state(run, "epoch 1")
    monkeypatch.setattr(
        Store, "upload", lambda self, file, path: (upload(self, file, path), order.append(path))
    )
    run.give_checkpoints(run.partial_train)
    assert [path.split("/", 2)[2] for path in order] == list(CHECKPOINTS)


def test_runs_in_a_folder_have_no_store(own_runs):
    run = new_run("faces", {})
    assert run.mirror is None and run.folder.parent == own_runs
    stage_of(run, "embed", latents=b"l")
    assert not (run.folder / ".stored").exists()
    assert address_of(run.folder) == str(run.folder)


def test_places(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("VAE_TF_RUNS", "s3://bucket/runs/")
    assert places.cache_root() == tmp_path / ".cache" / "vae_tf"
    assert places.runs_root().parent == tmp_path / ".cache" / "vae_tf" / "runs"
    one = places.runs_root()
    monkeypatch.setenv("VAE_TF_RUNS", "s3://bucket/runs")
    assert places.runs_root() == one
    monkeypatch.setenv("VAE_TF_RUNS", "s3://bucket-runs")
    assert places.runs_root() != one
    monkeypatch.setenv("VAE_TF_CACHE", "s3://bucket/cache")
    with pytest.raises(UserError, match="must be on this machine"):
        places.cache_root()


def test_what_is_known_of_the_store_is_no_stage(machine):
    run = new_run("faces", {})
    stage_of(run, "embed", latents=b"l")
    all_runs()
    listing = json.loads((run.folder / ".stored" / ".listing.json").read_text())
    assert listing["folders"] == ["embed"] and listing["num_bytes"] > 0
    assert run.stage_names() == ["embed"]
