"""A table with the address of a picture in each row, or its path from the table on, and its captions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from trainer.data.sources.downloads import Downloads, PrivateHosts, is_address, shown
from trainer.data.sources.local import LocalFolder
from trainer.data.sources.source import Picture, Source, captions_in
from trainer.data.sources.tables import check_columns, name_in, open_table, read_rows
from trainer.errors import TrainingError


class AddressList(Source):
    """Pictures with addresses are named as their downloads, the others by their path. Several rows for one picture are
    several captions."""

    def __init__(
        self,
        table: Path,
        folder: Path,
        *,
        address_column: str,
        caption_column: str | None,
        private_hosts: str,
        dataset: str,
        link_folders: Sequence[Path] | None = None,
    ) -> None:
        """folder: for downloads. private_hosts: see PrivateHosts.parse. link_folders: see trainer.data.sources.links."""
        self._table = table
        self._folder = folder
        self._address_column = address_column
        self._caption_column = caption_column
        self._downloads = Downloads(folder, PrivateHosts.parse(private_hosts))
        self._beside = LocalFolder(table.parent, dataset=dataset, link_folders=link_folders)
        self._dataset = dataset
        self._addresses: dict[str, str] = {}
        self._captions: dict[str, tuple[str, ...]] | None = None
        self._left_out: list[str] = []

    def __str__(self) -> str:
        return f"the table {self._table}"

    def pictures(self) -> Iterator[Picture]:
        captions = self._read()
        try:
            failed = self._downloads.fetch(list(self._addresses.values()))
        except OSError as error:
            raise TrainingError(
                f"dataset {self._dataset!r}: csv_cache_dir is {self._folder}, where nothing can be kept "
                f"({error.strerror}); choose another folder"
            ) from error
        self._left_out += [f"{shown(address)} {reason}" for address, reason in failed.items()]
        failed_names = {self._downloads.name_of(address) for address in failed}
        for name in sorted(captions.keys() - failed_names):
            picture = self._picture(name)
            if picture.version == "missing":
                self._left_out.append(f"{picture} is not there")
            else:
                yield picture

    def open(self, name: str) -> BinaryIO:
        address = self._address_of(name)
        return self._downloads.path_of(address).open("rb") if address else self._beside.open(name)

    def read_beside(self, name: str, ending: str) -> bytes | None:
        return None if self._address_of(name) else self._beside.read_beside(name, ending)

    def file_of(self, name: str) -> Path | None:
        address = self._address_of(name)
        return self._downloads.path_of(address) if address else self._beside.file_of(name)

    def captions_of(self, name: str) -> tuple[str, ...]:
        return self._read().get(name, ())

    def left_out(self) -> Sequence[str]:
        return self._left_out

    def place_of(self, name: str) -> str:
        address = self._address_of(name)
        return shown(address) if address else self._beside.place_of(name)

    def _picture(self, name: str) -> Picture:
        """A download never changes: another address is another name. As a place alone, addresses may look alike."""
        version = name if self._address_of(name) else self._beside.picture(name).version
        return Picture(source=self, name=name, version=version)

    def _address_of(self, name: str) -> str | None:
        self._read()
        return self._addresses.get(name)

    def _read(self) -> dict[str, tuple[str, ...]]:
        """The captions by name, with the addresses noted."""
        if self._captions is not None:
            return self._captions
        captions: dict[str, tuple[str, ...]] = {}
        columns = [self._address_column, *([self._caption_column] if self._caption_column else [])]
        with open_table(str(self._table), option="csv_file", dataset=self._dataset) as file:
            for number, row in enumerate(read_rows(file, str(self._table), columns=columns), start=1):
                if number == 1:
                    check_columns(row, columns, str(self._table), dataset=self._dataset)
                name = self._name_of(str(row.get(self._address_column) or "").strip(), number)
                if name is not None:
                    captions[name] = captions.get(name, ()) + captions_in(row.get(self._caption_column or ""))
        self._captions = captions
        return captions

    def _name_of(self, written: str, number: int) -> str | None:
        if "://" in written and not is_address(written):
            self._left_out.append(f"row {number} of {self._table} has no address that begins with http:// or https://")
            return None
        if "://" in written:
            name = self._downloads.name_of(written)
            self._addresses[name] = written
            return name
        within = name_in("", written.removeprefix(f"{self._table.parent}/"))
        if within is None:
            self._left_out.append(f"row {number} of {self._table}: {written!r:.200} is no place in its folder")
        return within
