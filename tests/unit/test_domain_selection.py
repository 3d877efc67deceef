import pytest

from maskline.domain.selection import Place, tiers, wished_place

SEATTLE, DENVER = Place("US", "206"), Place("US", "303")


@pytest.mark.parametrize(
    ("level", "country", "area_code", "wish"),
    [
        (None, None, None, None),
        (None, "", "", None),
        ("AreaCode", None, None, SEATTLE),
        ("Country", None, None, Place("US")),
        ("Country", "CA", "604", Place("CA")),
        ("AreaCode", "US", "303", DENVER),
        ("AreaCode", "US", "", SEATTLE),
        ("AreaCode", "CA", "", Place("CA")),
        (None, "US", "303", DENVER),
        (None, "CA", "", Place("CA")),
        (None, "CA", None, Place("CA")),
        (None, "US", "", Place("US")),
        (None, "", "303", DENVER),
    ],
)
def test_the_wish_of_a_request(
    level: str | None, country: str | None, area_code: str | None, wish: Place | None
) -> None:
    assert wished_place(level, country, area_code, SEATTLE) == wish


US, CA = Place("US"), Place("CA")


@pytest.mark.parametrize(
    ("wish", "countries", "expected"),
    [
        (None, ("US", "CA"), [[US, CA]]),
        (SEATTLE, ("US",), [[SEATTLE], [US]]),
        (SEATTLE, ("US", "CA"), [[SEATTLE], [US], [US, CA]]),
        (US, ("US", "CA"), [[US], [US, CA]]),
        (Place("DE", "030"), ("US", "CA"), [[US, CA]]),
    ],
)
def test_the_places_to_try(
    wish: Place | None, countries: tuple[str, ...], expected: list[list[Place]]
) -> None:
    assert tiers(wish, countries) == expected
