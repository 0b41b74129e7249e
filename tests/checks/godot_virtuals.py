#!/usr/bin/env python3
"""Every virtual method that Godot 4 asks a WebRTC plugin for is overridden by ours, with the signature it asks with.

    godot_virtuals.py ROOT [extension_api.json]

One that is missing answers 0, which is OK as an Error and NEW as a state: it looks like success. ENGINE is what the engine asks
for (4.1 to 4.6: the hashes have not changed); with the file that `godot --dump-extension-api` writes it is compared with the
engine at hand, so that a new method is noticed.
"""

import json
import pathlib
import re
import sys

TITLE = "each virtual method that the engine asks for is there [API-55]"

ENGINE = {
    "connection": {
        "_get_connection_state": 2275710506, "_get_gathering_state": 4262591401, "_get_signaling_state": 3342956226,
        "_initialize": 1494659981, "_create_data_channel": 4111292546, "_create_offer": 166280745,
        "_set_remote_description": 852856452, "_set_local_description": 852856452, "_add_ice_candidate": 3958950400,
        "_poll": 166280745, "_close": 3218959716,
    },
    "channel": {
        "_get_packet": 3099858825, "_put_packet": 3099858825, "_get_available_packet_count": 3905245786,
        "_get_max_packet_size": 3905245786, "_poll": 166280745, "_close": 3218959716, "_set_write_mode": 1999768052,
        "_get_write_mode": 2848495172, "_was_string_packet": 36873697, "_get_ready_state": 3501143017, "_get_label": 201670096,
        "_is_ordered": 36873697, "_get_id": 3905245786, "_get_max_packet_life_time": 3905245786,
        "_get_max_retransmits": 3905245786, "_get_protocol": 201670096, "_is_negotiated": 36873697,
        "_get_buffered_amount": 3905245786,
    },
}
CLASSES = {"connection": "WebRTCPeerConnectionExtension", "channel": "WebRTCDataChannelExtension"}


def table_of(source):
    """name -> (hash, what answers) of the table of virtuals."""
    table = re.search(r"^constexpr Virtual kVirtuals\[\] = \{\n(.*?)^\};", source, re.MULTILINE | re.DOTALL).group(1)
    return {name: (int(number), call) for name, number, call in re.findall(r'\{"(\w+)",\s*(\d+),\s*([^{}]+?)\}', table)}


def faults_of(kind, source):
    ours = table_of(source)
    if not re.search(r"\.virtuals = kVirtuals,", source):
        yield f"{kind}: the table is not what is registered"
    for name, wanted in ENGINE[kind].items():
        number, call = ours.get(name, (None, ""))
        if number is None:
            yield f"{kind}: {name} is not overridden"
        elif number != wanted:
            yield f"{kind}: {name} has the hash {number}, the engine asks with {wanted}"
        # What answers is named after what is asked: another one's answer would be of another kind.
        elif name[1:] not in re.split(r"\W+", call):
            yield f"{kind}: {name} is answered by {call}"
    yield from (f"{kind}: the engine does not know {name}" for name in ours if name not in ENGINE[kind])


def main():
    root = pathlib.Path(sys.argv[1])
    faults = [fault for kind in ENGINE
              for fault in faults_of(kind, (root / f"godot/gdextension/{kind}_class.cpp").read_text(encoding="utf-8"))]
    if len(sys.argv) > 2:
        api = json.loads(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
        for kind, name in CLASSES.items():
            methods = next(c for c in api["classes"] if c["name"] == name)["methods"]
            if {m["name"]: m["hash"] for m in methods if m["is_virtual"]} != ENGINE[kind]:
                faults.append(f"{kind}: this engine asks for others than the list here")
    print("\n".join(faults) or TITLE)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
