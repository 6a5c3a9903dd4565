"""The decoding loop: every picture of one stream, damage noted and never hidden."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream


class Decoding:
    """Iterate over the decoded pictures of `stream`, in presentation order.

    `broken` says that reading ended with an error, or that nothing could be decoded after the last damage;
    `damaged` counts packets that were passed over; `reached` is the latest end of a packet of `others`, in
    seconds on the container's clock.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, others: tuple[Stream, ...] = ()
    ) -> None:
        self._container = container
        self._stream = stream
        self._others = others
        self._error_since_picture = False
        self.broken = False
        self.damaged = 0
        self.reached = Fraction(0)

    def __iter__(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            if packet.stream_index == self._stream.index:
                yield from self._decode(packet)
            else:
                self._note_end(packet)
        yield from self._decode(None)
        self.broken = self.broken or self._error_since_picture

    def _packets(self) -> Iterator[Packet[Stream]]:
        try:
            for packet in self._container.demux(self._stream, *self._others):
                if packet.size or packet.dts is not None:
                    yield packet
        except av.FFmpegError:
            self.broken = True

    def _decode(self, packet: Packet[Stream] | None) -> list[VideoFrame]:
        if packet is not None and packet.is_corrupt:
            self._error_since_picture = True
            self.damaged += 1
            return []
        try:
            decoded = self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except av.FFmpegError:
            self._error_since_picture = True
            self.damaged += 1
            return []
        if decoded:
            self._error_since_picture = False
        return decoded

    def _note_end(self, packet: Packet[Stream]) -> None:
        start = packet.pts if packet.pts is not None else packet.dts
        if start is not None and packet.time_base:
            self.reached = max(self.reached, (start + (packet.duration or 0)) * packet.time_base)
