"""Invented people and places. Mail goes to example.com, telephones begin with 555 01."""

from typing import Any

FIRST_NAMES = ("Zoë", "Łukasz", "María José", "Ólafur", "Ngọc", "花子", "Anna", "Sam", "D'Arcy")
LAST_NAMES = ("Müller", "O'Brien", "Nguyễn", "山田", "Sørensen", "Smith-Jones", "García", "Lee")
COMPANIES: tuple[str | None, ...] = ("", None, "Ex & Ample / Sons", "Café Exämple", "")
PLACES = (
    ("Springfield", "Illinois", "62701", "United States", "US"),
    ("Zürich", "", "8001", "Switzerland", "CH"),
    ("São Paulo", "São Paulo", "01000-000", "Brazil", "BR"),
    ("札幌市", "北海道", "060-0001", "Japan", "JP"),
    ("Kraków", "", "30-001", "Poland", "PL"),
)


def address(number: int) -> dict[str, Any]:
    """The address that has this number; one in five has no company, "" or null."""
    city, state, postcode, country, iso2 = PLACES[number % len(PLACES)]
    return {
        "first_name": FIRST_NAMES[number % len(FIRST_NAMES)],
        "last_name": LAST_NAMES[number % len(LAST_NAMES)],
        "company": COMPANIES[number % len(COMPANIES)],
        "street_1": f"{number} Example Street",
        "street_2": f"Flat {number % 9}/A" if number % 3 == 0 else "",
        "city": city,
        "state": state,
        "zip": postcode,
        "country": country,
        "country_iso2": iso2,
        "phone": f"+1 555 01{number % 100:02d}" if number % 7 else None,
        "email": f"shopper{number}@example.com" if number % 11 else "",
    }


def shop_location(number: int) -> dict[str, Any]:
    """The shop with this number, where buyers collect their orders."""
    city, state, postcode, _, iso2 = PLACES[number % len(PLACES)]
    return {
        "id": number,
        "name": f"Shop {city}",
        "code": f"SHOP-{number}",
        "address_line_1": f"{number} Example Square",
        "address_line_2": "",
        "city": city,
        "state": state,
        "postal_code": postcode,
        "country_alpha2": iso2,
        "email": f"shop{number}@example.com",
        "phone": f"+1 555 01{number % 100:02d}",
    }
