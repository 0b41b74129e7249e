# WebRTCPeerConnection: states, signals and their order, descriptions, candidates, misuse, the end.
extends "res://suite.gd"


class Ears:
	extends Reference
	var said := []
	var last_type := ""
	var last_sdp := ""
	var candidates := []

	func listen(connection) -> void:
		connection.connect("session_description_created", self, "_on_description")
		connection.connect("ice_candidate_created", self, "_on_candidate")

	func _on_description(type: String, sdp: String) -> void:
		said.push_back(type)
		last_type = type
		last_sdp = sdp

	func _on_candidate(media: String, index: int, name: String) -> void:
		said.push_back("candidate")
		candidates.push_back([media, index, name])
		if media == "" or index != 0 or not name.begins_with("candidate:"):
			said.push_back("wrong candidate " + name)


class OwnConnection:
	extends WebRTCPeerConnection
	var mine := 5


func is_gathered(connection) -> bool:
	return connection.get_gathering_state() == 2


func test_new_object_is_ready_without_initialize() -> void:
	var connection := WebRTCPeerConnection.new()
	equal(connection.get_class(), "WebRTCPeerConnectionGDNative", "class")
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "connection state")
	equal(connection.get_gathering_state(), 0, "gathering state")
	equal(connection.get_signaling_state(), 0, "signaling state")
	equal(connection.poll(), OK, "poll")
	check(connection.create_data_channel("x") != null, "a channel")
	equal(connection.create_offer(), OK, "an offer")
	done()


func test_initialize_takes_what_godot_documents() -> void:
	var connection := WebRTCPeerConnection.new()
	equal(connection.initialize(), OK, "nothing")
	equal(connection.initialize({"iceServers": []}), OK, "no servers")
	equal(connection.initialize({"iceServers": [{"urls": ["stun:127.0.0.1:3478", "stun:127.0.0.1"]}]}), OK, "STUN")
	equal(connection.initialize({"iceServers": [{"urls": "stun:127.0.0.1"}]}), OK, "one url as a string")
	equal(connection.initialize({"iceServers": [{"urls": PoolStringArray(["stun:127.0.0.1"])}]}), OK, "packed urls")
	equal(connection.initialize({"iceServers": [{"urls": ["turn:127.0.0.1:3478?transport=udp"], "username": "u",
			"credential": "c"}]}), OK, "TURN")
	equal(connection.initialize({"something else": 1, 7: 8, "iceServers": null}), OK, "unknown keys")
	equal(connection.initialize({"iceServers": {"urls": "stun:127.0.0.1"}}), OK, "iceServers that is no array is ignored")
	done()


func test_initialize_refuses_what_it_cannot_use() -> void:
	var connection := WebRTCPeerConnection.new()
	var _channel = connection.create_data_channel("x")
	connection.create_offer()
	for servers in [[7], ["stun:127.0.0.1"], [{}], [{"urls": 5}], [{"urls": []}], [{"urls": [5]}], [{"urls": ["stun:127.0.0.1", 5]}],
			[{"urls": "stun:"}], [{"urls": "http://127.0.0.1"}], [{"urls": "stun:host:99999"}], [{"urls": "turn:127.0.0.1"}],
			[{"urls": "stun:127.0.0.1", "username": 5}]]:
		equal(connection.initialize({"iceServers": servers}), ERR_INVALID_PARAMETER, "iceServers " + str(servers))
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTING, "the old connection goes on")
	var circle := {}
	circle["iceServers"] = [circle]
	equal(connection.initialize(circle), ERR_INVALID_PARAMETER, "a dictionary that contains itself")
	circle.clear()
	done()


func test_offer_needs_a_channel_and_comes_once():
	var connection := WebRTCPeerConnection.new()
	var ears := Ears.new()
	ears.listen(connection)
	equal(connection.create_offer(), FAILED, "no channel")
	pollables = [connection]
	yield(frames(5), "completed")
	equal(ears.said, [], "signals")
	var _channel = connection.create_data_channel("x")
	equal(connection.create_offer(), OK, "with one")
	equal(connection.create_offer(), FAILED, "again")
	done()


func test_signals_come_from_poll_alone_and_in_order():
	var connection := WebRTCPeerConnection.new()
	var ears := Ears.new()
	ears.listen(connection)
	var _channel = connection.create_data_channel("x")
	connection.create_offer()
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTING, "connection state")
	equal(connection.get_signaling_state(), 1, "signaling state")
	for _i in 3:
		yield(self, "idle_frame")
	equal(ears.said, [], "signals without poll")
	connection.poll()
	equal([ears.said[0], ears.said[1], ears.said.count("offer")], ["offer", "candidate", 1], "the first signals")
	pollables = [connection]
	check(yield(until(self, "is_gathered", [connection]), "completed"), "gathering ends")
	for word in ears.said:
		check(not word.begins_with("wrong"), word)
	equal(connection.set_local_description(ears.last_type, ears.last_sdp), OK, "its own description")
	equal(connection.set_local_description("offer", "v=0"), ERR_INVALID_PARAMETER, "another one")
	done()


func test_two_ends_connect():
	var made = yield(connected(), "completed")
	var pair = made[0]
	equal([pair.a.get_signaling_state(), pair.b.get_signaling_state()], [0, 0], "signaling")
	equal(pair.b.get_gathering_state(), 2, "gathering at b")
	var b_log := []
	for word in pair.log_:
		if word.begins_with("b "):
			b_log.push_back(word)
	equal([b_log.front(), b_log.back()], ["b answer", "b channel chat"], "what b said first and last")
	equal(pair.log_[0], "a offer", "what was said first")
	done()


func test_candidates_may_come_before_the_description():
	var a := WebRTCPeerConnection.new()
	var b := WebRTCPeerConnection.new()
	var at_a := Ears.new()
	var at_b := Ears.new()
	at_a.listen(a)
	at_b.listen(b)
	pollables = [a, b]
	var _channel = a.create_data_channel("x")
	a.create_offer()
	yield(until(self, "is_gathered", [a]), "completed")
	yield(frames(2), "completed")
	for c in at_a.candidates:
		equal(b.add_ice_candidate(c[0], c[1], "a=" + c[2]), OK, "an early candidate")
	equal(b.set_remote_description("offer", at_a.last_sdp), OK, "the offer")
	check(yield(until(self, "says", [at_b.said, "answer"]), "completed"), "the answer")
	equal(a.set_remote_description("answer", at_b.last_sdp), OK, "set the answer")
	check(yield(until(self, "has_state", [a, WebRTCPeerConnection.STATE_CONNECTED]), "completed"), "connected")
	done()


func test_descriptions_and_candidates_that_cannot_be_used():
	var connection := WebRTCPeerConnection.new()
	for type in ["", "Offer", "something"]:
		check(connection.set_remote_description(type, "v=0") != OK, "type " + type)
	for sdp in ["", "v=0", "nonsense", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"]:
		check(connection.set_remote_description("offer", sdp) != OK, "sdp " + sdp.c_escape())
	check(connection.set_remote_description("answer", "v=0") != OK, "an answer without an offer")
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "state")
	var pair = yield(connected(), "completed")[0]
	check(pair.a.add_ice_candidate("0", 0, "nonsense") != OK, "no candidate")
	equal(pair.a.add_ice_candidate("0", 0, ""), OK, "the end of candidates")
	equal(pair.a.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTED, "state")
	done()


func test_an_offer_of_nothing_is_answered_and_no_obstacle():
	var connection := WebRTCPeerConnection.new()
	var ears := Ears.new()
	ears.listen(connection)
	equal(connection.set_remote_description("offer", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"), OK, "set")
	pollables = [connection]
	yield(frames(3), "completed")
	equal(ears.said, ["answer"], "signals")
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "state")
	var channel = connection.create_data_channel("x")
	equal([channel != null, connection.create_offer()], [true, OK], "an offer of something")
	done()


func test_close_tells_the_other_end_at_once():
	var made = yield(connected(), "completed")
	var pair = made[0]
	var channel = made[1]
	pair.a.close()
	equal(pair.a.get_connection_state(), WebRTCPeerConnection.STATE_CLOSED, "state")
	equal(pair.a.get_signaling_state(), 5, "signaling")
	equal(channel.get_ready_state(), WebRTCDataChannel.STATE_CLOSED, "its channel")
	pollables = [pair.b]  # a is polled no more
	check(yield(until(self, "has_state", [pair.b, WebRTCPeerConnection.STATE_CLOSED], 2.0), "completed"), "the other end is CLOSED")
	equal(pair.received[0].get_ready_state(), WebRTCDataChannel.STATE_CLOSED, "the other end's channel")
	equal(pair.a.poll(), OK, "poll")
	equal(pair.a.create_offer(), FAILED, "create_offer")
	check(pair.a.set_remote_description("offer", "v=0") != OK, "set_remote_description")
	check(pair.a.create_data_channel("y") == null, "create_data_channel")
	check(channel.put_packet(bytes([1])) != OK, "put_packet")
	done()


func test_close_drops_signals_that_wait():
	var connection := WebRTCPeerConnection.new()
	var ears := Ears.new()
	ears.listen(connection)
	var _channel = connection.create_data_channel("x")
	connection.create_offer()
	connection.close()
	pollables = [connection]
	yield(frames(5), "completed")
	equal(ears.said, [], "signals")
	done()


func test_losing_the_last_reference_is_close():
	var pair = yield(connected(), "completed")[0]
	pollables = [pair.b]
	pair.a = null
	check(yield(until(self, "has_state", [pair.b, WebRTCPeerConnection.STATE_CLOSED], 2.0), "completed"), "the other end is CLOSED")
	done()


# A script of a user's own takes the place of ours; Godot's API works on.
func test_a_script_may_extend_the_class():
	var pair = Pair.new()
	pair.a = OwnConnection.new()
	pair.a.connect("session_description_created", pair, "_on_description", ["a"])
	pair.a.connect("ice_candidate_created", pair, "_on_candidate", ["a"])
	pollables = [pair]
	var channel = pair.a.create_data_channel("chat")
	equal(pair.a.create_offer(), OK, "create_offer")
	check(yield(until(pair, "is_up"), "completed"), "connected")
	equal(pair.a.mine, 5, "its own variable")
	equal(channel.put_packet(bytes([7])), OK, "put")
	equal(yield(take(pair.received[0], 1), "completed"), [bytes([7])], "packets")
	pair.a = null
	pollables = [pair]
	check(yield(until(self, "has_state", [pair.b, WebRTCPeerConnection.STATE_CLOSED], 2.0), "completed"), "its end is close")
	done()


func test_scripts_on_the_wrong_objects_do_no_harm() -> void:
	var connection := WebRTCPeerConnection.new()
	var channel = connection.create_data_channel("x")
	var other := Reference.new()
	other.set_script(connection.get_script())
	equal(other.get_round_trip_time(), -1.0, "a method of it")
	channel.set_script(connection.get_script())
	equal(channel.get_id(), 65535, "the channel's own API")
	connection.set_script(null)
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "without a script")
	equal(connection.poll(), OK, "poll")
	done()
