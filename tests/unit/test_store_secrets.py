from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from maskline.store.secrets import open_cipher


def test_a_secret_is_unsealed_by_the_same_key_file(tmp_path: Path) -> None:
    sealed = open_cipher(tmp_path / "key").seal("secret", "AKIA1")
    assert b"secret" not in sealed
    assert open_cipher(tmp_path / "key").unseal(sealed, "AKIA1") == "secret"


def test_a_secret_is_bound_to_its_owner_and_key(tmp_path: Path) -> None:
    cipher = open_cipher(tmp_path / "key")
    sealed = cipher.seal("secret", "AKIA1")
    with pytest.raises(InvalidTag):
        cipher.unseal(sealed, "AKIA2")
    with pytest.raises(InvalidTag):
        open_cipher(tmp_path / "other").unseal(sealed, "AKIA1")


def test_the_same_secret_looks_different_each_time(tmp_path: Path) -> None:
    cipher = open_cipher(tmp_path / "key")
    assert cipher.seal("secret", "AKIA1") != cipher.seal("secret", "AKIA1")


def test_a_damaged_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        open_cipher(tmp_path / "key")
