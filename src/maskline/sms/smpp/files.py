"""The files that the settings of a carrier name: its password, certificates and keys."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskline.settings import CarrierSmpp
from maskline.settings.smpp import MOST_CHARACTERS


def password_of(settings: CarrierSmpp) -> str:
    """The password, of the settings or of its file; raises OSError for one that cannot be sent."""
    if settings.password_file is None:
        return settings.password.text if settings.password is not None else ""
    with told_of("smpp.password_file", settings.password_file):
        lines = settings.password_file.read_bytes().splitlines() or [b""]
        if not lines[0].isascii() or len(lines[0]) > MOST_CHARACTERS["password"]:
            raise OSError("its first line must be at most 8 ASCII characters")
    return lines[0].decode()


@contextmanager
def told_of(setting: str, *files: Path | None) -> Iterator[None]:
    """What is wrong with a file of the settings is told with the setting: OSError."""
    try:
        yield
    except OSError as error:
        named = " with ".join(str(file) for file in files if file)
        raise OSError(f"{setting}: cannot use {named}: {error.strerror or error}") from None


def tls_context(settings: CarrierSmpp) -> dict[str, Any]:
    """What makes a connection one by TLS: the carrier's certificate is always checked."""
    if not settings.tls:
        return {}
    with told_of("smpp.tls_ca", settings.tls_ca):
        context = ssl.create_default_context(cafile=settings.tls_ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_certificate is not None:
        with told_of("smpp.tls_certificate", settings.tls_certificate, settings.tls_key):
            context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return {"ssl": context, "server_hostname": settings.tls_name or settings.host}
