# A node whose methods are called from elsewhere; it notes what came.
extends Node

var calls: Array = []


@rpc("any_peer", "call_remote", "reliable")
func say(text: String) -> void:
	calls.push_back([multiplayer.get_remote_sender_id(), text])


@rpc("any_peer", "call_remote", "unreliable")
func move(to: Vector2) -> void:
	calls.push_back([multiplayer.get_remote_sender_id(), to])


@rpc("any_peer", "call_remote", "unreliable_ordered")
func turn(angle: float) -> void:
	calls.push_back([multiplayer.get_remote_sender_id(), angle])


@rpc("any_peer", "call_remote", "reliable", 1)
func load_map(data: PackedByteArray) -> void:
	calls.push_back([multiplayer.get_remote_sender_id(), data.size()])
