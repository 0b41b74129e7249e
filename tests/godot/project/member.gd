# A member of a mesh beside a browser's page: says what happens in lines of JSON, and sends each packet back as it came.
#   godot ... --script res://member.gd -- URL [LOBBY]
extends SceneTree

const Lobby := preload("res://lobby.gd")

var lobby := Lobby.new()
var known := {}


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 1
	var arguments := OS.get_cmdline_user_args()
	root.add_child(lobby)
	lobby.joined.connect(func(id: int, name: String) -> void: say({"name": "joined", "id": id, "lobby": name}))
	lobby.closed.connect(func(reason: String) -> void: say({"name": "signalling-closed", "message": reason}))
	lobby.peer.peer_connected.connect(func(id: int) -> void: say({"name": "peer", "id": id}))
	lobby.peer.peer_disconnected.connect(func(id: int) -> void: say({"name": "peer-gone", "id": id}))
	lobby.join(arguments[0], arguments[1] if arguments.size() > 1 else "")


func say(line: Dictionary) -> void:
	line.type = "event"
	print("@", JSON.stringify(line))


func _process(_delta: float) -> bool:
	var peer := lobby.peer
	if peer.get_connection_status() == MultiplayerPeer.CONNECTION_DISCONNECTED:
		return false
	peer.poll()
	while peer.get_available_packet_count() > 0:
		var from := peer.get_packet_peer()
		var mode := peer.get_packet_mode()
		var packet := peer.get_packet()
		if packet.get_string_from_ascii() == "leave":
			peer.close()
			say({"name": "left"})
			return true
		peer.set_target_peer(from)
		peer.transfer_mode = mode
		var error := peer.put_packet(packet)
		say({"name": "message", "from": from, "mode": mode, "size": packet.size(), "error": error})
	return false
