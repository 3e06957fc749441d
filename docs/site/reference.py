"""The API reference: a page for each subject of subjects.txt, made of the public declarations of the parts."""

import os
import re
from itertools import groupby

import declarations
import prose

LIST = "tests/checks/public_names.txt"
SUBJECTS = "docs/site/subjects.txt"
SECTION = re.compile(r"-+ ([^-;]+?)(?: -+)?$")
TITLE = re.compile(r"[A-Z]\w*(?: \w+){0,2}\.")
NOT_NAMED = {"promise_type", "value_type"}


def public_names():
    with open(LIST, encoding="utf-8") as file:
        return {line.split(": ")[0].strip() for line in file if line[0] != "#"}


def subjects():
    """Group, page, title and names, of each page."""
    found, group = [], ""
    with open(SUBJECTS, encoding="utf-8") as file:
        for line in file:
            if line.startswith("== "):
                group = line[3:].strip()
            elif line[0] == " ":
                found[-1][3].extend(line.split())
            elif line.strip() and line[0] != "#":
                page, title = line.strip().split(": ", 1)
                found.append((group, page, title, []))
    return found


def anchor(path):
    return re.sub(r"[^\w-]", lambda match: format(ord(match[0]), "x"), "-".join(path[1:]))


class Reference:
    def __init__(self):
        self.names = public_names()
        self.scopes = declarations.read_parts()
        self.subjects = subjects()
        self.spaces = {path for path in self.scopes if path and self.node(path) is None}
        self.place_the_rest()
        self.links = {}  # a name, as docs may write it, and where it is
        self.pages = {}  # of names as well: "Context" -> "context"
        self.find_links()
        self.found = set()  # what has been written
        self.anchors = set()  # of the present page

    def units(self):
        """The public names that stand in a namespace."""
        paths = (tuple(name.split("::")) for name in self.names)
        return {"::".join(path[1:]) for path in paths if path[:-1] in self.spaces}

    def place_the_rest(self):
        placed = {name for *_, names in self.subjects for name in names}
        rest = sorted(self.units() - placed, key=str.lower)
        if rest:
            self.subjects.append(("Building blocks", "other", "Everything else", rest))
        self.unknown = sorted(placed - self.units())

    def find_links(self):
        for _, page, _, names in self.subjects:
            for name in names:
                self.pages[name] = page
        for name in self.names:
            path = tuple(name.split("::"))
            unit = next(("::".join(path[1:end]) for end in range(len(path), 1, -1) if "::".join(path[1:end]) in self.pages), None)
            if unit:
                self.links["::".join(path[1:])] = f"/api/{self.pages[unit]}#{anchor(path)}"

    # ---- what a class has ----

    def own(self, path):
        """The public declarations of a scope, and what bases in detail hand on."""
        found = [each for each in self.scopes.get(path, []) if each.is_public and self.is_named(path, each)]
        node = self.node(path)
        for base in re.findall(r"detail::(?:\w+::)*(\w+)", node.bases if node else ""):
            space = next((each for each in self.scopes if each[-1:] == (base,) and "detail" in each), None)
            if space:
                found += [each for each in self.scopes[space] if each.is_public and self.is_named(path, each)]
        return found

    def is_named(self, path, each):
        if each.name in NOT_NAMED or each.name.startswith("~") or re.search(r"=\s*delete$", each.text):
            return False
        return "::".join(path + (each.name,)) in self.names or each.name.startswith("operator ")

    def node(self, path):
        """The declaration of a class or an enum, with its body."""
        return next((each for each in self.scopes.get(path[:-1], []) if each.name == path[-1] and each.kind in ("class", "enum")), None)

    # ---- pages ----

    def page(self, title, names):
        self.anchors.clear()
        units = (self.unit(("sake", *name.split("::"))) for name in names)
        return f"---\noutline: [2, 3]\n---\n\n# {title}\n\n" + "\n\n".join(filter(None, units)) + "\n"

    def unit(self, path):
        node = self.node(path)
        if node is not None:
            return self.class_text(path, node)
        overloads = [each for each in self.scopes.get(path[:-1], []) if each.name == path[-1]]
        return self.function_text(path, distinct(overloads))

    def heading(self, path):
        return f"## `{'::'.join(path[1:])}` {{#{self.anchor(path)}}}"

    def anchor(self, path):
        """The anchor of what is written now. If the page has it already, it gets a number."""
        self.found.add("::".join(path))
        name, number = anchor(path), 2
        while name in self.anchors:
            name, number = f"{anchor(path)}-{number}", number + 1
        self.anchors.add(name)
        return name

    def alias(self, path):
        return f'<a id="{self.anchor(path)}" class="alias"></a>'

    def function_text(self, path, overloads):
        if not overloads:
            return None
        parts = [self.heading(path)]
        for number, each in enumerate(overloads):
            doc = self.doc(each) or (self.doc_of_group(path, each) if number == 0 else "")
            parts += [code_block([signature(each)])] + [doc] * bool(doc)
        return "\n\n".join(parts)

    def doc_of_group(self, path, wanted):
        """Of the first above it that has one, if no empty line is between them."""
        doc = ""
        for each in self.scopes[path[:-1]]:
            doc = doc if each.follows else self.doc(each)
            if each is wanted:
                return doc
        return ""

    def doc(self, each):
        lines = each.doc or (each.remark if each.kind in ("variable", "alias") else [])
        return prose.markdown(lines, self.links)

    def class_text(self, path, node):
        base = f" : {node.bases}" if "std::" in node.bases and "detail::" not in node.bases else ""
        parts = [self.heading(path), code_block([signature(node) + base]), prose.markdown(node.doc, self.links)]
        if node.kind == "enum":
            parts.append(self.table(path, node.members))
        else:
            own = self.own(path)
            parts += self.groups(path, [each for each in own if each.kind not in ("class", "enum", "forward")])
            for each in own:
                inner = path + (each.name,)
                if each.kind in ("class", "enum") and self.node(inner) is not None:
                    parts.append(self.class_text(inner, self.node(inner)))
        return "\n\n".join(filter(None, parts))

    def groups(self, path, members):
        """Members as the header has them: those that share a comment share a heading; data members are a table."""
        parts, group = [], []
        for each in members:
            is_field = each.kind in ("variable", "alias")
            title = next((match[1] for block in each.before if (match := SECTION.match(block[0].strip("/ ")))), None)
            remark = self.remarks(each)
            begins = not each.follows or title or (group and (group[-1].kind in ("variable", "alias")) != is_field)
            if begins and group and not (is_field and group[-1].kind in ("variable", "alias") and not title and not self.title_of(each)):
                parts.append(self.group(path, group))
                group = []
            if title:
                parts.append(f"**{title}**")
            if remark:
                parts.append(remark)
            group.append(each)
        return parts + ([self.group(path, group)] if group else [])

    def remarks(self, each):
        """Comments that stand alone above a member."""
        blocks = [[line.lstrip("/") for line in block] for block in each.before]
        return "\n\n".join(prose.markdown(aligned(block), self.links) for block in blocks if not SECTION.match(block[0].strip("/ ")))

    @staticmethod
    def title_of(each):
        """A comment of few words above a data member is the title of a group."""
        first = each.remark[0].strip() if each.remark else ""
        return first[:-1] if not each.follows and TITLE.fullmatch(first) else None

    def group(self, path, members):
        if members[0].kind in ("variable", "alias"):
            title = self.title_of(members[0])
            return (f"**{title}**\n\n" if title else "") + self.table(path, members)
        members = distinct(members)
        paths = list(dict.fromkeys(path + (each.name,) for each in members))
        first, aliases = self.anchor(paths[0]), "".join(map(self.alias, paths[1:]))
        names = [f"`{each[-1]}`" + " (constructor)" * (each[-1] == path[-1]) for each in paths]
        shown = ", ".join(names) if len(names) < 6 else f"{names[0]} … {names[-1]}"
        docs = [prose.markdown(each.doc, self.links) for each in members if each.doc]
        parts = [f"### {shown} {{#{first}}}", aliases, code_block([signature(each) for each in members]), *docs]
        return "\n\n".join(filter(None, parts))

    def table(self, path, members):
        rows = []
        is_enum = members and members[0].kind == "value"
        for each in members:
            inner = path + (each.name,)
            type_, default = field_parts(each)
            lines = each.doc + each.remark[1 if self.title_of(each) else 0 :]
            name = f"{self.alias(inner)}`{each.name}`"
            meaning = prose.cell(" ".join(line.strip() for line in lines), self.links)
            if is_enum:
                rows.append(f"| {name} | {meaning} |")
            else:
                rows.append(f"| {name}<br><span class=\"field-type\">{as_cell(type_)}</span> | {as_cell(default)} | {meaning} |")
        head = "| value | meaning |\n|---|---|" if is_enum else "| member | default | meaning |\n|---|---|---|"
        return "\n".join([head, *rows])


def aligned(lines):
    return [line if line.startswith(" ") else " " + line for line in lines]


def as_cell(text):
    return "`" + text.replace("|", "\\|") + "`" if text else ""


def field_parts(each):
    """The type of a data member and its default."""
    if each.kind in ("alias", "value"):
        return (" ".join(each.text.partition("=")[2].split()), "")
    match = re.match(rf"(.*?)\b{re.escape(each.name)}(?:\[[^\]]*\])?\s*(?:=\s*(.*)|\{{(.*)\}})?$", " ".join(each.text.split()), re.S)
    if match is None:
        return (" ".join(each.text.split()), "")
    default = (match[2] or match[3] or "").strip()
    return (tidy(match[1].strip()), "" if default == "{}" else tidy(default))


def tidy(text):
    return re.sub(r"\b(?:sake::)?detail::", "", text)


def signature(each):
    """A declaration as a reader wants it: without machinery, a type of the machinery that is returned as `auto`."""
    text = each.text
    indent = " " * each.indent
    text = "\n".join(line.removeprefix(indent) for line in text.split("\n"))
    text = re.sub(r"\bSAKE_INLINE\s+|\binline\s+(?=\w)|\[\[nodiscard(?:\(\"[^\"]*\"\))?\]\]\s*", "", text)
    text = re.sub(r"^((?:static |constexpr )*)(?:sake::)?detail::(?:\w+::)*\w+(<[^()]*>)?(?= \w+\()", r"\1auto", text, flags=re.M)
    text = re.sub(r"\s*=\s*default$", "", text)
    return tidy(text).rstrip() + (";" if each.kind != "class" and each.kind != "enum" else "")


def code_block(lines):
    return "```cpp\n" + "\n".join(lines) + "\n```"


def parameters(each):
    """What tells overloads apart."""
    text = re.sub(r"\s|inline|SAKE_INLINE|\[\[.*?\]\]", "", each.text)
    text = re.sub(r"=[^,()<>]*(?:\(\))?(?=[,)])", "", text)
    return re.sub(r"^static|^constexpr", "", text)


def distinct(overloads):
    """Without declarations that come before a definition, or after one."""
    found = {}
    for each in overloads:
        key = parameters(each)
        if key not in found or (each.doc and not found[key].doc):
            found[key] = each
    return [each for each in found.values() if each.kind != "forward"]


def write(out):
    """Writes the pages into a folder. Returns what the sidebar needs, the links of names, and what is not well."""
    reference = Reference()
    os.makedirs(out, exist_ok=True)
    for _, page, title, names in reference.subjects:
        with open(os.path.join(out, page + ".md"), "w", encoding="utf-8") as file:
            file.write(reference.page(title, names))
    with open(os.path.join(out, "index.md"), "w", encoding="utf-8") as file:
        file.write(index(reference))
    shown = reference.found | {name for name in reference.names if name.rpartition("::")[2] in NOT_NAMED}
    missed = sorted(reference.names - shown)
    sidebar = [{"text": group, "items": [{"text": title, "link": f"/api/{page}"} for _, page, title, _ in pages]}
               for group, pages in groupby(reference.subjects, key=lambda subject: subject[0])]
    return sidebar, reference.links, missed, reference.unknown


def index(reference):
    """The first page: every name, by subject."""
    parts = ["---\noutline: 2\n---\n\n# API\n\nEvery public name of Sake, by subject. All of them are in namespace `sake`, and "
             "`#include \"sake.hpp\"` declares them. The text is that of the header's comments."]
    for group, pages in groupby(reference.subjects, key=lambda subject: subject[0]):
        parts.append(f"## {group}\n\n| subject | names |\n|---|---|")
        for _, page, title, names in pages:
            linked = ", ".join(prose.code(name, reference.links) for name in names if name in reference.links)
            parts[-1] += f"\n| [{title}](/api/{page}) | {linked} |"
    return "\n\n".join(parts) + "\n"
