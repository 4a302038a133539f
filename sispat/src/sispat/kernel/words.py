"""What people type into a search, as words. Pure.

Promises: what comes out holds lower-case letters and digits only, as the schema's function `palavras` stores them, so that
it can be written into a tsquery. A word of three letters or more may be the beginning of one; a plural finds its singular
and the other way round, by the regular rules of Portuguese.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["joined", "plate_typed", "term", "words_of"]

_PREFIX = 3  # letters: the beginnings that are shorter match half of the city
_LONGEST_NUMBER = 18  # digits that a bigint surely holds
_SHORTEST_INFLECTED = 4  # letters: "gas" and "mes" are no plurals

# Endings without accents. -ao has three plurals; only the commonest is made from it.
_ENDINGS = (("oes", "ao"), ("aes", "ao"), ("ais", "al"), ("eis", "el"), ("ois", "ol"), ("ns", "m"))
_PLURAL_OF = {"ao": "oes", "al": "ais", "el": "eis", "ol": "ois", "il": "is", "m": "ns"}


def words_of(text: str) -> list[str]:
    """The words of `text`, in lower case and without accents."""
    clean = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return re.findall("[a-z0-9]+", clean)


def joined(text: str) -> str:
    """`text` without its separators, as codes are compared: 11.222.333/0001-81 is 11222333000181."""
    return "".join(words_of(text))


def plate_typed(text: str) -> int | None:
    """The plate number that `text` may be: digits, with the dots and spaces people write between them."""
    digits = re.sub(r"[.\s]", "", text)
    if not re.fullmatch(r"\d+", digits, re.ASCII) or len(digits) > _LONGEST_NUMBER:
        return None
    return int(digits)


def term(word: str) -> str:
    """A word as part of a tsquery: with its other number, and with what it may be the beginning of."""
    start = f"'{word}'" + (":*" if len(word) >= _PREFIX else "")
    return " | ".join([start, *(f"'{form}'" for form in _other_number(word))])


def _other_number(word: str) -> list[str]:
    """The singular of what looks like a plural, the plural of what does not; nothing for short words and numbers."""
    if len(word) < _SHORTEST_INFLECTED or not word.isalpha():
        return []
    for plural, singular in _ENDINGS:
        if word.endswith(plural):
            return [word.removesuffix(plural) + singular]
    if word.endswith("is"):
        return [word.removesuffix("is") + "il", word.removesuffix("s")]
    if word.endswith(("res", "zes", "ses")):
        return [word.removesuffix("es"), word.removesuffix("s")]
    if word.endswith("s"):
        return [word.removesuffix("s")]
    return [word.removesuffix(end) + plural for end, plural in _PLURAL_OF.items() if word.endswith(end)][:1]
