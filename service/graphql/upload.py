"""Uploads: begun here, sent by the tus protocol, and reported here."""

import asyncio
from dataclasses import asdict
from datetime import datetime

import strawberry

from domain.errors import InvalidInput, NotFound
from service.graphql.context import Info, answer, signed_in
from service.graphql.errors import UserError
from service.graphql.payloads import no_errors
from service.graphql.rules import Needs
from service.graphql.scalars import decode_id, encode_id
from service.idempotency import run_once
from service.parts import Parts
from service.uploads.reception import Offer
from service.uploads.records import MAX_NAMED, UploadRow, UploadState
from service.uploads.route import upload_url

strawberry.enum(UploadState, description="How far an upload has come.")


@strawberry.type(description="A file that has another name in its folder than it came with.")
class RenamedFile:
    name: str = strawberry.field(description="As it came.")
    new_name: str = strawberry.field(description="As it is called now.")


@strawberry.type(description="A file that was not taken.")
class SkippedFile:
    name: str = strawberry.field(description="As it came.")
    reason: str = strawberry.field(description="Why, to be put behind its name.")


@strawberry.type(
    description=f"What became of the files of an upload. Each list has {MAX_NAMED} names at the most; counts are of all."
)
class UploadReport:
    num_added: int = strawberry.field(description="Files that are new in the folder.")
    added: list[str] = strawberry.field(description="As they are called now.")
    num_duplicates: int = strawberry.field(description="Files that were there already with the same content.")
    duplicates: list[str] = strawberry.field(description="As those are called.")
    num_renamed: int = strawberry.field(description="Files whose name another file has, or could not be used.")
    renamed: list[RenamedFile] = strawberry.field(description="From what to what.")
    num_skipped: int = strawberry.field(description="Files of an archive that were not taken.")
    skipped: list[SkippedFile] = strawberry.field(description="Which, and why.")
    num_ignored: int = strawberry.field(description="Hidden files of an archive, and what a system adds for itself.")


@strawberry.type(description="A file, or an archive of files, on its way into a folder.")
class Upload:
    row: strawberry.Private[UploadRow]
    id: strawberry.ID = strawberry.field(description="Opaque, unique among everything.")
    url: str = strawberry.field(description="Where the bytes go, by the tus protocol 1.0.0.")
    offset: float = strawberry.field(description="How many bytes are here.")
    size_bytes: float = strawberry.field(description="How many there will be.")
    path: str = strawberry.field(description="The folder it goes to.")
    filename: str = strawberry.field(description="What it is called.")
    extract: bool = strawberry.field(description="It is an archive, to be unpacked.")
    state: UploadState = strawberry.field(description="How far it has come.")
    progress: float = strawberry.field(description="Of receiving, or else of unpacking, from 0 to 1.")
    problem: str | None = strawberry.field(description="Why it was refused; null when it was not.")
    expires_at: datetime = strawberry.field(description="When it is forgotten if nothing more comes.")

    @strawberry.field(description="What became of its files; null until it is done.")
    def report(self) -> UploadReport | None:
        if self.row.state is not UploadState.DONE:
            return None
        found = self.row.report
        return UploadReport(
            num_added=found.num_added,
            added=found.added,
            num_duplicates=found.num_duplicates,
            duplicates=found.duplicates,
            num_renamed=found.num_renamed,
            renamed=[RenamedFile(name=name, new_name=new_name) for name, new_name in found.renamed],
            num_skipped=found.num_skipped,
            skipped=[SkippedFile(name=name, reason=reason) for name, reason in found.skipped],
            num_ignored=found.num_ignored,
        )


@strawberry.type(description="An upload, or why not.")
class UploadPayload:
    upload: Upload | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.input(description="An upload to be begun.")
class BeginUploadInput:
    path: str = strawberry.field(
        description="The folder it goes to, which must be there. A relative path is below the workspace's datasets."
    )
    filename: str = strawberry.field(description="What the file is called, without folders.")
    size_bytes: float = strawberry.field(description="How large it is.")
    extract: bool = strawberry.field(default=False, description="It is a ZIP archive, to be unpacked into the folder.")
    idempotency_key: str | None = strawberry.field(default=None, description="The same key begins it once.")


@strawberry.type
class UploadQuery:
    @strawberry.field(
        description="An upload of one's own; null when there is none with that id, or it was forgotten.",
        extensions=[Needs("config.create")],
    )
    async def upload(self, info: Info, id: strawberry.ID) -> Upload | None:
        parts, user_id = info.context.parts, signed_in(info).user.id
        row = await asyncio.to_thread(parts.uploads.find, decode_id("Upload", id))
        if row is None or row.user_id != user_id:
            return None
        return await asyncio.to_thread(_shown, parts, row)


@strawberry.type
class UploadMutation:
    @strawberry.mutation(
        description="Begin to upload a picture, captions or a ZIP archive; the bytes then go to its url.",
        extensions=[Needs("config.create")],
    )
    async def begin_upload(self, info: Info, input: BeginUploadInput) -> UploadPayload:
        viewer = signed_in(info)
        parts = info.context.parts

        def work() -> UploadPayload:
            offer = Offer(
                path=input.path, filename=input.filename, size_bytes=_whole(input.size_bytes), extract=input.extract
            )
            upload_id = run_once(
                parts.database,
                key=input.idempotency_key,
                user_id=viewer.user.id,
                operation="beginUpload",
                given=asdict(offer),
                work=lambda along: parts.uploads.begin(viewer.actor, viewer.rights, offer, along=along),
            )
            row = parts.uploads.find(upload_id)
            if row is None:
                raise NotFound("what was begun with this key was forgotten; take a new one", path=("idempotencyKey",))
            return UploadPayload(upload=_shown(parts, row))

        return await answer(UploadPayload, work)


def _whole(size_bytes: float) -> int:
    """Raises InvalidInput."""
    if not 0 <= size_bytes < 2**53 or size_bytes != int(size_bytes):
        raise InvalidInput(
            f"sizeBytes is {size_bytes:g} but must be a whole number of bytes from 0 on", path=("sizeBytes",)
        )
    return int(size_bytes)


def _shown(parts: Parts, row: UploadRow) -> Upload:
    return Upload(
        row=row,
        id=encode_id("Upload", row.id),
        url=upload_url(row.id),
        offset=float(parts.uploads.offset(row)),
        size_bytes=float(row.size_bytes),
        path=str(row.folder),
        filename=row.filename,
        extract=row.extract,
        state=row.state,
        progress=parts.uploads.progress(row),
        problem=row.problem,
        expires_at=parts.uploads.expires_at(row),
    )
