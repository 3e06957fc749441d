"""Comments of the parts as Markdown: paragraphs, code, and links for the names in them."""

import re

# What is code though nobody marked it: Pool<T>, ctx.bind<T>(), stop(), std::string, HttpError, max_body.
QUALIFIED = re.compile(
    r"(?<![\w/])[\w.:]*\w<[\w:, ]*(?:<[\w:, ]*>)?[\w:, ]*>(?:\(\w*\))?|\b[a-z][\w.]*\(\w*\)"
    r"|(?<![\w/])(?:sake::)?[A-Za-z_]\w*(?:::~?[A-Za-z_]\w*)+(?:\(\))?|\b(?![KMG]iB\b)[A-Z][a-z]+[A-Z]\w*\b|\b[a-z]+(?:_[a-z0-9]+)+\b")
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
    """The lines of a comment. Four spaces begin code, two a list in columns."""
    blocks, kind = [], None
    for line in lines:
        line = line.removeprefix(" ")
        kind = kind_of(line, kind)
        if not blocks or kind != blocks[-1][0]:
            blocks.append((kind, []))
        blocks[-1][1].append(line)
    return "\n\n".join(block_text(kind, block, links) for kind, block in blocks if kind)


def kind_of(line, before):
    if not line.strip():
        return "cpp" if before == "cpp" else None
    return "cpp" if line.startswith("    ") else "txt" if line.startswith("  ") else "prose"


def block_text(kind, block, links):
    if kind == "prose":
        return inline(" ".join(line.strip() for line in block), links)
    indent = 4 if kind == "cpp" else 2
    return f"```{kind}\n" + "\n".join(line[indent:] for line in block).strip("\n") + "\n```"
