# A node whose methods are called from elsewhere; it notes what came.
extends Node

var calls := []


remote func say(text: String) -> void:
	calls.push_back([multiplayer.get_rpc_sender_id(), text])


remote func move(to: Vector2) -> void:
	calls.push_back([multiplayer.get_rpc_sender_id(), to])


remote func load_map(data: PoolByteArray) -> void:
	calls.push_back([multiplayer.get_rpc_sender_id(), data.size()])
