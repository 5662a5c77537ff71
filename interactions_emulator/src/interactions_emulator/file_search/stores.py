"""File-search stores and their documents.

POST, GET    /{version}/fileSearchStores
GET, DELETE  /{version}/fileSearchStores/{id}                            `force=true` deletes the documents too
POST         /upload/{version}/fileSearchStores/{id}:uploadToFileSearchStore
POST         /{version}/fileSearchStores/{id}:importFile
GET          /{version}/fileSearchStores/{id}/operations/{id}            and .../upload/operations/{id}
GET          /{version}/fileSearchStores/{id}/documents
GET, DELETE  /{version}/fileSearchStores/{id}/documents/{id}             `force=true` deletes its passages too
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.events import timestamp
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.errors import Refused
from interactions_emulator.file_search.metadata import Metadata, read_metadata
from interactions_emulator.files.blobs import Blobs
from interactions_emulator.files.uploads import Upload
from interactions_emulator.ids import readable_id
from interactions_emulator.limits import FileLimits
from interactions_emulator.requests.fields import text_field

if TYPE_CHECKING:
    from interactions_emulator.corpus.passage_splitting import Markup

INDEXING_S = 5.0
"""Virtual seconds until an uploaded document can be searched."""
DEFAULT_EMBEDDING_MODEL = "models/gemini-embedding-001"


@dataclass(eq=False)
class Document:
    """A document of a store. Times are virtual seconds since 1970. Its text is the blob with its id."""

    id: str
    store: str
    display_name: str
    mime_type: str
    size: int
    create_time: float
    markup: str
    failure: str = ""
    """The reason why the document cannot be read, "" if it can."""
    metadata: Metadata = field(default_factory=dict)
    custom_metadata: list[dict[str, Any]] = field(default_factory=list)
    """The metadata as they were sent."""

    @property
    def name(self) -> str:
        return f"fileSearchStores/{self.store}/documents/{self.id}"


@dataclass
class Store:
    """A store. Times are virtual seconds since 1970."""

    id: str
    display_name: str
    embedding_model: str
    create_time: float
    update_time: float
    documents: dict[str, Document] = field(default_factory=dict)


class Stores:
    """The file-search stores. Methods raise `Refused` (400, 404)."""

    def __init__(self, journal: Journal, clock: Clock, blobs: Blobs, limits: FileLimits) -> None:
        self._journal = journal
        self._clock = clock
        self._blobs = blobs
        self._limits = limits
        self._all = {key: Store(**value) for key, value in journal.read("store")}
        for key, value in journal.read("document"):
            self._all[value["store"]].documents[key] = Document(**value)

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        name = text_field(body, "displayName")
        now = self._clock.now()
        model = text_field(body, "embeddingModel") or DEFAULT_EMBEDDING_MODEL
        store = Store(readable_id(name), name, model, now, now)
        self._all[store.id] = store
        self._save(store)
        return self.resource(store)

    def find(self, store_id: str) -> Store:
        if store_id not in self._all:
            raise Refused(404, f"fileSearchStores/{store_id} was not found: it never existed or was deleted.")
        return self._all[store_id]

    def show(self) -> list[dict[str, Any]]:
        return [self.resource(store) for store in self._all.values()]

    def delete(self, store_id: str, force: bool) -> dict[str, Any]:
        store = self.find(store_id)
        if store.documents and not force:
            raise Refused(400, f"Cannot delete non-empty FileSearchStore {store_id}: send force=true")
        for document in list(store.documents.values()):
            self._remove(store, document)
        del self._all[store_id]
        self._journal.write(("store", store_id, None))
        return {}

    def draft(self, store_id: str, body: dict[str, Any], size: int, mime_type: str, file_name: str) -> Document:
        """Return a document that has yet to be read and then added."""
        self.find(store_id)
        if size > self._limits.document:
            raise Refused(400, f"a document has at most {self._limits.document} bytes, not {size}")
        name = text_field(body, "displayName") or file_name
        kind = text_field(body, "mimeType") or mime_type
        document = Document(readable_id(name), store_id, name, kind, size, self._clock.now(), "plain")
        document.custom_metadata, document.metadata = read_metadata(body)
        return document

    def draft_upload(self, upload: Upload) -> Document:
        """Return the document of a complete upload, which has yet to be read and then added."""
        size = self._blobs.size(upload.id)
        return self.draft(upload.target, upload.metadata, size, upload.mime_type, upload.name)

    def read_upload(self, document: Document, upload: Upload) -> None:
        """Read the text of a document from its upload, whose bytes are then deleted: only the text is kept."""
        self.read(document, self._blobs.read(upload.id), upload.name)
        self._blobs.delete(upload.id)

    def read(self, document: Document, data: bytes, file_name: str) -> None:
        """Read the text of a drafted document, or note why it cannot be read. A PDF takes long: call it in a thread."""
        from interactions_emulator.file_search.document_text import (  # slow, and few runs need it
            Unreadable,
            read_document,
        )

        try:
            text, document.markup = read_document(data, document.mime_type, file_name or document.display_name)
            self._blobs.append(document.id, text.encode())
        except Unreadable as error:
            document.failure = f"The document {document.display_name or document.id} cannot be read: {error}."

    def add(self, document: Document, operations: str) -> dict[str, Any]:
        """Add a document, and return the operation that adds it; `operations` is its collection."""
        store = self.find(document.store)
        store.documents[document.id] = document
        store.update_time = self._clock.now()
        self._save(store)
        self._journal.write(("document", document.id, document))
        return self.operation(document, operations)

    def find_document(self, store_id: str, document_id: str) -> Document:
        document = self.find(store_id).documents.get(document_id)
        if document is None:
            raise Refused(404, f"Document {document_id} of fileSearchStores/{store_id} was not found.")
        return document

    def show_documents(self, store_id: str) -> list[dict[str, Any]]:
        return [self.document_resource(document) for document in self.find(store_id).documents.values()]

    def delete_document(self, store_id: str, document_id: str, force: bool) -> dict[str, Any]:
        document = self.find_document(store_id, document_id)
        if not force and not document.failure:
            raise Refused(400, f"Cannot delete non-empty Document {document_id}: send force=true")
        self._remove(self.find(store_id), document)
        return {}

    def searchable(self, store_id: str) -> list[Document]:
        """Return the documents of a store that can be searched now."""
        documents = list(self.find(store_id).documents.values())  # copied, since brains call this in their threads
        return [document for document in documents if self._state(document) == "STATE_ACTIVE"]

    def text(self, document: Document) -> tuple[str, Markup]:
        """Return the text of a document, and its markup."""
        return self._blobs.read(document.id).decode(), cast("Markup", document.markup)

    def operation(self, document: Document, name: str) -> dict[str, Any]:
        """Return the operation that adds a document, as the API shows it. Its id is the document's."""
        shown: dict[str, Any] = {"name": f"fileSearchStores/{document.store}/{name}/{document.id}"}
        state = self._state(document)
        if state == "STATE_PENDING":
            return shown
        if state == "STATE_FAILED":
            return shown | {"done": True, "error": {"code": 3, "message": document.failure}}
        parent = f"fileSearchStores/{document.store}"
        return shown | {"done": True, "response": {"parent": parent, "documentName": document.name}}

    def resource(self, store: Store) -> dict[str, Any]:
        """Return a store as the API shows it."""
        states = [self._state(document) for document in store.documents.values()]
        shown = {
            "name": f"fileSearchStores/{store.id}",
            "displayName": store.display_name,
            "createTime": timestamp(store.create_time),
            "updateTime": timestamp(store.update_time),
            "activeDocumentsCount": _count(states.count("STATE_ACTIVE")),
            "pendingDocumentsCount": _count(states.count("STATE_PENDING")),
            "failedDocumentsCount": _count(states.count("STATE_FAILED")),
            "sizeBytes": _count(sum(document.size for document in store.documents.values())),
            "embeddingModel": store.embedding_model,
        }
        return {key: value for key, value in shown.items() if value}

    def document_resource(self, document: Document) -> dict[str, Any]:
        """Return a document as the API shows it."""
        shown = {
            "name": document.name,
            "displayName": document.display_name,
            "state": self._state(document),
            "sizeBytes": str(document.size),
            "mimeType": document.mime_type,
            "createTime": timestamp(document.create_time),
            "updateTime": timestamp(document.create_time),
            "customMetadata": document.custom_metadata,
        }
        return {key: value for key, value in shown.items() if value}

    def _state(self, document: Document) -> str:
        if not self._clock.reaches(document.create_time + INDEXING_S):
            return "STATE_PENDING"
        return "STATE_FAILED" if document.failure else "STATE_ACTIVE"

    def _remove(self, store: Store, document: Document) -> None:
        del store.documents[document.id]
        self._blobs.delete(document.id)
        self._journal.write(("document", document.id, None))

    def _save(self, store: Store) -> None:
        self._journal.write(("store", store.id, asdict(store) | {"documents": {}}))


def _count(number: int) -> str:
    return str(number) if number else ""
