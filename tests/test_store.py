"""Object stores: what was written is found, listed and read; what a store refuses is told in a line."""

import threading
from pathlib import Path

import pytest

import cli
from vae_tf.errors import UserError
from vae_tf.store import Store, StoredObject, StoreError


def tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def contents(store: Store, below: str = "") -> dict[str, bytes]:
    prefix = f"{below}/" if below else ""
    return {item.path: store.read(prefix + item.path) for item in store.objects(below)}


def test_a_store_behaves_as_a_dictionary_of_paths(bucket):
    store = Store(f"{bucket}/runs/")
    assert store.objects() == [] and store.folders() == [] and store.find("a") is None
    expected = {"a": b"1", "folder/b": b"22", "folder/deep/c": b"", "folder2/ä ?#%.txt": b"4"}
    for path, data in expected.items():
        store.write(path, data)
    assert contents(store) == expected
    assert [(item.path, item.size) for item in store.objects("folder")] == [("b", 2), ("deep/c", 0)]
    assert store.folders() == ["folder", "folder2"]
    assert store.find("folder") is None and store.find("folder/b").size == 2
    store.copy("folder/b", "copied")
    store.remove(["a", "folder/deep/c"])
    assert contents(store) == {"copied": b"22", "folder/b": b"22", "folder2/ä ?#%.txt": b"4"}
    with pytest.raises(StoreError, match="there is nothing of this name"):
        store.read("a")


def test_neighbours_with_the_same_beginning_are_not_listed(bucket):
    Store(bucket).write("faces2/1.png", b"1")
    Store(bucket).write("faces/1.png", b"1")
    assert [item.path for item in Store(f"{bucket}/faces").objects()] == ["1.png"]


def test_a_version_changes_with_the_bytes(bucket):
    store = Store(bucket)
    store.write("a", b"1")
    before = store.find("a").version
    assert before and store.objects()[0].version == before == store.find("a").version
    store.write("a", b"2")
    assert store.find("a").version != before


def test_folders_go_up_and_come_back_whole(bucket, tmp_path):
    files = {"a": b"1", "deep/er/b": bytes(range(256)), "empty": b""}
    store = Store(bucket)
    store.upload_folder(tree(tmp_path / "here", files), "there/x")
    assert contents(store, "there/x") == files
    store.download_folder("there/x", tmp_path / "back")
    back = {p.relative_to(tmp_path / "back").as_posix(): p for p in (tmp_path / "back").rglob("*")}
    assert {name: path.read_bytes() for name, path in back.items() if path.is_file()} == files


@pytest.mark.parametrize("scheme", ["s3", "memory"])  # The emulator of GCS knows no preconditions.
def test_of_many_claims_one_succeeds(request, scheme):
    store = Store(request.getfixturevalue(scheme))
    results = []
    threads = [threading.Thread(target=lambda: results.append(store.claim("numbers/1"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 7 + [True]


def test_last_files_begin_when_all_others_are_there(s3, tmp_path, monkeypatch):
    folder = tree(tmp_path, dict.fromkeys(("z", "a/stage.json", "stage.json", "m"), b"x"))
    done, upload = [], Store.upload
    monkeypatch.setattr(
        Store, "upload", lambda self, file, path: (upload(self, file, path), done.append(path))
    )
    Store(s3).upload_folder(folder, "run", last=("m", "stage.json"))
    assert sorted(done[:2]) == ["run/a/stage.json", "run/z"] and done[2:] == ["run/m", "run/stage.json"]


def test_an_upload_that_fails_writes_nothing_of_what_comes_last(memory, tmp_path, monkeypatch):
    upload = Store.upload

    def failing(self, file, path):
        if path.endswith("b"):
            raise StoreError(path, "the line was cut")
        upload(self, file, path)

    monkeypatch.setattr(Store, "upload", failing)
    with pytest.raises(StoreError, match="cut"):
        Store(memory).upload_folder(tree(tmp_path, dict.fromkeys("abz", b"x")), "run", last=("z",))
    assert "run/z" not in contents(Store(memory))


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_files_that_are_there_are_not_sent_again(request, scheme, tmp_path, monkeypatch):
    store = Store(request.getfixturevalue(scheme))
    store.upload_folder(tree(tmp_path, {"same": b"1", "changed": b"2"}), "x")
    (tmp_path / "changed").write_bytes(b"3")
    sent, upload = [], Store.upload
    monkeypatch.setattr(
        Store, "upload", lambda self, file, path: (upload(self, file, path), sent.append(path))
    )
    store.upload_folder(tmp_path, "x", before={item.path: item for item in store.objects("x")})
    assert sent == ["x/changed"] and contents(store, "x") == {"same": b"1", "changed": b"3"}


@pytest.mark.parametrize("key", ["../evil", "/etc/evil", "a/../../evil"])
def test_no_key_leads_out_of_the_folder(memory, tmp_path, monkeypatch, key):
    monkeypatch.setattr(Store, "objects", lambda self, below="": [StoredObject(key, 1, "v", 0)])
    with pytest.raises(UserError, match="leads outside"):
        Store(memory).download_folder("run", tmp_path / "folder")
    assert not list(tmp_path.rglob("*evil*"))


def test_no_folder_of_a_store_is_the_one_above(memory, monkeypatch):
    """A key such as `runs/../run.json` makes one; on a disk it would be written beside the runs."""
    store = Store(memory)
    found = [{"name": f"{memory}/{name}", "type": "directory"} for name in ("..", ".", "00001-a")]
    monkeypatch.setattr(store._files, "ls", lambda path, detail: found)
    assert store.folders() == ["00001-a"]


def test_a_download_that_fails_leaves_nothing(memory, tmp_path):
    with pytest.raises(StoreError):
        Store(memory).download("none", tmp_path / "none")
    assert not list(tmp_path.iterdir())


def error_of(command, capsys):
    """What a command says on its way out with exit code 2."""
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.startswith("error: ")
    return said


def test_a_bucket_that_is_not_there_is_one_error(s3, capsys):
    said = error_of(["train", "s3://no-such-bucket/faces/"], capsys)
    assert "s3://no-such-bucket/faces cannot be listed: there is no such bucket." in said
    assert "AWS_ENDPOINT_URL" in said


@pytest.fixture
def new_connections(s3):
    """Connections are kept for a process, with the credentials that they were made with."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


def test_missing_credentials_are_one_error(s3, new_connections, capsys, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    assert "no credentials were found" in error_of(["train", f"{s3}/faces/"], capsys)


def test_wrong_credentials_are_one_error(s3, s3_endpoint, capsys):
    import requests

    Store(s3).write("faces/1.png", b"1")
    # From now on moto asks who calls, and knows nobody.
    requests.post(f"{s3_endpoint}/moto-api/reset-auth", data=b"0", timeout=10)
    try:
        said = error_of(["train", f"{s3}/faces/"], capsys)
    finally:
        requests.post(f"{s3_endpoint}/moto-api/reset-auth", data=b"inf", timeout=10)
    assert "access was denied" in said and "does not exist in our records" in said


def test_an_unknown_scheme_names_those_that_are_known(capsys):
    said = error_of(["train", "ftp://host/faces/"], capsys)
    assert "ftp:// is not read here" in said and "s3://" in said and "gs://" in said


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("https", "aiohttp")])
def test_a_missing_package_is_named_with_what_installs_it(monkeypatch, capsys, scheme, package):
    import fsspec

    def missing(address):
        raise ImportError(f"Install {package}")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    said = error_of(["train", f"{scheme}://host/faces.zip"], capsys)
    assert package in said and "pip install -r requirements-remote.txt" in said
    lines = (Path(cli.__file__).parent / "requirements-remote.txt").read_text()
    assert package in lines
