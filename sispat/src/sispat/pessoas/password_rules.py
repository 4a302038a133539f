"""Which passwords are refused, after NIST SP 800-63B (revision 4, 3.1.1.2). Pure.

Promises: at least `SHORTEST` characters, at most `LONGEST`; no rule about kinds of characters and no expiry. Refused is
what is tried first: one or two common words (senhas_comuns.txt) or words of one's own name and e-mail, with whatever
digits and signs around them and letters written as digits; rows of the keyboard, sequences and repetitions. The sentence
says what to do instead. Three or more words, or letters that are no word, pass.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib import resources

from sispat.kernel.i18n import lazy

__all__ = ["LONGEST", "SHORTEST", "fault"]

SHORTEST, LONGEST = 10, 200

_TOO_SHORT = lazy(
    "Use pelo menos %(least)s caracteres; uma frase de várias palavras é fácil de lembrar.", least=SHORTEST
)
_TOO_LONG = lazy("Use no máximo %(max_length)s caracteres.", max_length=LONGEST)
_COMMON = lazy(
    "Esta senha está entre as que são tentadas primeiro. Use uma frase de quatro palavras ou mais, por exemplo."
)
_OWN = lazy("A senha contém o seu nome ou o seu e-mail. Use palavras que não digam respeito a você.")
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_LEET = str.maketrans("0134578@$!+", "oieastbasit")
_MOST_WORDS = 2  # that a refused password is made of
_FEW_LETTERS = 2  # left over beside those words
_FEW_DIGITS = 8  # left over: a date


def fault(password: str, *own: str) -> str | None:
    """What is wrong with `password`, or None; `own` are the person's name and e-mail."""
    if len(password) < SHORTEST:
        return _TOO_SHORT
    if len(password) > LONGEST:
        return _TOO_LONG
    plain = _plain(password)
    if _contains_own(plain, own):
        return _OWN
    words = _common() | {word for text in own for word in _words(text)}
    if _repeats(plain) or _in_rows(plain) or any(_made_of(text, words) for text in {plain, plain.translate(_LEET)}):
        return _COMMON
    return None


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def _words(text: str) -> set[str]:
    return {word for word in re.split(r"[^a-z]+", _plain(text)) if len(word) >= 3}


@cache
def _common() -> frozenset[str]:
    text = resources.files("sispat.pessoas").joinpath("senhas_comuns.txt").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in line.split() if len(word) >= 3)


def _contains_own(plain: str, own: tuple[str, ...]) -> bool:
    """Whether the whole name, or what stands before the @, is in it; short ones are too often part of a word."""
    squeezed = re.sub(r"[^a-z0-9]", "", plain)
    for text in own:
        whole = re.sub(r"[^a-z0-9]", "", _plain(text).partition("@")[0])
        if len(whole) >= 5 and whole in squeezed:
            return True
    return False


def _repeats(plain: str) -> bool:
    """Whether a part of it said again and again is all of it, or it has hardly any different characters."""
    return len(set(plain)) <= 3 or 0 < (plain + plain).find(plain, 1) <= len(plain) // 2


def _in_rows(plain: str) -> bool:
    """Whether it is rows of the keyboard or sequences, four characters or more of each, and little else."""
    pieces = {row[n : n + 4] for row in _ROWS for row in (row, row[::-1]) for n in range(len(row) - 3)}
    covered = [False] * len(plain)
    for n in range(len(plain) - 3):
        if plain[n : n + 4] in pieces:
            covered[n : n + 4] = [True] * 4
    return covered.count(False) < 4


def _made_of(text: str, words: frozenset[str]) -> bool:
    """Whether one or two of `words` are all that its letters say, and the digits are few."""
    letters = re.sub(r"[^a-z]", "", text)
    digits = len(re.findall(r"\d", text))
    return len(letters) > 0 and digits <= _FEW_DIGITS and _is_covered(letters, words)


def _is_covered(letters: str, words: frozenset[str]) -> bool:
    """Whether at most `_MOST_WORDS` words cover `letters` but for a few; tried by the fewest words to each place."""
    best: list[dict[int, int]] = [{0: 0}]  # at each place: letters left over so far -> words used
    for end in range(1, len(letters) + 1):
        here = {left + 1: used for left, used in best[end - 1].items() if left < _FEW_LETTERS}
        for begin in range(max(0, end - 25), end - 2):
            if letters[begin:end] in words:
                for left, used in best[begin].items():
                    if used < _MOST_WORDS:
                        here[left] = min(here.get(left, used + 1), used + 1)
        best.append(here)
    return bool(best[-1])
