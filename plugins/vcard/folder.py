"""The connector: a folder of vCards, one file for each contact.

The native id is the card's UID. A write holds a lock on the folder (so that two
agents, or two operations, cannot both win), reads the card, compares, writes
another file, syncs it and renames it over the first: a reader, and a power cut,
see the card before or after it.
"""

import contextlib
import fcntl
import os
import re
import tempfile
import urllib.parse
import uuid

import connector_pb2 as pb
from card import ATTRIBUTES, BadCard, Card
from contract import Fault, Result

CLASS = "contact"
BY_NAME = {name.lower(): name for name in [*ATTRIBUTES, "revised", "uid"]}


class Connector:
    """What the agent is told, and how the folder is opened."""

    name, version = "vcard", "1.0.0"
    summary = "contacts in a folder of vCards, as address books and telephone systems read them"
    capabilities = [pb.CAPABILITY_READ, pb.CAPABILITY_FIND, pb.CAPABILITY_CREATE, pb.CAPABILITY_MODIFY, pb.CAPABILITY_DELETE]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": False,
        "properties": {
            "folder": {"type": "string", "format": "path", "description": "the folder, with its whole path on the agent's host"},
            "readonly": {"type": "boolean", "default": False, "description": "never write, whatever a mapping says"},
        },
        "required": ["folder"],
    }

    def open(self, settings, secrets):
        if not os.path.isabs(settings["folder"]):
            raise Fault(pb.OUTCOME_INVALID, f'"folder" must be a whole path, not {settings["folder"]!r}', "Correct the setting.")
        return Folder(settings["folder"], settings["readonly"])


class Folder:
    """One folder."""

    def __init__(self, path, readonly):
        self.path, self.readonly = path, readonly

    def probe(self):
        yield f"list {self.path}", lambda: f"{len(self.files())} files"
        if not self.readonly:
            yield "lock the folder for writing", self.try_lock

    def try_lock(self):
        with self.locked():
            return ""

    def classes(self):
        c = pb.Class(name=CLASS)
        for name in sorted(BY_NAME.values()):
            fixed = name in ("revised", "uid")
            c.attributes.add(name=name, type=pb.TYPE_TIMESTAMP if name == "revised" else pb.TYPE_STRING,
                             multi=not fixed and ATTRIBUTES[name][2], read_only=fixed)
        return [c]

    def files(self):
        try:
            return [name for name in os.listdir(self.path) if name.lower().endswith(".vcf")]
        except OSError as e:
            raise Fault(pb.OUTCOME_UNAVAILABLE, "the folder cannot be listed", "Check the setting folder, and let the agent's account read it.",
                        object=self.path, raw=e.strerror) from None

    def load(self, name):
        """The card of a file; None where the file has just gone."""
        try:
            with open(os.path.join(self.path, name), "rb") as f:
                return Card.parse(f.read())
        except FileNotFoundError:
            return None

    def read(self, classes):
        """Every card as (object, place, reason): an object, or where and why there is none."""
        seen = {}
        for name in self.files() if CLASS in classes else []:
            try:
                card = self.load(name)
                if card is None:
                    continue
                if not card.uid:
                    raise BadCard("it has no UID; add one, or save it again in the program that made it")
                if card.uid in seen:
                    raise BadCard(f"its UID is that of {seen[card.uid]}, too; remove one of them")
                seen[card.uid] = name
                yield shown(card, name), None, None
            except BadCard as e:
                yield None, name, str(e)

    def find(self, cls, attribute, values):
        name = BY_NAME.get(attribute.lower())
        if cls != CLASS or name is None:
            raise Fault(pb.OUTCOME_INVALID, f"class {cls!r} has no attribute {attribute!r}", "Correct the mapping.", attribute=attribute)
        return [o for o, _, _ in self.read([CLASS]) if o is not None and values.intersection(o[3].get(name, []))]

    @contextlib.contextmanager
    def locked(self):
        if self.readonly:
            raise Fault(pb.OUTCOME_DENIED, "the setting readonly forbids to write", "Change the setting, or the mapping.")
        try:
            fd = os.open(os.path.join(self.path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise Fault(pb.OUTCOME_DENIED, "the folder cannot be written to", "Let the agent's account write there.",
                        object=self.path, raw=e.strerror) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def at(self, uid):
        """The file and the card with the UID; the lock is held."""
        first = file_of(uid)
        for name in [first] + [n for n in self.files() if n != first]:
            try:
                card = self.load(name)
            except BadCard:
                continue
            if card is not None and card.uid == uid:
                return name, card
        return None, None

    def save(self, name, card):
        """From here on it may have happened: what fails is UNKNOWN."""
        fd, temporary = tempfile.mkstemp(prefix=".new-", dir=self.path)
        try:
            with os.fdopen(fd, "wb") as f:
                f.write(card.encode())
                f.flush()
                os.fsync(f.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, os.path.join(self.path, name))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        self.sync()

    def sync(self):
        fd = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def create(self, cls, _, create):
        check_class(cls)
        with self.locked():
            anchor = create.anchor
            found = self.find(cls, anchor.name, set(anchor.values)) if anchor.values else []
            if found:
                return Result(found[0], unchanged=True)
            if create.enabled or create.HasField("password"):
                raise Fault(pb.OUTCOME_INVALID, "a contact cannot be enabled and has no password", "Take both out of the mapping.")
            fit("name", [create.name], 1)
            card = Card.new("urn:uuid:" + str(uuid.uuid4()), create.name)
            for a in create.attributes:
                change(card, a.name, list(a.values))
            name = file_of(card.uid)
            self.save(name, card)
            return Result(shown(card, name))

    def modify(self, cls, ident, modify):
        check_class(cls)
        with self.locked():
            name, card = self.at(ident)
            if card is None:
                raise Fault(pb.OUTCOME_NOT_FOUND, "there is no card with this UID", "Nothing: the folder is read again.", object=ident)
            before, changed = shown(card, name), False
            for c in modify.changes:
                has, expect, want = values_of(card, c.name), list(c.expect), list(c.want)
                if sorted(has) == sorted(want):
                    continue
                if sorted(has) != sorted(expect):
                    raise Fault(pb.OUTCOME_CONFLICT, "another value is there than expected", "Nothing: it is planned again.",
                                object=name, attribute=c.name, found=before)
                change(card, c.name, want)
                changed = True
            if changed:
                self.save(name, card)
            return Result(shown(card, name), unchanged=not changed)

    def delete(self, cls, ident, _):
        check_class(cls)
        with self.locked():
            name, card = self.at(ident)
            if card is None:
                return Result(unchanged=True)
            os.unlink(os.path.join(self.path, name))
            self.sync()
            return Result()


def file_of(uid):
    """A name that any file system takes; long UIDs are rare, and cut they are still unlike."""
    name = urllib.parse.quote(uid, safe="-_.")
    return (name if len(name) <= 180 else name[:140] + "-" + uuid.uuid5(uuid.NAMESPACE_OID, uid).hex) + ".vcf"


def check_class(cls):
    if cls != CLASS:
        raise Fault(pb.OUTCOME_INVALID, f"there is no class {cls!r}; there is {CLASS}", "Correct the mapping.")


def values_of(card, attribute):
    name = BY_NAME.get(attribute.lower())
    if name in ATTRIBUTES:
        return card.get(name)
    if name is None:
        raise Fault(pb.OUTCOME_INVALID, f"there is no attribute {attribute!r}", "Correct the mapping.", attribute=attribute)
    raise Fault(pb.OUTCOME_INVALID, f"attribute {name} is not written", "Take it out of the mapping.", attribute=name)


def change(card, attribute, values):
    values_of(card, attribute)
    name = BY_NAME[attribute.lower()]
    fit(name, values, None if ATTRIBUTES[name][2] else 1)
    card.set(name, values)


def fit(name, values, most):
    """Refuses what a vCard cannot hold as it is."""
    def bad(why, cure):
        raise Fault(pb.OUTCOME_INVALID, f"{name}: {why}", cure, attribute=name)

    if most is not None and len(values) > most:
        bad(f"{len(values)} values, and it holds {most}", "Map one value.")
    if len(set(values)) != len(values):
        bad("the same value is there twice", "Map each value once.")
    for v in values:
        if v == "":
            bad("an empty text is no value", "Map no value instead.")
        if re.search("[\x00-\x09\x0b-\x1f\x7f\x85\u2028\u2029]", v.replace("\t", "")):
            bad("a control character, which no vCard holds", "Clean the value in the mapping.")
    if name == "displayName" and not values:
        bad("a vCard must have one", "Map a name.")


def shown(card, name):
    attributes = {a: card.get(a) for a in ATTRIBUTES}
    attributes["uid"] = [card.uid]
    attributes["revised"] = [card.revised] if card.revised else []
    return CLASS, card.uid, name, attributes
