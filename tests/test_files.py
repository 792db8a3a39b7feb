"""Files are whole or not there, whoever else writes, whatever stands in their place, and whatever goes wrong."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from engine.files import write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes as POSIX has them")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("content", "expected"), [("∂E/∂w\n", "∂E/∂w\n".encode()), (b"\0\n\xff", b"\0\n\xff")])
def test_what_is_written_is_there_and_nothing_else(tmp_path: Path, content: str | bytes, expected: bytes) -> None:
    path = tmp_path / "a" / "b" / "graph.svg"
    for _ in range(2):
        assert write_atomically(str(path), content) == path
        assert path.read_bytes() == expected and os.listdir(path.parent) == ["graph.svg"]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("n" * 255), "x")
    assert os.listdir(tmp_path) == ["n" * 255]


def test_threads_that_write_one_file_never_meet(tmp_path: Path) -> None:
    path, texts, seen, failed = tmp_path / "w.json", [digit * 200_000 for digit in "012"], set(), []

    def write(text: str) -> None:
        try:
            for _ in range(60):
                write_atomically(path, text)
        except OSError as error:
            failed.append(error)

    write_atomically(path, texts[0])
    threads = [threading.Thread(target=write, args=[text]) for text in texts]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.add(path.read_text())
    assert not failed and seen <= set(texts) and os.listdir(tmp_path) == ["w.json"]


@posix
@pytest.mark.parametrize("kept", [0o600, 0o640, 0o755])
def test_a_file_keeps_its_mode_and_a_new_one_has_the_users(tmp_path: Path, kept: int) -> None:
    path, new, usual = tmp_path / "old", tmp_path / "new", tmp_path / "usual"
    path.write_text("old")
    path.chmod(kept)
    usual.write_text("x")
    assert mode(write_atomically(path, "new")) == kept
    assert mode(write_atomically(new, "new")) == mode(usual)


@posix
def test_where_a_link_stands_what_it_points_to_is_written(tmp_path: Path) -> None:
    target, link, chain = tmp_path / "folder" / "target", tmp_path / "link", tmp_path / "chain"
    link.symlink_to(target)  # which isn't there yet
    chain.symlink_to(link)
    assert write_atomically(chain, "one") == chain and target.read_text() == "one"
    write_atomically(link, "two")
    assert chain.is_symlink() and link.is_symlink() and target.read_text() == "two"
    assert os.listdir(target.parent) == ["target"]


@posix
def test_a_pipe_and_a_device_are_written_to_and_stay(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_atomically(pipe, "through")
    reader.join()
    assert read == ["through"] and stat.S_ISFIFO(pipe.stat().st_mode)
    write_atomically(os.devnull, "nowhere")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(OSError):
        write_atomically(tmp_path, "a folder")


@pytest.mark.parametrize("step", ["chmod", "replace"])
def test_an_error_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    path = write_atomically(tmp_path / "w.json", "old")
    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["w.json"]


def test_what_is_written_beside_has_another_name_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[Path] = []
    monkeypatch.setattr(Path, "replace", lambda beside, place: names.append(beside))
    for _ in range(2):
        write_atomically(tmp_path / "w.json", "x")
    assert len(set(names)) == 2 and all(str(os.getpid()) + "." not in name.name for name in names)
