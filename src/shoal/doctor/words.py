"""Words: numbers as people read them in sentences and tables, 10,000 instead of 1e+04."""

import math
import re

MOST = 1e9
"""Numbers from here on stay as they are: 1e+12."""

POWER = re.compile(r"(?<![\w.])\d(?:\.\d+)?e\+\d+(?!\w)")


def number(value: float, digits: int = 4) -> str:
    """A number of so many digits, "-" for one that there is not.

    >>> number(12345.6), number(0.00001234), number(0.5), number(math.inf)
    ('12,350', '1.234e-05', '0.5', '-')
    """
    if not math.isfinite(value):
        return "-"
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if "e+" in text and abs(value) < MOST else text


def plain(text: str) -> str:
    """A text with its powers of ten written out.

    >>> plain("The rate 10 is 1e+04 times the usual one.")
    'The rate 10 is 10,000 times the usual one.'
    """

    def written(found: re.Match[str]) -> str:
        value = float(found[0])
        return f"{value:,.0f}" if value < MOST else found[0]

    return POWER.sub(written, text)
