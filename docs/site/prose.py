"""Comments of the parts as Markdown: paragraphs, code, and links for the names in them."""

import re

QUALIFIED = re.compile(r"(?<![\w/])(?:sake::)?[A-Za-z_]\w*(?:::~?[A-Za-z_]\w*)+(?:\(\))?|\b[A-Z][a-z]+[A-Z]\w*\b|\b[a-z]+(?:_[a-z0-9]+)+\b(?:\(\))?")
PAGE = re.compile(r"\bdocs/([\w-]+)\.md\b")


def code(text, links):
    """A name as code, and as a link if it is in the reference."""
    name = text.removeprefix("sake::").removesuffix("()")
    url = links.get(name)
    return f"[`{text}`]({url})" if url else f"`{text}`"


def inline(text, links):
    """One paragraph. What is code already stays."""
    pieces = re.split(r"(`[^`]+`)", text)
    return "".join(code(piece[1:-1], links) if piece[0] == "`" else _words(piece, links) for piece in pieces if piece)


def _words(text, links):
    parts, at = [], 0
    for match in re.compile(f"{PAGE.pattern}|{QUALIFIED.pattern}").finditer(text):
        parts.append(_escaped(text[at : match.start()]))
        parts.append(f"[{match[1]}](/{match[1]})" if match[1] else code(match[0], links))
        at = match.end()
    return "".join(parts) + _escaped(text[at:])


def _escaped(text):
    return re.sub(r"([*_\[\]\\])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cell(text, links):
    """The same within a table."""
    return inline(text, links).replace("|", "\\|")


def markdown(lines, links):
    """The lines of a comment. Four spaces begin code."""
    blocks, kind = [], None
    for line in lines:
        line = line.removeprefix(" ")
        now = "code" if line.startswith("    ") or (kind == "code" and not line.strip()) else "text" if line.strip() else None
        if now != kind or not blocks:
            blocks.append((now, []))
        blocks[-1][1].append(line)
        kind = now
    made = []
    for kind, block in blocks:
        if kind == "code":
            made.append("```cpp\n" + "\n".join(line[4:] for line in block).strip("\n") + "\n```")
        elif kind == "text":
            made.append(inline(" ".join(line.strip() for line in block), links))
    return "\n\n".join(made)
