"""C++ as text: which part of a file is comment, text or preprocessor, and where brackets end."""

import re

SKIPPED = re.compile(r"//[^\n]*|/\*.*?\*/|R\"(\w*)\(.*?\)\1\"|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w*)(?:[^\n]*\\\n)*[^\n]*", re.M)
CLOSING = {"(": ")", "[": "]", "{": "}"}


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def _hide(match):
    return _blank(match[0]) if match[0][0] == "/" else re.sub(r"[^\n]", "x", match[0])


def mask(text):
    """The same text with nothing in comments, literals and directives that could be mistaken for code, and without what
    stands behind an #else. Places stay what they are."""
    text = SKIPPED.sub(_hide, text)
    parts, at, hidden = [], 0, []
    for match in DIRECTIVE.finditer(text):
        piece = text[at : match.start()]
        parts.append(_blank(piece) if any(hidden) else piece)
        parts.append(_blank(match[0]))
        at = match.end()
        if match[1].startswith("if"):
            hidden.append(False)
        elif match[1] in ("else", "elif"):
            hidden[-1] = True
        elif match[1] == "endif":
            hidden.pop()
    return "".join(parts) + text[at:]


def closing(masked, at):
    """The place behind the bracket that closes the one at `at`."""
    opened = []
    for place in range(at, len(masked)):
        char = masked[place]
        if char in CLOSING:
            opened.append(CLOSING[char])
        elif opened and char == opened[-1]:
            opened.pop()
            if not opened:
                return place + 1
    raise ValueError(f"{masked[at]} is not closed")


def closing_angle(masked, at):
    """The same for the list of a template. Angles in round brackets are operators."""
    depth, place = 0, at
    while place < len(masked):
        char = masked[place]
        if char in CLOSING:
            place = closing(masked, place)
            continue
        if char == "<":
            depth += 1
        elif char == ">" and masked[place - 1] != "-":
            depth -= 1
            if depth == 0:
                return place + 1
        place += 1
    raise ValueError("< is not closed")


def at_depth_0(masked, wanted, start=0):
    """Where the pattern first matches outside of all brackets, angles too; -1 if it does nowhere."""
    place = start
    while place < len(masked):
        if re.compile(wanted).match(masked, place):
            return place
        if masked[place] in CLOSING:
            place = closing(masked, place)
        else:
            place = _behind(masked, place)
    return -1


def _behind(masked, place):
    """The next place, or the one behind the list of a template that begins here."""
    if masked[place] == "<" and re.search(r"\w$", masked[:place].rstrip()):
        try:
            return closing_angle(masked, place)
        except ValueError:
            pass  # less than
    return place + 1
