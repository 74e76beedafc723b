"""Names, addresses and descriptive cells of the synthetic company, awkward ones included. No money, no dates."""

from __future__ import annotations

import random

_FIRST_WORDS = (
    "Alder", "Beacon", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbour", "Iris", "Juniper", "Kestrel",
    "Lumen", "Meridian", "Nimbus", "Orchard", "Pioneer", "Quarry", "Raven", "Saffron", "Tundra", "Umbra", "Vertex",
    "Willow", "Yarrow", "Zephyr",
)  # fmt: skip
_SECOND_WORDS = (
    "Foods", "Tools", "Textiles", "Freight", "Optics", "Labs", "Partners", "Print", "Energy", "Dental", "Books",
    "Timber", "Software", "Ceramics", "Logistics", "Farms",
)  # fmt: skip
_FORMS = ("Ltd", "GmbH", "Inc.", "S.A.", "LLC", "B.V.", "KK", "AG")
_AWKWARD_NAMES = (
    "Sørensen, Ødegård & Co",
    'The "Old" Mill, Inc.',
    "Müller\nZweigstelle Köln",
    "株式会社サンプル",
    "Null",
    "O'Brien; Sons",
    "=Sum Holdings",
    "Ελληνική Εταιρεία Α.Ε.",
    "Back\\slash | Pipe",
)
_FIRST_NAMES = ("Ana", "Björn", "Chloé", "Dmitri", "Ewa", "Farid", "Grace", "Hiro", "Ines", "João", "Kwame", "Lea")
_LAST_NAMES = ("Null", "García", "Smith", "O'Neill", "Nguyễn", "van der Berg", "Kowalska", "Jones", "Åberg", "Tanaka")
_STREETS = ("High Street", "Rue de l'Église", "Hauptstraße", "Market Sq., Unit 4", "Calle Mayor", "Elm Road")
_CITIES = {
    "US": ("Springfield", "Portland"),
    "GB": ("Leeds", "Bath"),
    "DE": ("Köln", "München"),
    "JP": ("大阪", "Kyoto"),
    "KW": ("Kuwait City", "Hawalli"),
}
COUNTRY_OF = {"USD": "US", "GBP": "GB", "EUR": "DE", "JPY": "JP", "KWD": "KW"}
POSITIONS = ("Accounts payable", "Finance, head of", "Owner", "")


def customer_cells(rng: random.Random, number: int, source_id: str, currency: str, parent: str) -> dict[str, str]:
    """Return every cell of one customers row; `number` puts each awkward name into the first customers."""
    if 0 < number <= len(_AWKWARD_NAMES):
        name = _AWKWARD_NAMES[number - 1]
    else:
        name = f"{rng.choice(_FIRST_WORDS)} {rng.choice(_SECOND_WORDS)} {rng.choice(_FORMS)} {number}"
    country = COUNTRY_OF[currency]
    return {
        "id": source_id,
        "name": name,
        "ref": f"C-{number:05d}",
        "currency_iso": currency if rng.random() < 0.9 else "",
        "address_line_1": f"{rng.randint(1, 250)} {rng.choice(_STREETS)}",
        "address_line_2": "c/o Reception\n2nd floor" if rng.random() < 0.05 else "",
        "postal_code": f"{rng.randint(0, 99999):05d}",
        "city": rng.choice(_CITIES[country]),
        "state": "OR" if country == "US" else "",
        "country_iso": country,
        "credit_limit_amount": str(rng.randint(1, 50) * 1000) if rng.random() < 0.6 else "",
        "parent_id": parent,
        "segment": rng.choice(("small", "large", "")),
    }


def contact_cells(rng: random.Random, number: int, source_id: str, customer: str) -> dict[str, str]:
    """Return every cell of one contacts row; some people have the surname Null."""
    first, last = rng.choice(_FIRST_NAMES), _LAST_NAMES[number % len(_LAST_NAMES)]
    return {
        "id": source_id,
        "customer_id": customer,
        "first_name": first,
        "last_name": last,
        "email": f"person{number}@customer{customer.lstrip('0')}.example" if rng.random() < 0.9 else "",
        "phone": f"+44 20 7946 {rng.randint(0, 9999):04d}" if rng.random() < 0.7 else "",
        "mobile": f"+44 7700 900{rng.randint(0, 999):03d}" if rng.random() < 0.3 else "",
        "position": rng.choice(POSITIONS),
        "is_primary": "true" if number % 2 else "false",
        "is_active": "true" if rng.random() < 0.95 else "false",
    }


def description(rng: random.Random) -> str:
    """Return a descriptive text; some hold commas, quotes or line ends."""
    return rng.choice(
        ("Goods as ordered", 'Consulting, "phase 2"', "Line one\nLine two", "Réparation n° 12", "", "N/A, see order")
    )
