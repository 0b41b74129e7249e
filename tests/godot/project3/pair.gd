# Two connections in one process, each other's signalling.
extends Reference

var a := WebRTCPeerConnection.new()
var b := WebRTCPeerConnection.new()
var received := []  # channels that came to b
var log_ := []  # what b's and a's signals said, in order


func _init() -> void:
	a.connect("session_description_created", self, "_on_description", ["a"])
	b.connect("session_description_created", self, "_on_description", ["b"])
	a.connect("ice_candidate_created", self, "_on_candidate", ["a"])
	b.connect("ice_candidate_created", self, "_on_candidate", ["b"])
	b.connect("data_channel_received", self, "_on_channel")


func _on_description(type: String, sdp: String, who: String) -> void:
	log_.push_back(who + " " + type)
	var own = a if who == "a" else b
	var other = b if who == "a" else a
	own.set_local_description(type, sdp)
	other.set_remote_description(type, sdp)


func _on_candidate(media: String, index: int, name: String, who: String) -> void:
	log_.push_back(who + " candidate")
	(b if who == "a" else a).add_ice_candidate(media, index, name)


func _on_channel(channel: Object) -> void:
	log_.push_back("b channel " + channel.get_label())
	received.push_back(channel)


func poll() -> void:
	if a != null:
		a.poll()
	if b != null:
		b.poll()


func is_connected_now() -> bool:
	return a.get_connection_state() == WebRTCPeerConnection.STATE_CONNECTED \
			and b.get_connection_state() == WebRTCPeerConnection.STATE_CONNECTED


func is_up() -> bool:
	return received.size() > 0 and is_connected_now()
