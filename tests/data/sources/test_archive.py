"""Archives as sources: the same as the folder they hold, read in place; damaged ones are refused plainly."""

import contextlib
import io
import os
import random
import stat
import struct
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_tf.data.pictures import UnusablePicture
from vae_tf.data.sources import archive as archive_module
from vae_tf.data.sources.archive import ArchiveSource, is_archive
from vae_tf.data.sources.folder import FolderSource
from vae_tf.errors import UserError

RANDOM = np.random.default_rng(0)
NAMES = ["happy/p1-1.png", "happy/p2-1.PNG", "angry/p1 2.png", "angry/微笑.pgm", "angry/😀/p3.jpg"]
KINDS = ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "faces"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RANDOM.integers(0, 256, (12, 9), dtype=np.uint8)).save(root / name)
    for name in ("notes.txt", ".hidden.png", "happy/Thumbs.db"):
        (root / name).write_text("none")
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX/._p1.png").write_text("none")
    return root


def pack(folder: Path, kind: str, prefix: str = "faces/") -> Path:
    path = folder.with_suffix(f".{kind}")
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in files:
                packed.write(file, prefix + file.relative_to(folder).as_posix())
        return path
    mode = {"tar": "w", "tgz": "w:gz"}.get(kind, f"w:{kind.split('.')[-1]}")
    with tarfile.open(path, mode) as packed_tar:  # type: ignore[call-overload]
        for file in files:
            packed_tar.add(file, prefix + file.relative_to(folder).as_posix())
    return path


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def encoded(value: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (9, 8), value).save(stream, "png")
    return stream.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prefix", ["", "./", "deep/faces/"])
def test_an_archive_is_the_folder_that_was_packed(folder: Path, kind: str, prefix: str) -> None:
    path = pack(folder, kind, prefix)
    assert is_archive(path)
    expected, source = FolderSource(folder, r"(p\d)"), ArchiveSource(path, r"(p\d)")
    assert source.name == "faces"
    inside = prefix.removeprefix("./")
    assert [entry.path for entry in source.entries] == [inside + entry.path for entry in expected.entries]
    for mine, other in zip(source.entries, expected.entries, strict=True):
        assert (mine.label, mine.group) == (other.label, other.group)
    assert source.notes == expected.notes and source.facts == {}
    assert (source.dtype, source.value_range) == ("uint8", None)
    for position in range(len(NAMES)):
        assert np.array_equal(source.read(position), expected.read(position))
        assert source.shape(position) == expected.shape(position)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_threads_read_the_right_members(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "many"
    root.mkdir()
    for number in range(200):
        Image.new("L", (40, 40), number).save(root / f"{number:03d}.png")
    source = ArchiveSource(pack(root, kind))
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda position: source.read(position)[0, 0, 0], range(200)))
    assert values == list(range(200))


def test_the_fingerprint_changes_with_the_archive(folder: Path) -> None:
    path = pack(folder, "zip")
    first = ArchiveSource(path).fingerprint()
    assert ArchiveSource(path, r"(p\d)").fingerprint() == first
    all_frames = ArchiveSource(path, frames="all").fingerprint()
    os.utime(path, ns=(0, 1))
    assert len({first, all_frames, ArchiveSource(path).fingerprint()}) == 3


def test_names_are_only_names(tmp_path: Path) -> None:
    outside = tmp_path.parent / "escaped.png"
    path = zip_of(
        tmp_path / "a.zip", {"../escaped.png": encoded(1), "/etc/x.png": encoded(2), "w\\y.png": encoded(3)}
    )
    source = ArchiveSource(path)
    assert [entry.path for entry in source.entries] == ["../escaped.png", "etc/x.png", "w\\y.png"]
    assert [source.read(i)[0, 0, 0] for i in range(3)] == [1, 2, 3]
    assert not outside.exists()


def test_windows_separators_are_folders(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in ("happy\\1.png", "angry\\1.png"):
            member = zipfile.ZipInfo(name)
            member.create_system = 0
            packed.writestr(member, encoded())
    assert [entry.label for entry in ArchiveSource(tmp_path / "a.zip").entries] == ["angry", "happy"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_of_one_name_the_later_counts(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("1.png", encoded(1))
        packed.writestr("./1.png", encoded(2))
    source = ArchiveSource(tmp_path / "a.zip")
    assert len(source.entries) == 1 and source.read(0)[0, 0, 0] == 2


def test_links_and_devices_are_ignored(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        kinds = {"link.png": tarfile.SYMTYPE, "hard.png": tarfile.LNKTYPE, "pipe.png": tarfile.FIFOTYPE}
        for name, kind in kinds.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            packed.addfile(member)
        member = tarfile.TarInfo("real.png")
        member.size = len(encoded())
        packed.addfile(member, io.BytesIO(encoded()))
    source = ArchiveSource(tmp_path / "a.tar")
    assert [entry.path for entry in source.entries] == ["real.png"]
    assert source.notes == ["3 other files were left alone (3 .png)."]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        info = zipfile.ZipInfo("link.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(info, "/etc/passwd")
        zipped.writestr("real.png", encoded())
    assert [entry.path for entry in ArchiveSource(tmp_path / "a.zip").entries] == ["real.png"]


def refused(path: Path) -> str:
    with pytest.raises(UnusablePicture) as caught:
        ArchiveSource(path).read(0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_encrypted_members_say_so(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"1.png": encoded()})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    data[6] |= 1
    path.write_bytes(data)
    assert "encrypted" in refused(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_says_so(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as packed:
        packed.writestr("1.png", encoded())
    assert "deflate" in refused(tmp_path / "a.zip")


def test_a_wrong_checksum_says_so(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"1.png": encoded()})
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(data)
    assert "damaged in the archive (Bad CRC-32" in refused(path)


def test_bombs_are_refused_by_their_header_and_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("1.png", encoded() + bytes(10_000_000))
    with monkeypatch.context() as patch:
        patch.setattr(archive_module, "LARGEST_MEMBER", 1_000_000)
        assert "at most 1,000,000" in refused(tmp_path / "a.zip")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.index(b"PK\1\2") + 24 : data.index(b"PK\1\2") + 28] = struct.pack("<I", 1000)
    (tmp_path / "a.zip").write_bytes(data)
    assert "damaged" in refused(tmp_path / "a.zip")


def test_a_compressed_tar_that_grows_beyond_measure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "blank.pgm").write_bytes(b"P5 4000 1000 255\n" + bytes(4_000_000))
    path = pack(folder, "tar.gz")
    assert len(ArchiveSource(path).entries) == len(NAMES) + 1
    monkeypatch.setattr(archive_module, "ALWAYS_ALLOWED", 1000)
    monkeypatch.setattr(archive_module, "LARGEST_FACTOR", 20)
    with pytest.raises(UserError, match="unpacks to more than"):
        ArchiveSource(path)


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_of_a_tar_that_was_cut_off_what_is_there_is_read(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "many"
    root.mkdir()
    for number in range(40):
        noise = RANDOM.integers(0, 256, (150, 150), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"{number:02d}.png")
    path = pack(root, kind)
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
    if kind == "tar.bz2":
        # A block of bzip2 holds all of these pictures.
        with pytest.raises(UserError, match=r"many\.tar\.bz2"):
            ArchiveSource(path)
        return
    source = ArchiveSource(path)
    assert 20 < len(source.entries) < 30
    assert "many.tar" in source.notes[0] and "cut off" in source.notes[0]
    whole = FolderSource(root)
    for position in range(len(source.entries) - 1):
        assert np.array_equal(source.read(position), whole.read(position))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "content", [b"", b"text", b"PK\3\4", bytes(300)], ids=["empty", "text", "head", "zeros"]
)
def test_what_is_no_archive_is_one_clear_error(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / f"broken.{kind}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"broken\.{kind} cannot be read as an archive") as caught:
        ArchiveSource(path)
    assert "\n" not in caught.value.message


def test_a_cut_zip_is_one_clear_error(folder: Path) -> None:
    path = pack(folder, "zip")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="cannot be read as an archive"):
        ArchiveSource(path)


def test_an_archive_without_pictures_names_what_may_have_been_meant(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no pictures") as caught:
        ArchiveSource(zip_of(tmp_path / "a.zip", {"inner.zip": b"", "x.txt": b""}))
    assert "'inner.zip'" in caught.value.hint and ".webp" in caught.value.hint


def test_content_decides_and_not_the_suffix(folder: Path) -> None:
    path = pack(folder, "tar.gz")
    path = path.rename(path.with_name("faces.tar"))
    assert len(ArchiveSource(path).entries) == len(NAMES)


def test_zstandard_needs_a_newer_python(tmp_path: Path) -> None:
    (tmp_path / "a.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    assert is_archive(tmp_path / "a.tar.zst")
    with pytest.raises(UserError, match=r"3\.14|cannot be read"):
        ArchiveSource(tmp_path / "a.tar.zst")


@pytest.mark.parametrize(
    ("name", "expected"), [("x.zip", True), ("X.TAR.GZ", True), ("x.gz", False), ("zip", False)]
)
def test_archives_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_archive(Path(name)) is expected


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_mutated_archives_raise_nothing_else(folder: Path, kind: str) -> None:
    path = pack(folder, kind)
    whole = path.read_bytes()
    chance = random.Random(0)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 30))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        started = time.perf_counter()
        try:
            source = ArchiveSource(path)
            for position in range(len(source.entries)):
                with contextlib.suppress(UnusablePicture):
                    assert source.read(position).dtype == np.uint8
        except UserError as error:
            assert path.name in error.message
        assert time.perf_counter() - started < 5
