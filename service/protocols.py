"""uvicorn's two protocols with the bounds that it leaves out: who is slow, who is many, and who never reads."""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

MAX_OF_ADDRESS = 256
"""Connections of one address over HTTP; a browser opens six, a proxy that is trusted may open any number."""

MAX_FRAGMENTS = 1000


def bounded_http(*, request_seconds: float, trusted_proxies: Sequence[str]) -> type[H11Protocol]:
    """The protocol for one server, which counts its connections."""
    networks = [ipaddress.ip_network(each) for each in trusted_proxies]
    num_of_address: Counter[str] = Counter()

    class BoundedHttp(H11Protocol):
        """A connection has so many seconds for the headers of its first and of every further request."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._counted_as: str | None = None
            self._deadline: asyncio.TimerHandle | None = None
            self._is_websocket = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            address = self.client[0] if self.client else ""
            if not _is_in(address, networks):
                if num_of_address[address] >= MAX_OF_ADDRESS:
                    transport.abort()
                    return
                num_of_address[address] += 1
                self._counted_as = address
            self._set_deadline()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def handle_websocket_upgrade(self, event: Any) -> None:
            """From here on it is a websocket, and those are counted by service.live.sockets."""
            self._forget()
            self._is_websocket = True
            super().handle_websocket_upgrade(event)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_websocket:
                return
            if self._is_in_request():
                self._clear_deadline()
            elif self._deadline is None and not self.transport.is_closing():
                self._set_deadline()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self._is_in_request():
                self._set_deadline()

        def _is_in_request(self) -> bool:
            """Its headers are here and it is not answered yet; how long a body may take is for who reads it."""
            return self.cycle is not None and not self.cycle.response_complete

        def _set_deadline(self) -> None:
            self._clear_deadline()
            if self._counted_as is not None or self.transport is not None:
                self._deadline = self.loop.call_later(request_seconds, self._give_up)

        def _clear_deadline(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _give_up(self) -> None:
            self._deadline = None
            if not self.transport.is_closing() and not self._is_in_request():
                self.transport.abort()

        def _forget(self) -> None:
            self._clear_deadline()
            if self._counted_as is not None:
                num_of_address[self._counted_as] -= 1
                if num_of_address[self._counted_as] == 0:
                    del num_of_address[self._counted_as]
                self._counted_as = None

    return BoundedHttp


def _is_in(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Whoever does not read is not read: answers to pings and messages would pile up in memory."""

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MAX_FRAGMENTS:
            self.conn.fail(1009, f"a message has at most {MAX_FRAGMENTS} fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """What is no UTF-8 is closed with 1007; uvicorn does so, too, but with a traceback in the log."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(1007, "text is UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()
