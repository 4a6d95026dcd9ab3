"""One vCard (RFC 6350, also 3.0): content lines in, content lines out.

Whatever this connector does not know (photos, groups, parameters) stays as it
is: a change touches the lines of its own attributes and no other.
"""

import re

# attribute: (property, component of a structured value or None, many values)
ATTRIBUTES = {
    "department": ("ORG", 1, False), "displayName": ("FN", None, False), "employeeNumber": ("X-EMPLOYEE-NUMBER", None, False),
    "familyName": ("N", 0, False), "givenName": ("N", 1, False), "mail": ("EMAIL", None, True), "note": ("NOTE", None, False),
    "organization": ("ORG", 0, False), "phone": ("TEL", None, True), "title": ("TITLE", None, False),
}
LINE = re.compile(r"(?:[A-Za-z0-9-]+\.)?([A-Za-z0-9-]+)((?:;(?:\"[^\"]*\"|[^\":;])*)*):(.*)", re.DOTALL)


class BadCard(Exception):
    """The text is no vCard; the message says why."""


class Card:
    """The content lines of one card, unfolded, without BEGIN and END."""

    def __init__(self, lines):
        self.lines = lines

    @classmethod
    def parse(cls, raw):
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            raise BadCard(f"byte {e.start} is not UTF-8") from None
        lines = [line for line in re.sub("\r?\n[ \t]", "", text).replace("\r\n", "\n").split("\n") if line.strip()]
        if len(lines) < 2 or lines[0].strip().upper() != "BEGIN:VCARD" or lines[-1].strip().upper() != "END:VCARD":
            raise BadCard("it does not begin with BEGIN:VCARD and end with END:VCARD")
        if any(line.strip().upper() == "BEGIN:VCARD" for line in lines[1:]):
            raise BadCard("it holds more than one card; put each into a file of its own")
        for line in lines[1:-1]:
            if not LINE.fullmatch(line):
                raise BadCard(f"the line {line[:20]!r} has no name and value")
        return cls(lines[1:-1])

    @classmethod
    def new(cls, uid, name):
        return cls(["VERSION:4.0", "UID:" + escape(uid), "FN:" + escape(name)])

    def encode(self):
        return "".join(fold(line) for line in ["BEGIN:VCARD", *self.lines, "END:VCARD"]).encode()

    def raw(self, prop):
        """The values of a property as they are written."""
        return [m[3] for m in map(LINE.fullmatch, self.lines) if m[1].upper() == prop]

    @property
    def uid(self):
        values = self.raw("UID")
        return unescape(values[0]) if values else ""

    @property
    def revised(self):
        """REV as RFC 3339, or nothing where it is written otherwise."""
        m = re.fullmatch(r"(\d{4})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d):?(\d\d)Z", (self.raw("REV") or [""])[0])
        return "{}-{}-{}T{}:{}:{}Z".format(*m.groups()) if m else ""

    def get(self, attribute):
        prop, part, _ = ATTRIBUTES[attribute]
        values = self.raw(prop)
        if part is not None:
            parts = split(values[0]) if values else []
            values = parts[part:part + 1]
        return [v for v in map(unescape, values) if v != ""]

    def set(self, attribute, values):
        prop, part, _ = ATTRIBUTES[attribute]
        written = [escape(v) for v in values]
        if part is not None:
            parts = split((self.raw(prop) or [""])[0])
            parts += [""] * (part + 1 - len(parts))
            parts[part] = written[0] if written else ""
            written = [";".join(parts)] if any(parts) else []
        self.replace(prop, written)

    def replace(self, prop, written):
        """Gives a property these values; lines whose value stays keep their parameters and their place."""
        left, lines = list(written), []
        for line in self.lines:
            m = LINE.fullmatch(line)
            if m[1].upper() != prop:
                lines.append(line)
            elif m[3] in left:
                left.remove(m[3])
                lines.append(line)
        self.lines = lines + [f"{prop}:{v}" for v in left]


def escape(v):
    return v.replace("\\", "\\\\").replace("\n", "\\n").replace(",", "\\,").replace(";", "\\;")


def unescape(v):
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], v, flags=re.DOTALL)


def split(v):
    """The components of a structured value, still escaped."""
    return [m[0] for m in re.finditer(r"(?:\\.|[^;\\])*", v, flags=re.DOTALL)
            if m.start() == 0 or v[m.start() - 1] == ";"] if v else []


def fold(line):
    """A content line in pieces of at most 75 octets, none of which cuts a character."""
    out, size = [], 0
    for c in line:
        n = len(c.encode())
        if size + n > 75:
            out.append("\r\n ")
            size = 1
        out.append(c)
        size += n
    return "".join(out) + "\r\n"
