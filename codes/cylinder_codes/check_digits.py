"""Check digits (校验位): ISO 7064 MOD 97-10 for our codes and typed text, and the one of GS1.

MOD 97-10, every character counted as two decimal digits: 0 = 00 … 9 = 09, A = 10 … Z = 35, then the other characters
a GS1 value may hold, 36 … 55. That number, times 100, is divided by 97; the check digits are 98 less the remainder, and
all digits together leave 1. Worked example, one that fits on paper: ``AB1`` is 10 11 01. With two noughts behind it,
10110100 = 97 * 104227 + 81; the check digits are 98 - 81 = 17, and 10110117 leaves 1. Without the long division,
because 100 leaves 3: 10; 3 * 10 + 11 = 41; 3 * 41 + 1 = 124, which leaves 27; and for the two noughts 3 * 27 = 81.

What the two digits guarantee, exactly:

- one wrong character is always found;
- two different neighbours exchanged are always found.

Why: the characters weigh 100, 100**2, 100**3 … from the right, which leave 3, 3**2, 3**3 …; the check digits weigh
10 and 1. A wrong character changes the sum by the difference of two values times its weight, an exchange by that
difference times 2 * 3**k, times 90 at the border with the check digits, times 9 inside them. The difference is less
than 97, and 97 is prime and divides none of these factors, so 1 is left no more. A letter that comes to stand
among the check digits is refused as such, and so are 00, 01 and 99, which would leave what 97, 98 and 02 leave.

LEI and IBAN count a digit as one place and a letter as two. There a letter for a digit, or a digit for a letter,
moves everything before it and slips through once in 97 or so, and 1B, 2M and 3X may be exchanged unseen (1 11 = 11 1):
``AB1`` and ``A1B`` both have 29 there. With two places for every character neither happens; a tool made for LEI
therefore computes other check digits than ours.

More damage than that is found 96 times in 97 or so.
"""

import string

GS1_PUNCTUATION = "!\"%&'()*+,-./:;<=>?_"
"""What GS1's CSET 82 holds beside digits and letters, in ASCII order."""
_VALUES = {char: place for place, char in enumerate(string.digits + string.ascii_uppercase + GS1_PUNCTUATION)}
_TWO_DIGITS = str.maketrans({char: f"{value:02d}" for char, value in _VALUES.items()})


def check_digits(body: str) -> str:
    """Return the two ISO 7064 MOD 97-10 check digits, 02 to 98, for ``body`` (0-9, A-Z, GS1 punctuation)."""
    return f"{98 - int(body.translate(_TWO_DIGITS)) * 100 % 97:02d}"


def gs1_check_digit(digits: str) -> str:
    """Return the digit that GS1 puts behind ``digits``: weights 3, 1, 3 … from the right, up to the next ten.

    Worked example: ``952000112345`` gives 15 + 4 + 9 + 2 + 3 + 1 + 0 + 0 + 0 + 2 + 15 + 9 = 60, so the digit is 0.
    """
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)
