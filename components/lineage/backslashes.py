"""Keeps backslashes from ML Metadata's PostgreSQL backend, which quotes text with one wrongly.

ML Metadata 1.16 lets libpq quote a text and cuts the first and last character off. With a backslash
in it libpq begins with ` E'`, so that the rest of the text is executed as SQL: at best the write
fails, at worst somebody's file name or commit message does what it says. So a backslash is stored
in PostgreSQL as a character that nothing else uses, and turned back by everything that reads.
"""

from typing import Any

from components.records.errors import UsageError

BACKSLASH = "\\"
STAND_IN = "\uf05c"  # private use; 5C is the backslash


def escape(text: str) -> str:
    """Text as PostgreSQL stores it.

    Raises:
      UsageError: text that could not be told from a hidden backslash, or that would be cut short.
    """
    if STAND_IN in text or "\0" in text:
        raise UsageError(
            f"{text!r}: PostgreSQL's ML Metadata cannot keep U+F05C or NUL; take it out of the name"
        )
    return text.replace(BACKSLASH, STAND_IN)


def unescape(text: str) -> str:
    """Text as it was before it was stored."""
    return text.replace(STAND_IN, BACKSLASH)


def escape_message(message: Any) -> Any:
    """A copy of a protobuf message whose texts PostgreSQL can be given."""
    serialized = message.SerializeToString()
    if not any(sign.encode() in serialized for sign in (BACKSLASH, STAND_IN, "\0")):
        return message
    copy = type(message)()
    copy.CopyFrom(message)
    _replace(copy, escape)
    return copy


def unescape_message(message: Any) -> None:
    """Turns what PostgreSQL stored back, in place."""
    if STAND_IN.encode() in message.SerializeToString():
        _replace(message, unescape)


def register_escaping(connection: Any) -> None:
    """Makes a psycopg connection hide and show them too, in parameters and in results."""
    from psycopg.types import string

    class Loader(string.TextLoader):
        def load(self, data: Any) -> Any:
            return unescape(str(super().load(data)))

    class Dumper(string.StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(escape(obj))

    for name in ("text", "varchar"):
        connection.adapters.register_loader(name, Loader)
    connection.adapters.register_dumper(str, Dumper)


def _replace(message: Any, change: Any) -> None:
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            _replace_map(field, value, change)
        elif field.message_type is not None:
            for part in value if field.label == field.LABEL_REPEATED else [value]:
                _replace(part, change)
        elif field.type != field.TYPE_STRING:
            continue
        elif field.label == field.LABEL_REPEATED:
            value[:] = [change(text) for text in value]
        else:
            setattr(message, field.name, change(value))


def _replace_map(field: Any, entries: Any, change: Any) -> None:
    value = field.message_type.fields_by_name["value"]
    for key in list(entries):
        new = change(key) if isinstance(key, str) else key
        if value.message_type is not None:
            _replace(entries[key], change)
            if new != key:
                entries[new].CopyFrom(entries[key])
        else:
            entries[new] = change(entries[key]) if value.type == value.TYPE_STRING else entries[key]
        if new != key:
            del entries[key]
