"""The keys of the mask and the passwords of carriers, as their files hold them."""

import base64
import stat
from pathlib import Path

import pytest

from maskline.engines.ground import GroundError
from maskline.engines.secrets import check_passwords, mask_keys
from maskline.settings import Carrier, CarrierSip, Endpoint, Settings


@pytest.mark.parametrize(
    "text", ["", "garbage", "{}", '{"current_key": "a", "keys": {"a": "QUJD"}}', "[]"]
)
def test_a_file_without_mask_keys_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "mask.key").write_text(text)
    with pytest.raises(GroundError, match=r"sip\.mask_keys: "):
        mask_keys(tmp_path / "mask.key")


def test_mask_keys_are_long_and_private(tmp_path: Path) -> None:
    keys = mask_keys(tmp_path / "mask.key")
    assert len(base64.b64decode(keys["keys"][keys["current_key"]])) == 64
    assert stat.S_IMODE((tmp_path / "mask.key").stat().st_mode) == 0o600
    assert mask_keys(tmp_path / "mask.key") == keys


def test_a_password_that_cannot_be_read_is_found_out_before_the_start(tmp_path: Path) -> None:
    file = tmp_path / "password"
    trunk = CarrierSip(address=Endpoint("192.0.2.20", 5080), username="us", password_file=file)
    settings = Settings(carriers=(Carrier(name="acme", sip=trunk),))
    place = rf"carriers\.acme\.sip\.password_file: cannot use {file}"
    with pytest.raises(GroundError, match=rf"{place}: No such file or directory$"):
        check_passwords(settings)
    file.write_text("\n")
    with pytest.raises(GroundError, match=rf"{place}: it is empty$"):
        check_passwords(settings)
    file.write_bytes(b"\xff secret")
    with pytest.raises(GroundError, match=rf"{place}: it is no text in UTF-8$"):
        check_passwords(settings)
    file.write_text("secret\n")
    check_passwords(settings)
