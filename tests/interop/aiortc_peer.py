#!/usr/bin/python3
"""aiortc as a peer program: the options and lines of docs/pollrtc-peer.md, modes echo, ping, bulk, rate and script.

aiortc does not trickle: all its candidates stand in its description. Needs Debian's python3-aiortc.
"""

import argparse
import asyncio
import json
import sys
import time

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

MODES = ["echo", "ping", "bulk", "rate", "script"]


def out(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def content_of(size, seed, text):
    data = bytearray(size)
    for i in range(size):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        data[i] = 97 + (seed >> 24) % 26 if text else seed >> 24
    return data.decode() if text else bytes(data)


def digest_of(data):
    hash_ = 2166136261
    for byte in data:
        hash_ = (hash_ ^ byte) * 16777619 & 0xFFFFFFFF
    return hash_


def to_bytes(message):
    return message.encode() if isinstance(message, str) else message


class Payload:
    """The content of test messages: made for a sender, looked at for a receiver (--verify)."""

    def __init__(self, options):
        self.options = options
        self.pattern = {}
        self.verdict = {"bad": 0, "duplicate": 0, "missing": 0, "out_of_order": 0}
        self.channels = {}

    def make(self, number):
        size = self.options.size
        if self.options.text:
            head = f"{number:08x}"[-8:] if size >= 8 else ""
            return head + self._rest(number, len(head))
        head = number.to_bytes(8, "big") if size >= 8 else b""
        return head + self._rest(number, len(head))

    def _rest(self, number, begin):
        modulus = 26 if self.options.text else 256
        key = number % modulus if self.options.verify else 0
        if key not in self.pattern:
            size = self.options.size
            if self.options.text:
                self.pattern[key] = "".join(chr(97 + (key + i) % 26) for i in range(begin, size))
            else:
                self.pattern[key] = bytes((key + i) & 255 for i in range(begin, size))
        return self.pattern[key]

    def check(self, label, message):
        if len(message) != self.options.size:
            self.verdict["bad"] += 1
            return
        if len(message) < 8:
            return
        number = int(message[:8], 16) if isinstance(message, str) else int.from_bytes(message[:8], "big")
        self.verdict["bad"] += message != self.make(number)
        seen, expected = self.channels.setdefault(label, (set(), 0))
        self.verdict["duplicate"] += number in seen
        self.verdict["out_of_order"] += number != expected
        seen.add(number)
        self.channels[label] = (seen, number + 1)

    def result(self):
        if not self.options.verify:
            return {}
        self.verdict["missing"] = sum(max(seen) + 1 - len(seen) for seen, _ in self.channels.values())
        return self.verdict


class Mode:
    def __init__(self, peer):
        self.peer, self.options = peer, peer.options

    def on_open(self, channel):
        pass

    def on_message(self, channel, message):
        pass

    def on_stop(self):
        pass


class Echo(Mode):
    def on_message(self, channel, message):
        channel.send(message)


class Ping(Mode):
    def __init__(self, peer):
        super().__init__(peer)
        self.open, self.trips, self.over, self.done = [], [], 0, False
        self.warmup = max(10, -(-self.options.count // 10))
        self.payload = Payload(self.options)

    def on_open(self, channel):
        self.open.append(channel)
        if len(self.open) == self.options.channels:
            self.next()

    def next(self):
        if self.over == self.warmup:
            out(type="mark", name="begin")
        self.sent_at = time.perf_counter()
        self.open[self.over % len(self.open)].send(self.payload.make(self.over))

    def on_message(self, channel, message):
        trip = time.perf_counter() - self.sent_at
        if self.done:
            return
        if self.over >= self.warmup:
            self.trips.append(trip * 1e6)
        self.over += 1
        if len(self.trips) < self.options.count:
            self.next()
            return
        out(type="mark", name="end")
        self.on_stop()

    def on_stop(self):
        if self.done:
            return
        self.done = True
        trips = sorted(self.trips)
        rtt = {"n": len(trips)}
        if trips:
            at = lambda part: round(trips[min(len(trips) - 1, int(part * len(trips)))])
            rtt.update(min=at(0), median=at(0.5), mean=round(sum(trips) / len(trips)), p90=at(0.9), p99=at(0.99), max=at(1))
        out(type="result", mode="ping", role=self.options.role, rtt_us=rtt)


class Bulk(Mode):
    def __init__(self, peer):
        super().__init__(peer)
        o = self.options
        self.sends = o.direction == "both" or (o.role == "offer") == (o.direction == "up")
        self.receives = o.direction == "both" or not self.sends
        self.payload, self.open, self.numbers = Payload(o), [], {}
        self.tx, self.first, self.stopped, self.done = {"messages": 0, "bytes": 0, "seconds": 0}, None, False, False
        self.rx, self.t0 = {"messages": 0, "bytes": 0, "seconds": o.duration, "total_messages": 0, "total_bytes": 0}, None

    def on_open(self, channel):
        if not self.sends:
            return
        self.open.append(channel)
        if len(self.open) == self.options.channels:
            asyncio.ensure_future(self.pump())

    async def pump(self):
        turn, o = 0, self.options
        self.first = time.perf_counter()
        # Less than what the other end may ask for: aiortc looks through all of its queue for each packet.
        most = min(o.buffer, 4 * max(o.size, 16384))
        while not self.stopped and time.perf_counter() < self.first + o.warmup + o.duration + 10:
            channel = self.open[turn % len(self.open)]
            if channel.readyState != "open":
                break
            if channel.bufferedAmount > most:
                await asyncio.sleep(0.001)
                continue
            number = self.numbers.get(channel.label, 0)
            self.numbers[channel.label] = number + 1
            channel.send(self.payload.make(number))
            turn += 1
            self.tx["messages"] += 1
            self.tx["bytes"] += o.size
            await asyncio.sleep(0)
        self.halt()

    def halt(self):
        if not self.stopped and self.first is not None:
            self.tx["seconds"] = time.perf_counter() - self.first
        self.stopped = True

    def on_message(self, channel, message):
        if not self.receives:
            return
        now = time.perf_counter()
        if self.t0 is None:
            self.t0 = now
            asyncio.ensure_future(self.count())
        size = len(message)
        self.rx["total_messages"] += 1
        self.rx["total_bytes"] += size
        if self.options.warmup <= now - self.t0 < self.options.warmup + self.options.duration:
            self.rx["messages"] += 1
            self.rx["bytes"] += size
        if self.options.verify:
            self.payload.check(channel.label, message)

    async def count(self):
        await asyncio.sleep(self.options.warmup)
        out(type="mark", name="begin")
        await asyncio.sleep(self.options.duration)
        out(type="mark", name="end")
        self.result()

    def result(self):
        if self.done:
            return
        self.done = True
        line = {"type": "result", "mode": self.options.mode, "role": self.options.role}
        if self.receives:
            line["rx"] = {**self.rx, **self.payload.result()}
        if self.sends:
            line["tx"] = self.tx if self.stopped else {**self.tx, "seconds": time.perf_counter() - (self.first or 0)}
        out(**line)

    def on_stop(self):
        self.halt()
        self.result()


class Script(Mode):
    def on_message(self, channel, message):
        data = to_bytes(message)
        line = {"type": "event", "name": "message", "label": channel.label, "text": isinstance(message, str),
                "size": len(data), "digest": digest_of(data)}
        if isinstance(message, str) and len(data) <= 200:
            line["data"] = message
        out(**line)

    async def command(self, line):
        what, label = line.get("do"), line.get("label")
        if what == "channel":
            names = ["ordered", "maxRetransmits", "maxPacketLifeTime", "negotiated", "id", "protocol"]
            self.peer.add(self.peer.connection.createDataChannel(label, **{n: line[n] for n in names if n in line}))
        elif what == "offer":
            await self.peer.offer()
        elif what == "close-connection":
            await self.peer.connection.close()
        elif what == "close":
            self.peer.find(label).close()
        elif what == "send":
            data = line["data"] if "data" in line else content_of(line.get("size", 0), line.get("seed", 0), line.get("text"))
            try:
                self.peer.find(label).send(data)
            except Exception as error:  # pylint: disable=broad-except
                out(type="event", name="send-refused", label=label, error=type(error).__name__, message=str(error))
        else:
            raise ValueError(f"do what? {what}")


class Peer:
    def __init__(self, options):
        self.options = options
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channels, self.early, self.ready = [], [], False
        modes = {"echo": Echo, "ping": Ping if options.role == "offer" else Echo, "bulk": Bulk, "rate": Bulk, "script": Script}
        self.mode = modes[options.mode](self)
        self.connection.on("datachannel", self.add)
        self.connection.on("connectionstatechange", self.on_state)

    def on_state(self):
        state = self.connection.connectionState
        out(type="event", name="connection", connection=state)
        if state == "failed" and self.options.mode != "script":
            out(type="error", code="connection", message="connection failed")
        if state == "closed":
            # aiortc tells nobody that the channels of a closed connection are closed.
            for channel in self.channels:
                self.on_close(channel)

    def add(self, channel):
        self.channels.append(channel)
        channel.is_told, channel.is_told_closed = False, False
        channel.on("open", lambda: self.on_open(channel))
        channel.on("close", lambda: self.on_close(channel))
        channel.on("message", lambda message: self.on_message(channel, message))
        if channel.readyState == "open":
            self.on_open(channel)

    def on_open(self, channel):
        if channel.is_told:
            return
        channel.is_told = True
        out(type="event", name="open", label=channel.label, id=channel.id, protocol=channel.protocol, ordered=channel.ordered,
            negotiated=channel.negotiated, maxRetransmits=channel.maxRetransmits, maxPacketLifeTime=channel.maxPacketLifeTime)
        self.mode.on_open(channel)

    def on_message(self, channel, message):
        self.on_open(channel)
        self.mode.on_message(channel, message)

    def on_close(self, channel):
        if not channel.is_told_closed:
            out(type="event", name="channel-close", label=channel.label)
        channel.is_told_closed = True

    def find(self, label):
        return [channel for channel in self.channels if channel.label == label][-1]

    def add_test_channels(self):
        o = self.options
        for i in range(o.channels):
            init = {"ordered": not o.unordered, "protocol": o.protocol}
            if o.max_retransmits is not None:
                init["maxRetransmits"] = o.max_retransmits
            if o.max_lifetime is not None:
                init["maxPacketLifeTime"] = o.max_lifetime
            if o.negotiated_id is not None:
                init.update(negotiated=True, id=o.negotiated_id + 2 * i)
            self.add(self.connection.createDataChannel(f"{o.label}-{i}" if i else o.label, **init))

    async def offer(self):
        await self.connection.setLocalDescription(await self.connection.createOffer())
        out(type="offer", sdp=self.connection.localDescription.sdp)
        out(type="candidate", mid="0", index=0, candidate="")

    async def set_remote(self, line):
        await self.connection.setRemoteDescription(RTCSessionDescription(type=line["type"], sdp=line["sdp"]))
        self.ready = True
        early, self.early = self.early, []
        for candidate in early:
            await self.add_candidate(candidate)

    async def add_candidate(self, line):
        text = line.get("candidate", "")
        if not self.ready:
            self.early.append(line)
        elif not text:
            await self.connection.sctp.transport.transport.addRemoteCandidate(None)  # addIceCandidate() knows no end
        elif " udp " in text.lower():
            candidate = candidate_from_sdp(text.split(":", 1)[1])
            candidate.sdpMid, candidate.sdpMLineIndex = line.get("mid"), line.get("index", 0)
            await self.connection.addIceCandidate(candidate)

    async def on_line(self, line):
        kind = line.get("type")
        if kind == "offer":
            if self.options.negotiated_id is not None:
                self.add_test_channels()
            await self.set_remote(line)
            await self.connection.setLocalDescription(await self.connection.createAnswer())
            out(type="answer", sdp=self.connection.localDescription.sdp)
            out(type="candidate", mid="0", index=0, candidate="")
        elif kind == "answer":
            await self.set_remote(line)
        elif kind == "candidate":
            await self.add_candidate(line)
        elif kind == "close":
            await self.connection.close()
        elif kind == "stop":
            self.mode.on_stop()
        elif kind == "do":
            await self.mode.command(line)


def parse_options():
    class Parser(argparse.ArgumentParser):
        def error(self, message):
            out(type="error", code="unsupported", message=message)
            sys.exit(2)

    parser = Parser(allow_abbrev=False)
    parser.add_argument("--role", choices=["offer", "answer"], required=True)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--direction", choices=["up", "down", "both"], default="up")
    for name, default in [("size", None), ("count", 2000), ("channels", 1), ("buffer", 1048576), ("max-retransmits", None),
                          ("max-lifetime", None), ("negotiated-id", None)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in [("warmup", 1.0), ("duration", 5.0), ("timeout", 60.0)]:
        parser.add_argument(f"--{name}", type=float, default=default)
    parser.add_argument("--label", default="bench")
    parser.add_argument("--protocol", default="")
    for name in ["binary", "text", "unordered", "verify"]:
        parser.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    if options.size is None:
        options.size = 65536 if options.mode == "bulk" else 64
    return options


async def run(options):
    peer = Peer(options)
    reader = asyncio.StreamReader(limit=1 << 21)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    out(type="hello", peer="aiortc")
    if options.role == "offer" and options.mode != "script":
        peer.add_test_channels()
        await peer.offer()
    # One line after another: a description is applied before the candidates that follow it.
    while text := await reader.readline():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if not isinstance(line, dict):
            continue
        if line.get("type") == "quit":
            break
        try:
            await peer.on_line(line)
        except Exception as error:  # pylint: disable=broad-except
            out(type="error", code=str(line.get("type")), message=f"{type(error).__name__}: {error}")
    try:
        await asyncio.wait_for(peer.connection.close(), 1)
    except asyncio.TimeoutError:
        pass


def main():
    options = parse_options()
    try:
        asyncio.run(asyncio.wait_for(run(options), options.timeout))
    except asyncio.TimeoutError:
        out(type="error", code="timeout", message="not done in time")
        sys.exit(3)


if __name__ == "__main__":
    main()
