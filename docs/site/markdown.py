"""Markdown as GitHub reads it, as far as links go: what is code, which links a page has, which anchors its headings get."""

import re

FENCE = re.compile(r"^[ >]*(```+|~~~+).*?^[ >]*\1[ \t]*$", re.M | re.S)
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.M)
HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.M)
ANCHOR = re.compile(r"<a\s[^>]*?(?:id|name)=\"([^\"]+)\"")
OUTSIDE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.I)  # another site, or a mail


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def without_fences(text):
    """The same text with spaces for the blocks of code, so that places stay what they are."""
    return FENCE.sub(blank, text)


def prose(text):
    """The same without code in lines, too."""
    return CODE.sub(blank, without_fences(text))


def links(text):
    """Each link inside this project: where its target stands in the text, and the target."""
    for match in LINK.finditer(prose(text)):
        group = 1 if match[1] else 2
        if not OUTSIDE.match(match[group]):
            yield match.span(group), match[group]


def plain(heading):
    """The text of a heading without its marks."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[`*]|<[^>]*>", "", text)


def slug(heading):
    return re.sub(r"[^\w\- ]", "", plain(heading).strip().lower()).replace(" ", "-")


def headings(text):
    return [match[1] for match in HEADING.finditer(without_fences(text))]


def anchors(text):
    """All anchors of a page. A heading that is there before gets a number."""
    found, seen = set(ANCHOR.findall(without_fences(text))), {}
    for heading in headings(text):
        name = slug(heading)
        seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
    return found


def title(text):
    return plain(headings(text)[0])
