import pytest
import sqlalchemy
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.address import with_password
from components.lineage.backslashes import BACKSLASH, STAND_IN, escape_message, unescape_message
from components.lineage.opening import open_store
from components.lineage.reader import MetadataStore
from components.records.errors import UsageError
from tests.refusing import refused

HOSTILE = [
    r", 1, 2); DROP TABLE eventpath; --\ ",
    r"C:\data\new",
    '{"a": "\\"quoted\\" \\u00e9"}',
    "\\",
    "\\'",
    "'; DELETE FROM type; --",
    "line\r\nbreak\ttab % %s :name $1",
    "é 肺炎 🫁 \u202e",
]


def artifact(text: str) -> mlmd.Artifact:
    made = mlmd.Artifact(type_id=3, name=text, uri=text)
    made.properties["note"].string_value = text
    made.custom_properties[text].string_value = text
    made.custom_properties["struct"].struct_value.fields[text].string_value = text
    return made


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_hidden_is_shown_again(text: str) -> None:
    made = artifact(text)
    stored = escape_message(made)
    assert BACKSLASH.encode() not in stored.SerializeToString()
    unescape_message(stored)
    assert stored == made == artifact(text)


def test_a_message_without_backslashes_is_not_copied() -> None:
    made = artifact("plain")
    assert escape_message(made) is made


@pytest.mark.parametrize("sign", [STAND_IN, "\0"])
def test_what_would_not_read_back_as_itself_is_refused(sign: str) -> None:
    with refused(UsageError, "U+F05C or NUL"):
        escape_message(artifact(f"a{sign}b"))


@pytest.mark.process
@pytest.mark.parametrize("text", HOSTILE)
def test_text_reads_back_as_it_was_written(server, text: str) -> None:
    address = server.fresh()
    store = open_store(address)
    kind = mlmd.ArtifactType(name="Report", properties={"note": mlmd.STRING})
    made = artifact(text)
    made.type_id = store.put_artifact_type(kind)
    made.ClearField("id")
    (made_id,) = store.put_artifacts([made])
    assert store.get_artifact_by_type_and_name("Report", text).id == made_id
    assert store.get_artifacts()[0].custom_properties[text].string_value == text
    assert len(store.get_artifacts_by_uri(text)) == 1
    with MetadataStore(address) as reader:
        (node,) = reader.artifacts([made_id])
        assert (node.name, node.uri, node.properties["note"]) == (text, text, text)
        assert node.properties[text] == text
        assert reader.query("SELECT id FROM Artifact WHERE name = :text", text=text)


@pytest.mark.process
def test_ml_metadata_itself_would_execute_the_text(postgresql) -> None:
    """Why all this exists: once this fails, ML Metadata was mended and this can go."""
    from ml_metadata.metadata_store import metadata_store

    address = postgresql.fresh()
    open_store(address)
    bare = metadata_store.MetadataStore(with_password(address.tfx_config()))
    kind = bare.put_artifact_type(mlmd.ArtifactType(name="Report"))
    attack = r" , NULL, 1, 1); DROP TABLE eventpath; --\ "
    with pytest.raises(Exception, match="PostgreSQL"):
        bare.put_artifacts([mlmd.Artifact(type_id=kind, name=r"C:\data")])
    engine = address.engine()
    with engine.connect() as connection, pytest.raises(sqlalchemy.exc.ProgrammingError):
        bare.put_artifacts([mlmd.Artifact(type_id=kind, name=attack)])
        connection.exec_driver_sql("SELECT * FROM eventpath")
    engine.dispose()
