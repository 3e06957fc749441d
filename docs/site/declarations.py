"""What the parts of sake/ declare, with the comments that say what it is.

Read as text, not by a compiler: comments keep their place that way, also those behind a member, and it takes a second. The
layout that clang-format gives every file makes it safe, and tests/checks/public_names.txt, which a compiler has made, shows
what is missed."""

import glob
import re
from dataclasses import dataclass, field

from source import at_depth_0, closing, closing_angle, mask

CLASS = re.compile(r"(?:class|struct|union)\b")
SKIPPED = re.compile(r"(?:friend|static_assert|extern|typedef)\b")
OPERATOR = re.compile(r"\boperator\s*(\(\s*\)|\[\s*\]|\"\"\s*\w+|[^\s\w(]+|[A-Za-z][\w:<>, ]*?)\s*\(")
ATTRIBUTE = re.compile(r"\[\[[^\]]*\]\]|\balignas\s*\([^()]*\)")


@dataclass
class Declaration:
    kind: str  # namespace, class, enum, value of an enum, function, variable, alias, concept
    name: str
    text: str  # as it is written, without a body
    indent: int = 0
    doc: list = field(default_factory=list)      # the lines of /// above it
    remark: list = field(default_factory=list)   # the lines of // above it and behind it
    before: list = field(default_factory=list)   # blocks of // that stand alone above it
    follows: bool = False                        # the one before it, without an empty line
    is_public: bool = True
    members: list = field(default_factory=list)
    bases: str = ""


def strip_template(masked, at, end):
    """The place behind `template <...> requires ...` and attributes."""
    while True:
        at += len(masked[at:end]) - len(masked[at:end].lstrip())
        if match := re.compile(r"template\s*<").match(masked, at, end):
            at = closing_angle(masked, match.end() - 1)
        elif match := re.compile(r"requires\s*(?=\()").match(masked, at, end):
            at = closing(masked, match.end())
            while match := re.compile(r"\s*(?:&&|\|\|)[^\n]*").match(masked, at, end):
                at = match.end()
        elif match := re.compile(r"requires\b[^\n]*(?:\n\s*(?:&&|\|\|)[^\n]*)*").match(masked, at, end):
            at = match.end()
        elif match := ATTRIBUTE.match(masked, at, end):
            at = match.end()
        else:
            return at


class Reader:
    """One file. `declarations(at, end)` are those of a scope."""

    def __init__(self, text):
        self.text = text
        self.masked = mask(text)
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def line_of(self, at):
        return self.text.count("\n", 0, at)

    # ---- comments ----

    def comment(self, line, indent):
        """The text of a line that is nothing but a comment at this indent, with its slashes; None if it is something else."""
        match = re.match(r"( *)(///?.*)", self.lines[line])
        return match[2] if match and len(match[1]) == indent else None

    def comments_above(self, line, indent):
        """The comment right above a line, and those that stand alone above it; and whether the line begins a
        group, behind an empty line or at the start of a scope."""
        block, blocks, is_first = [], [], False
        while line > 0:
            line -= 1
            text = self.comment(line, indent)
            if text is not None:
                block.insert(0, text)
            elif not self.lines[line].strip():
                blocks.insert(0, block)
                block, is_first = [], True
            else:
                is_first = is_first or self.lines[line].rstrip()[-1] in ":{"
                break
        blocks.insert(0, block)
        return blocks[-1], [each for each in blocks[:-1] if each], is_first

    def comment_behind(self, end, indent):
        """The comment behind a declaration, which may go on below it."""
        line = self.line_of(end)
        match = re.match(r"\s*(//.*)", self.text[end : self.starts[line + 1] - 1])
        found = [match[1]] if match else []
        while found and line + 1 < len(self.lines):
            line += 1
            match = re.match(r"( *)(//(?!/).*)", self.lines[line])
            if not match or len(match[1]) <= indent:
                break
            found.append(match[2])
        return found

    def annotate(self, made, at, end):
        """Gives a declaration its comments."""
        line = self.line_of(at)
        made.indent = at - self.starts[line]
        own, made.before, is_first = self.comments_above(line, made.indent)
        made.follows = not is_first and not own
        made.doc = [text[3:] for text in own if text.startswith("///")]
        made.remark = [text[2:] for text in own if not text.startswith("///")]
        made.remark += [text.lstrip("/") for text in self.comment_behind(end, made.indent)]
        return made

    # ---- declarations ----

    def declarations(self, at, end, is_public=True):
        found = []
        while at < end:
            at += len(self.masked[at:end]) - len(self.masked[at:end].lstrip())
            if at >= end:
                break
            if match := re.compile(r"(public|private|protected)\s*:(?!:)").match(self.masked, at):
                is_public, at = match[1] == "public", match.end()
            elif self.masked[at] == ";":
                at += 1
            else:
                made, behind = self.declaration(at, end)
                if made is not None:
                    made.is_public = is_public
                    found.append(self.annotate(made, at, behind))
                at = behind
        return found

    def declaration(self, at, end):
        """The declaration that begins here, and the place behind it."""
        place = at
        while place < end and self.masked[place] not in ";{":
            place = closing(self.masked, place) if self.masked[place] in "([" else place + 1
        core = strip_template(self.masked, at, place)
        head = self.masked[core:place]
        if place < end and self.masked[place] == "{":
            if match := re.match(r"(?:inline\s+)?namespace\b\s*([\w:]*)", head):
                return self.scope("namespace", at, core, place, match[1])
            if self.is_class(head):
                return self.scope("class", at, core, place)
            if re.match(r"enum\b", head):
                return self.enumeration(at, core, place)
            return self.with_body(at, core, place, end)
        return self.plain(at, core, place), place + 1

    @staticmethod
    def is_class(head):
        return CLASS.match(head) and at_depth_0(ATTRIBUTE.sub("", head), r"[(=]") < 0

    def with_body(self, at, core, place, end):
        """A function, or what is initialized by braces."""
        while place < end and self.masked[place] != ";":
            if self.masked[place] == "{":
                head = self.masked[core:place]
                is_function = self.opening_of_parameters(head) >= 0 and not re.search(r"requires\s+requires\s*(\([^()]*\)\s*)?$", head)
                behind = closing(self.masked, place)
                if is_function and not re.match(r"\s*[,{]", self.masked[behind:]):
                    return self.plain(at, core, place), behind
                place = behind
            else:
                place += 1
        return self.plain(at, core, place), place + 1

    @staticmethod
    def opening_of_parameters(head):
        """Where the parameters of a function begin; -1 if it is no function."""
        if match := OPERATOR.search(head):
            return match.end() - 1
        opening = at_depth_0(head, r"(?<![\w)])=|\(|= ")
        return opening if opening >= 0 and head[opening] == "(" else -1

    def plain(self, at, core, end):
        head, text = self.masked[core:end], self.text[at:end].rstrip()
        if SKIPPED.match(head) or not head.strip():
            return None
        if match := re.match(r"using\s+(\w+)\s*(?:\[\[.*?\]\]\s*)?=", head):
            return Declaration("alias", match[1], text)
        if match := re.match(r"using\s+[\w:]+::(\w+)$", head.strip()):
            return Declaration("alias", match[1], text)
        if match := re.match(r"concept\s+(\w+)", head):
            return Declaration("concept", match[1], text)
        if match := re.match(r"(?:class|struct|union|enum(?:\s+class)?)\s+(\w+)[^(]*$", ATTRIBUTE.sub("", head)):
            return Declaration("forward", match[1], text)
        opening = self.opening_of_parameters(head)
        return self.variable(head, text) if opening < 0 else self.function(at, core, end, opening)

    def function(self, at, core, end, opening):
        head = self.masked[core:end]
        if match := OPERATOR.search(head):
            word = re.sub(r"\s+", "", match[1]) if not match[1][0].isalpha() else " " + match[1]
            name, is_own = "operator" + word, not re.search(r"::\s*$", head[: match.start()])
        else:
            match = re.search(r"((?:\w+(?:<[^()]*>)?::)*)(~?\w+)\s*$", head[:opening])
            if match is None:
                return None
            name, is_own = match[2], not match[1]
        if not is_own:
            return None  # the definition of what stands elsewhere
        # Of a constructor, what it does with its members is left out.
        behind = closing(self.masked, core + opening)
        if match := re.compile(r"(?<!:):(?!:)").search(self.masked, behind, end):
            end = match.start()
        return Declaration("function", name, self.text[at:end].rstrip())

    @staticmethod
    def variable(head, text):
        stop = at_depth_0(head, r"=|\{|\[")
        match = re.search(r"(\w+)(\s*<[^=]*>)?\s*$", head[: stop if stop >= 0 else len(head)])
        if match is None or match[2] or re.match(r"(goto|return)\b", head):
            return None
        return Declaration("variable", match[1], text)

    # ---- scopes ----

    def scope(self, kind, at, core, place, name=None):
        behind = closing(self.masked, place)
        head = ATTRIBUTE.sub(lambda match: " " * len(match[0]), self.masked[core:place])
        made = Declaration(kind, name or "", self.text[at:place].rstrip())
        if kind == "class":
            match = re.match(r"\w+\s+((?:\w+(?:<[^:]*?>)?::)*\w+)\s*(<[^:]*>)?\s*(?:final\b\s*)?(?::(?!:)\s*(.*))?$", head, re.S)
            if match is None or match[2]:
                return None, behind  # without a name, or for some arguments only
            made.name, made.bases = re.sub(r"<[^:]*?>", "", match[1]), (match[3] or "").strip()
            if match[3]:
                made.text = self.text[at : core + match.start(3)].rstrip().rstrip(":").rstrip()
        made.members = self.declarations(place + 1, behind - 1, is_public=not head.startswith("class"))
        return made, self.behind_semicolon(behind) if kind == "class" else behind

    def behind_semicolon(self, at):
        match = re.compile(r"\s*;").match(self.masked, at)
        return match.end() if match else self.masked.index(";", at) + 1

    def enumeration(self, at, core, place):
        behind = closing(self.masked, place)
        match = re.match(r"enum\s+(?:class\s+)?(\w+)", self.masked[core:place])
        made = Declaration("enum", match[1] if match else "", self.text[at:place].rstrip())
        for value in re.compile(r"[^,{}]*\w[^,{}]*").finditer(self.masked, place + 1, behind - 1):
            start = value.start() + len(value[0]) - len(value[0].lstrip())
            name = re.match(r"\w+", self.masked[start:])[0]
            comma = re.compile(r",?").match(self.masked, value.end()).end()
            written = self.text[start : value.start() + len(value[0].rstrip())]
            stop = comma if self.masked[value.end() : comma] else start + len(written)
            one = Declaration("value", name, written)
            made.members.append(self.annotate(one, start, stop))
        return made, self.behind_semicolon(behind)


def read(path):
    with open(path, encoding="utf-8") as file:
        reader = Reader(file.read())
    return reader.declarations(0, len(reader.text))


def read_parts():
    """Path of a scope from namespace sake on -> what it declares, of all parts, in their order."""
    scopes = {}
    paths = glob.glob("sake/**/*.hpp", recursive=True)
    for path in sorted(paths, key=lambda each: (each.endswith("_impl.hpp"), each)):
        add_scope(scopes, (), read(path))
    return scopes


def add_scope(scopes, path, declared):
    for each in declared:
        if each.kind == "namespace":
            names = tuple(name for name in each.name.split("::") if name and not name.startswith("SAKE_"))
            add_scope(scopes, path + names, each.members)
            continue
        inner = path + tuple(each.name.split("::"))
        each.name = inner[-1]  # of Pool<T>::Lease, which is defined behind its class
        scopes.setdefault(inner[:-1], []).append(each)
        if each.kind in ("class", "enum"):
            add_scope(scopes, inner, each.members)
