from pathlib import Path

import pytest

from maskline.store.secrets import Cipher, NotSealed, make_key_file, open_cipher


@pytest.fixture
def cipher(tmp_path: Path) -> Cipher:
    make_key_file(tmp_path / "key")
    return open_cipher(tmp_path / "key")


def test_a_secret_is_unsealed_by_the_same_key_file(cipher: Cipher, tmp_path: Path) -> None:
    sealed = cipher.seal("secret", "AKIA1")
    assert b"secret" not in sealed
    assert open_cipher(tmp_path / "key").unseal(sealed, "AKIA1") == "secret"


def test_a_secret_is_bound_to_its_purpose_and_key(cipher: Cipher, tmp_path: Path) -> None:
    make_key_file(tmp_path / "other")
    sealed = cipher.seal("secret", "AKIA1")
    with pytest.raises(NotSealed):
        cipher.unseal(sealed, "AKIA2")
    with pytest.raises(NotSealed):
        open_cipher(tmp_path / "other").unseal(sealed, "AKIA1")


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(100)])
def test_what_was_never_sealed_is_not_unsealed(cipher: Cipher, sealed: bytes) -> None:
    with pytest.raises(NotSealed):
        cipher.unseal(sealed, "AKIA1")


def test_a_damaged_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ValueError, match="64 bytes"):
        open_cipher(tmp_path / "key")


def test_a_key_is_never_overwritten(cipher: Cipher, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        make_key_file(tmp_path / "key")
