"""Pictures in object stores are what they are in folders; each object is read once, and a changed one is noticed."""

import functools
import http.server
import shutil
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_tf import fetched
from vae_tf.config import DataConfig
from vae_tf.data.cache import choose_shape, open_cache
from vae_tf.data.sentences import is_text, open_sentences
from vae_tf.data.sources import open_source
from vae_tf.data.sources.folder import FolderSource
from vae_tf.errors import UserError
from vae_tf.store import Store, StoreError

NAMES = ("happy/2.png", "happy/1.PNG", "angry/deep/9.png", "x.png/1.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of different grey beside files that are hidden, of the system, or no pictures."""
    for number, name in enumerate((*NAMES, ".hidden.png", ".thumbnails/1.png", "__MACOSX/1.png")):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 8), 20 * number).save(path)
    for name in ("a.txt", "LICENSE", ".gitignore", "Thumbs.db"):
        (tmp_path / "faces" / name).write_text("text")
    return tmp_path / "faces"


def uploaded(folder: Path, address: str) -> str:
    Store(address).upload_folder(folder, "faces")
    return f"{address}/faces/"


def source_of(address: str, **options):
    return open_source(DataConfig(source=address, **options))


def pixels(source):
    return [source.read(i).tolist() for i in range(len(source.entries))]


@pytest.mark.parametrize("group_by", [None, r"(\d)\.png"])
def test_a_remote_folder_is_what_the_folder_is(bucket, folder, group_by):
    ours, theirs = source_of(uploaded(folder, bucket), group_by=group_by), FolderSource(folder, group_by)
    assert ours.entries == theirs.entries and ours.name == theirs.name == "faces"
    assert (ours.notes, ours.dtype, ours.value_range) == (theirs.notes, theirs.dtype, theirs.value_range)
    assert pixels(ours) == pixels(theirs)
    assert [ours.shape(i) for i in range(4)] == [theirs.shape(i) for i in range(4)]


def test_frames_are_entries(memory, tmp_path):
    (tmp_path / "faces").mkdir()
    frames = [Image.new("L", (8, 8), 40 * i) for i in range(3)]
    frames[0].save(tmp_path / "faces" / "a.gif", save_all=True, append_images=frames[1:])
    source = source_of(uploaded(tmp_path / "faces", memory), frames="all")
    assert [entry.path for entry in source.entries] == ["a.gif#0001", "a.gif#0002", "a.gif#0003"]
    assert [value[0][0][0] for value in pixels(source)] == [0, 40, 80]


def test_every_object_is_read_once(s3, folder, tmp_path, monkeypatch):
    address, reads, read = uploaded(folder, s3), Counter(), Store.read
    monkeypatch.setattr(Store, "read", lambda self, path: (reads.update([path]), read(self, path))[1])
    source = source_of(address)
    open_cache(source, choose_shape(source, None, None, "crop"), tmp_path / "cache")
    assert reads == dict.fromkeys(NAMES, 1)


def test_the_fingerprint_is_of_the_objects(bucket, folder):
    address = uploaded(folder, bucket)
    before = source_of(address).fingerprint()
    assert source_of(address).fingerprint() == source_of(address.rstrip("/")).fingerprint() == before
    Store(address).write("happy/2.png", (folder / "happy" / "1.PNG").read_bytes())
    changed = source_of(address).fingerprint()
    Store(address).write("happy/3.png", (folder / "happy" / "1.PNG").read_bytes())
    assert len({before, changed, source_of(address).fingerprint()}) == 3


def test_an_object_that_cannot_be_read_costs_a_line(s3, folder, tmp_path, monkeypatch):
    (folder / "happy" / "broken.png").write_bytes(b"\x89PNG but not really")
    # Nothing is kept of what was looked at, as beyond the first gibibyte.
    monkeypatch.setattr("vae_tf.data.sources.remote_folder.LARGEST_KEPT", 0)
    source = source_of(uploaded(folder, s3), channels=1, size=(8, 8))
    store = Store(f"{s3}/faces")
    store.remove(["angry/deep/9.png"])
    store.write("happy/1.PNG", b"now something else")
    cache = open_cache(source, choose_shape(source, (8, 8), 1, "crop"), tmp_path / "cache")
    assert dict(cache.skipped) == {
        "angry/deep/9.png": "cannot be read from the store: there is nothing of this name",
        "happy/1.PNG": "has changed since the folder was listed",
        "happy/broken.png": "not a picture that Pillow can read",
    }
    assert len(cache.images) == 2


def test_labels_and_a_test_set_may_be_remote(bucket, folder):
    address = uploaded(folder, bucket)
    Store(bucket).write("facts.csv", b"file,person\nhappy/2.png,anna\nangry/deep/9.png,bob\n")
    Store(bucket).write("more/t.png", (folder / "happy" / "2.png").read_bytes())
    source = source_of(address, labels=f"{bucket}/facts.csv", test=f"{bucket}/more")
    people = dict(zip([e.path for e in source.entries], source.facts["person"], strict=True))
    assert people == dict.fromkeys([e.path for e in source.entries]) | {
        "happy/2.png": "anna",
        "angry/deep/9.png": "bob",
    }
    assert [(e.path, e.part) for e in source.entries if e.part] == [("more/t.png", "test")]


def test_a_test_set_inside_the_folder_is_refused(memory, folder):
    with pytest.raises(UserError, match=r"2 of 2 pictures of --test happy are also among those to learn"):
        source_of(uploaded(folder, memory), test=f"{memory}/faces/happy/")


@pytest.fixture
def downloads(monkeypatch):
    """Names of the files that were fetched so far."""
    found, download = [], Store.download
    monkeypatch.setattr(
        Store, "download", lambda self, path, to: (download(self, path, to), found.append(to.name))
    )
    return found


def test_an_archive_is_fetched_once_for_each_version(bucket, folder, tmp_path, downloads, monkeypatch):
    packed = Path(shutil.make_archive(str(tmp_path / "scans"), "zip", folder))
    Store(bucket).upload(packed, "scans.zip")
    address = f"{bucket}/scans.zip"
    ours, theirs = source_of(address), open_source(DataConfig(source=str(packed)))
    assert ours.entries == theirs.entries and ours.name == "scans" and pixels(ours) == pixels(theirs)
    before = ours.fingerprint()
    assert source_of(address).fingerprint() == before and downloads == ["scans.zip"]
    # Another machine has another cache, and sees the same source.
    monkeypatch.setenv("VAE_TF_CACHE", str(tmp_path / "elsewhere"))
    assert source_of(address).fingerprint() == before and len(downloads) == 2
    shutil.rmtree(folder / "happy")
    Store(bucket).upload(Path(shutil.make_archive(str(tmp_path / "scans"), "zip", folder)), "scans.zip")
    assert source_of(address).fingerprint() != before and len(downloads) == 3
    assert len(list((tmp_path / "elsewhere").rglob("scans.zip"))) == 1


def test_arrays_are_fetched(memory, tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "mnist.npz", x=values, y=np.arange(12) % 3)
    Store(memory).upload(tmp_path / "mnist.npz", "mnist.npz")
    source = source_of(f"{memory}/mnist.npz")
    np.testing.assert_array_equal([source.read(i)[..., 0] for i in range(12)], values)
    assert [entry.label for entry in source.entries[:4]] == ["0", "1", "2", "0"]


def test_a_single_archive_comes_from_a_web_server(folder, tmp_path):
    pytest.importorskip("aiohttp")
    shutil.make_archive(str(tmp_path / "scans"), "zip", folder)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        source = source_of(f"{root}/scans.zip?key=secret")
        assert source.name == "scans" and len(source.entries) == 4
        with pytest.raises(StoreError, match=r"nothere.zip cannot be opened: Not Found|File not found"):
            source_of(f"{root}/nothere.zip")
        with pytest.raises(StoreError, match="single files only"):
            source_of(f"{root}/faces/")
        server.shutdown()


def test_sentences_are_fetched(memory):
    Store(memory).write("lines.txt", b"we know it\nthe king is dead\n")
    address = f"{memory}/lines.txt"
    assert is_text(address) and not is_text(f"{memory}/faces/")
    assert open_sentences(DataConfig(source=address)).sentences == ["we know it", "the king is dead"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("none/", "There is nothing at"),
        ("notes.md", "is a single file that is no source"),
        ("texts/", "holds no pictures"),
        ("none.zip", "there is no file of this name"),
        ("train-images-idx3-ubyte.gz", "IDX files come in pairs"),
    ],
)
def test_what_is_no_source_is_told(bucket, path, said):
    Store(bucket).write("notes.md", b"x")
    Store(bucket).write("texts/a.csv", b"x")
    with pytest.raises(UserError, match=said):
        source_of(f"{bucket}/{path}")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("s3://bucket/a/faces/", "faces"),
        ("gs://bucket", "bucket"),
        ("s3://bucket/odd?name#1.zip", "odd?name#1.zip"),
        ("https://host/a/scans.zip?X-Key=1#part", "scans.zip"),
    ],
)
def test_names_of_addresses(address, name):
    assert fetched.remote_name(address) == name
