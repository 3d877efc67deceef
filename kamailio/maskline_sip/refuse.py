"""A request that is answered by a status and no more."""

from __future__ import annotations


class Refuse(Exception):
    """Answer the request at hand with this status."""

    def __init__(self, status: int, *headers: str) -> None:
        super().__init__(status)
        self.status, self.headers = status, headers
