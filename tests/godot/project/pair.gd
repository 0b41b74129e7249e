# Two connections in one process, each other's signalling.
extends RefCounted

var a := WebRTCPeerConnection.new()
var b := WebRTCPeerConnection.new()
var received: Array = []  # channels that came to b
var log: Array = []  # what b's and a's signals said, in order


func _init() -> void:
	# Methods, not lambdas: those would hold the pair, and the pair its connections, for ever.
	a.session_description_created.connect(_on_description.bind("a"))
	b.session_description_created.connect(_on_description.bind("b"))
	a.ice_candidate_created.connect(_on_candidate.bind("a"))
	b.ice_candidate_created.connect(_on_candidate.bind("b"))
	b.data_channel_received.connect(_on_channel)


func _on_description(type: String, sdp: String, who: String) -> void:
	log.push_back(who + " " + type)
	var own := a if who == "a" else b
	var other := b if who == "a" else a
	own.set_local_description(type, sdp)
	other.set_remote_description(type, sdp)


func _on_candidate(media: String, index: int, name: String, who: String) -> void:
	log.push_back(who + " candidate")
	(b if who == "a" else a).add_ice_candidate(media, index, name)


func _on_channel(channel: WebRTCDataChannel) -> void:
	log.push_back("b channel " + channel.get_label())
	received.push_back(channel)


func poll() -> void:
	a.poll()
	b.poll()


func is_connected_now() -> bool:
	return a.get_connection_state() == WebRTCPeerConnection.STATE_CONNECTED \
			and b.get_connection_state() == WebRTCPeerConnection.STATE_CONNECTED
