"""Sentence pairs that parity cases are tokenised from: several scripts, digits, accents, symbols, one very long word.

Written for this file. The second of a pair continues or answers the first, so that both segments hold real text.
"""

from __future__ import annotations

PAIRS: tuple[tuple[str, str], ...] = (
    (
        "Where do the swallows spend the winter?",
        "Swallows leave in September, cross the Sahara, and spend the winter south of it; most return in April.",
    ),
    (
        "Wie hoch ist die Brücke über den Fluß?",
        "Die alte Brücke wurde 1,000 m flußaufwärts neu gebaut; sie ist 42,5 Meter hoch und überspannt das ganze Tal.",
    ),
    ("这座图书馆什么时候开门？", "图书馆每天早上九点开门，晚上八点关门，星期一休息。"),
    (
        "Kiedy odjeżdża pociąg? Où est la gare?",
        "Le train part à 7 h 05 du quai n° 3 — réservez dès aujourd’hui, l’été les places s’envolent !",
    ),
    (
        "Почему небо голубое?",
        "Молекулы воздуха рассеивают короткие волны сильнее длинных, поэтому небо кажется голубым.",
    ),
    ("متى تغرب الشمس؟", "تغرب الشمس اليوم في الساعة السادسة والنصف مساءً."),
    ("電車は何時に着きますか。", "次の電車は１０時３０分に東京駅に着く予定です。"),
    (
        "Does it cost £3.50 or €4? 🙂",
        "pneumonoultramicroscopicsilicovolcanoconiosis, e-mail: a.b@example.org, x² + y² ≠ z²",
    ),
)
