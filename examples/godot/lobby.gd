# A client of a signalling server with lobbies: `pollrtc serve`, or the server of Godot's own demo (networking/webrtc_signaling),
# whose messages these are. It makes a mesh of all who are in a lobby.
#
#   var lobby := Lobby.new()
#   add_child(lobby)
#   lobby.joined.connect(func(id, name): multiplayer.multiplayer_peer = lobby.peer)
#   lobby.join("ws://127.0.0.1:9080")            # makes a lobby; with a name as second argument it joins that one
extends Node

signal joined(id: int, lobby: String)  # `peer` is ready to be given to the multiplayer API
signal sealed()
signal closed(reason: String)  # the server is gone; who is connected stays so

enum Message { JOIN, ID, PEER_CONNECT, PEER_LEAVE, OFFER, ANSWER, CANDIDATE, SEAL }

var peer := WebRTCMultiplayerPeer.new()
var configuration := {}  # of each connection: docs/godot.md
var _socket := WebSocketPeer.new()
var _name := ""
var _has_asked := false
var _is_over := true


func join(url: String, lobby := "") -> Error:
	_name = lobby
	_has_asked = false
	_is_over = false
	return _socket.connect_to_url(url)


func seal() -> void:
	_tell(Message.SEAL, 0, "")


func _process(_delta: float) -> void:
	if _is_over:
		return
	_socket.poll()
	var state := _socket.get_ready_state()
	if state == WebSocketPeer.STATE_OPEN and not _has_asked:
		_has_asked = true
		_tell(Message.JOIN, 0, _name)
	while _socket.get_available_packet_count() > 0:
		_take(_socket.get_packet().get_string_from_utf8())
	if state == WebSocketPeer.STATE_CLOSED:
		_is_over = true
		closed.emit(_socket.get_close_reason())


func _tell(type: Message, id: int, data: String) -> void:
	if _socket.get_ready_state() == WebSocketPeer.STATE_OPEN:
		_socket.send_text(JSON.stringify({"type": type, "id": id, "data": data}))


func _take(text: String) -> void:
	var message: Variant = JSON.parse_string(text)
	if not message is Dictionary or not message.has_all(["type", "id", "data"]):
		return
	var id := int(message.id)
	var data := str(message.data)
	match int(message.type):
		Message.ID:
			peer.create_mesh(id)
		Message.JOIN:
			joined.emit(peer.get_unique_id(), data)
		Message.PEER_CONNECT:
			_add(id)
		Message.PEER_LEAVE:
			if peer.has_peer(id):
				peer.remove_peer(id)
		Message.OFFER, Message.ANSWER:
			if peer.has_peer(id):
				var type := "offer" if int(message.type) == Message.OFFER else "answer"
				peer.get_peer(id).connection.set_remote_description(type, data)
		Message.CANDIDATE:
			var parts := data.split("\n")  # nothing, media, index, candidate
			if peer.has_peer(id) and parts.size() == 4:
				peer.get_peer(id).connection.add_ice_candidate(parts[1], parts[2].to_int(), parts[3])
		Message.SEAL:
			sealed.emit()


func _add(id: int) -> void:
	var connection := WebRTCPeerConnection.new()
	connection.initialize(configuration)
	connection.session_description_created.connect(_on_description.bind(id))
	connection.ice_candidate_created.connect(_on_candidate.bind(id))
	peer.add_peer(connection, id)
	if id < peer.get_unique_id():  # the larger number offers, so the host of a lobby never does
		connection.create_offer()


func _on_description(type: String, sdp: String, id: int) -> void:
	peer.get_peer(id).connection.set_local_description(type, sdp)
	_tell(Message.OFFER if type == "offer" else Message.ANSWER, id, sdp)


func _on_candidate(media: String, index: int, name: String, id: int) -> void:
	_tell(Message.CANDIDATE, id, "\n%s\n%d\n%s" % [media, index, name])
