"""Made-up tables with a truth in them, from seeded generators: customers, payments, flats, reviews, ratings."""

from __future__ import annotations

from typing import Any

import numpy as np

Row = tuple[Any, ...]

CHURN_COLUMNS = ("tenure_months", "monthly_charge", "support_calls", "contract", "payment", "churned")
FRAUD_COLUMNS = ("amount", "hour", "distance_km", "tries", "account_days", "night", "foreign", "fraud")
HOUSING_COLUMNS = ("area_m2", "rooms", "floor", "age_years", "distance_km", "garden", "price_k")
SENSOR_COLUMNS = ("vibration", "temperature", "current", "pressure", "speed", "fault")


def _chance(random: np.random.Generator, score: np.ndarray) -> np.ndarray:
    drawn: np.ndarray = random.random(len(score)) < 1 / (1 + np.exp(-score))
    return drawn


def customers(count: int) -> list[Row]:
    """Telephone customers; who calls support often, pays by month and is new may leave. Some cells are empty."""
    random = np.random.default_rng(11)
    tenure = random.integers(1, 72, count)
    charge = np.round(random.gamma(6, 10, count) + 10, 2)
    calls = random.poisson(1.4, count)
    contract = random.choice(["monthly", "one year", "two years"], count, p=[0.55, 0.25, 0.2])
    payment = random.choice(["card", "transfer", "cheque"], count)
    score = (
        0.9 * calls - 0.05 * tenure + 0.02 * (charge - 60) - 2.2 * (contract == "two years") - (contract == "one year")
    )
    churned = _chance(random, score + 0.8 * (payment == "cheque") - 0.6)
    known = random.random(count) > 0.03
    cells = [value if seen else "" for value, seen in zip(charge, known, strict=True)]
    return list(zip(tenure, cells, calls, contract, payment, churned.astype(int), strict=True))


def payments(count: int) -> list[Row]:
    """Card payments, about one in twelve a fraud: at night, far away, after several tries."""
    random = np.random.default_rng(12)
    amount = np.round(random.lognormal(3.2, 1.1, count), 2)
    hour = random.integers(0, 24, count)
    distance = np.round(random.exponential(15, count), 1)
    tries = random.geometric(0.75, count)
    days = random.integers(1, 3000, count)
    night = ((hour < 6) | (hour > 22)).astype(int)
    foreign = (random.random(count) < 0.12).astype(int)
    score = (
        0.012 * amount + 0.05 * distance + 1.3 * (tries - 1) + 1.6 * night * foreign + 0.9 * foreign - days / 1500 - 4.2
    )
    fraud = _chance(random, 1.6 * score).astype(int)
    return list(zip(amount, hour, distance, tries, days, night, foreign, fraud, strict=True))


def flats(count: int) -> list[Row]:
    """Flats and their prices in thousands."""
    random = np.random.default_rng(13)
    area = np.round(random.gamma(9, 9, count) + 15, 1)
    rooms = np.maximum(1, np.round(area / 27 + random.normal(0, 0.6, count))).astype(int)
    floor = random.integers(0, 9, count)
    age = random.integers(0, 110, count)
    distance = np.round(random.exponential(5, count), 2)
    garden = (random.random(count) < 0.2).astype(int)
    price = area * (5.2 - 0.22 * np.minimum(distance, 12)) + 12 * rooms + 35 * garden - 0.6 * age + 3 * floor
    price = np.round(price + random.normal(0, 18, count), 1)
    return list(zip(area, rooms, floor, age, distance, garden, price, strict=True))


def readings(count: int) -> list[Row]:
    """Standardised readings of a machine; hot and shaking means a fault is near."""
    random = np.random.default_rng(14)
    values = np.round(random.normal(size=(count, 5)), 4)
    fault = _chance(random, 2.4 * values[:, 0] + 1.8 * values[:, 1] + values[:, 0] * values[:, 2] - 2.5).astype(int)
    return [(*row, truth) for row, truth in zip(values, fault, strict=True)]


_GOOD = [
    "lovely",
    "bright",
    "friendly",
    "quick",
    "reliable",
    "charming",
    "excellent",
    "comfortable",
    "generous",
    "delicious",
    "calm",
    "sturdy",
]
_BAD = [
    "rude",
    "broken",
    "slow",
    "dirty",
    "noisy",
    "awful",
    "disappointing",
    "stale",
    "flimsy",
    "overpriced",
    "cold",
    "boring",
]
_THINGS = ["room", "staff", "battery", "soup", "screen", "delivery", "garden", "sound", "queue"]
_FRAMES = (
    "{thing} was {word} and {word2}",
    "we found {thing} {word}",
    "{word} {thing}, really {word2}",
    "{thing}: {word}",
)


def reviews(count: int) -> list[Row]:
    """Short reviews with their mood; one in twenty carries a word of the other mood."""
    random = np.random.default_rng(15)
    rows = []
    for _ in range(count):
        good = bool(random.random() < 0.5)
        words = [str(random.choice(_GOOD if good ^ (random.random() < 0.05) else _BAD)) for _ in range(2)]
        frame = str(random.choice(_FRAMES))
        thing = f"the {random.choice(_THINGS)}"
        rows.append((frame.format(thing=thing, word=words[0], word2=words[1]), "good" if good else "bad"))
    return rows


def ratings(people: int, films: int) -> np.ndarray:
    """Stars from 1 to 5 (0 = not seen), float64, shape (people, films); six tastes are behind them."""
    random = np.random.default_rng(16)
    taste, kind = random.dirichlet([0.4] * 6, people), random.dirichlet([0.4] * 6, films)
    stars = np.clip(np.round(1 + 7 * taste @ kind.T + random.normal(0, 0.5, (people, films))), 1, 5)
    return np.where(random.random((people, films)) < 0.45, stars, 0.0)


def log_lines(count: int) -> list[str]:
    """Lines of 300 signs with a trace id in each, hardly any two alike."""
    random = np.random.default_rng(17)
    return [f"{random.choice(['GET', 'POST'])} /item trace={random.bytes(144).hex()}" for _ in range(count)]
