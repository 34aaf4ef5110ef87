"""Folders of the machine of the service, as far as they are open to somebody."""

import asyncio
from uuid import NAMESPACE_URL, UUID, uuid5

import strawberry

from domain.access import Rights
from domain.application import AlongNew
from domain.errors import InvalidInput
from service.browsing.creation import make_folder, plan_folder
from service.browsing.listing import Entry, Listing, describe, describe_roots, list_names
from service.browsing.reach import Folder, find_folder, list_roots, parent_of
from service.graphql.context import Info, answer, read, signed_in
from service.graphql.errors import UserError
from service.graphql.payloads import no_errors
from service.graphql.rules import Needs
from service.idempotency import run_once
from service.parts import Parts
from service.read_models.dataset import folders_of_datasets

MAX_ENTRIES = 1000


@strawberry.type(description="A file or a folder in a folder.")
class DirectoryEntry:
    name: str = strawberry.field(description="What it is called.")
    path: str = strawberry.field(description="Where it is; of a folder, what directory can be asked about next.")
    is_directory: bool = strawberry.field(description="It is a folder.")
    num_images: int | None = strawberry.field(
        description="Pictures in the folder and the folders in it; null for a file, and where there is too much to count."
    )
    num_videos: int | None = strawberry.field(description="Videos in it, counted as pictures are.")
    has_dataset: bool = strawberry.field(description="A dataset that one may see is made of this folder.")
    size_bytes: float | None = strawberry.field(description="Of a file; null for a folder.")

    @classmethod
    def of(cls, entry: Entry) -> "DirectoryEntry":
        return cls(
            name=entry.name,
            path=str(entry.path),
            is_directory=entry.is_directory,
            num_images=entry.counts.num_images if entry.counts else None,
            num_videos=entry.counts.num_videos if entry.counts else None,
            has_dataset=entry.has_dataset,
            size_bytes=None if entry.size_bytes is None else float(entry.size_bytes),
        )


@strawberry.type(description="A folder of the machine of the service.")
class Directory:
    listing: strawberry.Private[Listing]
    roots: strawberry.Private[list[Folder]]
    path: str | None = strawberry.field(description="Where it is, links followed; null for the list of open folders.")
    parent: str | None = strawberry.field(description="The folder around it; null where that is not open.")
    can_write: bool = strawberry.field(description="Folders can be made and files uploaded in it.")
    num_entries: int = strawberry.field(description="How many entries it has to show.")
    remarks: list[str] = strawberry.field(description="What is not shown and why, for people.")

    @strawberry.field(
        description=f"Folders first, then files, each by name; hidden ones are left out. first: up to {MAX_ENTRIES}. "
        "after: the name of the last one of the page before."
    )
    async def entries(self, info: Info, first: int = MAX_ENTRIES, after: str | None = None) -> list[DirectoryEntry]:
        if not 0 <= first <= MAX_ENTRIES:
            raise InvalidInput(f"first is {first} but must be from 0 to {MAX_ENTRIES}", path=("first",))
        rights = signed_in(info).rights
        used = await read(info, lambda session: folders_of_datasets(session, rights))

        def work() -> list[Entry]:
            folder = self.listing.folder
            if folder is None:
                return describe_roots(self.roots, used)
            begin = _place_behind(self.listing, after)
            return describe(folder, self.listing.names[begin : begin + first], used)

        return [DirectoryEntry.of(entry) for entry in await asyncio.to_thread(work)]


@strawberry.type(description="A folder, or why not.")
class DirectoryPayload:
    directory: Directory | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.input(description="A folder to be made.")
class CreateFolderInput:
    path: str = strawberry.field(
        description="The folder, below an open one; those above it are made as well. A relative path is below the "
        "workspace's datasets."
    )
    name: str | None = strawberry.field(default=None, description="When given, a folder of this name is made in path.")
    idempotency_key: str | None = strawberry.field(default=None, description="The same key makes it once.")


@strawberry.type
class DirectoryQuery:
    @strawberry.field(
        description="A folder that one may name in a configuration; without a path, those where one can begin. "
        "The workspace's datasets, the examples' and the shared folders are open, everything with paths.any.",
        extensions=[Needs("config.create")],
    )
    async def directory(self, info: Info, path: str | None = None) -> Directory | None:
        rights, parts = signed_in(info).rights, info.context.parts
        return await asyncio.to_thread(load_directory, parts, rights, path)


@strawberry.type
class DirectoryMutation:
    @strawberry.mutation(description="Make a folder for pictures.", extensions=[Needs("config.create")])
    async def create_folder(self, info: Info, input: CreateFolderInput) -> DirectoryPayload:
        viewer = signed_in(info)
        parts = info.context.parts

        def make(along: AlongNew | None) -> UUID:
            folder = plan_folder(parts.settings, viewer.rights, input.path, input.name)
            folder_id = uuid5(NAMESPACE_URL, folder.path.as_uri())
            if along is not None:
                with parts.database.writing() as session:
                    along(session, folder_id)
            make_folder(folder)
            return folder_id

        def work() -> DirectoryPayload:
            run_once(
                parts.database,
                key=input.idempotency_key,
                user_id=viewer.user.id,
                operation="createFolder",
                given={"path": input.path, "name": input.name},
                work=make,
            )
            below = input.path if input.name is None else f"{input.path}/{input.name.strip()}"
            return DirectoryPayload(directory=load_directory(parts, viewer.rights, below))

        return await answer(DirectoryPayload, work)


def load_directory(parts: Parts, rights: Rights, path: str | None) -> Directory:
    """Raises NotAllowed, InvalidInput, NotFound."""
    settings = parts.settings
    if path is None:
        roots = list_roots(settings, rights)
        return Directory(
            listing=Listing(None, []),
            roots=roots,
            path=None,
            parent=None,
            can_write=False,
            num_entries=len(roots),
            remarks=[],
        )
    folder = find_folder(settings, rights, path)
    listing = list_names(settings, rights, folder)
    parent = parent_of(settings, rights, folder)
    return Directory(
        listing=listing,
        roots=[],
        path=str(folder.path),
        parent=None if parent is None else str(parent),
        can_write=folder.can_write,
        num_entries=len(listing.names),
        remarks=list(listing.remarks),
    )


def _place_behind(listing: Listing, name: str | None) -> int:
    """Raises InvalidInput."""
    if name is None:
        return 0
    for number, (each, _) in enumerate(listing.names, start=1):
        if each == name:
            return number
    raise InvalidInput(
        f"after is {name!r:.200}, but nothing here has that name; begin again without it", path=("after",)
    )
