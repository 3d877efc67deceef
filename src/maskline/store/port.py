"""What every store promises, whichever database stands behind it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from maskline.store.secrets import Cipher

T = TypeVar("T")


class Row(Protocol):
    """A row of an answer: its columns by name."""

    def __getitem__(self, column: str, /) -> Any: ...


class Transaction(Protocol):
    """Where a piece of work reads and writes. Queries are named in `store/queries`."""

    @property
    def cipher(self) -> Cipher: ...

    def one(self, query: str, **parameters: Any) -> Row | None:
        """The first row of the answer, None when there is none."""

    def all(self, query: str, **parameters: Any) -> list[Row]: ...

    def run(self, query: str, **parameters: Any) -> int:
        """Carries out a change and gives the number of rows it changed."""

    def run_each(self, query: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Carries out the same change for each of the parameters."""

    def lock(self, *names: str, shared: Sequence[str] = (), last: Collection[str] = ()) -> int:
        """Waits until no other transaction holds one of these names; holds them to the end. Gives
        the `time` then.

        Those that are `shared` others may hold so, too. Those that come `last` are waited for when
        the others are held, as by who knows only then which they are. What is read afterwards is
        as the others left it. For work that is written `beside` other such work. Who holds names
        may only wait for more if nobody who holds those waits for his.
        """

    def lock_free(self, *names: str) -> Collection[str]:
        """As `lock`, but does not wait: holds those that no other transaction holds, and gives
        them."""

    def time(self) -> int:
        """The time by the clock of the database's machine, in milliseconds since the epoch."""


class Store(Protocol):
    """A database. Work is a synchronous function of a transaction.

    Work may be run more than once before it is kept: it changes nothing but what is in the store,
    or does so in a way that repeating does no harm.
    """

    async def read(
        self, work: Callable[[Transaction], T], *, apart: bool = False, piecemeal: bool = False
    ) -> T:
        """What `work` gives, from one consistent state that holds all that was answered before.

        Work that reads much is done `apart`, so that no other waits for it. Work that is in a hurry
        and needs no more than one query, or may see a later state with each, reads `piecemeal`.
        Raises StoreFailed where it takes too long.
        """

    async def write(self, work: Callable[[Transaction], T], *, beside: bool = False) -> T:
        """What `work` gives, once its changes are safe on disk.

        No other work is done at the same time, unless both are to be done `beside` others: such
        work locks by name what nobody else may change meanwhile.

        An exception in `work` undoes its changes and no other work's, and is raised here.
        Raises StoreFailed when the changes could not be kept.
        """

    async def touch(self) -> None:
        """Changes what makes no difference; raises StoreFailed where that could not be kept, or a
        mebibyte more could not."""

    @property
    def failing(self) -> bool:
        """Whether the latest change could not be kept. Work that changes nothing tells nothing."""

    def break_off(self) -> None:
        """Lets the work under way fail, and all that follows: for a server that says nothing."""

    def close(self) -> None:
        """Finishes the work under way, then lets go of the database."""


class StoreUnusable(Exception):
    """The database cannot be opened by this program: of another version, or without its key."""


class StoreFailed(Exception):
    """The database could not keep what it was given: a full or failing disk, say."""
